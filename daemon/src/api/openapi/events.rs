//! The shapes of what streams hold. No handler returns these, so they are written down here; the tests
//! of the streams check events against them.

use salvo::oapi::Components;
use serde_json::{Map, Value, json};

use super::shape::{Shape, reference};
use crate::domain::{
    agent::AgentStatus, control::ControlStatus, event::EventType, ids::AgentId, project::ProjectStatus,
    stage::StageStatus,
};

/// The schemas that events refer to.
pub(super) fn referred() -> Map<String, Value> {
    let mut components = Components::new();
    for shape in [
        AgentStatus::shape,
        ControlStatus::shape,
        EventType::shape,
        AgentId::shape,
        ProjectStatus::shape,
        StageStatus::shape,
    ] {
        shape(&mut components);
    }
    let all = serde_json::to_value(&components.schemas).unwrap_or_default();
    if let Value::Object(all) = all { all } else { Map::new() }
}

/// One kind of event: the constant that names it, its own members, and those that may be missing.
fn kind(tag: &str, word: &str, doc: &str, members: &Value, optional: &[&str]) -> Value {
    let mut properties = members.as_object().cloned().unwrap_or_default();
    properties.insert(tag.to_owned(), json!({ "type": "string", "const": word }));
    let required: Vec<&String> = properties.keys().filter(|name| !optional.contains(&name.as_str())).collect();
    json!({ "type": "object", "description": doc, "required": required, "properties": properties })
}

/// What `/projects/{id}/events`, `/events` and `/ws` tell.
pub(super) fn project_event() -> Value {
    let text = || json!({ "type": "string" });
    let maybe = || json!({ "type": ["string", "null"] });
    let kinds = [
        kind(
            "type",
            "project",
            "Status, progress or current stage changed.",
            &json!({ "status": reference("ProjectStatus"), "progress": { "type": "number" }, "current_stage": maybe(),
                "control_status": reference("ControlStatus") }),
            &["control_status"],
        ),
        kind(
            "type",
            "stage",
            "A stage began or ended.",
            &json!({ "stage_name": text(), "status": reference("StageStatus"), "attempt": { "type": "integer" } }),
            &[],
        ),
        kind(
            "type",
            "log",
            "A line of a stage's log.",
            &json!({ "stage_name": maybe(), "message": text() }),
            &["stage_name", "message"],
        ),
        kind("type", "text", "Model output.", &json!({ "stage_name": maybe() }), &["stage_name"]),
        kind("type", "tool", "A tool was used.", &json!({ "stage_name": maybe() }), &["stage_name"]),
        kind("type", "file", "A file was written.", &json!({ "stage_name": maybe() }), &["stage_name"]),
        kind(
            "type",
            "agent",
            "An agent's state changed.",
            &json!({ "agent_id": reference("AgentId"), "agent_name": text(), "status": reference("AgentStatus") }),
            &[],
        ),
        kind("type", "approval", "Somebody is asked for a decision.", &json!({}), &[]),
        kind(
            "type",
            "resync",
            "Events were missed: read the project again.",
            &json!({ "reason": text() }),
            &["reason"],
        ),
        kind(
            "type",
            "end",
            "The project says no more; `status` is its last, or `deleted`. `deployment` is how the deployment that its \
             build queued ended, or how it was after a minute; none when there is none.",
            &json!({ "status": text(), "deployment": maybe(), "deploy_task_id": maybe() }),
            &["status", "deployment", "deploy_task_id"],
        ),
    ];
    json!({
        "description": "An event of a project. More members may come with each kind.",
        "type": "object",
        "properties": {
            "seq": { "type": "integer", "minimum": 0, "description": "Grows by one per project." },
            "project_id": { "type": ["string", "null"] },
            "type": reference("EventType"),
            "at": { "type": "string", "format": "date-time" },
        },
        "required": ["seq", "project_id", "type", "at"],
        "oneOf": kinds,
    })
}

/// What a chat's stream tells.
pub(super) fn chat_event() -> Value {
    let text = || json!({ "type": "string" });
    let maybe = || json!({ "type": ["string", "null"] });
    let message = |word: &str, doc: &str, members: Value| {
        let mut members = members;
        if let Value::Object(members) = &mut members {
            members.insert("event".to_owned(), json!({ "type": "string", "const": "message" }));
        }
        kind("type", word, doc, &members, &[])
    };
    json!({
        "description": "A piece of an answer. `done` is always the last.",
        "oneOf": [
            kind("event", "connected", "Always the first.", &json!({ "session_id": text() }), &[]),
            message("text", "A piece of text.", json!({ "data": text() })),
            message("tool_use", "A tool is being used.", json!({ "tool_name": text(), "tool_id": text() })),
            message("tool_input", "A piece of its arguments.", json!({ "tool_id": text(), "data": text() })),
            message("tool_end", "What it answered.",
                json!({ "tool_id": text(), "tool_name": text(), "tool_input": {}, "tool_result": text() })),
            kind("event", "error", "Why there is no answer; `retry_after` seconds later there may be one.",
                &json!({ "error": text(), "retry_after": { "type": "integer" } }), &["retry_after"]),
            kind("event", "done", "Always the last, with the figures of the whole answer.", &json!({ "metrics": {
                "type": "object",
                "required": ["input_tokens", "output_tokens", "total_tokens", "duration_ms", "tool_calls", "invocation_id"],
                "properties": {
                    "input_tokens": { "type": "integer" }, "output_tokens": { "type": "integer" },
                    "total_tokens": { "type": "integer" }, "duration_ms": { "type": "integer" },
                    "tool_calls": { "type": "integer" }, "invocation_id": maybe(),
                },
            } }), &[]),
        ],
    })
}
