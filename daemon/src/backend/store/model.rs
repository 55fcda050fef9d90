//! Arguments and answers of the store's use cases.

use serde_json::Value;

use crate::{
    backend::queue::Receipt,
    domain::{
        agent::{Agent, AgentStatus},
        assessment::Assessment,
        control::ControlStatus,
        failure::{ErrorInfo, Failure},
        ids::{AgentId, ProjectId, SessionId, TaskId, WorkerId},
        project::{AggregatedMetrics, Priority, Project, ProjectStatus},
        session::Role,
        stage::Stage,
        task::{Lease, TaskStatus, TaskType},
        text::project_name_from,
        time::Timestamp,
        tool::ToolSource,
        workflow::Workflow,
    },
};

/// A project to be written with its stages, task and message.
#[derive(Clone, Debug)]
pub struct NewProject {
    /// With `task_id` set and status `queued` on a backend that holds the queue too.
    pub project: Project,
    pub stages: Vec<Stage>,
    /// When the request may come twice.
    pub idempotency: Option<KeptAnswer>,
}

impl NewProject {
    /// A project of an anonymous user with new ids, queued, its stages pending. Callers change what they know better.
    pub fn queued(workflow: &Workflow, requirement: impl Into<String>) -> Self {
        let (project_id, requirement, now) = (ProjectId::generate(), requirement.into(), Timestamp::now());
        let stages = workflow.stages().iter().zip(1..);
        let stages = stages.map(|(spec, number)| Stage::pending(project_id.clone(), spec, number)).collect();
        let project = Project {
            project_id,
            project_name: project_name_from(&requirement),
            status: ProjectStatus::Queued,
            requirement,
            user_id: "anonymous".to_owned(),
            user_name: None,
            priority: Priority::DEFAULT,
            tags: Vec::new(),
            progress: 0.0,
            current_stage: None,
            error_info: None,
            created_at: now,
            updated_at: now,
            started_at: None,
            completed_at: None,
            metrics: None,
            control_status: ControlStatus::Running,
            pause_requested_at: None,
            stop_requested_at: None,
            resume_from_stage: None,
            last_control_action: None,
            control_action_by: None,
            aggregated_metrics: AggregatedMetrics::default(),
            assessment: Assessment::default(),
            workflow: workflow.name().to_owned(),
            deployment: None,
            task_id: Some(TaskId::generate()),
        };
        Self { project, stages, idempotency: None }
    }
}

/// A project with all that its page shows.
#[derive(Clone, Debug)]
pub struct ProjectDetail {
    pub project: Project,
    /// Its stages in order.
    pub stages: Vec<Stage>,
    /// How many agents came out of it.
    pub agent_count: u64,
}

#[derive(Clone, Debug, Default)]
pub struct ProjectFilter {
    pub status: Option<ProjectStatus>,
    pub user_id: Option<String>,
    /// Only with this tag.
    pub tag: Option<String>,
    /// Only with this text in name or requirement, case folded.
    pub q: Option<String>,
    pub sort: ProjectSort,
}

/// Orders of the project list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProjectSort {
    /// By `created_at`, newest first.
    #[default]
    Newest,
    /// By `created_at`, oldest first.
    Oldest,
    /// By `updated_at`, newest first.
    RecentlyUpdated,
    Name,
}

/// Which page: by number, or behind an opaque cursor of the page before.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// From 1; ignored when `cursor` is set.
    pub page: u64,
    pub limit: u64,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A page of rows.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Rows in all pages together.
    pub total: u64,
    /// Where the next page begins; none on the last.
    pub next_cursor: Option<String>,
}

/// What went with a project.
#[derive(Clone, Debug, Default)]
pub struct DeletedProject {
    /// The build task that was still open; its owner must be told.
    pub open_task: Option<TaskId>,
    /// Agents that were removed too; they must be undeployed.
    pub agents: Vec<Agent>,
}

/// What went with an agent.
#[derive(Clone, Debug)]
pub struct DeletedAgent {
    /// The record as it was.
    pub agent: Agent,
    pub sessions: u64,
    pub messages: u64,
    pub invocations: u64,
}

/// Who wants which task, until when.
#[derive(Clone, Debug)]
pub struct ClaimBuild {
    /// The task of the message. The original's messages may lack it: then the project's current task.
    pub task_id: Option<TaskId>,
    /// The project of the message.
    pub project_id: ProjectId,
    pub worker_id: WorkerId,
    /// When the lease ends unless extended.
    pub lease_until: Timestamp,
    /// Stages that may run side by side.
    pub parallel: usize,
    /// What the message asks besides.
    pub asked: Continuation,
}

/// What a message of the original's API asks besides the work itself. The daemon's own API has done it when it sends one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Continuation {
    /// Nothing: go on where it is.
    #[default]
    Execute,
    /// Run unfinished stages again, or all from this one on.
    Resume(Option<String>),
    /// Begin anew, from this stage if one is named.
    Restart(Option<String>),
}

