//! Of OpenAI's Responses what SDKs and Strands use: texts, pictures, functions, typed output. Nothing is kept between two
//! requests, so that one which builds on a kept response is refused.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::chat::{Asked, call_of, contents, texts, tool_choice, written};
use super::{WireError, refusal};
use crate::{
    ChatRequest, Content, Message, ModelError, OutputSchema, Role, StopReason, StreamEvent, Tool, ToolCall, Usage,
};

#[derive(Deserialize)]
struct Body {
    model: String,
    input: Value,
    instructions: Option<String>,
    stream: Option<bool>,
    tools: Option<Vec<ToolIn>>,
    tool_choice: Option<Value>,
    parallel_tool_calls: Option<bool>,
    text: Option<TextIn>,
    max_output_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    previous_response_id: Option<String>,
    conversation: Option<Value>,
    background: Option<bool>,
}

#[derive(Deserialize)]
struct ToolIn {
    r#type: String,
    name: Option<String>,
    description: Option<String>,
    parameters: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct TextIn {
    format: Option<FormatIn>,
}

#[derive(Deserialize)]
struct FormatIn {
    r#type: String,
    name: Option<String>,
    schema: Option<Box<RawValue>>,
}

/// Reads the body of a request.
pub fn read_response(body: &[u8]) -> Result<Asked, WireError> {
    let body: Body =
        serde_json::from_slice(body).map_err(|error| WireError::new(format!("the request cannot be read: {error}")))?;
    if body.previous_response_id.is_some() || body.conversation.is_some() {
        return Err(WireError::new("responses are not kept here: send the whole conversation as `input`"));
    }
    if body.background == Some(true) {
        return Err(WireError::new("`background` is not offered: wait for the answer or stream it"));
    }
    let mut request = ChatRequest {
        tool_choice: body.tool_choice.as_ref().map_or(Ok(crate::ToolChoice::Auto), tool_choice)?,
        parallel_tools: body.parallel_tool_calls,
        max_tokens: WireError::unless_zero("max_output_tokens", body.max_output_tokens)?,
        temperature: body.temperature,
        top_p: body.top_p,
        ..ChatRequest::default()
    };
    for tool in body.tools.unwrap_or_default() {
        let (Some(name), "function") = (tool.name, tool.r#type.as_str()) else {
            return Err(WireError::new(format!(
                "a tool of the type `{}` is not offered: only functions are",
                tool.r#type
            )));
        };
        let parameters = tool.parameters.unwrap_or_else(|| RawValue::NULL.to_owned());
        let description = tool.description.unwrap_or_default();
        request.tools.push(Tool { parameters: OutputSchema::passed_on(&name, parameters), name, description });
    }
    let mut system: Vec<String> = body.instructions.into_iter().collect();
    match &body.input {
        Value::String(text) => request.messages.push(Message::user(text.as_str())),
        Value::Array(items) => {
            for item in items {
                take_item(item, &mut system, &mut request.messages)?;
            }
        }
        _ => return Err(WireError::new("`input` must be a text or a list of items")),
    }
    request.system = (!system.is_empty()).then(|| system.join("\n\n"));
    if let Some(format) = body.text.and_then(|text| text.format) {
        match (format.r#type.as_str(), format.schema) {
            ("text", _) => {}
            ("json_schema", Some(schema)) => {
                request.output = Some(OutputSchema::passed_on(format.name.as_deref().unwrap_or("answer"), schema));
            }
            (other, _) => return Err(WireError::new(format!("the text format `{other}` is not offered"))),
        }
    }
    Ok(Asked { model: body.model, request, stream: body.stream.unwrap_or(false), wants_usage: true })
}

fn take_item(item: &Value, system: &mut Vec<String>, messages: &mut Vec<Message>) -> Result<(), WireError> {
    let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
    match (text("type"), text("role")) {
        ("function_call", _) => {
            let call = call_of(text("call_id").to_owned(), text("name").to_owned(), text("arguments"))?;
            messages.push(Message { role: Role::Assistant, content: vec![call] });
        }
        ("function_call_output", _) => {
            let output = item.get("output");
            let content = match output {
                Some(Value::String(text)) => text.clone(),
                other => texts(contents(other)?),
            };
            let result = Content::ToolResult { id: text("call_id").to_owned(), content, is_error: false };
            messages.push(Message { role: Role::User, content: vec![result] });
        }
        // What the model thought is not told to another provider.
        ("reasoning", _) => {}
        ("message" | "", role @ ("user" | "assistant")) => {
            let role = if role == "user" { Role::User } else { Role::Assistant };
            messages.push(Message { role, content: contents(item.get("content"))? });
        }
        ("message" | "", "system" | "developer") => system.push(texts(contents(item.get("content"))?)),
        (kind, role) => {
            return Err(WireError::new(format!(
                "an input item of the type `{kind}` and the role `{role}` is not taken"
            )));
        }
    }
    Ok(())
}

/// An item of the answer that grows.
struct Item {
    index: usize,
    id: String,
    text: String,
}

/// Writes a response, as events or as a whole.
pub struct ResponseWriter {
    id: String,
    created: u64,
    model: String,
    sequence: u64,
    began: bool,
    message: Option<Item>,
    calls: Vec<usize>,
    output: Vec<Value>,
    usage: Usage,
    status: &'static str,
    incomplete: Option<&'static str>,
}

impl ResponseWriter {
    #[must_use]
    pub fn new(id: String, created: u64, model: String) -> Self {
        Self {
            id,
            created,
            model,
            sequence: 0,
            began: false,
            message: None,
            calls: Vec::new(),
            output: Vec::new(),
            usage: Usage::default(),
            status: "in_progress",
            incomplete: None,
        }
    }

