//! Opens a stream up to its first content: until there the call can still be repeated.

use futures::StreamExt as _;

use crate::{ChatModel, ChatRequest, ChatStream, Identity, ModelError, StreamEvent, Usage};

/// Waits for the first event with content. What came before is held back, as a failed attempt must leave no trace but its usage.
pub(super) async fn open(model: &dyn ChatModel, request: ChatRequest) -> Result<ChatStream, ModelError> {
    let mut who = model.identity();
    let mut stream = model.stream(request).await?;
    let mut held = Vec::new();
    let mut usage: Option<Usage> = None;
    loop {
        match stream.next().await {
            Some(Ok(StreamEvent::Usage(snapshot))) => usage = Some(snapshot),
            Some(Ok(event)) => {
                if let StreamEvent::Started { by, .. } = &event {
                    who = by.clone();
                }
                let content = event.is_content();
                if content && let Some(usage) = usage.take() {
                    held.push(StreamEvent::Usage(usage));
                }
                held.push(event);
                if content {
                    break;
                }
            }
            Some(Err(mut error)) => {
                // Where the cost is open, the whole attempt counts as spent (see `Allowance`), not its first snapshot.
                if let Some(usage) = usage
                    && !error.may_have_cost
                {
                    error.spent.push((who, usage));
                }
                return Err(error);
            }
            None => return Err(ModelError::cut(&who, "nothing came")),
        }
    }
    Ok(ChatStream::new(futures::stream::iter(held.into_iter().map(Ok)).chain(stream)))
}

/// What attempts before the present one left behind.
#[derive(Default)]
pub(super) struct Past {
    spent: Vec<(Identity, Usage)>,
    may_have_cost: bool,
}

impl Past {
    pub(super) fn add(&mut self, error: &mut ModelError) {
        self.spent.append(&mut error.spent);
        self.may_have_cost |= error.may_have_cost;
    }

    /// The last attempt failed too.
    pub(super) fn fail(mut self, mut error: ModelError) -> ModelError {
        self.add(&mut error);
        error.spent = self.spent;
        error.may_have_cost = self.may_have_cost;
        error
    }

    /// An attempt succeeded.
    pub(super) fn before(self, stream: ChatStream) -> ChatStream {
        if self.spent.is_empty() {
            return stream;
        }
        let spent = self.spent.into_iter().map(|(by, usage)| Ok(StreamEvent::Abandoned { by, usage }));
        ChatStream::new(futures::stream::iter(spent).chain(stream))
    }
}

/// Asks the budget for one attempt more, if the last one may have cost something.
pub(super) async fn allow_another(request: &ChatRequest, failed: &ModelError) -> Result<(), ModelError> {
    match &request.allowance {
        Some(allowance) if failed.may_have_cost => allowance.another_attempt().await,
        _ => Ok(()),
    }
}
