//! What a model is asked: a conversation, tools, and how the answer should look.

use std::sync::Arc;

use serde_json::Value;

use crate::{Allowance, OutputSchema};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Text(String),
    /// A picture: its media type and its bytes in base64.
    Image {
        media_type: String,
        base64: String,
    },
    /// A call that the assistant made; `arguments` is an object.
    ToolUse {
        id: String,
        name: String,
        arguments: Value,
    },
    /// The tool's answer; belongs in a user message.
    ToolResult {
        id: String,
        content: String,
        is_error: bool,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub role: Role,
    pub content: Vec<Content>,
}

impl Message {
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, content: vec![Content::Text(text.into())] }
    }

    #[must_use]
    pub fn assistant(text: impl Into<String>) -> Self {
        Self { role: Role::Assistant, content: vec![Content::Text(text.into())] }
    }
}

/// A tool that the model may call.
#[derive(Debug, Clone)]
pub struct Tool {
    pub name: String,
    pub description: String,
    pub parameters: OutputSchema,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    /// No tool may be called.
    Never,
    /// Some tool must be called.
    Any,
    /// This tool must be called.
    Named(String),
}

/// What the provider may keep of a prompt. Reading it again is cheaper; keeping it costs a little more once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cache {
    Off,
    /// Tools and system prompt, and the conversation up to its last message: what the next turn sends again.
    #[default]
    Prefix,
}

/// A request to a model.
#[derive(Clone, Default)]
pub struct ChatRequest {
    pub system: Option<String>,
    pub messages: Vec<Message>,
    pub tools: Vec<Tool>,
    pub tool_choice: ToolChoice,
    /// Whether the model may call several tools in one answer; `None` leaves it to the provider.
    pub parallel_tools: Option<bool>,
    /// The answer is to be one object of this schema. It is not validated here, see [`crate::typed`].
    pub output: Option<OutputSchema>,
    pub max_tokens: Option<u32>,
    pub temperature: Option<f32>,
    pub top_p: Option<f32>,
    pub stop: Vec<String>,
    pub seed: Option<u64>,
    pub cache: Cache,
    /// Set by a budget; asked by retry and failover.
    pub allowance: Option<Arc<dyn Allowance>>,
}

impl ChatRequest {
    #[must_use]
    pub fn of(text: impl Into<String>) -> Self {
        Self { messages: vec![Message::user(text)], ..Self::default() }
    }

    /// No tokenizer makes more tokens of a text than it has bytes; each message, tool and call costs a few more for its frame.
    #[must_use]
    pub fn most_input_tokens(&self) -> u64 {
        const FRAME: usize = 32;
        // What a provider puts before a prompt that has tools or a schema.
        const PREAMBLE: usize = 1024;
        // The most that any provider counts for a picture: gpt-4o-mini with 8 tiles, of the form 768 x 2048 (see the test).
        const PICTURE: usize = 49_152;
        let mut bytes = self.system.as_ref().map_or(0, String::len) + FRAME;
        for message in &self.messages {
            bytes += FRAME;
            for content in &message.content {
                bytes += FRAME
                    + match content {
                        Content::Text(text) => text.len(),
                        Content::Image { .. } => PICTURE,
                        Content::ToolUse { id, name, arguments } => id.len() + name.len() + arguments.to_string().len(),
                        Content::ToolResult { id, content, .. } => id.len() + content.len(),
                    };
            }
        }
        for tool in &self.tools {
            bytes += FRAME + tool.name.len() + tool.description.len() + tool.parameters.as_json().len();
        }
        bytes += self.output.as_ref().map_or(0, |output| FRAME + 2 * output.as_json().len());
        if !self.tools.is_empty() || self.output.is_some() {
            bytes += PREAMBLE;
        }
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl std::fmt::Debug for ChatRequest {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Prompts belong to people, and logs are read by others.
        to.debug_struct("ChatRequest")
            .field("messages", &self.messages.len())
            .field("tools", &self.tools.len())
            .field("max_tokens", &self.max_tokens)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_for_a_picture_covers_what_providers_count_at_most() {
        // (model, a frame, tokens of a tile or patch, most tiles or patches), as the providers publish it.
        let published = [
            ("gpt-4o-mini", 2833.0, 5667.0, 8.0),
            ("gpt-4o, gpt-4.1", 85.0, 170.0, 8.0),
            ("gpt-5", 70.0, 140.0, 8.0),
            ("o1, o3", 75.0, 150.0, 8.0),
            ("gpt-4.1-nano", 0.0, 2.46, 1536.0),
            ("gpt-5.4 and later, in the original size", 0.0, 1.2, 10_000.0),
            ("claude before 4.7", 0.0, 1.0, 1568.0),
            ("claude from 4.7 on", 0.0, 1.0, 4784.0),
            ("Qwen2.5-VL", 0.0, 1.0, 16_384.0),
            ("Llama 3.2", 0.0, 1601.0, 4.0),
        ];
        let picture = || Content::Image { media_type: "image/png".into(), base64: String::new() };
        let with = |pictures: usize| {
            let content = (0..pictures).map(|_| picture()).collect();
            ChatRequest { messages: vec![Message { role: Role::User, content }], ..ChatRequest::default() }
        };
        for (model, frame, each, most) in published {
            for pictures in [1_u32, 20] {
                let counted = f64::from(pictures) * (frame + each * most);
                let (some, none) = (with(pictures as usize).most_input_tokens(), with(0).most_input_tokens());
                let reserved = f64::from(u32::try_from(some - none).unwrap());
                assert!(
                    reserved >= counted,
                    "{model}: {pictures} pictures are {counted} tokens, set aside are {reserved}"
                );
            }
        }
    }
}
