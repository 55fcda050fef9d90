//! Chat completions: the request read, the answer written.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::WireError;
use crate::{
    Answer, Arguments, ChatRequest, Content, Message, OutputSchema, Role, StopReason, StreamEvent, Tool, ToolChoice,
    Usage,
};

/// A request as it came.
#[derive(Debug)]
pub struct Asked {
    /// An alias, or a model's id.
    pub model: String,
    pub request: ChatRequest,
    pub stream: bool,
    /// A last chunk with the usage is asked for.
    pub wants_usage: bool,
}

#[derive(Deserialize)]
struct Body {
    model: String,
    messages: Vec<Incoming>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    tools: Option<Vec<ToolIn>>,
    tool_choice: Option<Value>,
    parallel_tool_calls: Option<bool>,
    response_format: Option<Format>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    stop: Option<Value>,
    seed: Option<i64>,
    n: Option<u32>,
    logprobs: Option<bool>,
    functions: Option<Value>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Incoming {
    role: String,
    content: Option<Value>,
    tool_calls: Option<Vec<CallIn>>,
    tool_call_id: Option<String>,
}

#[derive(Deserialize)]
struct CallIn {
    id: String,
    function: FunctionIn,
}

#[derive(Deserialize)]
struct FunctionIn {
    name: String,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct ToolIn {
    function: Option<ToolFunction>,
}

#[derive(Deserialize)]
struct ToolFunction {
    name: String,
    description: Option<String>,
    parameters: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Format {
    r#type: String,
    json_schema: Option<Schema>,
}

#[derive(Deserialize)]
struct Schema {
    name: Option<String>,
    schema: Option<Box<RawValue>>,
}

/// Reads the body of a request.
pub fn read_chat(body: &[u8]) -> Result<Asked, WireError> {
    let body: Body =
        serde_json::from_slice(body).map_err(|error| WireError::new(format!("the request cannot be read: {error}")))?;
    if body.n.unwrap_or(1) != 1 {
        return Err(WireError::new("`n` must be 1: one answer is given to a request"));
    }
    if body.logprobs == Some(true) {
        return Err(WireError::new("`logprobs` are not offered"));
    }
    if body.functions.is_some() {
        return Err(WireError::new("`functions` is the old form: use `tools`"));
    }
    let newer_limit = WireError::unless_zero("max_completion_tokens", body.max_completion_tokens)?;
    let older_limit = WireError::unless_zero("max_tokens", body.max_tokens)?;
    let mut request = ChatRequest {
        tools: body.tools.unwrap_or_default().into_iter().map(tool).collect::<Result<_, _>>()?,
        tool_choice: body.tool_choice.as_ref().map_or(Ok(ToolChoice::Auto), tool_choice)?,
        parallel_tools: body.parallel_tool_calls,
        max_tokens: newer_limit.or(older_limit),
        temperature: body.temperature,
        top_p: body.top_p,
        stop: body.stop.as_ref().map_or_else(|| Ok(Vec::new()), stop)?,
        seed: body.seed.and_then(|seed| u64::try_from(seed).ok()),
        ..ChatRequest::default()
    };
    let mut system = Vec::new();
    for message in body.messages {
        take_message(message, &mut system, &mut request.messages)?;
    }
    request.system = (!system.is_empty()).then(|| system.join("\n\n"));
    match body.response_format {
        None => {}
        Some(format) => match (format.r#type.as_str(), format.json_schema) {
            ("text", _) => {}
            ("json_schema", Some(Schema { name, schema: Some(schema) })) => {
                request.output = Some(OutputSchema::passed_on(name.as_deref().unwrap_or("answer"), schema));
            }
            ("json_object", _) => request.output = Some(any_object()),
            _ => {
                return Err(WireError::new(
                    "`response_format` must be text, json_object, or json_schema with its schema",
                ));
            }
        },
    }
    Ok(Asked {
        model: body.model,
        request,
        stream: body.stream.unwrap_or(false),
        wants_usage: body.stream_options.and_then(|options| options.include_usage).unwrap_or(false),
    })
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn any_object() -> OutputSchema {
    OutputSchema::passed_on("answer", raw(r#"{"type":"object"}"#))
}

fn tool(tool: ToolIn) -> Result<Tool, WireError> {
    let function = tool.function.ok_or_else(|| WireError::new("each of `tools` must be a function"))?;
    let parameters = function.parameters.unwrap_or_else(|| raw(r#"{"type":"object","properties":{}}"#));
    Ok(Tool {
        parameters: OutputSchema::passed_on(&function.name, parameters),
        name: function.name,
        description: function.description.unwrap_or_default(),
    })
}

pub(super) fn tool_choice(choice: &Value) -> Result<ToolChoice, WireError> {
    let named = choice.pointer("/function/name").or_else(|| choice.get("name")).and_then(Value::as_str);
    match (choice.as_str(), named) {
        (Some("auto"), _) => Ok(ToolChoice::Auto),
        (Some("none"), _) => Ok(ToolChoice::Never),
        (Some("required"), _) => Ok(ToolChoice::Any),
        (None, Some(name)) => Ok(ToolChoice::Named(name.to_owned())),
        (None, None) if choice.is_null() => Ok(ToolChoice::Auto),
        _ => Err(WireError::new("`tool_choice` must be auto, none, required, or a function by its name")),
    }
}

fn stop(stop: &Value) -> Result<Vec<String>, WireError> {
    match stop {
        Value::Null => Ok(Vec::new()),
        Value::String(one) => Ok(vec![one.clone()]),
        Value::Array(several) => Ok(several.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()),
        _ => Err(WireError::new("`stop` must be a text or a list of texts")),
    }
}

/// The texts and pictures of a message.
pub(super) fn contents(content: Option<&Value>) -> Result<Vec<Content>, WireError> {
    match content {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Content::Text(text.clone())]),
        Some(Value::Array(parts)) => parts.iter().map(part).collect(),
        Some(_) => Err(WireError::new("`content` must be a text or a list of parts")),
    }
}

fn part(part: &Value) -> Result<Content, WireError> {
    let text = |name: &str| part.get(name).and_then(Value::as_str);
    match text("type") {
        Some("text" | "input_text" | "output_text") => Ok(Content::Text(text("text").unwrap_or_default().to_owned())),
        Some("refusal") => Ok(Content::Text(text("refusal").unwrap_or_default().to_owned())),
        Some("image_url" | "input_image") => {
            let url = part
                .pointer("/image_url/url")
                .or_else(|| part.get("image_url"))
                .and_then(Value::as_str)
                .unwrap_or_default();
            let picture = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
            let (media_type, base64) = picture.ok_or_else(|| {
                WireError::new("a picture must come as a `data:` URL in base64: nothing is fetched for it")
            })?;
            Ok(Content::Image { media_type: picture_type(media_type)?, base64: base64.to_owned() })
        }
        other => Err(WireError::new(format!("a part of the type `{}` is not taken", other.unwrap_or("none")))),
    }
}

/// The types that every provider counts as a picture; of others, such as a document, nobody knows what they cost.
fn picture_type(written: &str) -> Result<String, WireError> {
    const TAKEN: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
    let bare = written.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let meant = if bare == "image/jpg" { "image/jpeg" } else { &bare };
    if TAKEN.contains(&meant) {
        return Ok(meant.to_owned());
    }
    Err(WireError::new(format!("a picture of the type `{bare}` is not taken: send one of {}", TAKEN.join(", "))))
}

pub(super) fn texts(content: Vec<Content>) -> String {
    content
        .into_iter()
        .filter_map(|content| if let Content::Text(text) = content { Some(text) } else { None })
        .collect()
}

fn take_message(message: Incoming, system: &mut Vec<String>, messages: &mut Vec<Message>) -> Result<(), WireError> {
    let content = contents(message.content.as_ref())?;
    match message.role.as_str() {
        "system" | "developer" => system.push(texts(content)),
        "user" => messages.push(Message { role: Role::User, content }),
        "assistant" => {
            let mut content = content;
            for call in message.tool_calls.unwrap_or_default() {
                content.push(call_of(
                    call.id,
                    call.function.name,
                    call.function.arguments.as_deref().unwrap_or_default(),
                )?);
            }
            messages.push(Message { role: Role::Assistant, content });
        }
        "tool" => {
            let id = message
                .tool_call_id
                .ok_or_else(|| WireError::new("a message of the role `tool` needs its `tool_call_id`"))?;
            let result = Content::ToolResult { id, content: texts(content), is_error: false };
            messages.push(Message { role: Role::User, content: vec![result] });
        }
        other => return Err(WireError::new(format!("the role `{other}` is not known"))),
    }
    Ok(())
}

/// A call of the past. One whose arguments the model never finished is told to it again as empty.
pub(super) fn call_of(id: String, name: String, arguments: &str) -> Result<Content, WireError> {
    let empty = || Value::Object(serde_json::Map::new());
    let arguments = if arguments.trim().is_empty() {
        empty()
    } else {
        serde_json::from_str::<Value>(arguments).ok().filter(Value::is_object).unwrap_or_else(empty)
    };
    Ok(Content::ToolUse { id, name, arguments })
}

pub(super) fn reason(stop: &StopReason) -> &str {
    match stop {
        StopReason::EndTurn | StopReason::StopSequence | StopReason::Paused => "stop",
        StopReason::ToolUse => "tool_calls",
        StopReason::MaxTokens | StopReason::ContextWindow => "length",
        StopReason::ContentFilter | StopReason::Refusal => "content_filter",
        StopReason::MalformedOutput => "malformed_model_output",
        StopReason::Other(word) => word,
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt(), "completion_tokens": usage.output, "total_tokens": usage.total(),
        "prompt_tokens_details": { "cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write },
        "completion_tokens_details": { "reasoning_tokens": usage.reasoning },
    })
}

/// What a model wrote as arguments, for a caller who reads them himself.
pub(super) fn written(arguments: &Arguments) -> String {
    match arguments {
        Arguments::Object(value) => value.to_string(),
        Arguments::Unreadable { text, .. } => text.clone(),
    }
}

/// The whole answer, for who did not ask for a stream.
#[must_use]
pub fn whole_chat(id: &str, created: u64, model: &str, answer: &Answer) -> Value {
    let calls: Vec<Value> = answer.tool_calls.iter().map(|call| {
        json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": written(&call.arguments) } })
    }).collect();
    let content =
        if answer.text.is_empty() && !calls.is_empty() { Value::Null } else { Value::from(answer.text.as_str()) };
    let mut message = json!({ "role": "assistant", "content": content, "refusal": null });
    if let Some(fields) = message.as_object_mut() {
        if !calls.is_empty() {
            fields.insert("tool_calls".to_owned(), Value::Array(calls));
        }
        if !answer.reasoning.is_empty() {
            fields.insert("reasoning_content".to_owned(), Value::from(answer.reasoning.as_str()));
        }
    }
    let choice = json!({ "index": 0, "message": message, "finish_reason": reason(&answer.stop), "logprobs": null });
    json!({
        "id": id, "object": "chat.completion", "created": created, "model": model, "choices": [choice],
        "usage": usage(&answer.usage.unwrap_or_default()),
    })
}

/// Writes the chunks of a streamed answer.
pub struct ChatWriter {
    id: String,
    created: u64,
    model: String,
    wants_usage: bool,
    began: bool,
    usage: Usage,
}

impl ChatWriter {
    #[must_use]
    pub fn new(id: String, created: u64, model: String, wants_usage: bool) -> Self {
        Self { id, created, model, wants_usage, began: false, usage: Usage::default() }
    }

    fn chunk(&self, choices: Value, used: Option<&Usage>) -> String {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model, "choices": choices,
        });
        if self.wants_usage
            && let Some(fields) = chunk.as_object_mut()
        {
            fields.insert("usage".to_owned(), used.map_or(Value::Null, usage));
        }
        format!("data: {chunk}\n\n")
    }

    fn delta(&mut self, mut delta: Value) -> String {
        if !std::mem::replace(&mut self.began, true)
            && let Some(fields) = delta.as_object_mut()
        {
            fields.insert("role".to_owned(), Value::from("assistant"));
        }
        self.chunk(json!([{ "index": 0, "delta": delta, "finish_reason": null }]), None)
    }

    /// What one event is on the wire; most are one chunk, the last one is two and the end mark.
    pub fn event(&mut self, event: &StreamEvent) -> String {
        match event {
            StreamEvent::Started { .. } | StreamEvent::ToolCall(_) => String::new(),
            StreamEvent::Usage(usage) => {
                self.usage = *usage;
                String::new()
            }
            StreamEvent::Text(text) => self.delta(json!({ "content": text })),
            StreamEvent::Reasoning(text) => self.delta(json!({ "reasoning_content": text })),
            StreamEvent::ToolDelta(fragment) => {
                let mut function = json!({ "arguments": fragment.arguments });
                let mut call = json!({ "index": fragment.slot });
                if let (Some(name), Some(fields)) = (&fragment.name, function.as_object_mut()) {
                    fields.insert("name".to_owned(), Value::from(name.as_str()));
                }
                if let Some(fields) = call.as_object_mut() {
                    if let Some(id) = &fragment.id {
                        fields.insert("id".to_owned(), Value::from(id.as_str()));
                        fields.insert("type".to_owned(), Value::from("function"));
                    }
                    fields.insert("function".to_owned(), function);
                }
                self.delta(json!({ "tool_calls": [call] }))
            }
            StreamEvent::Finish(stop) => {
                let mut text = self.chunk(json!([{ "index": 0, "delta": {}, "finish_reason": reason(stop) }]), None);
                if self.wants_usage {
                    text.push_str(&self.chunk(json!([]), Some(&self.usage)));
                }
                text.push_str("data: [DONE]\n\n");
                text
            }
        }
    }
}
