//! What a model's stream delivers: text, tool calls, usage, and the reason of its end.

use serde::{Deserialize, Serialize};

use crate::{Identity, ToolCall};

/// One event of a stream; the order and the end are described at [`crate::ChatModel`].
#[derive(Debug, Clone, PartialEq)]
pub enum StreamEvent {
    /// The provider accepted the call; says who answers and under which name the provider keeps the answer.
    Started { by: Identity, id: Option<String> },
    /// A piece of the answer.
    Text(String),
    /// A piece of what the model thinks aloud; no part of the answer.
    Reasoning(String),
    /// A fragment of a tool call, for who passes calls on as they grow.
    ToolDelta(ToolDelta),
    /// A tool call that has ended, with its arguments read. Every call that began is delivered so, whatever the end.
    ToolCall(ToolCall),
    /// What the call used in all; comes right before `Finish`, if the provider reported it.
    Usage(Usage),
    /// The provider said that the answer is complete. Nothing follows.
    Finish(StopReason),
}

impl StreamEvent {
    /// Whether the caller has seen something of the answer: from here on an attempt cannot be repeated.
    #[must_use]
    pub fn is_content(&self) -> bool {
        !matches!(self, Self::Started { .. } | Self::Usage(_))
    }
}

/// A fragment of a tool call. `slot` counts the calls of one answer from 0; `id` and `name` come with the first fragment only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolDelta {
    pub slot: usize,
    pub id: Option<String>,
    pub name: Option<String>,
    pub arguments: String,
}

/// Tokens by the price they have: `input` counts neither those read from the provider's cache nor those written to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    /// Of `output`, what the model thought without saying it.
    pub reasoning: u64,
}

impl Usage {
    /// All tokens that went in, however they are priced.
    #[must_use]
    pub fn prompt(&self) -> u64 {
        self.input.saturating_add(self.cache_read).saturating_add(self.cache_write)
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.prompt().saturating_add(self.output)
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }
}

/// Why a model stopped. Servers invent reasons, so the set is open: an unknown one is kept as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    EndTurn,
    ToolUse,
    MaxTokens,
    StopSequence,
    ContentFilter,
    Refusal,
    ContextWindow,
    /// The provider paused a long turn; sending the answer back goes on with it.
    Paused,
    MalformedOutput,
    Other(String),
}

impl StopReason {
    /// The reason behind any of the words that providers use.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "stop" | "end_turn" | "eos_token" | "eos" | "end" | "completed" => Self::EndTurn,
            "tool_calls" | "tool_use" | "function_call" => Self::ToolUse,
            "length" | "max_tokens" | "max_output_tokens" => Self::MaxTokens,
            "stop_sequence" => Self::StopSequence,
            "content_filter" | "content_filtered" | "guardrail_intervened" => Self::ContentFilter,
            "refusal" => Self::Refusal,
            "model_context_window_exceeded" => Self::ContextWindow,
            "pause_turn" => Self::Paused,
            "malformed_model_output" | "malformed_tool_use" => Self::MalformedOutput,
            other => Self::Other(other.to_owned()),
        }
    }

    /// One word for it, the same for every provider.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::EndTurn => "end_turn",
            Self::ToolUse => "tool_use",
            Self::MaxTokens => "max_tokens",
            Self::StopSequence => "stop_sequence",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::ContextWindow => "model_context_window_exceeded",
            Self::Paused => "pause_turn",
            Self::MalformedOutput => "malformed_model_output",
            Self::Other(word) => word,
        }
    }

    /// Whether the answer was cut by a limit and may end in the middle of a word or an object.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        matches!(self, Self::MaxTokens | Self::ContextWindow)
    }
}
