//! `POST /projects/{id}/control`: the five requests of API.md section 4. The store applies them by the
//! project machine; the tree is told afterwards.

use salvo::{Depot, Request, handler};
use serde::Serialize;

use super::{
    error::{ApiError, Resource},
    input,
    reply::{Answer, Reply},
    state::AppState,
};
use crate::{
    domain::{
        control::{ControlAction, ControlApplied, ControlRequest, ControlStatus},
        ids::{ProjectId, TaskId},
        project::ProjectStatus,
    },
    store::StoreErrorKind,
};

#[derive(Serialize)]
struct Controlled {
    project_id: ProjectId,
    status: ProjectStatus,
    control_status: ControlStatus,
    task_id: Option<TaskId>,
}

/// `POST /projects/{id}/control`
#[handler]
pub(super) async fn control(req: &mut Request, depot: &mut Depot) -> Answer<Controlled> {
    let state = AppState::of(depot)?;
    let id: ProjectId = input::id(req, Resource::Project)?;
    let mut fields = input::body(req, state.body_limit()).await?;
    let action = fields.required_word("action", ControlAction::ALL);
    let reason = fields.text("reason", 0..=500);
    let from_stage = fields.text("from_stage", 0..=100);
    let requested_by = fields.text("user_id", 0..=100);
    fields.finish()?;
    let action = action.ok_or_else(|| ApiError::internal("an action that passed the check is gone"))?;
    let from_stage = from_stage.filter(|_| matches!(action, ControlAction::Resume | ControlAction::Restart));
    let request = ControlRequest { action, reason, from_stage, requested_by };
    let applied = apply(&state, &id, request).await?;
    let message = told(action, &applied);
    let ControlApplied { status, control_status, task_id, .. } = applied;
    Ok(Reply::new(Controlled { project_id: id, status, control_status, task_id }).message(message))
}

/// Applies a request and tells the tree. The one way in, for the flat `/workflow` paths too.
pub(super) async fn apply(
    state: &AppState,
    id: &ProjectId,
    request: ControlRequest,
) -> Result<ControlApplied, ApiError> {
    let action = request.action;
    let from_stage = request.from_stage.clone();
    let applied = state.store.control(id, request, state.workflows.load_full()).await;
    let applied = applied.map_err(|error| match error.kind() {
        StoreErrorKind::NotFound => ApiError::not_found(Resource::Project, id.as_str()),
        StoreErrorKind::Invalid => {
            ApiError::invalid("body", "from_stage", "value_error", error.to_string(), from_stage.into())
        }
        _ => error.into(),
    })?;
    state.conductor.controlled(id, applied.notify.as_ref(), action);
    Ok(applied)
}

const fn told(action: ControlAction, applied: &ControlApplied) -> &'static str {
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
