//! The body of a request for a message.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::providers::conversation::{in_turn, is_tool_name};
use crate::{Cache, ChatRequest, Content, ErrorKind, ModelError, OutputSchema, Role, ToolChoice};

#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Value>,
    messages: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct ToolOut<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    input_schema: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<Value>,
}

impl Body<'_> {
    /// The count takes the prompt alone.
    pub(super) fn for_count(self) -> Self {
        Self { max_tokens: None, temperature: None, top_p: None, stop_sequences: &[], stream: false, ..self }
    }
}

/// The protocol demands a limit; this is one that every model takes.
const DEFAULT_MAX_TOKENS: u32 = 4096;

/// An object of a schema is asked for as the arguments of a tool that must be called: every model can do that.
pub(super) fn forced_tool(request: &ChatRequest) -> Option<&OutputSchema> {
    request.output.as_ref()
}

pub(super) fn body<'a>(model: &'a str, request: &'a ChatRequest) -> Result<Body<'a>, ModelError> {
    let invalid = |problem: String| Err(ModelError::new(ErrorKind::InvalidRequest, problem));
    let caching = request.cache == Cache::Prefix;
    let mark = || caching.then(|| json!({ "type": "ephemeral" }));
    let mut tools: Vec<ToolOut<'a>> = Vec::with_capacity(request.tools.len() + 1);
    for tool in &request.tools {
        if !is_tool_name(&tool.name) {
            return invalid(format!(
                "the tool name `{}` is none: 1 to 64 letters, digits, `_` or `-` are allowed",
                tool.name
            ));
        }
        let (name, description, input_schema) = (tool.name.as_str(), tool.description.as_str(), tool.parameters.raw());
        tools.push(ToolOut { name, description, input_schema, cache_control: None });
    }
    let forced = forced_tool(request);
    if let Some(output) = forced {
        if !request.tools.is_empty() {
            return invalid("an object of a schema and tools cannot be asked for in one request".to_owned());
        }
        let description = "Answer by calling this tool once.";
        tools.push(ToolOut { name: output.name(), description, input_schema: output.raw(), cache_control: None });
    }
    let system = request.system.as_deref().filter(|system| !system.trim().is_empty());
    let mut system: Vec<Value> = system.map(|text| json!({ "type": "text", "text": text })).into_iter().collect();
    // A mark on the system prompt covers the tools before it.
    match (system.last_mut().and_then(Value::as_object_mut), mark()) {
        (Some(block), Some(mark)) => drop(block.insert("cache_control".to_owned(), mark)),
        (None, mark) => {
            if let Some(tool) = tools.last_mut() {
                tool.cache_control = mark;
            }
        }
        _ => {}
    }
    let mut messages: Vec<Value> = Vec::new();
    for (role, content) in in_turn(&request.messages) {
        let role = match role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        messages.push(json!({ "role": role, "content": content.into_iter().map(block).collect::<Vec<_>>() }));
    }
    if messages.is_empty() {
        return invalid("a request needs a message with some content".to_owned());
    }
    let last =
        messages.last_mut().and_then(|message| message.get_mut("content")?.as_array_mut()?.last_mut()?.as_object_mut());
    if let (Some(block), Some(mark)) = (last, mark()) {
        block.insert("cache_control".to_owned(), mark);
    }
    Ok(Body {
        model,
        max_tokens: Some(request.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS)),
        system,
        messages,
        tool_choice: tool_choice(request, forced, tools.is_empty()),
        tools,
        temperature: request.temperature,
        // The newer models refuse both.
        top_p: request.top_p.filter(|_| request.temperature.is_none()),
        stop_sequences: &request.stop,
        stream: true,
    })
}

fn tool_choice(request: &ChatRequest, forced: Option<&OutputSchema>, no_tools: bool) -> Option<Value> {
    if let Some(output) = forced {
        return Some(json!({ "type": "tool", "name": output.name(), "disable_parallel_tool_use": true }));
    }
    let mut choice = match &request.tool_choice {
        _ if no_tools => return None,
        ToolChoice::Auto if request.parallel_tools == Some(false) => json!({ "type": "auto" }),
        ToolChoice::Auto => return None,
        ToolChoice::Never => return Some(json!({ "type": "none" })),
        ToolChoice::Any => json!({ "type": "any" }),
        ToolChoice::Named(name) => json!({ "type": "tool", "name": name }),
    };
    if request.parallel_tools == Some(false)
        && let Some(fields) = choice.as_object_mut()
    {
        fields.insert("disable_parallel_tool_use".to_owned(), Value::Bool(true));
    }
    Some(choice)
}

fn block(content: &Content) -> Value {
    match content {
        Content::Text(text) => json!({ "type": "text", "text": text }),
        Content::Image { media_type, base64 } => {
            json!({ "type": "image", "source": { "type": "base64", "media_type": media_type, "data": base64 } })
        }
        Content::ToolUse { id, name, arguments } => {
            json!({ "type": "tool_use", "id": id, "name": name, "input": arguments })
        }
        Content::ToolResult { id, content, is_error } => {
            json!({ "type": "tool_result", "tool_use_id": id, "content": content, "is_error": is_error })
        }
    }
}
