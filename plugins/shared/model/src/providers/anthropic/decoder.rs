//! The events of a streamed message.

use serde::Deserialize;
use serde_json::Value;

use crate::providers::decode::{Decode, Flow, Progress};
use crate::providers::failure;
use crate::tool_calls::Fragment;
use crate::{ModelError, StopReason, Usage};

#[derive(Deserialize)]
struct Event {
    r#type: Option<String>,
    index: Option<u64>,
    message: Option<Start>,
    content_block: Option<Block>,
    delta: Option<Delta>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Start {
    id: Option<String>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Block {
    r#type: Option<String>,
    id: Option<String>,
    name: Option<String>,
    text: Option<String>,
    input: Option<Value>,
}

#[derive(Deserialize)]
struct Delta {
    text: Option<String>,
    thinking: Option<String>,
    partial_json: Option<String>,
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

pub(super) struct Decoder {
    /// The arguments of the one tool are the answer.
    forced: bool,
    began: bool,
    /// The counts until now.
    usage: Usage,
}

impl Decoder {
    pub(super) fn new(forced: bool) -> Self {
        Self { forced, began: false, usage: Usage::default() }
    }

    /// Each count replaces the one before; what is not named stays.
    fn count(&mut self, counts: &Counts) {
        let usage = &mut self.usage;
        usage.input = counts.input_tokens.unwrap_or(usage.input);
        usage.output = counts.output_tokens.unwrap_or(usage.output);
        usage.cache_write = counts.cache_creation_input_tokens.unwrap_or(usage.cache_write);
        usage.cache_read = counts.cache_read_input_tokens.unwrap_or(usage.cache_read);
    }

    fn block(&self, index: Option<u64>, block: &Block, progress: &mut Progress) -> Result<(), ModelError> {
        match block.r#type.as_deref() {
            Some("tool_use") if self.forced => {}
            Some("tool_use") => {
                // A server that imitates the protocol sends the whole input here.
                let input =
                    block.input.as_ref().filter(|input| input.as_object().is_some_and(|object| !object.is_empty()));
                let arguments = input.map(Value::to_string).unwrap_or_default();
                let fragment =
                    Fragment { index, id: block.id.as_deref(), name: block.name.as_deref(), arguments: &arguments };
                if let Some(event) = progress.calls.take(fragment)? {
                    progress.tell(event);
                }
            }
            _ => progress.text(block.text.as_deref().unwrap_or_default()),
        }
        Ok(())
    }

    fn delta(&self, index: Option<u64>, delta: &Delta, progress: &mut Progress) -> Result<(), ModelError> {
        progress.text(delta.text.as_deref().unwrap_or_default());
        progress.reasoning(delta.thinking.as_deref().unwrap_or_default());
        match &delta.partial_json {
            None => {}
            Some(json) if self.forced => progress.text(json),
            Some(json) => {
                let fragment = Fragment { index, arguments: json, ..Fragment::default() };
                if let Some(event) = progress.calls.take(fragment)? {
                    progress.tell(event);
                }
            }
        }
        Ok(())
    }

    fn stop(&self, word: &str) -> StopReason {
        match StopReason::from_word(word) {
            StopReason::ToolUse if self.forced => StopReason::EndTurn,
            reason => reason,
        }
    }
}

impl Decode for Decoder {
    type Frame = String;

    fn frame(&mut self, data: String, progress: &mut Progress) -> Result<Flow, ModelError> {
        let event: Event = serde_json::from_str(&data)
            .map_err(|error| progress.protocol(format_args!("an event of the answer cannot be read: {error}")))?;
        match event.r#type.as_deref() {
            Some("message_start") => {
                let (id, usage) = event.message.map_or((None, None), |start| (start.id, start.usage));
                if !std::mem::replace(&mut self.began, true) {
                    progress.started(id);
                }
                if let Some(counts) = usage {
                    self.count(&counts);
                }
            }
            Some("content_block_start") => {
                if let Some(block) = &event.content_block {
                    self.block(event.index, block, progress)?;
                }
            }
            Some("content_block_delta") => {
                if let Some(delta) = &event.delta {
                    self.delta(event.index, delta, progress)?;
                }
            }
            Some("content_block_stop") => {
                if let Some(index) = event.index
                    && let Some(call) = progress.calls.end_of(index)?
                {
                    progress.tell(call);
                }
            }
            Some("message_delta") => {
                if let Some(word) = event.delta.and_then(|delta| delta.stop_reason) {
                    progress.stop = Some(self.stop(&word));
                }
                if let Some(counts) = event.usage {
                    self.count(&counts);
                    // The output that the begin of a message names is what was there at the begin.
                    if counts.output_tokens.is_some() {
                        progress.used(self.usage);
                    }
                }
            }
            Some("message_stop") => return Ok(Flow::End),
            Some("error") => return Err(failure::in_band(&progress.who, &data)),
            // llama.cpp's facade has an envelope of its own.
            None if data.contains("\"error\"") => return Err(failure::in_band(&progress.who, &data)),
            // `ping`, and what comes in later versions.
            _ => {}
        }
        Ok(Flow::GoOn)
    }
}
