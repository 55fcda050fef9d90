//! What a user may ask of a project (API.md section 4).

use super::{ids::TaskId, project::ProjectStatus};

super::words! {
    /// What the project's user wants.
    ControlStatus {
        Running = "running",
        /// Hold after the running stage.
        Paused = "paused",
        Stopped = "stopped",
        Cancelled = "cancelled",
    }
}

impl ControlStatus {
    /// Whether the project is to end, whatever it does.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Stopped | Self::Cancelled)
    }
}

super::words! {
    /// What to do with a project.
    ControlAction {
        /// Hold after the running stage.
        Pause = "pause",
        /// Go on after a pause.
        Resume = "resume",
        Stop = "stop",
        /// Go over it again from a stage on.
        Restart = "restart",
        /// End now, for good.
        Cancel = "cancel",
    }
}

/// A request with its arguments.
#[derive(Clone, Debug)]
pub struct ControlRequest {
    pub action: ControlAction,
    pub reason: Option<String>,
    /// For resume and restart: the first stage to run again, by its name in the workflow.
    pub from_stage: Option<String>,
    pub requested_by: Option<String>,
}

/// What a control request did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlApplied {
    pub status: ProjectStatus,
    /// The project's control word now.
    pub control_status: ControlStatus,
    /// The task that resume and restart queued.
    pub task_id: Option<TaskId>,
    /// The task whose owner, if there is one, must be told now.
    pub notify: Option<TaskId>,
}
