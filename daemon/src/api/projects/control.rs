//! `POST /projects/{id}/control`: the five requests of API.md section 4. The store applies them by the
//! project machine; the tree is told afterwards.

use salvo::{Writer as _, oapi::endpoint};
use serde::Serialize;

use crate::api::{
    http::{
        error::{ApiError, Resource},
        request::{
            extract::{Body, Id, State},
            rules::{NeededWord, StageRef, Text, fields_of},
        },
        response::{Answer, Reply},
    },
    openapi::describe,
    state::AppState,
};
use crate::{
    backend::error::BackendErrorKind,
    domain::{
        control::{ControlAction, ControlApplied, ControlRequest, ControlStatus},
        ids::{ProjectId, TaskId},
        project::ProjectStatus,
    },
    telemetry,
};

#[derive(Serialize)]
struct Controlled {
    project_id: ProjectId,
    status: ProjectStatus,
    control_status: ControlStatus,
    task_id: Option<TaskId>,
}

describe! {
    /// A project's state after a request.
    Controlled as "Controlled" {
        project_id, status, control_status,
        /// The new task, after resume and restart.
        task_id,
    }
}

fields_of! {
    /// What to do with a project.
    pub(crate) ControlBody {
        action: NeededWord<ControlAction>,
        reason: Text<0, 500>,
        /// Where resume and restart begin.
        from_stage: StageRef,
        /// Who asks.
        user_id: Text<0, 100>,
    }
}

/// `POST /projects/{id}/control`
///
/// Pause, resume, stop, restart or cancel a build. Illegal in this state: 409 with the actions that are allowed.
#[endpoint(operation_id = "controlProject", tags("projects"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn control(state: State, id: Id<ProjectId>, body: Body<ControlBody>) -> Answer<Controlled> {
    let (Id(id), Body(ControlBody { action, reason, from_stage, user_id: requested_by })) = (id, body);
    let action = action.ok_or_else(|| ApiError::internal("an action that passed the check is gone"))?;
    let from_stage = from_stage.filter(|_| matches!(action, ControlAction::Resume | ControlAction::Restart));
    let request = ControlRequest { action, reason, from_stage, requested_by };
    let applied = apply(&state, &id, request).await?;
    let message = told(action, &applied);
    let ControlApplied { status, control_status, task_id, .. } = applied;
    Ok(Reply::new(Controlled { project_id: id, status, control_status, task_id }).message(message))
}

/// Applies a request and tells the tree. The one way in, for the flat `/workflow` paths too.
pub(crate) async fn apply(
    state: &AppState,
    id: &ProjectId,
    request: ControlRequest,
) -> Result<ControlApplied, ApiError> {
    let action = request.action;
    let from_stage = request.from_stage.clone();
    let applied = state.store.control(id, request, state.workflows.load_full()).await;
    let applied = applied.map_err(|error| match error.kind() {
        BackendErrorKind::NotFound => ApiError::not_found(Resource::Project, id.as_str()),
        BackendErrorKind::Invalid => {
            ApiError::invalid("body", "from_stage", "value_error", error.to_string(), from_stage.into())
        }
        _ => error.into(),
    })?;
    state.conductor.controlled(id, applied.notify.as_ref(), action);
    telemetry::told::controlled(id, action, applied.status, told(action, &applied));
    Ok(applied)
}

pub(crate) const fn told(action: ControlAction, applied: &ControlApplied) -> &'static str {
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
