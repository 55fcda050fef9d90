//! `POST /projects/{id}/control`: the five requests of API.md section 4.

use salvo::{Writer as _, oapi::endpoint};
use schemars::JsonSchema;
use serde::Serialize;

use crate::api::http::{
    error::ApiError,
    request::{
        extract::{Body, Id, State},
        rules::{NeededWord, StageRef, Text, fields_of},
    },
    response::{Answer, Reply},
};
use crate::{
    domain::{
        control::{ControlAction, ControlApplied, ControlRequest, ControlStatus},
        ids::{ProjectId, TaskId},
        project::ProjectStatus,
    },
    projects::told,
};

/// A project's state after a request.
#[derive(Serialize, JsonSchema)]
struct Controlled {
    project_id: ProjectId,
    status: ProjectStatus,
    control_status: ControlStatus,
    /// The new task, after resume and restart.
    task_id: Option<TaskId>,
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
    let applied = state.projects.control(state.caller(), &id, request).await?;
    let message = told(action, &applied);
    let ControlApplied { status, control_status, task_id, .. } = applied;
    Ok(Reply::new(Controlled { project_id: id, status, control_status, task_id }).message(message))
}
