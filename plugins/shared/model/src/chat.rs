//! The trait of a language model, and the contract of its streams.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures::stream::{BoxStream, Stream, StreamExt as _};

use crate::{ChatRequest, ModelError, StreamEvent};

/// Who answers: a provider, by its name in the configuration, and the model's id there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    pub provider: Arc<str>,
    pub model: Arc<str>,
}

impl Identity {
    #[must_use]
    pub fn new(provider: &str, model: &str) -> Self {
        Self { provider: provider.into(), model: model.into() }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}/{}", self.provider, self.model)
    }
}

/// A language model behind some protocol.
///
/// # The contract of a stream's end
///
/// 1. [`StreamEvent::Finish`] is the last event and comes exactly when the provider said that the answer is complete. After a
///    truncation, a cancellation or an error there is none: the stream then ends with one `Err`, and nothing follows that.
///    A stream that merely stops is an error of kind [`crate::ErrorKind::Cut`], however complete its text looks.
/// 2. [`StreamEvent::Usage`] is what the whole call used; it comes at most once, right before `Finish`. Providers send it before,
///    with or after their reason of the end, and now and then snapshots of it: the last one counts, and one that
///    content followed is none. Where a provider reports nothing final, there is no such event.
/// 3. Fragments of tool calls are matched by id *and* index. A fragment that fits two calls, or none, is an error of kind
///    [`crate::ErrorKind::Protocol`]; it is never guessed.
/// 4. Every tool call that began is delivered as [`StreamEvent::ToolCall`], whatever ends the stream: before `Finish` under any
///    reason, and before the `Err` of a broken stream (then with [`crate::Arguments::Unreadable`], as nobody knows what was missing).
/// 5. A call is repeated, or handed to another provider, only before its first event with content. Nobody below the caller
///    repeats anything after that.
/// 6. Dropping the future of [`ChatModel::stream`] or the stream itself cancels the call: the connection closes, and the provider
///    stops generating. No task goes on in the background.
#[async_trait]
pub trait ChatModel: Send + Sync {
    /// Who answers, for messages and prices. A decorator names who it would ask first.
    fn identity(&self) -> Identity;

    /// Sends the request. The future resolves when the provider has accepted it.
    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, ModelError>;

    /// The tokens of the request as the provider counts them; `None` where it offers no count.
    async fn count_tokens(&self, _request: &ChatRequest) -> Result<Option<u64>, ModelError> {
        Ok(None)
    }

    /// Reads the credentials anew after the provider refused them; `false` if they are the same as before.
    async fn refresh_credentials(&self) -> bool {
        false
    }
}

#[async_trait]
impl<M: ChatModel + ?Sized> ChatModel for Arc<M> {
    fn identity(&self) -> Identity {
        (**self).identity()
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, ModelError> {
        (**self).stream(request).await
    }

    async fn count_tokens(&self, request: &ChatRequest) -> Result<Option<u64>, ModelError> {
        (**self).count_tokens(request).await
    }

    async fn refresh_credentials(&self) -> bool {
        (**self).refresh_credentials().await
    }
}

/// Asked before an attempt that follows one which may have cost something: a budget that reserved one attempt reserves another.
#[async_trait]
pub trait Allowance: Send + Sync {
    async fn another_attempt(&self) -> Result<(), ModelError>;
}

/// The events of one answer. It ends with `Finish` or with an error, and then for good, whatever lies beneath it.
pub struct ChatStream {
    events: Option<BoxStream<'static, Result<StreamEvent, ModelError>>>,
    /// As far as it has said so.
    who: Option<Identity>,
}

impl ChatStream {
    pub fn new(events: impl Stream<Item = Result<StreamEvent, ModelError>> + Send + 'static) -> Self {
        Self { events: Some(events.boxed()), who: None }
    }
}

impl fmt::Debug for ChatStream {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "ChatStream({})", if self.events.is_some() { "open" } else { "ended" })
    }
}

impl Stream for ChatStream {
    type Item = Result<StreamEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(events) = &mut self.events else { return Poll::Ready(None) };
        let item = std::task::ready!(events.as_mut().poll_next(context));
        match &item {
            Some(Ok(StreamEvent::Started { by, .. })) => self.who = Some(by.clone()),
            // Closes the connection at once, not when the reader gets around to it.
            None | Some(Err(_) | Ok(StreamEvent::Finish(_))) => self.events = None,
            Some(Ok(_)) => {}
        }
        Poll::Ready(Some(item.unwrap_or_else(|| {
            let who = self.who.take().unwrap_or_else(|| Identity::new("unknown", "unknown"));
            Err(ModelError::cut(&who, "no reason of the end came"))
        })))
    }
}
