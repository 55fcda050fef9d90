//! A model that says what a test wrote, in process. It goes through the same driver as the real ones, so that it keeps their contract.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::StreamExt as _;
use tokio::sync::{Notify, mpsc};

use super::decode::{Decode, Flow, Progress, events};
use crate::tool_calls::Fragment;
use crate::{ChatModel, ChatRequest, ChatStream, Identity, ModelError, StopReason, Usage};

/// One frame of a scripted answer.
#[derive(Debug, Clone)]
enum Frame {
    Text(String),
    Tool { index: Option<u64>, id: Option<String>, name: Option<String>, arguments: String },
    Usage(Usage),
    Stop(StopReason),
    End,
    Break(ModelError),
}

/// A scripted answer. Without [`Reply::stop`] its stream is cut.
#[derive(Default)]
pub struct Reply {
    refusal: Option<ModelError>,
    frames: Vec<Frame>,
    gate: Option<mpsc::Receiver<()>>,
}

impl Reply {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A whole answer of one text.
    #[must_use]
    pub fn saying(text: &str) -> Self {
        Self::new().text(text).usage(Usage { input: 10, output: 5, ..Usage::default() }).stop(StopReason::EndTurn)
    }

    /// The call is refused before anything is streamed.
    #[must_use]
    pub fn refused(error: ModelError) -> Self {
        Self { refusal: Some(error), ..Self::default() }
    }

    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.frames.push(Frame::Text(text.to_owned()));
        self
    }

    #[must_use]
    pub fn tool(mut self, index: Option<u64>, id: Option<&str>, name: Option<&str>, arguments: &str) -> Self {
        self.frames.push(Frame::Tool {
            index,
            id: id.map(str::to_owned),
            name: name.map(str::to_owned),
            arguments: arguments.to_owned(),
        });
        self
    }

    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.frames.push(Frame::Usage(usage));
        self
    }

    /// The provider's reason and the end of the stream. Usage may still come in between with [`Reply::reason`] and [`Reply::end`].
    #[must_use]
    pub fn stop(self, reason: StopReason) -> Self {
        self.reason(reason).end()
    }

    #[must_use]
    pub fn reason(mut self, reason: StopReason) -> Self {
        self.frames.push(Frame::Stop(reason));
        self
    }

    #[must_use]
    pub fn end(mut self) -> Self {
        self.frames.push(Frame::End);
        self
    }

    /// The stream breaks with this error.
    #[must_use]
    pub fn broken(mut self, error: ModelError) -> Self {
        self.frames.push(Frame::Break(error));
        self
    }

    /// Each frame waits for a permit; a closed sender lets all frames pass.
    #[must_use]
    pub fn gated(mut self) -> (Self, mpsc::Sender<()>) {
        let (sender, receiver) = mpsc::channel(1);
        self.gate = Some(receiver);
        (self, sender)
    }
}

#[derive(Default)]
struct Shared {
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<ChatRequest>>,
    cancelled: AtomicUsize,
    cancellation: Notify,
}

/// The scripted model; clones share script and record.
#[derive(Clone)]
pub struct Scripted {
    who: Identity,
    shared: Arc<Shared>,
}

impl Scripted {
    #[must_use]
    pub fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::named("scripted", replies)
    }

    #[must_use]
    pub fn named(provider: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        let shared = Shared { replies: Mutex::new(replies.into_iter().collect()), ..Shared::default() };
        Self { who: Identity::new(provider, "script"), shared: Arc::new(shared) }
    }

    pub fn push(&self, reply: Reply) {
        self.shared.replies.lock().unwrap_or_else(PoisonError::into_inner).push_back(reply);
    }

    /// The requests that came, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<ChatRequest> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many streams were dropped before their end.
    pub async fn cancelled(&self, times: usize) {
        loop {
            let notified = self.shared.cancellation.notified();
            if self.shared.cancelled.load(Ordering::SeqCst) >= times {
                return;
            }
            notified.await;
        }
    }
}

/// Notices that a stream is dropped.
struct Watch {
    shared: Arc<Shared>,
    ended: bool,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.cancelled.fetch_add(1, Ordering::SeqCst);
            self.shared.cancellation.notify_waiters();
        }
    }
}

#[async_trait]
impl ChatModel for Scripted {
    fn identity(&self) -> Identity {
        self.who.clone()
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, ModelError> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        let reply = self.shared.replies.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(reply) = reply else {
            return Err(ModelError::protocol(&self.who, "the script has no further reply"));
        };
        if let Some(error) = reply.refusal {
            return Err(error);
        }
        let watch = Watch { shared: Arc::clone(&self.shared), ended: false };
        let state = (reply.frames.into_iter(), reply.gate, watch);
        let frames = futures::stream::unfold(state, |(mut frames, mut gate, mut watch)| async move {
            if let Some(gate) = &mut gate {
                let _open = gate.recv().await;
            }
            let frame = frames.next();
            watch.ended = matches!(frame, None | Some(Frame::End | Frame::Break(_)));
            let item = match frame? {
                Frame::Break(error) => Err(error),
                frame => Ok(frame),
            };
            Some((item, (frames, gate, watch)))
        });
        Ok(events(&self.who, Decoder { began: false }, false, frames.boxed()))
    }
}

struct Decoder {
    began: bool,
}

impl Decode for Decoder {
    type Frame = Frame;

    fn frame(&mut self, frame: Frame, progress: &mut Progress) -> Result<Flow, ModelError> {
        if !std::mem::replace(&mut self.began, true) {
            progress.started(None);
        }
        match frame {
            Frame::Text(text) => progress.text(&text),
            Frame::Tool { index, id, name, arguments } => {
                let fragment = Fragment { index, id: id.as_deref(), name: name.as_deref(), arguments: &arguments };
                if let Some(event) = progress.calls.take(fragment)? {
                    progress.tell(event);
                }
            }
            Frame::Usage(usage) => progress.used(usage),
            Frame::Stop(reason) => progress.stop = Some(reason),
            Frame::End => return Ok(Flow::End),
            Frame::Break(error) => return Err(error),
        }
        Ok(Flow::GoOn)
    }
}
