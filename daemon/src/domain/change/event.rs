//! The events that tell of a change, each kind with its fields.

use serde_json::{Map, Value, json};

use crate::domain::{
    agent::AgentStatus,
    control::{ControlRequest, ControlStatus},
    event::{EventType, NewEvent},
    failure::ErrorInfo,
    ids::AgentId,
    stage::{StageEnd, StageOutcome, StageStatus},
    time::Timestamp,
    transition::ProjectState,
};

/// A stage's status changed.
pub(super) fn stage(at: Timestamp, name: &str, status: StageStatus, attempt: u32) -> NewEvent {
    let mut fields = Map::new();
    fields.insert("stage_name".into(), name.into());
    fields.insert("status".into(), status.as_str().into());
    fields.insert("attempt".into(), attempt.into());
    NewEvent { kind: EventType::Stage, at, fields }
}

/// An attempt ended, with its figures.
pub(super) fn stage_end(end: &StageEnd, status: StageStatus) -> NewEvent {
    let figures = &end.figures;
    let mut event = stage(end.ended_at, &end.stage_name, status, end.attempt);
    event.fields.insert("duration_seconds".into(), figures.duration_seconds.into());
    event.fields.insert("input_tokens".into(), figures.input_tokens.into());
    event.fields.insert("output_tokens".into(), figures.output_tokens.into());
    event.fields.insert("tool_calls".into(), figures.tool_calls.into());
    match &end.outcome {
        StageOutcome::Failed(failure) => with_error(event, &failure.message),
        StageOutcome::Completed(_) | StageOutcome::Skipped(_) => event,
    }
}

/// The event, with why.
pub(super) fn with_error(mut event: NewEvent, error: &str) -> NewEvent {
    event.fields.insert("error".into(), error.into());
    event
}

/// Where a project is.
pub(crate) fn project(at: Timestamp, state: ProjectState, progress: f64, stage: Option<&str>) -> NewEvent {
    let mut fields = Map::new();
    fields.insert("status".into(), state.status.as_str().into());
    fields.insert("progress".into(), progress.into());
    fields.insert("current_stage".into(), stage.map_or(Value::Null, Into::into));
    if state.control != ControlStatus::Running {
        fields.insert("control_status".into(), state.control.as_str().into());
    }
    NewEvent { kind: EventType::Project, at, fields }
}

/// The event, with why the build failed.
pub(super) fn with_info(mut event: NewEvent, info: Option<&ErrorInfo>) -> NewEvent {
    if let Some(info) = info {
        event.fields.insert("error_info".into(), json!(info));
    }
    event
}

/// The event, with what its user asked.
pub(super) fn with_request(mut event: NewEvent, control: ControlStatus, request: &ControlRequest) -> NewEvent {
    event.fields.insert("control_status".into(), control.as_str().into());
    event.fields.insert("action".into(), request.action.as_str().into());
    if let Some(reason) = &request.reason {
        event.fields.insert("reason".into(), Value::from(reason.as_str()));
    }
    event
}

/// An agent changed.
pub(crate) fn agent(at: Timestamp, id: &AgentId, name: &str, status: AgentStatus) -> NewEvent {
    let mut fields = Map::new();
    fields.insert("agent_id".into(), id.as_str().into());
    fields.insert("agent_name".into(), name.into());
    fields.insert("status".into(), status.as_str().into());
    NewEvent { kind: EventType::Agent, at, fields }
}
