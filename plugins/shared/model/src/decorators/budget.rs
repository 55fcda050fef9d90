//! Reserves the most that a call may cost, and settles what it did cost.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures::Stream;

use crate::{Allowance, ChatModel, ChatRequest, ChatStream, Identity, ModelError, StreamEvent, Usage};

/// Who keeps the books.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Reserves the most that one attempt of the request may cost, or refuses with [`crate::ErrorKind::BudgetExhausted`].
    async fn reserve(&self, request: &ChatRequest) -> Result<Arc<dyn Reservation>, ModelError>;
}

/// What is set aside for one call.
#[async_trait]
pub trait Reservation: Send + Sync {
    /// Reserves as much once more: an attempt that may have cost something is followed by another one.
    async fn another_attempt(&self) -> Result<(), ModelError>;

    /// Called exactly once, also when the caller has gone: it must not block, and whoever implements it makes it durable.
    fn settle(&self, settlement: Settlement);
}

/// How a call ended, for the books.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// What the provider of the last attempt reported, by who charges for it.
    pub used: Vec<(Identity, Usage)>,
    /// The last attempt may have used more than was reported: its whole reservation counts as spent. Attempts that
    /// were reserved by `another_attempt` mean that one before it may have cost something: they count as spent in any case.
    pub is_open: bool,
    /// `None` if the answer is complete.
    pub error: Option<ModelError>,
    /// The caller went away before the end.
    pub is_cancelled: bool,
}

/// The outermost decorator.
pub struct Budget {
    inner: Arc<dyn ChatModel>,
    ledger: Arc<dyn Ledger>,
}

impl Budget {
    #[must_use]
    pub fn new(inner: Arc<dyn ChatModel>, ledger: Arc<dyn Ledger>) -> Self {
        Self { inner, ledger }
    }
}

struct Again(Arc<dyn Reservation>);

#[async_trait]
impl Allowance for Again {
    async fn another_attempt(&self) -> Result<(), ModelError> {
        self.0.another_attempt().await
    }
}

#[async_trait]
impl ChatModel for Budget {
    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    async fn stream(&self, mut request: ChatRequest) -> Result<ChatStream, ModelError> {
        let reservation = self.ledger.reserve(&request).await?;
        let mut account = Account { who: self.identity(), reservation: Some(Arc::clone(&reservation)), usage: None };
        request.allowance = Some(Arc::new(Again(reservation)));
        match self.inner.stream(request).await {
            Ok(events) => Ok(ChatStream::new(Counted { events, account })),
            Err(error) => {
                account.failed(&error, false);
                Err(error)
            }
        }
    }

    async fn count_tokens(&self, request: &ChatRequest) -> Result<Option<u64>, ModelError> {
        self.inner.count_tokens(request).await
    }

    async fn refresh_credentials(&self) -> bool {
        self.inner.refresh_credentials().await
    }
}

/// Settles exactly once, at the latest when it is dropped.
struct Account {
    who: Identity,
    reservation: Option<Arc<dyn Reservation>>,
    usage: Option<Usage>,
}

impl Account {
    fn see(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::Started { by, .. } => self.who = by.clone(),
            StreamEvent::Usage(usage) => self.usage = Some(*usage),
            StreamEvent::Finish(_) => self.finished(),
            StreamEvent::Text(_) | StreamEvent::Reasoning(_) | StreamEvent::ToolDelta(_) | StreamEvent::ToolCall(_) => {
            }
        }
    }

    fn finished(&mut self) {
        // Without a report nobody knows what the model thought without saying it: the answer's length is no bound.
        let is_open = self.usage.is_none();
        self.settle(is_open, None, false);
    }

    /// `began`: the provider had begun to answer, so that it may charge for more than it reported.
    fn failed(&mut self, error: &ModelError, began: bool) {
        self.settle(began || error.may_have_cost, Some(error), false);
    }

    fn settle(&mut self, is_open: bool, error: Option<&ModelError>, is_cancelled: bool) {
        if let Some(reservation) = self.reservation.take() {
            let used = self.usage.map(|usage| (self.who.clone(), usage)).into_iter().collect();
            reservation.settle(Settlement { used, is_open, error: error.cloned(), is_cancelled });
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.settle(true, None, true);
    }
}

struct Counted {
    events: ChatStream,
    account: Account,
}

impl Stream for Counted {
    type Item = Result<StreamEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = std::task::ready!(Pin::new(&mut self.events).poll_next(context));
        match &item {
            Some(Ok(event)) => self.account.see(event),
            Some(Err(error)) => self.account.failed(error, true),
            // After `Finish` or an error: settled.
            None => {}
        }
        Poll::Ready(item)
    }
}
