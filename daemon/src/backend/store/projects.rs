//! Projects: made, looked at, steered, told of and removed.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    AgentFilter, DeletedAgent, DeletedProject, NewProject, Origin, Page, PageRequest, ProjectDetail, ProjectFilter,
    Result, TaskFilter,
};
use crate::domain::deletion::ProjectAgents;
use crate::domain::{
    agent::Agent,
    control::{ControlApplied, ControlRequest},
    deletion::DeleteOrders,
    event::{NewEvent, ProjectEvent},
    ids::{AgentId, ProjectId, SessionId},
    project::{Project, ProjectSummary},
    stage::Stage,
    task::Task,
    time::Timestamp,
    workflow::Workflows,
};

/// Projects, one by one.
#[async_trait]
pub trait Projects: Send + Sync + 'static {
    /// Writes project, stages, task and queue message as one unit, with the first `project` event.
    async fn create_project(&self, new: NewProject) -> Result<()>;

    async fn project(&self, id: &ProjectId) -> Result<Option<Project>>;

    /// One project with its stages in order and the number of its agents, read at one moment.
    async fn project_detail(&self, id: &ProjectId) -> Result<Option<ProjectDetail>>;

    /// Stages in order; empty for an unknown project.
    async fn stages(&self, id: &ProjectId) -> Result<Vec<Stage>>;
}

/// Pages of what there is.
#[async_trait]
pub trait Lists: Send + Sync + 'static {
    /// Newest first unless `filter.sort` says otherwise; filters apply before the page.
    async fn list_projects(&self, filter: &ProjectFilter, page: &PageRequest) -> Result<Page<ProjectSummary>>;

    async fn list_tasks(&self, filter: &TaskFilter, page: &PageRequest) -> Result<Page<Task>>;

    async fn list_agents(&self, filter: &AgentFilter, page: &PageRequest) -> Result<Page<Agent>>;
}

/// What users ask of their projects.
#[async_trait]
pub trait Control: Send + Sync + 'static {
    /// Applies a control request in one unit, by the project machine of `domain::allowed_transitions`.
    ///
    /// # Errors
    /// `BackendErrorKind::NotFound`; `BackendErrorKind::Illegal` with the state and the allowed
    /// actions; `BackendErrorKind::Invalid` for an unknown `from_stage`.
    async fn control(
        &self,
        id: &ProjectId,
        request: ControlRequest,
        workflows: Arc<Workflows>,
    ) -> Result<ControlApplied>;
}

/// What happened, project by project.
#[async_trait]
pub trait Events: Send + Sync + 'static {
    /// Appends events that belong to no state change (logs, text, tools). May be committed together
    /// with later writes, within 50 ms; the sink hears of them when they are durable. Many at once may become more
    /// than one unit, in order; one that is over-long is cut, and says so (`truncated`).
    ///
    /// # Errors
    /// `BackendErrorKind::Fenced` when their origin is a lease that is no longer held: nothing of an owner that was
    /// overtaken stands behind what the next one, or the end of the build, wrote.
    async fn append_events(&self, project: &ProjectId, origin: Origin<'_>, events: Vec<NewEvent>) -> Result<()>;

    /// Committed events behind `after`, in order. The first one's `seq` is above `after + 1` when older
    /// ones were cleaned away.
    async fn events_after(&self, project: &ProjectId, after: u64, limit: usize) -> Result<Vec<ProjectEvent>>;
}

/// Removes things with all that belongs to them, and records that.
#[async_trait]
pub trait Removal: Send + Sync + 'static {
    /// Removes a project with its stages, tasks, messages in the queue and events, and its agents with
    /// their sessions, messages and invocations when they are not kept; agents that stay lose their
    /// `project_id`. `None` when unknown. A running build is fenced off: its next write is refused. The same unit
    /// records the deletion, with the agents that stay, and that of each agent which goes.
    async fn delete_project(&self, id: &ProjectId, fate: ProjectAgents) -> Result<Option<DeletedProject>>;

    /// The same for a project that is past its time, in one unit with the look at it: `None` when it has not ended before
    /// then (somebody restarted it since), or has an agent, or is gone.
    async fn expire_project(&self, id: &ProjectId, before: Timestamp) -> Result<Option<DeletedProject>>;

    /// Removes an agent with its sessions, messages and invocations; answers what went. The same unit records the
    /// deletion, with what is to be done outside of the store.
    async fn delete_agent(&self, id: &AgentId, orders: DeleteOrders) -> Result<Option<DeletedAgent>>;

    /// Removes a session with its messages, and records that; answers how many messages those were.
    async fn delete_session(&self, id: &SessionId) -> Result<Option<u64>>;

    /// The same for a session that is past its time, in one unit with the look at it: `None` when it was used since then,
    /// or somebody answers in it, or it is gone.
    async fn expire_session(&self, id: &SessionId, before: Timestamp) -> Result<Option<u64>>;

    /// Removes answered questions by their ids; answers how many. The figures of agents and days stay.
    async fn delete_invocations(&self, ids: &[String]) -> Result<u64>;
}
