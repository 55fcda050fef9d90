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
    /// What the provider reported, by who charges for it.
    pub used: Vec<(Identity, Usage)>,
    /// The last attempt may have used more than was reported: its whole reservation counts as spent. Attempts that
    /// were reserved by `another_attempt` mean that one before it may have cost something: they count as spent in any case.
    pub is_open: bool,
    /// The provider reported nothing: `used` is the most that it can have been.
    pub is_estimate: bool,
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
        let mut account = Account {
            who: self.identity(),
            most_input: request.most_input_tokens(),
            reservation: Some(Arc::clone(&reservation)),
            abandoned: Vec::new(),
            usage: None,
            delivered: 0,
        };
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
    most_input: u64,
    reservation: Option<Arc<dyn Reservation>>,
    abandoned: Vec<(Identity, Usage)>,
    usage: Option<Usage>,
    /// Bytes of the answer.
    delivered: u64,
}

impl Account {
    fn see(&mut self, event: &StreamEvent) {
        let bytes = match event {
            StreamEvent::Text(text) | StreamEvent::Reasoning(text) => text.len(),
            StreamEvent::ToolDelta(delta) => {
                delta.arguments.len() + delta.name.as_ref().map_or(0, |name| name.len() + 16)
            }
            StreamEvent::Started { by, .. } => {
                self.who = by.clone();
                0
            }
            StreamEvent::Usage(usage) => {
                self.usage = Some(*usage);
                0
            }
            StreamEvent::Abandoned { by, usage } => {
                self.abandoned.push((by.clone(), *usage));
                0
            }
            StreamEvent::ToolCall(_) | StreamEvent::Finish(_) => 0,
        };
        self.delivered = self.delivered.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    fn finished(&mut self) {
        // No token is less than a byte long, but for the few that frame an answer.
        const FRAME: u64 = 16;
        let most = Usage { input: self.most_input, output: self.delivered.saturating_add(FRAME), ..Usage::default() };
        let is_estimate = self.usage.is_none();
        self.settle(
            Some(most),
            Settlement { used: Vec::new(), is_open: false, is_estimate, error: None, is_cancelled: false },
        );
    }

    /// `began`: the provider had begun to answer, so that it may charge for more than it reported.
    fn failed(&mut self, error: &ModelError, began: bool) {
        let settlement = Settlement {
            used: error.spent.clone(),
            is_open: began || error.may_have_cost,
            is_estimate: false,
            error: Some(error.clone()),
            is_cancelled: false,
        };
        self.settle(None, settlement);
    }

    fn settle(&mut self, most: Option<Usage>, mut settlement: Settlement) {
        if let Some(reservation) = self.reservation.take() {
            settlement.used.append(&mut self.abandoned);
            settlement.used.extend(self.usage.or(most).map(|usage| (self.who.clone(), usage)));
            reservation.settle(settlement);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.settle(
            None,
            Settlement { used: Vec::new(), is_open: true, is_estimate: false, error: None, is_cancelled: true },
        );
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
            Some(Ok(event)) => {
                self.account.see(event);
                if matches!(event, StreamEvent::Finish(_)) {
                    self.account.finished();
                }
            }
            Some(Err(error)) => self.account.failed(error, true),
            None => {
                let error = ModelError::cut(&self.account.who, "no reason of the end came");
                self.account.failed(&error, true);
            }
        }
        Poll::Ready(item)
    }
}
