//! What one frame, or a whole JSON answer, means.

use serde_json::{Map, Value};

use super::{
    collected::Answer,
    error::AskError,
    json::{reported_error, text_of},
};

/// Whether the stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// A frame of the agents' protocol: `done` must follow.
    Protocol,
    /// Some other agent's frame; such a stream ends when the connection does.
    Foreign,
    /// The answer is complete.
    Done,
}

/// Applies the data of one SSE frame.
pub(crate) fn apply_frame(data: &[u8], answer: &mut Answer<'_>) -> Result<Flow, AskError> {
    if data == b"[DONE]" {
        return Ok(Flow::Done);
    }
    match serde_json::from_slice::<Value>(data) {
        Ok(Value::Object(frame)) => apply_object(&frame, answer),
        Ok(Value::String(text)) => {
            answer.text(&text);
            Ok(Flow::Foreign)
        }
        Ok(other) => {
            answer.text(&other.to_string());
            Ok(Flow::Foreign)
        }
        Err(_) => {
            let text = std::str::from_utf8(data)
                .map_err(|_| AskError::Garbage("a frame that is neither JSON nor text".to_owned()))?;
            answer.text(text);
            Ok(Flow::Foreign)
        }
    }
}

fn apply_object(frame: &Map<String, Value>, answer: &mut Answer<'_>) -> Result<Flow, AskError> {
    match text_field(frame, "event") {
        Some("message") => {
            apply_message(frame, answer);
            return Ok(Flow::Protocol);
        }
        Some("metrics") => {
            answer.metrics(frame.get("data").unwrap_or(&Value::Null));
            return Ok(Flow::Protocol);
        }
        Some("done") => return Ok(Flow::Done),
        _ => {}
    }
    if let Some(error) = reported_error(&Value::Object(frame.clone())) {
        return Err(error);
    }
    if let Some(text) = text_field(frame, "data").or_else(|| text_field(frame, "text")) {
        answer.text(text);
    } else if !answer.has_text() {
        // A last frame with the whole answer repeats what was streamed, unless nothing was.
        let whole = ["output", "result", "response"].iter().find_map(|key| frame.get(*key)).filter(|v| !v.is_null());
        if let Some(whole) = whole {
            answer.text(&text_of(whole));
        }
    }
    if let Some(usage) = frame.get("usage") {
        answer.metrics(usage);
    }
    Ok(Flow::Foreign)
}

fn apply_message(frame: &Map<String, Value>, answer: &mut Answer<'_>) {
    let id = text_field(frame, "tool_id").map_or_else(|| answer.next_id(), str::to_owned);
    let name = text_field(frame, "tool_name").unwrap_or_default();
    match text_field(frame, "type") {
        Some("text") => answer.text(text_field(frame, "data").unwrap_or_default()),
        Some("tool_use") => answer.tool_start(&id, name),
        Some("tool_input") => answer.tool_input(&id, text_field(frame, "data").unwrap_or_default()),
        Some("tool_end") => {
            let result = frame.get("tool_result").map(as_text).unwrap_or_default();
            answer.tool_end(&id, name, frame.get("tool_input"), &result, has_failed(frame));
        }
        // Kinds of a later version: nothing to show.
        _ => {}
    }
}

/// Applies a JSON answer that came in one piece.
pub(crate) fn apply_whole(body: &Value, answer: &mut Answer<'_>) -> Result<(), AskError> {
    if let Some(error) = reported_error(body) {
        return Err(error);
    }
    for call in body.get("tool_calls").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
        let id = text_field(call, "id").map_or_else(|| answer.next_id(), str::to_owned);
        let result = call.get("result").map(as_text).unwrap_or_default();
        let name = text_field(call, "name").unwrap_or("tool");
        answer.tool_end(&id, name, call.get("input"), &result, has_failed(call));
    }
    answer.text(&text_of(body));
    for source in [Some(body), body.get("usage")].into_iter().flatten() {
        answer.metrics(source);
    }
    if let Some(trace) = body.get("trace") {
        answer.trace(trace);
    }
    Ok(())
}

fn text_field<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    fields.get(key).and_then(Value::as_str)
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn has_failed(fields: &Map<String, Value>) -> bool {
    text_field(fields, "status").is_some_and(|status| !status.eq_ignore_ascii_case("success"))
}
