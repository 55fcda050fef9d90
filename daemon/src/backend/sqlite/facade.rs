//! [`Store`] over the writer and the readers: every method is one request to either.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    SqliteStore, aged, agents, build, claim, clock::Moment, control, delete, deletions, deploy, error::not_found,
    events, housekeeping, lease, lists, once, projects, schema, sessions, statistics, sweep, tasks, tools,
    writer::Mode,
};
use crate::{
    backend::{
        queue::Receipt,
        store::{
            Activity, Aged, AgedKind, AgentChange, AgentFilter, BuildProgress, BuildStep, Claim, ClaimBuild,
            DayFigures, DeletedAgent, DeletedProject, DeployClaim, DeployEnd, GivenUp, LeaseState, MessageRange,
            NewMessage, NewProject, Once, OnceRecord, Origin, Overview, Page, PageRequest, Pressure, ProjectDetail,
            ProjectFilter, Result, SessionLease, StageRetry, Store, StoreCounts, StrandedTask, TaskFilter, ToolFilter,
            TopAgent,
        },
    },
    domain::{
        agent::{Agent, AgentStatus, Invocation},
        control::{ControlApplied, ControlRequest},
        deletion::{DeleteOrders, DeletedKind, Deletion},
        event::{NewEvent, ProjectEvent},
        failure::ErrorInfo,
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

/// Runs on the writer; answered when durable.
macro_rules! write {
    ($self:ident, $act:expr) => {
        write!($self, Durable, $act)
    };
    ($self:ident, $mode:ident, $act:expr) => {
        $self.inner.writer.call(Mode::$mode, $act).await
    };
}

/// Runs on a reader.
macro_rules! ask {
    ($self:ident, $ask:expr) => {
        $self.inner.readers.ask($ask).await
    };
}

/// How long a commit speaks for the next.
const PING_EVERY: Duration = Duration::from_secs(1);

#[async_trait]
impl Store for SqliteStore {
    async fn create_project(&self, new: NewProject) -> Result<()> {
        write!(self, move |tx| projects::create(tx, &new))
    }

    async fn project(&self, id: &ProjectId) -> Result<Option<Project>> {
        let id = id.clone();
        ask!(self, move |conn| projects::read(conn, &id))
    }

    async fn project_detail(&self, id: &ProjectId) -> Result<Option<ProjectDetail>> {
        let id = id.clone();
        ask!(self, move |conn| projects::detail(conn, &id))
    }

    async fn list_projects(&self, filter: &ProjectFilter, page: &PageRequest) -> Result<Page<ProjectSummary>> {
        let (filter, page, counts) = (filter.clone(), page.clone(), self.inner.counts.clone());
        ask!(self, move |conn| lists::projects(conn, &counts, &filter, &page))
    }

    async fn stages(&self, id: &ProjectId) -> Result<Vec<Stage>> {
        let id = id.clone();
        ask!(self, move |conn| projects::read_stages(conn, &id))
    }

    async fn delete_project(&self, id: &ProjectId, with_agents: bool) -> Result<Option<DeletedProject>> {
        let id = id.clone();
        let gone = write!(self, move |tx| delete::project(tx, &id, with_agents))?;
        sweep::start(&self.inner);
        Ok(gone)
    }

    async fn expire_project(&self, id: &ProjectId, before: Timestamp) -> Result<Option<DeletedProject>> {
        let id = id.clone();
        let gone = write!(self, move |tx| {
            if aged::is_past(tx.conn(), &id, before)? { delete::project(tx, &id, false) } else { Ok(None) }
        })?;
        sweep::start(&self.inner);
        Ok(gone)
    }

    async fn claim_build(&self, claim: ClaimBuild, workflows: Arc<Workflows>) -> Result<Claim> {
        let until = Moment::meant_by(claim.lease_until);
        write!(self, move |tx| claim::claim(tx, &claim, until, &workflows))
    }

    async fn advance_build(&self, lease: &Lease, step: BuildStep) -> Result<BuildProgress> {
        let lease = lease.clone();
        write!(self, move |tx| build::advance(tx, &lease, &step))
    }

    async fn retry_stage(&self, lease: &Lease, retry: StageRetry) -> Result<u32> {
        let lease = lease.clone();
        write!(self, move |tx| build::retry(tx, &lease, &retry))
    }

    async fn extend_leases(&self, leases: &[Lease], until: Timestamp) -> Result<Vec<LeaseState>> {
        let (leases, until) = (leases.to_vec(), Moment::meant_by(until));
        write!(self, Peek, move |tx| lease::extend(tx, &leases, until))
    }

    async fn release_lease(&self, lease: &Lease, receipt: Option<&Receipt>) -> Result<()> {
        let (lease, receipt) = (lease.clone(), receipt.cloned());
        write!(self, move |tx| lease::release(tx, &lease, receipt.as_ref()))
    }

    async fn fail_task(&self, task: &TaskId, reason: ErrorInfo) -> Result<GivenUp> {
        let task = task.clone();
        write!(self, move |tx| claim::fail_task(tx, &task, &reason).map(|()| GivenUp::Ended))
    }

    async fn fail_waiting(&self, project: &ProjectId, reason: ErrorInfo) -> Result<GivenUp> {
        // Every project that waits here has its task.
        let task = self.project(project).await?.and_then(|project| project.task_id);
        match task {
            Some(task) => self.fail_task(&task, reason).await,
            None => Ok(GivenUp::Ended),
        }
    }

    async fn stranded_tasks(&self, now: Timestamp, limit: usize) -> Result<Vec<StrandedTask>> {
        let now = Moment::meant_by(now);
        write!(self, Peek, move |tx| lease::stranded(tx, now, limit))
    }

    async fn requeue_task(&self, task: &TaskId) -> Result<()> {
        let task = task.clone();
        write!(self, move |tx| lease::requeue(tx, &task))
    }

    async fn control(
        &self,
        id: &ProjectId,
        request: ControlRequest,
        workflows: Arc<Workflows>,
    ) -> Result<ControlApplied> {
        let id = id.clone();
        write!(self, move |tx| control::apply(tx, &id, &request, &workflows))
    }

    async fn append_events(&self, project: &ProjectId, origin: Origin<'_>, events: Vec<NewEvent>) -> Result<()> {
        let project = project.clone();
        let lease = match origin {
            Origin::Lease(lease) => Some(lease.clone()),
            Origin::Daemon => None,
        };
        write!(self, Deferred, move |tx| events::append(tx, &project, lease.as_ref(), &events))
    }

    async fn events_after(&self, project: &ProjectId, after: u64, limit: usize) -> Result<Vec<ProjectEvent>> {
        let project = project.clone();
        ask!(self, move |conn| events::after(conn, &project, after, limit))
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>> {
        let id = id.clone();
        ask!(self, move |conn| tasks::read(conn, &id))
    }

    async fn list_tasks(&self, filter: &TaskFilter, page: &PageRequest) -> Result<Page<Task>> {
        let (filter, page) = (filter.clone(), page.clone());
        ask!(self, move |conn| lists::tasks(conn, &filter, &page))
    }

    async fn claim_deploy(&self, claim: ClaimBuild) -> Result<DeployClaim> {
        let until = Moment::meant_by(claim.lease_until);
        write!(self, move |tx| deploy::claim(tx, &claim, until))
    }

    async fn finish_deploy(&self, lease: &Lease, end: DeployEnd) -> Result<()> {
        let lease = lease.clone();
        write!(self, move |tx| deploy::finish(tx, &lease, &end))
    }

    async fn agent(&self, id: &AgentId) -> Result<Option<Agent>> {
        let id = id.clone();
        ask!(self, move |conn| agents::read(conn, &id))
    }

    async fn list_agents(&self, filter: &AgentFilter, page: &PageRequest) -> Result<Page<Agent>> {
        let (filter, page, counts) = (filter.clone(), page.clone(), self.inner.counts.clone());
        ask!(self, move |conn| lists::agents(conn, &counts, &filter, &page))
    }

    async fn set_agent_status(
        &self,
        id: &AgentId,
        status: AgentStatus,
        error: Option<String>,
    ) -> Result<Option<Agent>> {
        let id = id.clone();
        write!(self, move |tx| agents::set_status(tx, &id, status, error.as_deref()))
    }

    async fn delete_agent(&self, id: &AgentId, orders: DeleteOrders) -> Result<Option<DeletedAgent>> {
        let id = id.clone();
        let of = id.clone();
        let Some(mut gone) = write!(self, move |tx| delete::agent(tx, &id, orders))? else { return Ok(None) };
        if gone.doomed {
            // Counted beside the writer, and before the first of them goes.
            let mark = gone.mark;
            let counted = ask!(self, move |conn| sweep::rows_of(conn, &of, mark));
            sweep::start(&self.inner);
            (gone.deleted.sessions, gone.deleted.messages, gone.deleted.invocations) = counted?;
        }
        Ok(Some(gone.deleted))
    }

    async fn update_agent(&self, id: &AgentId, change: AgentChange) -> Result<Option<Agent>> {
        let id = id.clone();
        write!(self, move |tx| agents::update(tx, &id, &change))
    }

    async fn redeploy_agent(&self, id: &AgentId) -> Result<Option<TaskId>> {
        let id = id.clone();
        write!(self, move |tx| deploy::again(tx, &id))
    }

    async fn record_invocation(&self, invocation: Invocation, once: Option<Once>) -> Result<()> {
        let held = Arc::clone(&self.inner.held);
        write!(self, move |tx| agents::record_invocation(tx, &held, &invocation, once.as_ref()))
    }

    async fn put_system_tools(&self, new: Vec<NewTool>) -> Result<()> {
        write!(self, move |tx| tools::put_system(tx, &new))
    }

    async fn list_tools(&self, filter: &ToolFilter, page: &PageRequest) -> Result<Page<Tool>> {
        let (filter, page) = (filter.clone(), page.clone());
        ask!(self, move |conn| lists::tools(conn, &filter, &page))
    }

    async fn tool(&self, id: &ToolId) -> Result<Option<Tool>> {
        let id = id.clone();
        ask!(self, move |conn| tools::read(conn, &id))
    }

    async fn tool_code(&self, id: &ToolId) -> Result<Option<String>> {
        let id = id.clone();
        ask!(self, move |conn| tools::code(conn, &id))
    }

    async fn tool_categories(&self) -> Result<Vec<(String, u64)>> {
        ask!(self, tools::categories)
    }

    async fn once(&self, key: &str) -> Result<Option<OnceRecord>> {
        let key = key.to_owned();
        ask!(self, move |conn| once::read(conn, &key))
    }

    async fn begin_once(
        &self,
        key: &str,
        fingerprint: &str,
        holder: &str,
        lasts: Duration,
    ) -> Result<Option<OnceRecord>> {
        let (key, fingerprint, holder) = (key.to_owned(), fingerprint.to_owned(), holder.to_owned());
        let held = Arc::clone(&self.inner.held);
        write!(self, move |tx| once::begin(tx, &held, (&key, &fingerprint), (&holder, lasts)))
    }

    async fn extend_once(&self, key: &str, holder: &str, lasts: Duration) -> Result<bool> {
        Ok(self.inner.held.extend_key(key, holder, lasts))
    }

    async fn abandon_once(&self, key: &str, holder: &str) -> Result<()> {
        // Free at once, also when the row cannot be deleted now: nobody holds it, so the next request takes it over.
        if !self.inner.held.release_key(key, holder) {
            return Ok(());
        }
        let (key, held) = (key.to_owned(), Arc::clone(&self.inner.held));
        write!(self, move |tx| if held.is_held(&key) { Ok(()) } else { once::abandon(tx, &key) })
    }

    async fn overview(&self, now: Timestamp) -> Result<Overview> {
        let counts = self.inner.counts.clone();
        ask!(self, move |conn| statistics::overview(conn, &counts, now))
    }

    async fn build_days(&self, days: u32, now: Timestamp) -> Result<Vec<DayFigures>> {
        ask!(self, move |conn| statistics::days(conn, "build", days, now))
    }

    async fn invocation_days(&self, days: u32, now: Timestamp) -> Result<Vec<DayFigures>> {
        ask!(self, move |conn| statistics::days(conn, "invocation", days, now))
    }

    async fn agent_categories(&self) -> Result<Vec<(String, u64)>> {
        Ok(self.inner.counts.categories())
    }

    async fn top_agents(&self, limit: usize) -> Result<Vec<TopAgent>> {
        ask!(self, move |conn| statistics::top_agents(conn, limit))
    }

    async fn recent_activities(&self, limit: usize) -> Result<Vec<Activity>> {
        ask!(self, move |conn| statistics::activities(conn, limit))
    }

    async fn create_session(&self, session: Session, once: Option<Once>) -> Result<()> {
        write!(self, move |tx| sessions::create(tx, &session, once.as_ref()))
    }

    async fn session(&self, id: &SessionId) -> Result<Option<Session>> {
        let id = id.clone();
        ask!(self, move |conn| sessions::read(conn, &id))
    }

    async fn list_sessions(&self, agent: &AgentId, limit: usize) -> Result<Vec<Session>> {
        let agent = agent.clone();
        ask!(self, move |conn| sessions::list(conn, &agent, limit))
    }

    async fn delete_session(&self, id: &SessionId) -> Result<Option<u64>> {
        let id = id.clone();
        let gone = write!(self, move |tx| sweep::doom_session(tx, &id))?;
        if gone.is_some_and(|messages| messages > sweep::FEW) {
            sweep::start(&self.inner);
        }
        Ok(gone)
    }

    async fn expire_session(&self, id: &SessionId, before: Timestamp) -> Result<Option<u64>> {
        let (id, held) = (id.clone(), Arc::clone(&self.inner.held));
        let gone = write!(self, move |tx| {
            if held.is_answering(&id) || !aged::is_unused(tx.conn(), &id, before)? {
                return Ok(None);
            }
            sweep::doom_session(tx, &id)
        })?;
        if gone.is_some_and(|messages| messages > sweep::FEW) {
            sweep::start(&self.inner);
        }
        Ok(gone)
    }

    async fn append_message(&self, message: NewMessage) -> Result<Message> {
        let held = Arc::clone(&self.inner.held);
        write!(self, move |tx| sessions::append(tx, &held, &message))
    }

    async fn messages(&self, session: &SessionId, range: &MessageRange) -> Result<Vec<Message>> {
        let (session, range) = (session.clone(), range.clone());
        ask!(self, move |conn| sessions::messages(conn, &session, &range))
    }

    async fn identity(&self) -> Result<String> {
        ask!(self, deletions::store_id)
    }

    async fn deletion(&self, kind: DeletedKind, id: &str) -> Result<Option<Deletion>> {
        let id = id.to_owned();
        ask!(self, move |conn| deletions::read(conn, kind, &id))
    }

    async fn open_deletions(&self, limit: usize) -> Result<Vec<Deletion>> {
        ask!(self, move |conn| deletions::open(conn, limit))
    }

    async fn settle_deletion(&self, kind: DeletedKind, id: &str) -> Result<()> {
        let id = id.to_owned();
        write!(self, move |tx| deletions::settle(tx, kind, &id))
    }

    async fn lease_session(&self, id: &SessionId, holder: &str, lasts: Duration) -> Result<SessionLease> {
        if self.session(id).await?.is_none() {
            return Err(not_found("session"));
        }
        Ok(self.inner.held.take_session(id, holder, lasts))
    }

    async fn extend_session(&self, id: &SessionId, holder: &str, lasts: Duration) -> Result<SessionLease> {
        Ok(self.inner.held.extend_session(id, holder, lasts))
    }

    async fn release_session(&self, id: &SessionId, holder: &str) -> Result<()> {
        self.inner.held.release_session(id, holder);
        Ok(())
    }

    async fn stop_session(&self, id: &SessionId) -> Result<bool> {
        Ok(self.inner.held.stop_session(id))
    }

    async fn is_answering(&self, id: &SessionId) -> Result<bool> {
        Ok(self.inner.held.is_answering(id))
    }

    async fn ping(&self) -> Result<()> {
        // A commit a moment ago says the same, and costs no further one.
        if self.inner.writer.wrote_within(PING_EVERY) {
            return write!(self, Peek, housekeeping::nod);
        }
        write!(self, housekeeping::ping)
    }

    async fn counts(&self) -> Result<StoreCounts> {
        ask!(self, housekeeping::counts)
    }

    async fn clean(&self, older_than: Duration) -> Result<u64> {
        let options = self.inner.options.clone();
        let expired = write!(self, move |tx| housekeeping::expire_messages(tx, &options))?;
        sweep::start(&self.inner);
        let mut cleaned = expired + write!(self, Loose, |tx| deletions::clean(tx))?;
        // In small bites, so that builds go on between them.
        loop {
            let begun = Instant::now();
            let gone = write!(self, Loose, |tx| once::clean(tx))?;
            cleaned += gone;
            if gone == 0 {
                break;
            }
            sweep::rest(begun.elapsed()).await;
        }
        loop {
            let begun = Instant::now();
            let (gone, more) = write!(self, Loose, move |tx| sweep::clean_events(tx, older_than))?;
            cleaned += gone;
            if !more {
                break;
            }
            sweep::rest(begun.elapsed()).await;
        }
        if cleaned > 0 {
            // What is answered is durable.
            write!(self, housekeeping::nod)?;
        }
        sweep::start(&self.inner);
        Ok(cleaned)
    }

    async fn aged(&self, kind: AgedKind, before: Timestamp, from: Option<Value>) -> Result<Aged> {
        ask!(self, move |conn| aged::find(conn, kind, before, from.as_ref()))
    }

    async fn delete_invocations(&self, ids: &[String]) -> Result<u64> {
        let ids = ids.to_owned();
        write!(self, move |tx| aged::delete_invocations(tx, &ids))
    }

    async fn close(&self) -> Result<()> {
        self.inner.readers.close();
        self.inner.writer.close().await;
        Ok(())
    }

    fn pressure(&self) -> Pressure {
        let (waiting_writes, write_room, stalled_for) = self.inner.writer.pressure();
        let (waiting_reads, read_room) = self.inner.readers.pressure();
        Pressure { waiting_writes, write_room, waiting_reads, read_room, stalled_for, reads_stall: false }
    }

    fn describe(&self) -> Value {
        json!({
            "kind": "sqlite",
            "file": self.inner.path,
            "schema_version": schema::VERSION,
            "commits": self.commits(),
            "unreadable_rows": self.unreadable_rows(),
        })
    }
}
