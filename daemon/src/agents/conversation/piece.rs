//! What a client hears of an answer while it comes.

use std::sync::Arc;

use nexus_plugin_api::payload::Event;
use serde::Serialize;
use serde_json::Value;

use super::answer::structure;
use crate::domain::{
    ids::{InvocationId, SessionId},
    text::text_of,
};

/// A piece of an answer, with its number among those of its session where it has one.
pub type Numbered = (Option<u64>, Arc<Piece>);

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Piece {
    /// The first: the question is taken.
    Connected { session_id: SessionId },
    /// What the agent says and does.
    Message(MessagePiece),
    /// Why the answer ended early.
    Error {
        error: String,
        /// Seconds after which to ask again.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<u8>,
    },
    /// The last.
    Done {
        metrics: Metrics,
        /// Only ever `false`: what is kept of the answer is not durable yet.
        #[serde(skip_serializing_if = "Option::is_none")]
        recorded: Option<bool>,
    },
    /// The daemon stops before it knows the answer: come again.
    Closing,
}

/// What an agent says and does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MessagePiece {
    Text {
        data: String,
    },
    /// A tool begins.
    ToolUse {
        tool_name: String,
        /// Unique within the answer.
        tool_id: String,
    },
    /// A piece of its arguments.
    ToolInput {
        tool_id: String,
        data: String,
    },
    /// A tool has ended. Clients of the original cut what it took and gave as text; the structure stands beside it.
    ToolEnd {
        tool_id: String,
        tool_name: String,
        /// Its arguments as text.
        tool_input: String,
        tool_result: String,
        /// Its arguments, unless they are no JSON.
        tool_input_json: Option<Value>,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Metrics {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub total_tokens: u64,
    pub duration_ms: u64,
    pub tool_calls: usize,
    pub invocation_id: Option<InvocationId>,
}

impl Piece {
    pub const fn text(data: String) -> Self {
        Self::Message(MessagePiece::Text { data })
    }

    /// What a client hears of an event; not of each.
    pub(super) fn of(event: Event) -> Option<Self> {
        Some(Self::Message(match event {
            Event::Text { delta } if delta.is_empty() => return None,
            Event::Text { delta } => MessagePiece::Text { data: delta },
            Event::ToolStart { id, name } => MessagePiece::ToolUse { tool_name: name, tool_id: id },
            Event::ToolInput { id, delta } => MessagePiece::ToolInput { tool_id: id, data: delta },
            Event::ToolEnd { id, name, input, result, .. } => {
                let tool_input = text_of(&input);
                let tool_input_json = match input {
                    Value::String(text) => structure(&text),
                    other => Some(other),
                };
                MessagePiece::ToolEnd { tool_id: id, tool_name: name, tool_input, tool_result: result, tool_input_json }
            }
            Event::Log { .. } | Event::Progress { .. } | Event::Tokens { .. } | Event::File { .. } => return None,
        }))
    }

    /// Bytes that it holds, nearly.
    pub(super) fn weight(&self) -> usize {
        let held = match self {
            Self::Message(MessagePiece::Text { data } | MessagePiece::ToolInput { data, .. }) => data.len(),
            // The structure takes about as much as the text.
            Self::Message(MessagePiece::ToolEnd { tool_input, tool_result, .. }) => {
                2 * tool_input.len() + tool_result.len()
            }
            Self::Error { error, .. } => error.len(),
            _ => 0,
        };
        size_of::<Self>() + held
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pieces_are_the_json_that_clients_know() {
        let ended = |input: Value| {
            let (id, name) = ("t".to_owned(), "calc".to_owned());
            Piece::of(Event::ToolEnd { id, name, input, result: "4".to_owned(), failed: false })
        };
        let message = |mut fields: Value| {
            fields["event"] = "message".into();
            fields
        };
        for (piece, wanted) in [
            (Some(Piece::text("a".to_owned())), message(json!({ "type": "text", "data": "a" }))),
            (
                Piece::of(Event::ToolStart { id: "t".into(), name: "calc".into() }),
                message(json!({ "type": "tool_use", "tool_name": "calc", "tool_id": "t" })),
            ),
            (
                Piece::of(Event::ToolInput { id: "t".into(), delta: "{".into() }),
                message(json!({ "type": "tool_input", "tool_id": "t", "data": "{" })),
            ),
            (
                ended(json!({ "a": 2 })),
                message(json!({ "type": "tool_end", "tool_id": "t", "tool_name": "calc", "tool_input": "{\"a\":2}",
                    "tool_result": "4", "tool_input_json": { "a": 2 } })),
            ),
            (
                ended("no JSON".into()),
                message(json!({ "type": "tool_end", "tool_id": "t", "tool_name": "calc", "tool_input": "no JSON",
                    "tool_result": "4", "tool_input_json": null })),
            ),
            (
                Some(Piece::Error { error: "away".to_owned(), retry_after: Some(1) }),
                json!({ "event": "error", "error": "away", "retry_after": 1 }),
            ),
        ] {
            assert_eq!(serde_json::to_value(piece.unwrap()).unwrap(), wanted);
        }
        assert_eq!(Piece::of(Event::Text { delta: String::new() }), None);
    }
}
