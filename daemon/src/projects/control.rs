//! Pause, resume, stop, restart, cancel. The store applies a request by the project machine; the tree is told afterwards.

use super::{ProjectError, Projects, Result};
use crate::{
    backend::error::BackendErrorKind,
    domain::{
        caller::Caller,
        control::{ControlAction, ControlApplied, ControlRequest},
        ids::ProjectId,
        project::ProjectStatus,
    },
    telemetry,
};

impl Projects {
    /// Applies a request and tells the tree: the one way in.
    pub async fn control(
        &self,
        caller: &Caller,
        id: &ProjectId,
        mut request: ControlRequest,
    ) -> Result<ControlApplied> {
        if !caller.is_anonymous() {
            request.requested_by = Some(caller.acting_for(request.requested_by));
        }
        let (action, stage) = (request.action, request.from_stage.clone());
        let applied = self.store.control(id, request, self.workflows.load_full()).await;
        let applied = applied.map_err(|error| match error.kind() {
            BackendErrorKind::NotFound => ProjectError::Unknown(id.clone()),
            BackendErrorKind::Invalid => ProjectError::FromStage { message: error.to_string(), stage },
            _ => error.into(),
        })?;
        self.conductor.controlled(id, applied.notify.as_ref(), action);
        telemetry::told::controlled(id, action, applied.status, told(action, &applied));
        Ok(applied)
    }
}

/// What became of a request, for people.
pub const fn told(action: ControlAction, applied: &ControlApplied) -> &'static str {
    match action {
        ControlAction::Pause if matches!(applied.status, ProjectStatus::Building) => {
            "pause requested: the running stage ends first"
        }
        ControlAction::Pause => "project paused",
        ControlAction::Resume => "project resumed, its build is queued",
        ControlAction::Stop => "project stopped",
        ControlAction::Cancel => "project cancelled",
        ControlAction::Restart => "project restarted, its build is queued",
    }
}
