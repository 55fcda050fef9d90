//! An agent's answer as it grows: text, tools, tokens. What invoke and the session stream store of it.

use nexus_plugin_api::payload::{Event, InvokeResult};
use serde::Serialize;
use serde_json::Value;

use crate::domain::text::{shorten, shorten_bytes, text_of};

/// Most bytes kept of an answer's text: the row of a message stays far below 400 KB.
const MAX_TEXT: usize = 256 * 1024;
/// Most tools and blocks kept of an answer.
const MAX_TOOLS: usize = 200;
/// Most characters kept of a tool's arguments and of its result.
const TOOL_INPUT: usize = 2_000;
const TOOL_RESULT: usize = 5_000;
/// A tool that has not answered yet.
const RUNNING: &str = "running";

/// One use of a tool, as stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolUse {
    /// The tool.
    pub name: String,
    /// Unique within the answer.
    pub id: String,
    /// Its arguments as JSON text, at most 2000 characters.
    pub input: String,
    /// The same as a structure, unless the text was cut or is no JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_json: Option<Value>,
    /// Its result, at most 5000 characters.
    pub result: String,
    /// `running`, `success` or `error`.
    pub status: &'static str,
}

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// A piece of text between tools.
    Text,
    Tool,
}

/// A part of the answer in the order in which it came.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Block {
    #[serde(rename = "type")]
    pub kind: BlockKind,
    /// The tool's id, or the block's number.
    pub id: String,
    /// Of a text block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Of a tool block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
}

/// An answer, whole or as far as it came.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The text so far.
    pub text: String,
    /// The tools so far.
    pub tools: Vec<ToolUse>,
    /// Both in order.
    pub blocks: Vec<Block>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// The model that read and wrote them, when the agent names it.
    pub model_id: Option<String>,
    /// Text was left out.
    pub cut: bool,
    /// Text came piece by piece, not only with the result.
    pub streamed: bool,
}

impl Answer {
    /// Takes in a piece.
    pub fn add(&mut self, event: &Event) {
        match event {
            Event::Text { delta } => {
                self.streamed |= !delta.is_empty();
                self.add_text(delta);
            }
            Event::ToolStart { id, name } => self.begin_tool(id, name),
            Event::ToolInput { id, delta } => {
                if let Some(tool) = self.tools.iter_mut().rev().find(|t| t.id == *id)
                    && tool.status == RUNNING
                    && tool.input.len() < TOOL_INPUT * 4
                {
                    tool.input.push_str(delta);
                }
            }
            Event::ToolEnd { id, name, input, result, failed } => {
                if !self.tools.iter().any(|t| t.id == *id) {
                    self.begin_tool(id, name);
                }
                if let Some(tool) = self.tools.iter_mut().rev().find(|t| t.id == *id) {
                    tool.take_input(input);
                    tool.result = shorten(result, TOOL_RESULT);
                    tool.status = if *failed { "error" } else { "success" };
                }
            }
            Event::Tokens { input, output } => {
                self.input_tokens = self.input_tokens.saturating_add(*input);
                self.output_tokens = self.output_tokens.saturating_add(*output);
            }
            Event::Log { .. } | Event::Progress { .. } | Event::File { .. } => {}
        }
    }

    fn add_text(&mut self, delta: &str) {
        let room = MAX_TEXT.saturating_sub(self.text.len());
        let fitting = shorten_bytes(delta, room);
        self.cut |= fitting.len() < delta.len();
        if fitting.is_empty() {
            return;
        }
        self.text.push_str(fitting);
        if let Some(Block { kind: BlockKind::Text, text: Some(text), .. }) = self.blocks.last_mut() {
            text.push_str(fitting);
        } else if self.blocks.len() < 2 * MAX_TOOLS {
            let id = format!("block-{}", self.blocks.len());
            self.blocks.push(Block { kind: BlockKind::Text, id, text: Some(fitting.to_owned()), tool_name: None });
        }
    }

    fn begin_tool(&mut self, id: &str, name: &str) {
        if self.tools.len() >= MAX_TOOLS {
            self.cut = true;
            return;
        }
        let (id, name) = (shorten(id, 200), shorten(name, 200));
        self.blocks.push(Block { kind: BlockKind::Tool, id: id.clone(), text: None, tool_name: Some(name.clone()) });
        self.tools.push(ToolUse {
            name,
            id,
            input: String::new(),
            input_json: None,
            result: String::new(),
            status: RUNNING,
        });
    }