    /// The response as it stands.
    #[must_use]
    pub fn whole(&self) -> Value {
        let used = &self.usage;
        let usage = json!({
            "input_tokens": used.prompt(), "output_tokens": used.output, "total_tokens": used.total(),
            "input_tokens_details": { "cached_tokens": used.cache_read },
            "output_tokens_details": { "reasoning_tokens": used.reasoning },
        });
        json!({
            "id": self.id, "object": "response", "created_at": self.created, "status": self.status, "model": self.model,
            "output": self.output, "usage": usage, "error": null, "incomplete_details": self.incomplete.map(|reason| json!({ "reason": reason })),
            "instructions": null, "metadata": {}, "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
            "temperature": null, "top_p": null,
        })
    }

    fn tell(&mut self, out: &mut String, kind: &str, mut event: Value) {
        if let Some(fields) = event.as_object_mut() {
            fields.insert("type".to_owned(), Value::from(kind));
            fields.insert("sequence_number".to_owned(), Value::from(self.sequence));
        }
        self.sequence += 1;
        out.push_str(&format!("event: {kind}\ndata: {event}\n\n"));
    }

    /// What one event is on the wire.
    pub fn event(&mut self, event: &StreamEvent) -> String {
        let mut out = String::new();
        if !std::mem::replace(&mut self.began, true) {
            let response = self.whole();
            self.tell(&mut out, "response.created", json!({ "response": response }));
        }
        match event {
            StreamEvent::Started { .. } | StreamEvent::Reasoning(_) => {}
            StreamEvent::Usage(usage) => self.usage = *usage,
            StreamEvent::Text(text) => self.text(&mut out, text),
            StreamEvent::ToolDelta(delta) => {
                self.end_message(&mut out);
                if let (Some(id), Some(name)) = (&delta.id, &delta.name) {
                    let item = json!({
                        "type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name, "arguments": "", "status": "in_progress",
                    });
                    let index = self.output.len();
                    self.calls.push(index);
                    self.output.push(item.clone());
                    self.tell(&mut out, "response.output_item.added", json!({ "output_index": index, "item": item }));
                }
                if let Some(index) = self.calls.get(delta.slot).copied().filter(|_| !delta.arguments.is_empty()) {
                    let item = self.output.get(index).and_then(|item| item.get("id")).cloned();
                    let event = json!({ "output_index": index, "item_id": item, "delta": delta.arguments });
                    self.tell(&mut out, "response.function_call_arguments.delta", event);
                }
            }
            StreamEvent::ToolCall(call) => self.call(&mut out, call),
            StreamEvent::Finish(stop) => {
                self.end_message(&mut out);
                self.incomplete = match stop {
                    StopReason::MaxTokens | StopReason::ContextWindow => Some("max_output_tokens"),
                    StopReason::ContentFilter | StopReason::Refusal => Some("content_filter"),
                    _ => None,
                };
                self.status = if self.incomplete.is_some() { "incomplete" } else { "completed" };
                let response = self.whole();
                let kind = format!("response.{}", self.status);
                self.tell(&mut out, &kind, json!({ "response": response }));
            }
        }
        out
    }

