//! Turns a provider's frames into events, and keeps the contract of the stream's end for all of them.

use std::collections::VecDeque;

use futures::stream::{BoxStream, Stream, StreamExt as _};

use crate::tool_calls::ToolCalls;
use crate::{ChatStream, Identity, ModelError, StopReason, StreamEvent, Usage};

/// What a decoder knows of the answer until now.
pub(super) struct Progress {
    pub(super) who: Identity,
    pub(super) calls: ToolCalls,
    usage: Option<Usage>,
    /// Why the provider said that the model stopped.
    pub(super) stop: Option<StopReason>,
    out: VecDeque<Result<StreamEvent, ModelError>>,
}

impl Progress {
    pub(super) fn tell(&mut self, event: StreamEvent) {
        if matches!(event, StreamEvent::Text(_) | StreamEvent::Reasoning(_) | StreamEvent::ToolDelta(_)) {
            // A snapshot that was taken before the end.
            self.usage = None;
        }
        self.out.push_back(Ok(event));
    }

    pub(super) fn started(&mut self, id: Option<String>) {
        let by = self.who.clone();
        self.tell(StreamEvent::Started { by, id });
    }

    pub(super) fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.tell(StreamEvent::Text(text.to_owned()));
        }
    }

    pub(super) fn reasoning(&mut self, text: &str) {
        if !text.is_empty() {
            self.tell(StreamEvent::Reasoning(text.to_owned()));
        }
    }

    /// What the provider reports; it is told at the end, if nothing of the answer follows.
    pub(super) fn used(&mut self, usage: Usage) {
        self.usage = Some(usage);
    }

    pub(super) fn protocol(&self, what: impl std::fmt::Display) -> ModelError {
        ModelError::protocol(&self.who, what)
    }

    fn finish(&mut self, stop: StopReason) {
        let calls = self.calls.drain(None);
        self.out.extend(calls);
        let stop = match stop {
            // Some servers say `stop` when the answer is a call.
            StopReason::EndTurn if self.calls.has_any() => StopReason::ToolUse,
            stop => stop,
        };
        if let Some(usage) = self.usage.take() {
            self.tell(StreamEvent::Usage(usage));
        }
        self.tell(StreamEvent::Finish(stop));
    }

    fn fail(&mut self, error: ModelError) {
        let calls = self.calls.drain(Some("the stream ended before the call was complete"));
        self.out.extend(calls);
        self.out.push_back(Err(error));
    }
}

/// What a frame means for the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    GoOn,
    /// The provider said that nothing follows.
    End,
}

/// Understands the frames of one protocol.
pub(super) trait Decode: Send + 'static {
    type Frame: Send;

    fn frame(&mut self, frame: Self::Frame, progress: &mut Progress) -> Result<Flow, ModelError>;

    /// Whether a transport that closed in good order without the protocol's own end mark, after a reason of the stop, is an end.
    fn may_close_without_mark(&self) -> bool {
        false
    }
}

struct Driver<D: Decode> {
    frames: Option<BoxStream<'static, Result<D::Frame, ModelError>>>,
    decoder: D,
    progress: Progress,
}

impl<D: Decode> Driver<D> {
    fn take(&mut self, item: Option<Result<D::Frame, ModelError>>) {
        let end = match item {
            Some(Ok(frame)) => match self.decoder.frame(frame, &mut self.progress) {
                Ok(Flow::GoOn) => return,
                Ok(Flow::End) => Ok(()),
                Err(error) => Err(error),
            },
            Some(Err(error)) => Err(error),
            None if self.progress.stop.is_some() && self.decoder.may_close_without_mark() => Ok(()),
            None => Err(ModelError::cut(&self.progress.who, "the connection closed")),
        };
        // Closes the connection.
        self.frames = None;
        match (end, self.progress.stop.take()) {
            (Ok(()), Some(stop)) => self.progress.finish(stop),
            (Ok(()), None) => {
                let error = ModelError::cut(&self.progress.who, "the provider gave no reason of the end");
                self.progress.fail(error);
            }
            (Err(error), _) => self.progress.fail(error),
        }
    }
}

/// The events of the frames. Dropping them drops the frames, and with them the connection.
pub(super) fn events<D: Decode>(
    who: &Identity,
    decoder: D,
    index_is_unreliable: bool,
    frames: impl Stream<Item = Result<D::Frame, ModelError>> + Send + 'static,
) -> ChatStream {
    let progress = Progress {
        who: who.clone(),
        calls: ToolCalls::new(who, index_is_unreliable),
        usage: None,
        stop: None,
        out: VecDeque::new(),
    };
    let driver = Driver { frames: Some(frames.boxed()), decoder, progress };
    ChatStream::new(futures::stream::unfold(driver, |mut driver| async move {
        loop {
            if let Some(event) = driver.progress.out.pop_front() {
                return Some((event, driver));
            }
            let item = driver.frames.as_mut()?.next().await;
            driver.take(item);
        }
    }))
}
