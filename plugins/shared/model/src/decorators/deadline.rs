//! Deadlines of a call: until its first event, between two events, for the whole.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use crate::{ChatModel, ChatRequest, ChatStream, ErrorKind, Identity, ModelError};

/// `None` is no deadline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deadlines {
    pub first: Option<Duration>,
    pub between: Option<Duration>,
    pub whole: Option<Duration>,
}

/// A model whose calls end in time.
pub(super) struct Timed {
    inner: Arc<dyn ChatModel>,
    deadlines: Deadlines,
}

impl Timed {
    pub(super) fn new(inner: Arc<dyn ChatModel>, deadlines: Deadlines) -> Self {
        Self { inner, deadlines }
    }
}

/// The earlier of two deadlines, with the words for whoever missed it.
fn next(step: Option<Duration>, what: &'static str, end: Option<Instant>) -> Option<(Instant, &'static str)> {
    let step = step.map(|step| (Instant::now() + step, what));
    let end = end.map(|end| (end, "the whole answer did not come in time"));
    match (step, end) {
        (Some(step), Some(end)) => Some(if step.0 < end.0 { step } else { end }),
        (one, other) => one.or(other),
    }
}

async fn within<T>(
    deadline: Option<(Instant, &str)>,
    who: &Identity,
    work: impl Future<Output = T>,
) -> Result<T, ModelError> {
    match deadline {
        None => Ok(work.await),
        Some((at, what)) => {
            timeout_at(at, work).await.map_err(|_| ModelError::new(ErrorKind::Timeout, format!("{who}: {what}")))
        }
    }
}

#[async_trait]
impl ChatModel for Timed {
    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, ModelError> {
        if self.deadlines == Deadlines::default() {
            return self.inner.stream(request).await;
        }
        let who = self.identity();
        let between = self.deadlines.between;
        let end = self.deadlines.whole.map(|whole| Instant::now() + whole);
        let first = next(self.deadlines.first, "no event came in time after the request", end);
        let events = within(first, &who, self.inner.stream(request)).await??;
        // The first event still falls under the first deadline.
        let state = (events, first, who, false);
        Ok(ChatStream::new(futures::stream::unfold(state, move |(mut events, deadline, who, ended)| async move {
            if ended {
                return None;
            }
            match within(deadline, &who, events.next()).await {
                Ok(item) => {
                    let deadline = next(between, "no further event came in time", end);
                    item.map(|item| (item, (events, deadline, who, false)))
                }
                Err(error) => Some((Err(error), (events, deadline, who, true))),
            }
        })))
    }

    async fn count_tokens(&self, request: &ChatRequest) -> Result<Option<u64>, ModelError> {
        self.inner.count_tokens(request).await
    }

    async fn refresh_credentials(&self) -> bool {
        self.inner.refresh_credentials().await
    }
}
