//! Storage, by what the daemon does with it: every method of [`Store`] is one atomic use case.
//!
//! A backend answers a write only when it is durable. One contract suite (`tests/store/contract/`)
//! runs over every backend.

mod aged;
pub(crate) mod alike;
mod figures;
mod model;
pub(crate) mod naming;
mod step;
#[cfg(feature = "aws")]
pub mod transfer;

use std::{sync::Arc, time::Duration};

use crate::backend::error::BackendError;
pub use aged::{Aged, AgedKind};
use async_trait::async_trait;
pub use figures::{Activity, DayFigures, Overview, TopAgent};
pub use model::*;
use serde_json::Value;
pub use step::*;

use crate::{
    backend::queue::Receipt,
    domain::{
        agent::{Agent, AgentStatus, Invocation},
        control::{ControlApplied, ControlRequest},
        deletion::{DeleteOrders, DeletedKind, Deletion},
        event::{NewEvent, ProjectEvent},
        ids::{AgentId, ProjectId, SessionId, TaskId, ToolId},
        project::{Project, ProjectSummary},
        session::{Message, Session},
        stage::Stage,
        task::{Lease, Task},
        time::Timestamp,
        tool::{NewTool, Tool},
        workflow::Workflows,
    },
};

/// Result of a store call.
pub type Result<T> = std::result::Result<T, BackendError>;

/// Is told of every project event in the order of the commits, after the commit. Must not block:
/// it runs on the store's writer.
pub trait EventSink: Send + Sync + 'static {
    /// Events of one or more projects, each project's in order.
    fn committed(&self, events: &[ProjectEvent]);

    /// Events of other daemons may have been missed: who listens must read the store.
    fn missed(&self) {}

    /// Whether anybody listens just now, so that a backend may leave out looking for what other daemons did.
    fn listening(&self) -> bool {
        true
    }
}

/// The sink of a command that opens a store beside no daemon: nobody is told of anything.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl EventSink for Nobody {
    fn committed(&self, _: &[ProjectEvent]) {}

    fn listening(&self) -> bool {
        false
    }
}

