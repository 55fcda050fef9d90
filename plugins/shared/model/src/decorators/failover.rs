//! Asks the next provider where one cannot answer.

use std::sync::Arc;

use async_trait::async_trait;

use super::open::{Past, open};
use crate::{ChatModel, ChatRequest, ChatStream, ErrorKind, Identity, ModelError};

/// Providers in the order in which they are asked. Each one is asked once a call; waiting is the retry's work.
pub struct Failover {
    providers: Vec<Arc<dyn ChatModel>>,
}

impl Failover {
    #[must_use]
    pub fn new(providers: Vec<Arc<dyn ChatModel>>) -> Self {
        Self { providers }
    }
}

#[async_trait]
impl ChatModel for Failover {
    fn identity(&self) -> Identity {
        self.providers.first().map_or_else(|| Identity::new("none", "none"), |first| first.identity())
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, ModelError> {
        let mut past = Past::default();
        let mut worst: Option<ModelError> = None;
        for provider in &self.providers {
            // By what the attempts did, not by the failure that is told: that may be another one's.
            if let Err(refused) = past.allow_another(&request).await {
                return Err(past.fail(refused));
            }
            match open(&**provider, request.clone()).await {
                Ok(stream) => return Ok(stream),
                Err(error) if !error.kind.is_worth_another_provider() => return Err(past.fail(error)),
                Err(error) => {
                    past.add(&error);
                    // The flag is kept in `past`, where a further reservation clears it.
                    worst = Some(ModelError { may_have_cost: false, ..more_telling(worst, error) });
                }
            }
        }
        let none = || ModelError::new(ErrorKind::UnknownModel, "there is no provider to ask");
        Err(past.fail(worst.unwrap_or_else(none)))
    }

    async fn count_tokens(&self, request: &ChatRequest) -> Result<Option<u64>, ModelError> {
        match self.providers.first() {
            Some(first) => first.count_tokens(request).await,
            None => Ok(None),
        }
    }

    async fn refresh_credentials(&self) -> bool {
        let mut any = false;
        for provider in &self.providers {
            any |= provider.refresh_credentials().await;
        }
        any
    }
}

/// Of several failures, one that waiting can heal decides: then the retry comes back, at the earliest wished time.
/// The message names all of them.
fn more_telling(before: Option<ModelError>, error: ModelError) -> ModelError {
    let Some(before) = before else { return error };
    let message = format!("{}; then {}", before.message, error.message);
    let both_ask = before.retry_after.zip(error.retry_after).map(|(one, other)| one.min(other));
    let mut chosen = match (before.kind.is_worth_a_retry(), error.kind.is_worth_a_retry()) {
        (true, true) => ModelError { retry_after: both_ask, ..before },
        (false, true) => error,
        _ => before,
    };
    chosen.message = message;
    chosen
}
