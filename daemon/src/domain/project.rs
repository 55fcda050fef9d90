//! A project: one requirement on its way to an agent.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    assessment::Assessment,
    control::ControlStatus,
    failure::ErrorInfo,
    ids::{ProjectId, TaskId},
    time::Timestamp,
};

super::words! {
    /// Where a project is (SPEC: `nexus_projects.status`).
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
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// Task priority, 1 (last) to 5 (first).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Priority(u8);

impl Priority {
    /// What a project gets that does not say.
    pub const DEFAULT: Self = Self(3);

    /// Clamps a stored or received number into the range.
    #[must_use]
    pub fn clamped(value: i64) -> Self {
        Self(u8::try_from(value.clamp(1, 5)).unwrap_or(3))
    }

    /// 1 to 5.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Sums over the stages (SPEC: `aggregated_metrics`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AggregatedMetrics {
    /// Tokens read by models.
    pub total_input_tokens: u64,
    /// Tokens written by models.
    pub total_output_tokens: u64,
    /// Both.
    pub total_tokens: u64,
    /// US dollars, by the configured price list.
    pub total_cost: f64,
    /// Seconds of stage work, added up.
    pub total_execution_time: f64,
    /// Tool calls.
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
    /// Tool calls.
    pub tool_calls: u64,
    /// Seconds.
    pub duration_seconds: f64,
    /// US dollars.
    pub cost_usd: f64,
}

/// A row of `nexus_projects`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Project {
    /// Key.
    pub project_id: ProjectId,
    /// For people.
    pub project_name: String,
    /// Where it is.
    pub status: ProjectStatus,
    /// As the user wrote it.
    pub requirement: String,
    /// Who asked.
    pub user_id: String,
    /// Who asked, for people.
    pub user_name: Option<String>,
    /// Order in the queue.
    pub priority: Priority,
    /// The user's.
    pub tags: Vec<String>,
    /// 0 to 100.
    pub progress: f64,
    /// The stage that runs, or ran last.
    pub current_stage: Option<String>,
    /// Why it failed.
    pub error_info: Option<ErrorInfo>,
    /// When it was posted.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// First stage begun.
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
    /// Name of its workflow (the daemon's own attribute).
    pub workflow: String,
    /// The user's `deployment`, as given (the daemon's own attribute).
    pub deployment: Option<Value>,
    /// The task that may work on it; a message of any other task is stale (the daemon's own attribute).
    pub task_id: Option<TaskId>,
}

/// What lists of projects show.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProjectSummary {
    /// Key.
    pub project_id: ProjectId,
    /// For people.
    pub project_name: String,
    /// Where it is.
    pub status: ProjectStatus,
    /// 0 to 100.
    pub progress: f64,
    /// The stage that runs, or ran last.
    pub current_stage: Option<String>,
    /// When it was posted.
    pub created_at: Timestamp,
    /// Last change.
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