/// The daemon's memory.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // --- projects -------------------------------------------------------------------------------

    /// Writes project, stages, task and queue message as one unit, with the first `project` event.
    async fn create_project(&self, new: NewProject) -> Result<()>;

    /// One project.
    async fn project(&self, id: &ProjectId) -> Result<Option<Project>>;

    /// One project with its stages in order and the number of its agents, read at one moment.
    async fn project_detail(&self, id: &ProjectId) -> Result<Option<ProjectDetail>>;

    /// Newest first unless `filter.sort` says otherwise; filters apply before the page.
    async fn list_projects(&self, filter: &ProjectFilter, page: &PageRequest) -> Result<Page<ProjectSummary>>;

    /// Stages in order; empty for an unknown project.
    async fn stages(&self, id: &ProjectId) -> Result<Vec<Stage>>;

    /// Removes a project with its stages, tasks, messages in the queue and events, and its agents with
    /// their sessions, messages and invocations when `with_agents`; agents that stay lose their
    /// `project_id`. `None` when unknown. A running build is fenced off: its next write is refused. The same unit
    /// records the deletion, with the agents that stay, and that of each agent which goes.
    async fn delete_project(&self, id: &ProjectId, with_agents: bool) -> Result<Option<DeletedProject>>;

    /// The same for a project that is past its time, in one unit with the look at it: `None` when it has not ended before
    /// then (somebody restarted it since), or has an agent, or is gone.
    async fn expire_project(&self, id: &ProjectId, before: Timestamp) -> Result<Option<DeletedProject>>;

    // --- the build ------------------------------------------------------------------------------

    /// Takes the lease of a build task and begins the stages that are ready, in one unit.
    ///
    /// What a former owner left `running` begins again. The project becomes `building`.
    async fn claim_build(&self, claim: ClaimBuild, workflows: Arc<Workflows>) -> Result<Claim>;

    /// Ends stages and begins others, in one unit, under the lease. When the project's user asked for
    /// a pause, nothing begins, and once `still_running` is 0 the project is paused and the task ended.
    ///
    /// # Errors
    /// [`BackendErrorKind::Fenced`] when the lease is no longer held: drop everything about the build.
    async fn advance_build(&self, lease: &Lease, step: BuildStep) -> Result<BuildProgress>;

    /// Begins a further attempt of stages after a failure, under the lease; keeps the failure's text
    /// in the stage's log.
    ///
    /// # Errors
    /// [`BackendErrorKind::Fenced`] as above.
    async fn retry_stage(&self, lease: &Lease, retry: StageRetry) -> Result<u32>;

    /// Extends leases; answers for each whether it is still held and what the user wants by now.
    async fn extend_leases(&self, leases: &[Lease], until: Timestamp) -> Result<Vec<LeaseState>>;

    /// Gives a lease back at once: the task is queued again and, on a backend that holds the queue
    /// too, its message visible at once. Stages that were running go back to pending.
    async fn release_lease(&self, lease: &Lease, receipt: Option<&Receipt>) -> Result<()>;

    /// Marks a task and its project failed although nobody holds its lease (dead letter, expired). A backend whose queue
    /// counts receives by itself spares a task that is worked on, or that made progress: then it is queued again.
    async fn fail_task(&self, task: &TaskId, reason: crate::domain::failure::ErrorInfo) -> Result<GivenUp>;

    /// Marks a project failed that waits for a worker and whose message became a dead letter without naming a task, as
    /// the original's messages may. Nothing happens to a project that is worked on, or does not wait.
    async fn fail_waiting(&self, project: &ProjectId, reason: crate::domain::failure::ErrorInfo) -> Result<GivenUp>;

    /// Tasks written but never queued, and leases that ended without a word, oldest first.
    async fn stranded_tasks(&self, now: Timestamp, limit: usize) -> Result<Vec<StrandedTask>>;

    /// Of these, those that a daemon wrote and whose message it could not send: what a daemon without workers answers for.
    async fn unsent_tasks(&self, now: Timestamp, limit: usize) -> Result<Vec<StrandedTask>> {
        let mut tasks = self.stranded_tasks(now, limit).await?;
        tasks.retain(|task| task.status == crate::domain::task::TaskStatus::Pending);
        Ok(tasks)
    }

    /// Puts right what services of another kind left in a shared store: projects that wait although they have ended, and,
    /// when `all`, builds that no figures have counted. Answers how many rows changed.
    async fn put_right(&self, _now: Timestamp, _all: bool) -> Result<u64> {
        Ok(0)
    }

    /// A project as it stands, when none of our daemons works on it in a store that others write, too: they tell no events
    /// of what they do. `None` while there are events behind `last`, which tell what the rows say.
    async fn untold(&self, _id: &ProjectId, _last: u64) -> Result<Option<ProjectDetail>> {
        Ok(None)
    }

    /// Writes the queue message of a stranded task (again).
    async fn requeue_task(&self, task: &TaskId) -> Result<()>;

    // --- control, events, tasks -----------------------------------------------------------------

    /// Applies a control request in one unit, by the project machine of `domain::transition`.
    ///
    /// # Errors
    /// [`BackendErrorKind::NotFound`]; [`BackendErrorKind::Illegal`] with the state and the allowed
    /// actions; [`BackendErrorKind::Invalid`] for an unknown `from_stage`.
    async fn control(
        &self,
        id: &ProjectId,
        request: ControlRequest,
        workflows: Arc<Workflows>,
    ) -> Result<ControlApplied>;

    /// Appends events that belong to no state change (logs, text, tools). May be committed together
    /// with later writes, within 50 ms; the sink hears of them when they are durable. Many at once may become more
    /// than one unit, in order; one that is over-long is cut, and says so (`truncated`).
    ///
    /// # Errors
    /// [`BackendErrorKind::Fenced`] when their origin is a lease that is no longer held: nothing of an owner that was
    /// overtaken stands behind what the next one, or the end of the build, wrote.
    async fn append_events(&self, project: &ProjectId, origin: Origin<'_>, events: Vec<NewEvent>) -> Result<()>;

    /// Committed events behind `after`, in order. The first one's `seq` is above `after + 1` when older
    /// ones were cleaned away.
    async fn events_after(&self, project: &ProjectId, after: u64, limit: usize) -> Result<Vec<ProjectEvent>>;

    /// One task.
    async fn task(&self, id: &TaskId) -> Result<Option<Task>>;

    /// Tasks, newest first.
    async fn list_tasks(&self, filter: &TaskFilter, page: &PageRequest) -> Result<Page<Task>>;

    // --- agents ---------------------------------------------------------------------------------

    /// Takes the lease of a deploy task; the agent becomes `deploying`.
    async fn claim_deploy(&self, claim: ClaimBuild) -> Result<DeployClaim>;

    /// Ends a deploy task under its lease: the agent becomes `running` or `error`.
    async fn finish_deploy(&self, lease: &Lease, end: DeployEnd) -> Result<()>;

    /// One agent.
    async fn agent(&self, id: &AgentId) -> Result<Option<Agent>>;

    /// Agents, newest first.
    async fn list_agents(&self, filter: &AgentFilter, page: &PageRequest) -> Result<Page<Agent>>;

    /// Changes an agent's state by the agent machine.
    async fn set_agent_status(&self, id: &AgentId, status: AgentStatus, error: Option<String>)
    -> Result<Option<Agent>>;

    /// Removes an agent with its sessions, messages and invocations; answers what went. The same unit records the
    /// deletion, with what is to be done outside of the store.
    async fn delete_agent(&self, id: &AgentId, orders: DeleteOrders) -> Result<Option<DeletedAgent>>;

    /// Changes what people may change of an agent, its state by the agent machine, in one unit.
    ///
    /// # Errors
    /// [`BackendErrorKind::Illegal`] when the machine does not allow the state.
    async fn update_agent(&self, id: &AgentId, change: AgentChange) -> Result<Option<Agent>>;

    /// Queues a deployment of an agent that is known, in one unit; the agent becomes `deploying`. `None` when
    /// unknown.
    ///
    /// # Errors
    /// [`BackendErrorKind::Illegal`] while a deployment is under way; [`BackendErrorKind::Conflict`] when the agent's
    /// project is gone: deploy tasks belong to one.
    async fn redeploy_agent(&self, id: &AgentId) -> Result<Option<TaskId>>;

    /// Writes an invocation, moves the agent's figures and those of the tools it called, and ends what
    /// [`Store::begin_once`] began, in one unit. When the key is another's by now, or answered, that stays, and only the
    /// invocation is written.
    async fn record_invocation(&self, invocation: Invocation, once: Option<Once>) -> Result<()>;

    // --- tools ----------------------------------------------------------------------------------

    /// Makes the tools of source `system` those, in one unit. Those that are known keep their use, and so do those that
    /// were there before and come back.
    async fn put_system_tools(&self, tools: Vec<NewTool>) -> Result<()>;

    /// Tools by name.
    async fn list_tools(&self, filter: &ToolFilter, page: &PageRequest) -> Result<Page<Tool>>;

    /// One tool.
    async fn tool(&self, id: &ToolId) -> Result<Option<Tool>>;

    /// Its source text, when the store has it and no file of a project.
    async fn tool_code(&self, id: &ToolId) -> Result<Option<String>>;

    /// Categories of tools with their counts, by name.
    async fn tool_categories(&self) -> Result<Vec<(String, u64)>>;

    // --- requests that may come twice -----------------------------------------------------------

    /// What was answered under this key in the last day.
    async fn once(&self, key: &str) -> Result<Option<OnceRecord>>;

    /// Takes a key for work that is no single unit, or answers what is known of it. The key is the holder's for as long
    /// as `lasts` says; a holder that is gone does not extend it, and then the key is free.
    async fn begin_once(
        &self,
        key: &str,
        fingerprint: &str,
        holder: &str,
        lasts: Duration,
    ) -> Result<Option<OnceRecord>>;

    /// Extends the holder's right to an unanswered key; whether it is still his.
    async fn extend_once(&self, key: &str, holder: &str, lasts: Duration) -> Result<bool>;

    /// Gives an unanswered key back, when it is the holder's.
    async fn abandon_once(&self, key: &str, holder: &str) -> Result<()>;

    // --- statistics -----------------------------------------------------------------------------

    /// Figures over everything; `now` says which day is today.
    async fn overview(&self, now: Timestamp) -> Result<Overview>;

    /// Builds by the day on which they ended: the last `days` days, every one there, today the last.
    async fn build_days(&self, days: u32, now: Timestamp) -> Result<Vec<DayFigures>>;

    /// Invocations by day, likewise.
    async fn invocation_days(&self, days: u32, now: Timestamp) -> Result<Vec<DayFigures>>;

    /// Categories of agents, the largest first.
    async fn agent_categories(&self) -> Result<Vec<(String, u64)>>;

    /// The agents that were asked most.
    async fn top_agents(&self, limit: usize) -> Result<Vec<TopAgent>>;

    /// What happened last, newest first.
    async fn recent_activities(&self, limit: usize) -> Result<Vec<Activity>>;

    // --- sessions -------------------------------------------------------------------------------

    /// Writes a session.
    ///
    /// # Errors
    /// [`BackendErrorKind::NotFound`] when the agent is unknown.
    async fn create_session(&self, session: Session, once: Option<Once>) -> Result<()>;

    /// One session.
    async fn session(&self, id: &SessionId) -> Result<Option<Session>>;

    /// An agent's sessions, newest `last_active_at` first.
    async fn list_sessions(&self, agent: &AgentId, limit: usize) -> Result<Vec<Session>>;

    /// Removes a session with its messages, and records that; answers how many messages those were.
    async fn delete_session(&self, id: &SessionId) -> Result<Option<u64>>;

    /// The same for a session that is past its time, in one unit with the look at it: `None` when it was used since then,
    /// or somebody answers in it, or it is gone.
    async fn expire_session(&self, id: &SessionId, before: Timestamp) -> Result<Option<u64>>;

    /// Appends a message, counts it, moves `last_active_at`, and names an unnamed session after its
    /// first user message (30 characters and `...`), in one unit. The store makes the message's id, so
    /// that ids sort in the order of the commits.
    ///
    /// # Errors
    /// [`BackendErrorKind::NotFound`] when the session is unknown; [`BackendErrorKind::Fenced`] when it names a holder and
    /// another took the session since: what was said under a lost lease never stands among the other's messages as if
    /// nothing had happened.
    async fn append_message(&self, message: NewMessage) -> Result<Message>;

    /// Messages oldest first; the limit keeps the newest of those between `after` and `before`.
    async fn messages(&self, session: &SessionId, range: &MessageRange) -> Result<Vec<Message>>;

    // --- what was deleted -----------------------------------------------------------------------

    /// The store's id: made once, never changed. A data folder belongs to the store whose id it carries.
    async fn identity(&self) -> Result<String>;

    /// The record of a deletion. A thing of that id may be there again, so ask for that, too.
    async fn deletion(&self, kind: DeletedKind, id: &str) -> Result<Option<Deletion>>;

    /// Deletions of which something is still to be done outside of the store, oldest first.
    async fn open_deletions(&self, limit: usize) -> Result<Vec<Deletion>>;

    /// Projects and agents that were deleted since then, by whichever daemon, where several share the store. This
    /// machine's clock; one that lives again is among them.
    async fn deletions_since(&self, _since: Timestamp) -> Result<Vec<(DeletedKind, String)>> {
        Ok(Vec::new())
    }

    /// Notes that nothing is left to be done for a deletion. The record stays for
    /// [`KEPT_FOR`](crate::domain::deletion::KEPT_FOR).
    async fn settle_deletion(&self, kind: DeletedKind, id: &str) -> Result<()>;
    /// Takes the right to answer in a session, so that never two answer at once, whichever daemons they are of. It ends
    /// by itself unless it is extended.
    ///
    /// # Errors
    /// [`BackendErrorKind::NotFound`] when the session is unknown.
    async fn lease_session(&self, id: &SessionId, holder: &str, lasts: Duration) -> Result<SessionLease>;

    /// Extends it, and tells what the holder must know.
    async fn extend_session(&self, id: &SessionId, holder: &str, lasts: Duration) -> Result<SessionLease>;

    /// Gives it back, when it is the holder's.
    async fn release_session(&self, id: &SessionId, holder: &str) -> Result<()>;

    /// Asks whoever answers in a session to stop; whether anybody does.
    async fn stop_session(&self, id: &SessionId) -> Result<bool>;

    /// Whether anybody answers in a session.
    async fn is_answering(&self, id: &SessionId) -> Result<bool>;

    // --- housekeeping ---------------------------------------------------------------------------

    /// Answers when the store can write.
    async fn ping(&self) -> Result<()>;

    /// Counts for the metrics page.
    async fn counts(&self) -> Result<StoreCounts>;

    /// Removes what is older than its retention (events of ended projects); answers how many rows.
    async fn clean(&self, older_than: Duration) -> Result<u64>;

    /// Some of what ended, or was used last, before a time, from a place on. Reads only.
    async fn aged(&self, kind: AgedKind, before: Timestamp, from: Option<Value>) -> Result<Aged>;

    /// Removes answered questions by their ids; answers how many. The figures of agents and days stay.
    async fn delete_invocations(&self, ids: &[String]) -> Result<u64>;

    /// Writes what is still deferred and closes. Later calls fail.
    async fn close(&self) -> Result<()>;

    /// How much waits for the store now. Cheap: asked before every request.
    fn pressure(&self) -> Pressure;

    /// Whether other daemons may take over what this one works on.
    fn is_shared(&self) -> bool {
        false
    }

    /// What it has had to contend with in the last half minute, although it goes on.
    fn trouble(&self) -> Option<Trouble> {
        None
    }

    /// For diagnostics at `GET /api/v2/system`: kind, file or region, schema version.
    fn describe(&self) -> Value;
}

/// What can say what is past its time.
#[async_trait]
pub trait PastTime: Send + Sync {
    /// See [`Store::aged`].
    async fn past(&self, kind: AgedKind, before: Timestamp, from: Option<Value>) -> Result<Aged>;
}

#[async_trait]
impl<S: Store + ?Sized> PastTime for S {
    async fn past(&self, kind: AgedKind, before: Timestamp, from: Option<Value>) -> Result<Aged> {
        self.aged(kind, before, from).await
    }
}
