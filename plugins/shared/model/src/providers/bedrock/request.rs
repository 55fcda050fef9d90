//! The parts of a Converse request.

use aws_sdk_bedrockruntime::types::{
    AnyToolChoice, AutoToolChoice, CachePointBlock, CachePointType, ContentBlock, ConversationRole, ImageBlock,
    ImageFormat, ImageSource, InferenceConfiguration, Message, SpecificToolChoice, SystemContentBlock, Tool,
    ToolChoice as Choice, ToolConfiguration, ToolInputSchema, ToolResultBlock, ToolResultContentBlock,
    ToolResultStatus, ToolSpecification, ToolUseBlock,
};
use aws_smithy_types::{Blob, Document, Number};
use base64::Engine as _;
use serde_json::Value;

use crate::providers::conversation::{in_turn, is_tool_name};
use crate::{Cache, ChatRequest, Content, ErrorKind, ModelError, OutputSchema, Role, ToolChoice};

pub(super) struct Parts {
    pub(super) messages: Vec<Message>,
    pub(super) system: Option<Vec<SystemContentBlock>>,
    pub(super) tools: Option<ToolConfiguration>,
    pub(super) inference: InferenceConfiguration,
}

fn invalid(problem: impl std::fmt::Display) -> ModelError {
    ModelError::new(ErrorKind::InvalidRequest, problem.to_string())
}

pub(super) fn parts(request: &ChatRequest) -> Result<Parts, ModelError> {
    let caching = request.cache == Cache::Prefix;
    let mut messages = Vec::new();
    let turns = in_turn(&request.messages);
    let last = turns.len().saturating_sub(1);
    for (place, (role, content)) in turns.into_iter().enumerate() {
        let role = match role {
            Role::User => ConversationRole::User,
            Role::Assistant => ConversationRole::Assistant,
        };
        let mut message = Message::builder().role(role);
        for content in content {
            message = message.content(block(content)?);
        }
        if caching && place == last && place > 0 {
            message = message.content(ContentBlock::CachePoint(cache_point()?));
        }
        messages.push(message.build().map_err(invalid)?);
    }
    if messages.is_empty() {
        return Err(invalid("a request needs a message with some content"));
    }
    let system = request.system.clone().filter(|system| !system.trim().is_empty());
    let mut system: Option<Vec<_>> = system.map(|system| vec![SystemContentBlock::Text(system)]);
    if caching && let Some(blocks) = &mut system {
        blocks.push(SystemContentBlock::CachePoint(cache_point()?));
    }
    let inference = InferenceConfiguration::builder()
        .set_max_tokens(request.max_tokens.map(|most| i32::try_from(most).unwrap_or(i32::MAX)))
        .set_temperature(request.temperature)
        .set_top_p(request.top_p.filter(|_| request.temperature.is_none()))
        .set_stop_sequences((!request.stop.is_empty()).then(|| request.stop.clone()))
        .build();
    Ok(Parts { messages, system, tools: tools(request)?, inference })
}

fn cache_point() -> Result<CachePointBlock, ModelError> {
    CachePointBlock::builder().r#type(CachePointType::Default).build().map_err(invalid)
}

fn tools(request: &ChatRequest) -> Result<Option<ToolConfiguration>, ModelError> {
    if let Some(output) = &request.output {
        if !request.tools.is_empty() {
            return Err(invalid("an object of a schema and tools cannot be asked for in one request"));
        }
        let choice = SpecificToolChoice::builder().name(output.name()).build().map_err(invalid)?;
        let tool = tool(output.name(), "Answer by calling this tool once.", output)?;
        let config = ToolConfiguration::builder().tools(tool).tool_choice(Choice::Tool(choice));
        return config.build().map(Some).map_err(invalid);
    }
    // Converse has no way to forbid the tools that a conversation has used; leaving them out is refused where it has.
    let used = || {
        request
            .messages
            .iter()
            .flat_map(|message| &message.content)
            .any(|content| matches!(content, Content::ToolUse { .. }))
    };
    if request.tools.is_empty() || (request.tool_choice == ToolChoice::Never && !used()) {
        return Ok(None);
    }
    let mut config = ToolConfiguration::builder();
    for one in &request.tools {
        config = config.tools(tool(&one.name, &one.description, &one.parameters)?);
    }
    let choice = match &request.tool_choice {
        ToolChoice::Auto | ToolChoice::Never => Choice::Auto(AutoToolChoice::builder().build()),
        ToolChoice::Any => Choice::Any(AnyToolChoice::builder().build()),
        ToolChoice::Named(name) => Choice::Tool(SpecificToolChoice::builder().name(name).build().map_err(invalid)?),
    };
    config.tool_choice(choice).build().map(Some).map_err(invalid)
}

fn tool(name: &str, description: &str, schema: &OutputSchema) -> Result<Tool, ModelError> {
    if !is_tool_name(name) {
        return Err(invalid(format!(
            "the tool name `{name}` is none: 1 to 64 letters, digits, `_` or `-` are allowed"
        )));
    }
    // The SDK keeps objects without an order, so that this is the one provider which may shuffle the fields of a schema.
    let value: Value = serde_json::from_str(schema.as_json()).map_err(invalid)?;
    let tool = ToolSpecification::builder()
        .name(name)
        .set_description((!description.is_empty()).then(|| description.to_owned()))
        .input_schema(ToolInputSchema::Json(document(&value)));
    tool.build().map(Tool::ToolSpec).map_err(invalid)
}

fn block(content: &Content) -> Result<ContentBlock, ModelError> {
    Ok(match content {
        Content::Text(text) => ContentBlock::Text(text.clone()),
        Content::Image { media_type, base64 } => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(base64).map_err(invalid)?;
            let format = ImageFormat::from(media_type.strip_prefix("image/").unwrap_or(media_type));
            let image = ImageBlock::builder().format(format).source(ImageSource::Bytes(Blob::new(bytes)));
            ContentBlock::Image(image.build().map_err(invalid)?)
        }
        Content::ToolUse { id, name, arguments } => {
            let call = ToolUseBlock::builder().tool_use_id(id).name(name).input(document(arguments));
            ContentBlock::ToolUse(call.build().map_err(invalid)?)
        }
        Content::ToolResult { id, content, is_error } => {
            let status = if *is_error { ToolResultStatus::Error } else { ToolResultStatus::Success };
            let result = ToolResultBlock::builder()
                .tool_use_id(id)
                .content(ToolResultContentBlock::Text(content.clone()))
                .status(status);
            ContentBlock::ToolResult(result.build().map_err(invalid)?)
        }
    })
}

/// The SDK's open JSON.
fn document(value: &Value) -> Document {
    match value {
        Value::Null => Document::Null,
        Value::Bool(value) => Document::Bool(*value),
        Value::Number(number) => Document::Number(if let Some(whole) = number.as_u64() {
            Number::PosInt(whole)
        } else if let Some(whole) = number.as_i64() {
            Number::NegInt(whole)
        } else {
            Number::Float(number.as_f64().unwrap_or(0.0))
        }),
        Value::String(text) => Document::String(text.clone()),
        Value::Array(items) => Document::Array(items.iter().map(document).collect()),
        Value::Object(fields) => {
            Document::Object(fields.iter().map(|(name, value)| (name.clone(), document(value))).collect())
        }
    }
}
