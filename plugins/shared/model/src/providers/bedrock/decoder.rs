//! The events of Converse's stream.

use aws_sdk_bedrockruntime::types::{
    ContentBlockDelta, ContentBlockStart, ConverseStreamOutput, ReasoningContentBlockDelta, TokenUsage,
};

use crate::providers::decode::{Decode, Flow, Progress};
use crate::tool_calls::Fragment;
use crate::{ModelError, StopReason, Usage};

pub(super) struct Decoder {
    /// The arguments of the one tool are the answer.
    forced: bool,
}

impl Decoder {
    pub(super) fn new(forced: bool) -> Self {
        Self { forced }
    }

    fn delta(&self, index: i32, delta: &ContentBlockDelta, progress: &mut Progress) -> Result<(), ModelError> {
        match delta {
            ContentBlockDelta::Text(text) => progress.text(text),
            ContentBlockDelta::ReasoningContent(ReasoningContentBlockDelta::Text(text)) => progress.reasoning(text),
            ContentBlockDelta::ToolUse(tool) if self.forced => progress.text(tool.input()),
            ContentBlockDelta::ToolUse(tool) => {
                take(progress, Fragment { index: number(index), arguments: tool.input(), ..Fragment::default() })?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn take(progress: &mut Progress, fragment: Fragment<'_>) -> Result<(), ModelError> {
    if let Some(event) = progress.calls.take(fragment)? {
        progress.tell(event);
    }
    Ok(())
}

fn number(index: i32) -> Option<u64> {
    u64::try_from(index).ok()
}

fn usage(usage: &TokenUsage) -> Usage {
    let tokens = |count: i32| u64::try_from(count).unwrap_or(0);
    Usage {
        input: tokens(usage.input_tokens()),
        output: tokens(usage.output_tokens()),
        cache_read: tokens(usage.cache_read_input_tokens().unwrap_or(0)),
        cache_write: tokens(usage.cache_write_input_tokens().unwrap_or(0)),
        reasoning: 0,
    }
}

impl Decode for Decoder {
    type Frame = ConverseStreamOutput;

    fn frame(&mut self, frame: ConverseStreamOutput, progress: &mut Progress) -> Result<Flow, ModelError> {
        match frame {
            ConverseStreamOutput::MessageStart(_) => progress.started(None),
            ConverseStreamOutput::ContentBlockStart(event) => {
                if let Some(ContentBlockStart::ToolUse(tool)) = event.start()
                    && !self.forced
                {
                    let index = number(event.content_block_index());
                    take(
                        progress,
                        Fragment { index, id: Some(tool.tool_use_id()), name: Some(tool.name()), arguments: "" },
                    )?;
                }
            }
            ConverseStreamOutput::ContentBlockDelta(event) => {
                if let Some(delta) = event.delta() {
                    self.delta(event.content_block_index(), delta, progress)?;
                }
            }
            ConverseStreamOutput::ContentBlockStop(event) => {
                if let Some(index) = number(event.content_block_index())
                    && let Some(call) = progress.calls.end_of(index)?
                {
                    progress.tell(call);
                }
            }
            ConverseStreamOutput::MessageStop(event) => {
                progress.stop = Some(match StopReason::from_word(event.stop_reason().as_str()) {
                    StopReason::ToolUse if self.forced => StopReason::EndTurn,
                    reason => reason,
                });
            }
            // The last event; usage comes after the reason of the stop.
            ConverseStreamOutput::Metadata(event) => {
                if let Some(counts) = event.usage() {
                    progress.used(usage(counts));
                }
                if progress.stop.is_some() {
                    return Ok(Flow::End);
                }
            }
            _ => {}
        }
        Ok(Flow::GoOn)
    }

    fn may_close_without_mark(&self) -> bool {
        // A stream without its last event, the usage, still has its reason.
        true
    }
}
