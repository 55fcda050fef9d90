//! An answer as it grows: every piece goes to the daemon at once, and into the whole.

use std::collections::HashMap;

use nexus_plugin_api::{
    Context,
    payload::{InvokeResult, ToolCall, Usage},
};
use serde_json::{Value, json};
use tokio::time::Instant;

/// An event may have 256 KiB of JSON (`plugins.max_event_bytes`), and escaping can make six bytes of one.
const MAX_EVENT_TEXT_BYTES: usize = 32 * 1024;
/// Tool calls beyond this are not told any more; an agent that needs so many runs in circles.
const MAX_TOOL_CALLS: usize = 1000;

/// Collects one answer. Its size is bounded by the bytes it is made of.
pub(crate) struct Answer<'a> {
    cx: &'a Context,
    started: Instant,
    output: String,
    /// The end of `output` from here on was not sent yet.
    sent: usize,
    usage: Usage,
    calls: Vec<ToolCall>,
    open: HashMap<String, OpenCall>,
    metrics: Option<Value>,
    agents_trace: Option<Value>,
}

struct OpenCall {
    name: String,
    input: String,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(cx: &'a Context) -> Self {
        Self {
            cx,
            started: Instant::now(),
            output: String::new(),
            sent: 0,
            usage: Usage::default(),
            calls: Vec::new(),
            open: HashMap::new(),
            metrics: None,
            agents_trace: None,
        }
    }

    pub(crate) fn has_text(&self) -> bool {
        !self.output.is_empty()
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.output.push_str(text);
    }

    /// Sends the text since the last call. To be called when all that arrived is taken in: an agent
    /// that sends every letter in a frame of its own does not make an event of each.
    pub(crate) fn flush(&mut self) {
        for piece in pieces(self.output.get(self.sent..).unwrap_or_default()) {
            self.cx.text(piece);
        }
        self.sent = self.output.len();
    }

    pub(crate) fn tool_start(&mut self, id: &str, name: &str) {
        if self.open.contains_key(id) || self.open.len() + self.calls.len() >= MAX_TOOL_CALLS {
            return;
        }
        self.flush();
        self.open.insert(id.to_owned(), OpenCall { name: name.to_owned(), input: String::new() });
        self.cx.tool_start(id, name);
    }

    pub(crate) fn tool_input(&mut self, id: &str, delta: &str) {
        self.flush();
        if let Some(call) = self.open.get_mut(id) {
            call.input.push_str(delta);
            for piece in pieces(delta) {
                self.cx.tool_input(id, piece);
            }
        }
    }

    /// Ends a call; one that never began is told whole.
    pub(crate) fn tool_end(&mut self, id: &str, name: &str, input: Option<&Value>, result: &str, failed: bool) {
        self.flush();
        self.tool_start(id, name);
        let Some(call) = self.open.remove(id) else { return };
        let name = if name.is_empty() { call.name } else { name.to_owned() };
        let input = input.filter(|input| !input.is_null()).cloned().unwrap_or_else(|| parse_input(call.input));
        let input = if input.to_string().len() > MAX_EVENT_TEXT_BYTES { json!({"truncated": true}) } else { input };
        let result = pieces(result).next().unwrap_or_default();
        self.cx.tool_end(id, &name, input.clone(), result, failed);
        let status = if failed { "error" } else { "success" };
        self.calls.push(ToolCall {
            id: id.to_owned(),
            name,
            input,
            result: result.to_owned(),
            status: status.to_owned(),
        });
    }

    /// An id for a call that came without one.
    pub(crate) fn next_id(&self) -> String {
        format!("tool-{}", self.open.len() + self.calls.len() + 1)
    }

    /// Takes `input_tokens`, `output_tokens` and `model_id`, also in the spelling of Bedrock.
    pub(crate) fn metrics(&mut self, data: &Value) {
        let number = |names: [&str; 2]| names.iter().find_map(|name| data.get(*name).and_then(Value::as_u64));
        if let Some(tokens) = number(["input_tokens", "inputTokens"]) {
            self.usage.input_tokens = tokens;
        }
        if let Some(tokens) = number(["output_tokens", "outputTokens"]) {
            self.usage.output_tokens = tokens;
        }
        if let Some(model) = data.get("model_id").and_then(Value::as_str) {
            self.usage.model_id = Some(model.to_owned());
        }
        self.metrics = Some(data.clone());
    }

    pub(crate) fn trace(&mut self, trace: &Value) {
        self.agents_trace = Some(trace.clone());
    }

    pub(crate) fn finish(mut self, with_trace: bool) -> InvokeResult {
        self.flush();
        let trace = with_trace.then(|| {
            let steps: Vec<Value> = self
                .calls
                .iter()
                .map(|call| json!({"type": "tool", "id": call.id, "name": call.name, "status": call.status}))
                .collect();
            json!({
                "duration_ms": u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
                "steps": steps,
                "metrics": self.metrics,
                "agent": self.agents_trace,
            })
        });
        InvokeResult { output: self.output, usage: self.usage, tool_calls: self.calls, trace }
    }
}

fn parse_input(text: String) -> Value {
    if text.trim().is_empty() {
        return json!({});
    }
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

/// Cuts text into pieces that fit an event, between characters. Nothing for empty text.
fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let end = text.floor_char_boundary(MAX_EVENT_TEXT_BYTES);
        let (piece, rest) = text.split_at(end);
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use nexus_plugin_api::sdk::testing::Recorder;

    use super::*;

    #[test]
    fn long_text_goes_in_pieces() {
        let (recorder, cx) = Recorder::new();
        let mut answer = Answer::new(&cx);
        let text = "ä".repeat(MAX_EVENT_TEXT_BYTES);
        answer.text(&text);
        answer.flush();
        assert_eq!(recorder.events().len(), 2);
        assert_eq!(recorder.text(), text);
        assert_eq!(answer.finish(false).output, text);
    }

    #[test]
    fn the_input_is_put_together_from_its_pieces() {
        let (_recorder, cx) = Recorder::new();
        let mut answer = Answer::new(&cx);
        answer.tool_start("1", "add");
        answer.tool_start("1", "add");
        answer.tool_input("1", "{\"a\"");
        answer.tool_input("1", ": 2}");
        answer.tool_end("1", "", None, "4", false);
        answer.tool_end("never-began", "sub", None, "", true);
        let calls = answer.finish(false).tool_calls;
        assert_eq!(calls.len(), 2);
        assert_eq!((calls[0].name.as_str(), &calls[0].input), ("add", &json!({"a": 2})));
        assert_eq!((calls[1].status.as_str(), &calls[1].input), ("error", &json!({})));
    }
}
