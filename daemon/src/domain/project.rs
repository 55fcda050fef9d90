//! A project: one requirement on its way to an agent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    assessment::Assessment,
    control::ControlStatus,
    failure::ErrorInfo,
    ids::{ProjectId, TaskId},
    secret::without_secrets,
    time::Timestamp,
};

super::words! {
    /// Where a project is on its way to an agent.
    ProjectStatus {
        /// Written, not yet queued.
        Pending = "pending",
        /// Its task waits in the queue.
        Queued = "queued",
        /// A daemon works on it.
        Building = "building",
        /// Every stage is done.
        Completed = "completed",
        /// A stage failed for good.
        Failed = "failed",
        /// Held by its user.
        Paused = "paused",
        /// Ended by its user.
        Cancelled = "cancelled",
    }
}

impl ProjectStatus {
    /// Whether nothing more happens unless somebody asks for it (paused counts as open).
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Whether it is being built or waits for that: a worker may hold its task.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Queued | Self::Building)
    }

    /// Whether a worker has yet to take it.
    pub const fn waits(self) -> bool {
        matches!(self, Self::Pending | Self::Queued)
    }

    /// Whether the build came to its own end, which statistics count. What its user ended they do not.
    pub const fn is_outcome(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// Task priority, 1 (last) to 5 (first).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Priority(u8);

impl JsonSchema for Priority {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Priority".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": 5 })
    }
}

impl Priority {
    /// What a project gets that does not say.
    pub const DEFAULT: Self = Self(3);

    /// Clamps a stored or received number into the range.
    pub fn clamped(value: i64) -> Self {
        Self(u8::try_from(value.clamp(1, 5)).unwrap_or(3))
    }

    /// 1 to 5.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Project {
    /// As it may be shown.
    #[must_use]
    pub fn shown(mut self) -> Self {
        self.deployment = self.deployment.as_ref().map(without_secrets);
        self
    }

    /// When it ended; none while it has not.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.status.is_final().then(|| self.completed_at.unwrap_or(self.updated_at))
    }

    /// Whether retention may delete it: it ended before then. (One that has an agent is its agent's code.)
    pub fn is_past(&self, before: Timestamp) -> bool {
        self.ended_at().is_some_and(|at| at < before)
    }
}

/// Sums over the stages of a project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AggregatedMetrics {
    /// Tokens read by models.
    pub total_input_tokens: u64,
    /// Tokens written by models.
    pub total_output_tokens: u64,
    pub total_tokens: u64,
    /// US dollars.
    pub total_cost: f64,
    /// Seconds.
    pub total_execution_time: f64,
    pub total_tool_calls: u64,
}

impl AggregatedMetrics {
    /// Adds a finished stage.
    pub fn add(&mut self, stage: &StageFigures) {
        // Plugins report these: a nonsense number must not stop the daemon.
        self.total_input_tokens = self.total_input_tokens.saturating_add(stage.input_tokens);
        self.total_output_tokens = self.total_output_tokens.saturating_add(stage.output_tokens);
        self.total_tokens = self.total_input_tokens.saturating_add(self.total_output_tokens);
        self.total_cost += stage.cost_usd;
        self.total_execution_time += stage.duration_seconds;
        self.total_tool_calls = self.total_tool_calls.saturating_add(stage.tool_calls);
    }
}

/// What one stage adds to the sums.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StageFigures {
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    pub tool_calls: u64,
    pub duration_seconds: f64,
    /// US dollars.
    pub cost_usd: f64,
}

/// A project: one requirement on its way to an agent.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Project {
    pub project_id: ProjectId,
    pub project_name: String,
    pub status: ProjectStatus,
    /// What the agent is to do.
    pub requirement: String,
    pub user_id: String,
    /// Who asked, for people.
    pub user_name: Option<String>,
    /// 1 (last) to 5 (first).
    pub priority: Priority,
    pub tags: Vec<String>,
    /// 0 to 100.
    pub progress: f64,
    /// The stage that runs, or ran last.
    pub current_stage: Option<String>,
    pub error_info: Option<ErrorInfo>,
    /// When it was posted.
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub started_at: Option<Timestamp>,
    /// Ended, one way or another.
    pub completed_at: Option<Timestamp>,
    /// How much of the requirement is served: `coverage`, `not_served`, `acceptance` (SPEC, section 7).
    #[serde(flatten)]
    pub assessment: Assessment,
    /// Free figures of the original's services.
    pub metrics: Option<Value>,
    /// What the user wants of it.
    pub control_status: ControlStatus,
    /// When pause was asked for last.
    pub pause_requested_at: Option<Timestamp>,
    /// When stop or cancel was asked for last.
    pub stop_requested_at: Option<Timestamp>,
    /// Where the last resume or restart began.
    pub resume_from_stage: Option<String>,
    /// pause, resume, stop, cancel or restart.
    pub last_control_action: Option<String>,
    /// Who asked for it.
    pub control_action_by: Option<String>,
    /// Sums over the stages.
    pub aggregated_metrics: AggregatedMetrics,
    /// The workflow that it is built by.
    pub workflow: String,
    /// What was said of the deployment; what variables hold is not shown.
    pub deployment: Option<Value>,
    /// The task that may work on it.
    // A message of any other task is stale.
    pub task_id: Option<TaskId>,
}

/// What lists of projects show.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ProjectSummary {
    pub project_id: ProjectId,
    pub project_name: String,
    pub status: ProjectStatus,
    /// 0 to 100.
    pub progress: f64,
    /// The stage that runs, or ran last.
    pub current_stage: Option<String>,
    /// When it was posted.
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl From<Project> for ProjectSummary {
    fn from(project: Project) -> Self {
        Self {
            project_id: project.project_id,
            project_name: project.project_name,
            status: project.status,
            progress: project.progress,
            current_stage: project.current_stage,
            created_at: project.created_at,
            updated_at: project.updated_at,
        }
    }
}