/// The answer to a claim.
#[derive(Debug)]
pub enum Claim {
    /// The lease is held and the first stages are begun.
    Claimed(Box<ClaimedBuild>),
    /// The message is of no use (any more): delete it. Says why.
    Obsolete(&'static str),
    /// Another worker holds the lease until then: let the message come again.
    HeldUntil(Timestamp),
    /// The build cannot be worked on and was marked failed with this reason: delete the message.
    Failed(ErrorInfo),
}

/// A build that is now ours.
#[derive(Debug)]
pub struct ClaimedBuild {
    /// The right to write.
    pub lease: Lease,
    /// The project after the claim.
    pub project: Project,
    /// Its stages after the claim, those just begun `running` with their attempt number.
    pub stages: Vec<Stage>,
    /// When the task was claimed first, by whomever: the limit of the whole build counts from here. A pause
    /// ends the task, so it does not count, and a resume or restart begins anew.
    pub task_begun: Timestamp,
}

/// A lease as the store sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseState {
    /// Whether it is still held.
    pub held: bool,
    /// What the project's user wants.
    pub control: ControlStatus,
}

/// A task that nobody will come for.
#[derive(Clone, Debug)]
pub struct StrandedTask {
    pub task_id: TaskId,
    pub project_id: ProjectId,
    pub task_type: TaskType,
    /// `pending` (never queued) or `running` (its lease ended).
    pub status: TaskStatus,
}

/// What became of a task that was to be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// It has failed, or had ended before.
    Ended,
    /// It goes on: its dead letter is of no use.
    Spared,
}

#[derive(Clone, Debug, Default)]
pub struct TaskFilter {
    /// Only in this state.
    pub status: Option<TaskStatus>,
    /// Only of this type.
    pub task_type: Option<TaskType>,
    /// Only of this project.
    pub project_id: Option<ProjectId>,
}

#[derive(Clone, Debug, Default)]
pub struct AgentFilter {
    /// Only in this state.
    pub status: Option<AgentStatus>,
    /// Only of this category.
    pub category: Option<String>,
    /// Only of this project.
    pub project_id: Option<ProjectId>,
}

/// The answer to a claim of a deploy task.
#[derive(Debug)]
pub enum DeployClaim {
    /// The lease is held; the agent as it is now.
    Claimed {
        /// The right to write.
        lease: Lease,
        agent: Box<Agent>,
    },
    /// Of no use any more: delete the message.
    Obsolete(&'static str),
    /// Another worker holds the lease until then.
    HeldUntil(Timestamp),
}

/// How a deployment ended.
#[derive(Clone, Debug)]
pub struct DeployEnd {
    pub agent_id: AgentId,
    /// `Ok` with what the handler wants back later, or why it failed.
    pub result: Result<Value, Failure>,
    /// Deleted in the same unit on a backend that holds the queue too.
    pub receipt: Option<Receipt>,
}

/// A message to be stored.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub session_id: SessionId,
    pub role: Role,
    pub content: String,
    /// The caller's own data, tool calls, content blocks.
    pub metadata: Option<Value>,
    /// When the request may come twice; its answer is the stored message.
    pub idempotency: Option<KeptAnswer>,
    /// Of an answer: who took the session for it by `Store::lease_session`.
    pub holder: Option<String>,
}

/// Which messages of a session.
#[derive(Clone, Debug)]
pub struct MessageRange {
    /// At most this many, the newest.
    pub limit: usize,
    /// Only older than this message id or timestamp text.
    pub before: Option<String>,
    /// Only newer than this message id or timestamp text.
    pub after: Option<String>,
}

/// A request that may come twice: what it creates and what was answered are written as one unit. A second one
/// is refused as `BackendErrorKind::Repeated`, and `key_record` tells the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptAnswer {
    /// The caller's key, made unique among callers and operations.
    pub key: String,
    /// Tells two different requests under one key apart.
    pub fingerprint: String,
    pub answer: Value,
    /// Who began it by `take_key`; none when the unit that creates takes the key itself.
    pub holder: Option<String>,
}

/// What is known of a request that came before.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyRecord {
    /// That of the first request.
    pub fingerprint: String,
    /// None while it is being worked on.
    pub answer: Option<Value>,
}

/// How the right to answer in a session stands for who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionLease {
    Held,
    /// It is his, and somebody asked him to stop.
    StopAsked,
    Taken,
}

#[derive(Clone, Debug, Default)]
pub struct ToolFilter {
    pub source: Option<ToolSource>,
    /// Only of this category.
    pub category: Option<String>,
    /// Only with this text in name or description, case folded.
    pub q: Option<String>,
    /// Only of this name.
    pub name: Option<String>,
}

/// How much waits for the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Writes that are not answered yet.
    pub waiting_writes: usize,
    /// Writes that may wait; further callers wait before they are let in.
    pub write_room: usize,
    /// Questions that are not answered yet.
    pub waiting_reads: usize,
    /// Questions that may wait.
    pub read_room: usize,
    /// How long no write was ended although some wait.
    pub stalled_for: Option<std::time::Duration>,
    /// Whether questions stall with the writes.
    pub reads_stall: bool,
}

/// What a backend has had to contend with lately, although it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub reason: String,
    /// Whether it answered at all in the last seconds.
    pub answering: bool,
}

/// Counts for the metrics page.
#[derive(Clone, Debug, Default)]
pub struct StoreCounts {
    pub projects: Vec<(ProjectStatus, u64)>,
    pub agents: Vec<(AgentStatus, u64)>,
}

/// By what right events are appended to a project.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// Of whoever builds it: refused once the lease is another's, or the build is over.
    Lease(&'a Lease),
    /// Of the daemon itself, under nobody's lease.
    Daemon,
}
