//! The body of a chat completion. Structs instead of open JSON: a schema goes out with its fields in the order they were written.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::server::{MaxTokensField, Server, Structured};
use crate::providers::conversation::is_tool_name;
use crate::{ChatRequest, Content, ErrorKind, Message, ModelError, OutputSchema, Role, ToolChoice};

#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: Vec<Value>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Format<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(flatten)]
    extra: &'a BTreeMap<String, Value>,
}

#[derive(Serialize)]
struct ToolOut<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: &'a RawValue,
}

#[derive(Serialize)]
struct Format<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<Schema<'a>>,
}

#[derive(Serialize)]
struct Schema<'a> {
    name: &'a str,
    schema: &'a RawValue,
    strict: bool,
}

pub(super) fn body<'a>(model: &'a str, server: &'a Server, request: &'a ChatRequest) -> Result<Body<'a>, ModelError> {
    let quirks = &server.request;
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    if let Some(system) = system_prompt(request, quirks.structured) {
        messages.push(json!({ "role": "system", "content": system }));
    }
    for message in &request.messages {
        push_message(&mut messages, message);
    }
    for tool in &request.tools {
        if !is_tool_name(&tool.name) {
            let problem =
                format!("the tool name `{}` is none: 1 to 64 letters, digits, `_` or `-` are allowed", tool.name);
            return Err(ModelError::new(ErrorKind::InvalidRequest, problem));
        }
    }
    let tools = request.tools.iter().map(|tool| ToolOut {
        r#type: "function",
        function: Function { name: &tool.name, description: &tool.description, parameters: tool.parameters.raw() },
    });
    let tools: Vec<_> = tools.collect();
    let tool_choice = match &request.tool_choice {
        _ if tools.is_empty() => None,
        ToolChoice::Auto => None,
        ToolChoice::Never => Some(json!("none")),
        ToolChoice::Any => Some(json!("required")),
        ToolChoice::Named(name) => Some(json!({ "type": "function", "function": { "name": name } })),
    };
    let new_field = quirks.max_tokens_field == MaxTokensField::MaxCompletionTokens;
    let sampled = !quirks.without_sampling.iter().any(|begin| model.starts_with(begin.as_str()));
    Ok(Body {
        model,
        messages,
        stream: true,
        stream_options: quirks.asks_for_usage.then(|| json!({ "include_usage": true })),
        tool_choice,
        parallel_tool_calls: request.parallel_tools.filter(|_| quirks.takes_parallel_tool_calls && !tools.is_empty()),
        tools,
        response_format: request.output.as_ref().and_then(|output| format(output, quirks.structured)),
        max_tokens: request.max_tokens.filter(|_| !new_field),
        max_completion_tokens: request.max_tokens.filter(|_| new_field),
        temperature: request.temperature.filter(|_| sampled),
        top_p: request.top_p.filter(|_| sampled),
        stop: &request.stop,
        seed: request.seed.filter(|_| quirks.takes_seed),
        extra: &quirks.extra,
    })
}

/// The system prompt, with the schema where the server takes it nowhere else.
fn system_prompt(request: &ChatRequest, structured: Structured) -> Option<String> {
    let schema = request.output.as_ref().filter(|_| structured != Structured::JsonSchema).map(|output| {
        format!("Answer with one JSON object of this JSON schema and nothing else:\n{}", output.as_json())
    });
    match (request.system.clone(), schema) {
        (Some(system), Some(schema)) => Some(format!("{system}\n\n{schema}")),
        (system, schema) => system.or(schema),
    }
}

fn format(output: &OutputSchema, structured: Structured) -> Option<Format<'_>> {
    match structured {
        // `strict` takes a subset of schemas only; the answer is validated anyway.
        Structured::JsonSchema => Some(Format {
            r#type: "json_schema",
            json_schema: Some(Schema { name: output.name(), schema: output.raw(), strict: false }),
        }),
        Structured::JsonObject => Some(Format { r#type: "json_object", json_schema: None }),
        Structured::Prompt => None,
    }
}

/// One message becomes several where it holds results of tools, each of which is a message here.
fn push_message(messages: &mut Vec<Value>, message: &Message) {
    let mut parts = Vec::new();
    let mut calls = Vec::new();
    for content in &message.content {
        match content {
            Content::Text(text) => parts.push(json!({ "type": "text", "text": text })),
            Content::Image { media_type, base64 } => {
                parts.push(json!({ "type": "image_url", "image_url": { "url": format!("data:{media_type};base64,{base64}") } }));
            }
            Content::ToolUse { id, name, arguments } => {
                let function = json!({ "name": name, "arguments": arguments.to_string() });
                calls.push(json!({ "id": id, "type": "function", "function": function }));
            }
            Content::ToolResult { id, content, is_error } => {
                // The protocol has no mark for failures.
                let content = if *is_error { format!("Error: {content}") } else { content.clone() };
                messages.push(json!({ "role": "tool", "tool_call_id": id, "content": content }));
            }
        }
    }
    if parts.is_empty() && calls.is_empty() {
        return;
    }
    let texts: Option<Vec<&str>> = parts.iter().map(|part| part.get("text").and_then(Value::as_str)).collect();
    // Many servers take nothing but a plain text.
    let content = match texts {
        Some(texts) if texts.is_empty() => Value::Null,
        Some(texts) => Value::String(texts.concat()),
        None => Value::Array(parts),
    };
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let mut out = json!({ "role": role, "content": content });
    if !calls.is_empty()
        && let Some(fields) = out.as_object_mut()
    {
        fields.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    messages.push(out);
}