    /// Takes in the result: what the events did not say.
    pub fn finish(&mut self, result: &InvokeResult) {
        if self.text.is_empty() {
            self.add_text(&result.output);
        }
        // Some handlers report along the way, some at the end, some both.
        self.input_tokens = self.input_tokens.max(result.usage.input_tokens);
        self.output_tokens = self.output_tokens.max(result.usage.output_tokens);
        self.model_id.clone_from(&result.usage.model_id);
        for call in &result.tool_calls {
            if !self.tools.iter().any(|t| t.id == call.id) {
                self.begin_tool(&call.id, &call.name);
            }
            if let Some(tool) = self.tools.iter_mut().find(|t| t.id == call.id && t.status == RUNNING) {
                tool.take_input(&call.input);
                tool.result = shorten(&call.result, TOOL_RESULT);
                tool.status = if call.status == "error" { "error" } else { "success" };
            }
        }
    }

    /// Nothing more comes: tools that never ended did not succeed, and arguments keep their limit.
    pub fn close(&mut self) {
        for tool in &mut self.tools {
            if tool.status == RUNNING {
                tool.status = "error";
            }
            tool.bound_input();
        }
    }
}

impl ToolUse {
    /// The whole arguments. A tool that tells none at its end keeps the pieces that came before.
    fn take_input(&mut self, input: &Value) {
        if !input.is_null() {
            self.input = text_of(input);
        }
        self.bound_input();
    }

    fn bound_input(&mut self) {
        self.input_json = structure(&self.input).filter(|_| self.input.chars().count() <= TOOL_INPUT);
        self.input = shorten(&self.input, TOOL_INPUT);
    }
}

/// The object or list that a JSON text is.
pub(super) fn structure(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(|value: &Value| value.is_object() || value.is_array())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_keeps_its_order_and_its_limits() {
        let mut answer = Answer::default();
        answer.add(&Event::Text { delta: "a".into() });
        answer.add(&Event::Text { delta: "b".into() });
        answer.add(&Event::ToolStart { id: "t".into(), name: "calc".into() });
        answer.add(&Event::ToolEnd {
            id: "t".into(),
            name: "calc".into(),
            input: Value::String("x".repeat(9_000)),
            result: "y".repeat(9_000),
            failed: false,
        });
        answer.add(&Event::Text { delta: "ä".repeat(MAX_TEXT) });
        assert_eq!(answer.blocks.len(), 3);
        assert_eq!(answer.tools[0].input.chars().count(), 2_000);
        assert_eq!(answer.tools[0].result.chars().count(), 5_000);
        assert!(answer.cut && answer.text.len() <= MAX_TEXT && answer.text.starts_with("ab"));
    }

    #[test]
    fn arguments_are_text_whatever_came_and_however_it_ended() {
        let started = |id: &str| Event::ToolStart { id: id.into(), name: "calc".into() };
        let piece = |id: &str, delta: &str| Event::ToolInput { id: id.into(), delta: delta.into() };
        let ended = |id: &str, input: Value| Event::ToolEnd {
            id: id.into(),
            name: "calc".into(),
            input,
            result: "4".into(),
            failed: false,
        };
        let mut answer = Answer::default();
        for event in [
            started("object"),
            ended("object", serde_json::json!({ "a": 2 })),
            ended("text", Value::String("{\"a\": 2}".into())),
            ended("number", serde_json::json!(2)),
            started("pieces"),
            piece("pieces", "{\"a\":"),
            piece("pieces", " 2}"),
            ended("pieces", Value::Null),
            started("interrupted"),
            piece("interrupted", "{\"a\":"),
        ] {
            answer.add(&event);
        }
        answer.close();
        let stored = serde_json::to_value(&answer.tools).unwrap();
        for (tool, wanted) in
            stored.as_array().unwrap().iter().zip(["{\"a\":2}", "{\"a\": 2}", "2", "{\"a\": 2}", "{\"a\":"])
        {
            assert_eq!(tool["input"], wanted, "{tool}");
            assert!(tool["result"].is_string(), "{tool}");
            let structured = ["object", "text", "pieces"].contains(&tool["id"].as_str().unwrap());
            assert_eq!(tool["input_json"] == serde_json::json!({ "a": 2 }), structured, "{tool}");
        }
    }

    #[test]
    fn a_handler_that_streams_nothing_still_answers() {
        let mut answer = Answer::default();
        answer.finish(&InvokeResult { output: "whole".into(), ..InvokeResult::default() });
        assert_eq!((answer.text.as_str(), answer.blocks.len()), ("whole", 1));
    }
}
