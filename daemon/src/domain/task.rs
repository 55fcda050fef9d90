//! A task: a row of `nexus_tasks`, and the lease that the one who works on it holds.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    ids::{ProjectId, TaskId, WorkerId},
    project::{Priority, ProjectStatus},
    queue::QueueName,
    secret::without_secrets,
    time::Timestamp,
};

super::words! {
    /// What a task does.
    TaskType {
        /// Walk a project through its workflow.
        BuildAgent = "build_agent",
        /// Deploy a finished agent.
        DeployAgent = "deploy_agent",
        /// Ask an agent (the original's; never queued by the daemon).
        InvokeAgent = "invoke_agent",
    }
}

impl TaskType {
    /// Where messages of such tasks go.
    pub const fn queue(self) -> QueueName {
        match self {
            Self::DeployAgent => QueueName::Deploy,
            Self::BuildAgent | Self::InvokeAgent => QueueName::Build,
        }
    }
}

super::words! {
    /// Where a task is.
    TaskStatus {
        /// Written, its message not yet sent.
        Pending = "pending",
        /// Its message is in the queue.
        Queued = "queued",
        /// A worker holds its lease.
        Running = "running",
        Completed = "completed",
        Failed = "failed",
        /// Withdrawn: its message does nothing any more.
        Cancelled = "cancelled",
    }
}

impl TaskStatus {
    /// Whether its message, should it come again, is to be deleted unread.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// A piece of queued work.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Task {
    pub task_id: TaskId,
    pub task_type: TaskType,
    pub project_id: ProjectId,
    pub status: TaskStatus,
    /// 1 (last) to 5 (first).
    pub priority: Priority,
    /// What the message says; what variables hold is not shown.
    pub payload: Value,
    pub result: Option<Value>,
    pub error_message: Option<String>,
    /// Claims after the first: redeliveries and take-overs.
    pub retry_count: u32,
    /// When it was written.
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    /// The daemon that works on it, or did.
    pub worker_id: Option<WorkerId>,
    pub updated_at: Timestamp,
}

impl Task {
    /// As it may be shown.
    #[must_use]
    pub fn shown(mut self) -> Self {
        self.payload = without_secrets(&self.payload);
        self
    }
}

/// The right to work on a task. `epoch` grows with every claim, so a write under an older lease is
/// recognised and refused (fencing).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub task_id: TaskId,
    pub project_id: ProjectId,
    pub worker_id: WorkerId,
    /// Number of the claim, from 1.
    pub epoch: u32,
}

/// Who holds a build or a task, as its row says.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'h> {
    /// The task that the build is worked on under.
    pub task_id: Option<&'h TaskId>,
    pub worker: Option<&'h WorkerId>,
    pub epoch: u32,
}

/// Whether one of our workers builds a project, as its row says: another's writes no worker there.
pub fn is_built_by_us(status: ProjectStatus, worker: Option<&WorkerId>) -> bool {
    status == ProjectStatus::Building && worker.is_some()
}

impl Lease {
    /// Whether this lease is the one that may write to a build.
    pub fn holds_build(&self, status: ProjectStatus, holder: Holder<'_>) -> bool {
        status == ProjectStatus::Building && self.is_of(holder)
    }

    /// Whether this lease is that of a running task.
    pub fn holds_task(&self, status: TaskStatus, holder: Holder<'_>) -> bool {
        status == TaskStatus::Running && self.is_of(holder)
    }

    fn is_of(&self, holder: Holder<'_>) -> bool {
        self.epoch == holder.epoch && holder.worker == Some(&self.worker_id) && holder.task_id == Some(&self.task_id)
    }
}
