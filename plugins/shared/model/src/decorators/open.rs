//! Opens a stream up to its first content: until there the call can still be repeated.

use futures::StreamExt as _;

use crate::{ChatModel, ChatRequest, ChatStream, ModelError};

/// Waits for the first event with content. What came before is held back, as a failed attempt must leave no trace.
pub(super) async fn open(model: &dyn ChatModel, request: ChatRequest) -> Result<ChatStream, ModelError> {
    let mut stream = model.stream(request).await?;
    let mut held = Vec::new();
    loop {
        match stream.next().await {
            Some(Ok(event)) => {
                let content = event.is_content();
                held.push(event);
                if content {
                    break;
                }
            }
            Some(Err(mut error)) => {
                // The provider had accepted the call: whatever it says now, the model may have worked until here.
                error.may_have_cost = true;
                return Err(error);
            }
            None => return Err(ModelError::cut(&model.identity(), "nothing came")),
        }
    }
    Ok(ChatStream::new(futures::stream::iter(held.into_iter().map(Ok)).chain(stream)))
}

/// The attempts before the present one, for the budget.
#[derive(Default)]
pub(super) struct Past {
    /// An attempt may have used up the reservation at hand. What was reserved anew since then is booked already.
    may_have_cost: bool,
}

impl Past {
    pub(super) fn add(&mut self, error: &ModelError) {
        self.may_have_cost |= error.may_have_cost;
    }

    /// Asks the budget for one attempt more, if one before it may have used up the last reservation.
    pub(super) async fn allow_another(&mut self, request: &ChatRequest) -> Result<(), ModelError> {
        if self.may_have_cost
            && let Some(allowance) = &request.allowance
        {
            allowance.another_attempt().await?;
            self.may_have_cost = false;
        }
        Ok(())
    }

    /// No further attempt is made.
    pub(super) fn fail(mut self, mut error: ModelError) -> ModelError {
        self.add(&error);
        error.may_have_cost = self.may_have_cost;
        error
    }
}
