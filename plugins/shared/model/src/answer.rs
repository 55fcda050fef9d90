//! A whole answer, collected from its stream.

use futures::StreamExt as _;

use crate::{ChatStream, Identity, ModelError, StopReason, StreamEvent, ToolCall, Usage};

/// An answer that its provider called complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub by: Option<Identity>,
    pub id: Option<String>,
    pub text: String,
    pub reasoning: String,
    pub tool_calls: Vec<ToolCall>,
    /// `None` if the provider said nothing about it.
    pub usage: Option<Usage>,
    pub stop: StopReason,
}

/// Reads a stream to its end.
pub async fn collect(mut stream: ChatStream) -> Result<Answer, ModelError> {
    let mut answer = Answer {
        by: None,
        id: None,
        text: String::new(),
        reasoning: String::new(),
        tool_calls: Vec::new(),
        usage: None,
        stop: StopReason::EndTurn,
    };
    while let Some(event) = stream.next().await {
        match event? {
            StreamEvent::Started { by, id } => {
                answer.by = Some(by);
                answer.id = id;
            }
            StreamEvent::Text(text) => answer.text.push_str(&text),
            StreamEvent::Reasoning(text) => answer.reasoning.push_str(&text),
            StreamEvent::ToolDelta(_) => {}
            StreamEvent::ToolCall(call) => answer.tool_calls.push(call),
            StreamEvent::Usage(usage) => answer.usage = Some(usage),
            StreamEvent::Finish(stop) => {
                answer.stop = stop;
                return Ok(answer);
            }
        }
    }
    let who = answer.by.unwrap_or_else(|| Identity::new("unknown", "unknown"));
    Err(ModelError::cut(&who, "no reason of the end came"))
}