    /// The end of a stream that failed.
    pub fn failure(&mut self, error: &ModelError) -> String {
        let (_, body) = refusal(error);
        let error = body.get("error").cloned().unwrap_or_default();
        self.status = "failed";
        let mut response = self.whole();
        if let Some(fields) = response.as_object_mut() {
            fields.insert("error".to_owned(), json!({ "code": error.get("code"), "message": error.get("message") }));
        }
        let mut out = String::new();
        self.tell(&mut out, "response.failed", json!({ "response": response }));
        out
    }

    fn text(&mut self, out: &mut String, text: &str) {
        if self.message.is_none() {
            let index = self.output.len();
            let id = format!("msg_{}_{index}", self.id);
            let item =
                json!({ "type": "message", "id": id, "role": "assistant", "status": "in_progress", "content": [] });
            self.output.push(item.clone());
            self.tell(out, "response.output_item.added", json!({ "output_index": index, "item": item }));
            let part = json!({ "type": "output_text", "text": "", "annotations": [] });
            let event = json!({ "output_index": index, "item_id": id, "content_index": 0, "part": part });
            self.tell(out, "response.content_part.added", event);
            self.message = Some(Item { index, id, text: String::new() });
        }
        if let Some(message) = &mut self.message {
            message.text.push_str(text);
            let event = json!({ "output_index": message.index, "item_id": message.id, "content_index": 0, "delta": text, "logprobs": [] });
            self.tell(out, "response.output_text.delta", event);
        }
    }

    fn end_message(&mut self, out: &mut String) {
        let Some(Item { index, id, text }) = self.message.take() else { return };
        let event = json!({ "output_index": index, "item_id": id, "content_index": 0, "text": text, "logprobs": [] });
        self.tell(out, "response.output_text.done", event);
        let part = json!({ "type": "output_text", "text": text, "annotations": [] });
        let event = json!({ "output_index": index, "item_id": id, "content_index": 0, "part": part });
        self.tell(out, "response.content_part.done", event);
        let item =
            json!({ "type": "message", "id": id, "role": "assistant", "status": "completed", "content": [part] });
        self.done(out, index, item);
    }

    fn call(&mut self, out: &mut String, call: &ToolCall) {
        let Some(index) = self.calls.get(call.slot).copied() else { return };
        let (id, arguments) = (format!("fc_{}", call.id), written(&call.arguments));
        let event = json!({ "output_index": index, "item_id": id, "name": call.name, "arguments": arguments });
        self.tell(out, "response.function_call_arguments.done", event);
        let item = json!({
            "type": "function_call", "id": id, "call_id": call.id, "name": call.name, "arguments": arguments, "status": "completed",
        });
        self.done(out, index, item);
    }

    fn done(&mut self, out: &mut String, index: usize, item: Value) {
        if let Some(place) = self.output.get_mut(index) {
            *place = item.clone();
        }
        self.tell(out, "response.output_item.done", json!({ "output_index": index, "item": item }));
    }
}
