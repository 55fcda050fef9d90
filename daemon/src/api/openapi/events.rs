//! The shapes of what streams hold. No handler returns these, so they are written down here; the tests
//! of the streams check events against them.

use salvo::oapi::Components;
use serde_json::{Map, Value, json};

use super::shape::{Shape, reference};
use crate::domain::{
    agent::AgentStatus,
    control::{ControlAction, ControlStatus},
    event::EventType,
    failure::ErrorInfo,
    ids::AgentId,
    project::ProjectStatus,
    stage::StageStatus,
};

/// The schemas that events refer to.
pub(crate) fn referred() -> Map<String, Value> {
    let mut components = Components::new();
    for shape in [
        AgentStatus::shape,
        ControlStatus::shape,
        ControlAction::shape,
        ErrorInfo::shape,
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

/// A schema of an object: its own members, and those that may be missing.
fn object(doc: &str, members: Value, optional: &[&str]) -> Value {
    let required: Vec<&String> =
        members.as_object().into_iter().flat_map(Map::keys).filter(|name| !optional.contains(&name.as_str())).collect();
    json!({ "type": "object", "description": doc, "required": required, "properties": members })
}

/// A piece of an answer, with the schemas that say more of each kind.
fn with_kinds(mut piece: Value) -> Value {
    let kinds = [
        ("text", "ChatText"),
        ("tool_use", "ChatToolUse"),
        ("tool_input", "ChatToolInput"),
        ("tool_end", "ChatToolEnd"),
    ];
    let kinds: Map<String, Value> = kinds.into_iter().map(|(kind, name)| (kind.to_owned(), reference(name))).collect();
    if let Value::Object(piece) = &mut piece {
        piece.insert("x-kinds".to_owned(), kinds.into());
    }
    piece
}

/// A set of one word, which every generator reads, as it does not read `const`.
fn word(of: &str) -> Value {
    json!({ "type": "string", "enum": [of] })
}

/// Named schemas as the alternatives of one, told apart by a member's word.
fn one_of(doc: &str, tag: &str, kinds: &[(&str, &str)]) -> Value {
    let alternatives: Vec<Value> = kinds.iter().map(|(_, name)| reference(name)).collect();
    let mapping: Map<String, Value> =
        kinds.iter().map(|(word, name)| ((*word).to_owned(), format!("#/components/schemas/{name}").into())).collect();
    json!({ "description": doc, "oneOf": alternatives, "discriminator": { "propertyName": tag, "mapping": mapping } })
}

/// The schemas of what `/projects/{id}/events`, `/events` and `/ws` tell, by their names.
pub(crate) fn project_events() -> Map<String, Value> {
    let text = || json!({ "type": "string" });
    let maybe = || json!({ "type": ["string", "null"] });
    let count = || json!({ "type": "integer", "minimum": 0 });
    // What all have; a resync of all projects is of none, and then the word differs.
    let kind = |of: &str, doc: &str, own: Value, optional: &[&str]| {
        let mut members = json!({
            "seq": { "type": "integer", "minimum": 0, "description": "Grows by one per project." },
            "project_id": if of == "resync" { maybe() } else { text() },
            "type": word(of),
            "at": { "type": "string", "format": "date-time" },
        });
        if let (Value::Object(members), Value::Object(own)) = (&mut members, own) {
            members.extend(own);
            let doc =
                "Its place in the stream of all projects: what `id:` says there, as a WebSocket has no such line.";
            members.insert("id".to_owned(), json!({ "type": "string", "description": doc }));
        }
        object(doc, members, &[optional, &["id"]].concat())
    };
    let kinds = [
        (
            "project",
            "ProjectChanged",
            kind(
                "project",
                "Status, progress or current stage changed.",
                json!({ "status": reference("ProjectStatus"), "progress": { "type": "number" }, "current_stage": maybe(),
                "control_status": reference("ControlStatus"), "action": reference("ControlAction"), "reason": text(),
                "error_info": reference("ErrorInfo") }),
                &["control_status", "action", "reason", "error_info"],
            ),
        ),
        (
            "stage",
            "StageChanged",
            kind(
                "stage",
                "A stage began or ended, or says how far it is.",
                json!({ "stage_name": text(), "status": reference("StageStatus"), "attempt": count(),
                "stage_progress": { "type": "number", "minimum": 0, "maximum": 100, "description": "Of a running stage." },
                "message": { "type": "string", "description": "What it does now." },
                "duration_seconds": { "type": ["number", "null"] }, "input_tokens": { "type": ["integer", "null"] },
                "output_tokens": { "type": ["integer", "null"] }, "tool_calls": { "type": ["integer", "null"] },
                "error": maybe() }),
                &[
                    "attempt",
                    "stage_progress",
                    "message",
                    "duration_seconds",
                    "input_tokens",
                    "output_tokens",
                    "tool_calls",
                    "error",
                ],
            ),
        ),
        (
            "log",
            "LogLine",
            kind(
                "log",
                "A line of a stage's log.",
                json!({ "stage_name": maybe(), "message": text(), "level": { "type": "string", "enum": ["debug", "info", "warn", "error"] } }),
                &["stage_name", "level"],
            ),
        ),
        (
            "text",
            "ModelText",
            kind("text", "Model output.", json!({ "stage_name": maybe(), "text": text() }), &["stage_name"]),
        ),
        (
            "tool",
            "ToolStep",
            kind(
                "tool",
                "A tool is used: it begins, its arguments come in pieces, it ends.",
                json!({ "stage_name": maybe(), "phase": { "type": "string", "enum": ["start", "input", "end"] }, "tool_id": text(),
                "tool_name": text(), "data": { "type": "string", "description": "A piece of the arguments." },
                "tool_input": { "description": "The arguments." }, "tool_result": text(), "failed": { "type": "boolean" } }),
                &["stage_name", "tool_name", "data", "tool_input", "tool_result", "failed"],
            ),
        ),
        (
            "file",
            "FileWritten",
            kind(
                "file",
                "A file was written.",
                json!({ "stage_name": maybe(), "path": { "type": "string", "description": "Relative to the project's folder." } }),
                &["stage_name"],
            ),
        ),
        (
            "agent",
            "AgentChanged",
            kind(
                "agent",
                "An agent's state changed.",
                json!({ "agent_id": reference("AgentId"), "agent_name": text(), "status": reference("AgentStatus"), "error": text() }),
                &["error"],
            ),
        ),
        ("approval", "ApprovalAsked", kind("approval", "Somebody is asked for a decision.", json!({}), &[])),
        (
            "resync",
            "EventsMissed",
            kind(
                "resync",
                "Events were missed: read the project again.",
                json!({ "reason": text(), "missed": { "type": ["integer", "null"] } }),
                &["reason", "missed"],
            ),
        ),
        (
            "end",
            "ProjectEnd",
            kind(
                "end",
                "The project says no more; `status` is its last, or `deleted`. `deployment` is how the deployment that its \
                 build queued ended, or how it was after a minute; none when there is none.",
                json!({ "status": text(), "reason": text(), "deployment": maybe(), "deploy_task_id": maybe() }),
                &["status", "reason", "deployment", "deploy_task_id"],
            ),
        ),
    ];
    let mut names: Vec<(&str, &str)> = kinds.iter().map(|(word, name, _)| (*word, *name)).collect();
    let whole = one_of("An event of a project.", "type", &names);
    let answers = socket_answers();
    names.extend(answers.iter().map(|(word, name, _)| (*word, *name)));
    let message = one_of("What `/ws` says: an event, or the answer to what the client said.", "type", &names);
    let each = kinds.into_iter().chain(answers).map(|(_, name, schema)| (name.to_owned(), schema));
    let wholes = [("ProjectEvent".to_owned(), whole), ("WebSocketMessage".to_owned(), message)];
    each.chain(wholes).chain(socket_requests()).collect()
}

/// What `/ws` answers.
fn socket_answers() -> [(&'static str, &'static str, Value); 3] {
    let resync =
        "Events between the place that was asked for and the first that comes are gone: read again what you show.";
    let filter = "What was asked for.";
    let said = json!({ "type": word("subscribed"), "filter": { "type": "object", "description": filter },
        "resync": { "type": "boolean", "description": resync } });
    let error = json!({ "type": word("error"), "error": { "type": "string" } });
    [
        ("pong", "WebSocketPong", object("Answers `ping`.", json!({ "type": word("pong") }), &[])),
        ("subscribed", "WebSocketSubscribed", object("Answers `subscribe`.", said, &[])),
        ("error", "WebSocketError", object("What the client said is not understood, and changes nothing.", error, &[])),
    ]
}

/// What a client says to `/ws`.
fn socket_requests() -> [(String, Value); 3] {
    let some = |doc: &str| {
        let (text, list) = (json!({ "type": "string" }), json!({ "type": "array", "items": { "type": "string" } }));
        json!({ "description": format!("{doc} A list, or a text with commas."), "anyOf": [text, list] })
    };
    let filters = json!({
        "action": word("subscribe"),
        "project_id": some("Only of these projects."),
        "type": some("Only events of these types."),
        "status": some("Of a project's changes only those into these states."),
        "last_event_id": { "type": "string", "description": "Begin behind this one." },
    });
    let optional = ["project_id", "type", "status", "last_event_id"];
    let subscribe = object("Filters in place of those so far: the same as the query's.", filters, &optional);
    let ping = object("Asks for a `pong`.", json!({ "action": word("ping") }), &[]);
    let kinds = [("subscribe", "WebSocketSubscribe"), ("ping", "WebSocketPing")];
    [
        ("WebSocketSubscribe".to_owned(), subscribe),
        ("WebSocketPing".to_owned(), ping),
        ("WebSocketRequest".to_owned(), one_of("What a client may say to `/ws`.", "action", &kinds)),
    ]
}

/// The schemas of what a chat's stream tells, by their names.
pub(crate) fn chat_events() -> Map<String, Value> {
    let text = || json!({ "type": "string" });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let piece = |of: &str, doc: &str, own: Value, optional: &[&str]| {
        let mut members = json!({ "event": word("message"), "type": word(of) });
        if let (Value::Object(members), Value::Object(own)) = (&mut members, own) {
            members.extend(own);
        }
        object(doc, members, optional)
    };
    let arguments = json!({ "description": "The arguments as a structure, when they are one." });
    let metrics = json!({ "input_tokens": count(), "output_tokens": count(), "total_tokens": count(), "duration_ms": count(),
        "tool_calls": count(), "invocation_id": { "type": ["string", "null"] } });
    let all = [
        (
            "ChatConnected",
            object("Always the first.", json!({ "event": word("connected"), "session_id": text() }), &[]),
        ),
        ("ChatText", piece("text", "A piece of text.", json!({ "data": text() }), &[])),
        (
            "ChatToolUse",
            piece("tool_use", "A tool is being used.", json!({ "tool_name": text(), "tool_id": text() }), &[]),
        ),
        (
            "ChatToolInput",
            piece("tool_input", "A piece of its arguments.", json!({ "tool_id": text(), "data": text() }), &[]),
        ),
        (
            "ChatToolEnd",
            piece(
                "tool_end",
                "What it answered.",
                json!({ "tool_id": text(), "tool_name": text(), "tool_result": text(), "tool_input_json": arguments.clone(),
                "tool_input": { "type": "string", "description": "The arguments as JSON text." } }),
                &["tool_input_json"],
            ),
        ),
        (
            "ChatMessage",
            // No alternatives of its own: generators do not read those of one that is an alternative itself.
            with_kinds(object(
                "A piece of the answer; which members it has is told by `ChatText`, `ChatToolUse`, `ChatToolInput` and \
                 `ChatToolEnd`.",
                json!({
                    "event": word("message"),
                    "type": { "type": "string", "enum": ["text", "tool_use", "tool_input", "tool_end"] },
                    "data": text(), "tool_id": text(), "tool_name": text(), "tool_input": text(),
                    "tool_input_json": arguments, "tool_result": text(),
                }),
                &["data", "tool_id", "tool_name", "tool_input", "tool_input_json", "tool_result"],
            )),
        ),
        (
            "ChatError",
            object(
                "Why there is no answer, or none to its end; `retry_after` seconds later there may be one.",
                json!({ "event": word("error"), "error": text(), "retry_after": count() }),
                &["retry_after"],
            ),
        ),
        ("ChatMetrics", object("Figures of the whole answer.", metrics, &[])),
        (
            "ChatDone",
            object(
                "Always the last. `recorded` is only ever `false`: the store cannot take the answer now, and it would be \
                 lost with this daemon. It is written as soon as that can be.",
                json!({
                    "event": word("done"), "metrics": reference("ChatMetrics"),
                    "recorded": { "type": "boolean" },
                }),
                &["recorded"],
            ),
        ),
        (
            "ChatEvent",
            one_of(
                "A piece of an answer. `done` is always the last.",
                "event",
                &[
                    ("connected", "ChatConnected"),
                    ("message", "ChatMessage"),
                    ("error", "ChatError"),
                    ("done", "ChatDone"),
                ],
            ),
        ),
    ];
    all.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}
