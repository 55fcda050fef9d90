//! The chunks of a streamed chat completion, read leniently: every field may be missing, null or of an unusual form.

use serde::Deserialize;
use serde_json::Value;

use super::server::{AnswerQuirks, Server};
use crate::providers::decode::{Decode, Flow, Progress};
use crate::providers::failure;
use crate::tool_calls::Fragment;
use crate::{ModelError, StopReason, Usage};

pub(super) enum Frame {
    Chunk(String),
    Whole(Value),
    Done,
}

impl Frame {
    pub(super) fn of(data: String) -> Self {
        if data.trim() == "[DONE]" { Self::Done } else { Self::Chunk(data) }
    }
}

#[derive(Deserialize)]
struct Chunk {
    id: Option<String>,
    choices: Option<Vec<Choice>>,
    usage: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<u64>,
    // A server that does not stream calls it `message`.
    #[serde(alias = "message")]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<Value>,
    #[serde(alias = "reasoning")]
    reasoning_content: Option<Value>,
    refusal: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    index: Option<u64>,
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: Option<String>,
    arguments: Option<Value>,
}

pub(super) struct Decoder {
    quirks: AnswerQuirks,
    began: bool,
    refused: bool,
}

impl Decoder {
    pub(super) fn new(server: &Server) -> Self {
        Self { quirks: server.answer, began: false, refused: false }
    }

    fn chunk(&mut self, chunk: Chunk, progress: &mut Progress) -> Result<(), ModelError> {
        if !std::mem::replace(&mut self.began, true) {
            progress.started(chunk.id.filter(|id| !id.is_empty()));
        }
        for choice in chunk.choices.unwrap_or_default() {
            // Only one was asked for.
            if choice.index.unwrap_or(0) == 0 {
                self.choice(choice, progress)?;
            }
        }
        if let Some(usage) = chunk.usage.as_ref().and_then(usage) {
            progress.used(usage);
        }
        Ok(())
    }

    fn choice(&mut self, choice: Choice, progress: &mut Progress) -> Result<(), ModelError> {
        if let Some(delta) = choice.delta {
            if let Some(thought) = delta.reasoning_content {
                progress.reasoning(&text_of(&thought));
            }
            match &delta.content {
                Some(Value::String(text)) => progress.text(text),
                Some(other) => progress.text(&text_of(other)),
                None => {}
            }
            if let Some(refusal) = delta.refusal.filter(|refusal| !refusal.is_empty()) {
                self.refused = true;
                progress.text(&refusal);
            }
            for call in delta.tool_calls.unwrap_or_default() {
                take_call(&call, progress)?;
            }
        }
        match choice.finish_reason.as_deref() {
            None => {}
            Some("") if !self.quirks.empty_reason_is_an_end => {}
            Some(_) if self.refused => progress.stop = Some(StopReason::Refusal),
            Some("") => progress.stop = Some(StopReason::EndTurn),
            Some("error") => return Err(failure::in_band(&progress.who, "the server ended its answer with `error`")),
            Some(word) => progress.stop = Some(StopReason::from_word(word)),
        }
        Ok(())
    }
}

fn take_call(call: &Call, progress: &mut Progress) -> Result<(), ModelError> {
    let function = call.function.as_ref();
    let arguments = match function.and_then(|function| function.arguments.as_ref()) {
        Some(Value::String(text)) => text.clone(),
        // Some servers send the object itself.
        Some(object @ Value::Object(_)) => object.to_string(),
        _ => String::new(),
    };
    let fragment = Fragment {
        index: call.index,
        id: call.id.as_deref(),
        name: function.and_then(|function| function.name.as_deref()),
        arguments: &arguments,
    };
    if let Some(event) = progress.calls.take(fragment)? {
        progress.tell(event);
    }
    Ok(())
}

/// A text, or the texts of a list of parts.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect(),
        _ => String::new(),
    }
}

/// Prompt tokens count those of the cache here; we count them apart, as they are priced.
fn usage(value: &Value) -> Option<Usage> {
    let number = |path: &str| value.pointer(path).and_then(Value::as_f64).map(whole);
    let prompt = number("/prompt_tokens").unwrap_or(0);
    // Some providers count what the model thought in the total alone.
    let rest = number("/total_tokens").unwrap_or(0).saturating_sub(prompt);
    let output = number("/completion_tokens")?.max(rest);
    let cache_read =
        number("/prompt_tokens_details/cached_tokens").or_else(|| number("/prompt_cache_hit_tokens")).unwrap_or(0);
    let cache_write = number("/prompt_tokens_details/cache_write_tokens").unwrap_or(0);
    Some(Usage {
        input: prompt.saturating_sub(cache_read).saturating_sub(cache_write),
        output,
        cache_read,
        cache_write,
        reasoning: number("/completion_tokens_details/reasoning_tokens").unwrap_or(0),
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and token counts are small")]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}

impl Decode for Decoder {
    type Frame = Frame;

    fn frame(&mut self, frame: Frame, progress: &mut Progress) -> Result<Flow, ModelError> {
        let (chunk, body) = match frame {
            Frame::Done => {
                if progress.stop.is_none() && self.quirks.done_is_an_end {
                    progress.stop = Some(StopReason::EndTurn);
                }
                return Ok(Flow::End);
            }
            Frame::Chunk(data) if data.trim().is_empty() => return Ok(Flow::GoOn),
            Frame::Chunk(data) => (serde_json::from_str::<Chunk>(&data), data),
            Frame::Whole(value) => {
                let body = value.to_string();
                (serde_json::from_value::<Chunk>(value), body)
            }
        };
        let chunk =
            chunk.map_err(|error| progress.protocol(format_args!("a chunk of the answer cannot be read: {error}")))?;
        if chunk.error.as_ref().is_some_and(|error| !error.is_null()) {
            return Err(failure::in_band(&progress.who, &body));
        }
        self.chunk(chunk, progress)?;
        Ok(Flow::GoOn)
    }

    fn may_close_without_mark(&self) -> bool {
        // The reason of the end is the mark; `[DONE]` only says it again.
        true
    }
}
