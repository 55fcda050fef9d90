//! Repeats a call that failed before its first content, where that is worth it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rand::Rng as _;

use super::open::{Past, open};
use crate::{ChatModel, ChatRequest, ChatStream, ErrorKind, Identity, ModelError};

/// How often and when a call is repeated.
#[derive(Debug, Clone, Copy)]
pub struct RetryRules {
    /// All attempts, the first one too.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles with each further one. A part of it is random, so that
    /// callers who failed together do not come back together.
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// A provider that asks for more than this fails at once, with its wish in the error.
    pub longest_asked: Duration,
}

impl Default for RetryRules {
    fn default() -> Self {
        Self {
            attempts: 4,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(20),
            longest_asked: Duration::from_secs(60),
        }
    }
}

impl RetryRules {
    /// The wait before the attempt after the `failed`th; `None` if there is to be none.
    fn wait(&self, failed: u32, error: &ModelError) -> Option<Duration> {
        if failed >= self.attempts || !error.kind.is_worth_a_retry() {
            return None;
        }
        let doubled = self.first_wait.saturating_mul(1 << failed.saturating_sub(1).min(16)).min(self.longest_wait);
        let wait = doubled.mul_f64(rand::rng().random_range(0.5..=1.0));
        match error.retry_after {
            Some(asked) if asked > self.longest_asked => None,
            // Not earlier than asked, and not all at the same moment.
            Some(asked) => Some(asked + wait.min(asked / 4 + Duration::from_millis(50))),
            None => Some(wait),
        }
    }
}

/// The decorator. A refresh of the credentials does not count as an attempt, and happens once a call.
pub struct Retry {
    inner: Arc<dyn ChatModel>,
    rules: RetryRules,
}

impl Retry {
    #[must_use]
    pub fn new(inner: Arc<dyn ChatModel>, rules: RetryRules) -> Self {
        Self { inner, rules }
    }
}

#[async_trait]
impl ChatModel for Retry {
    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, ModelError> {
        let mut past = Past::default();
        let mut failed = 0;
        let mut refreshed = false;
        loop {
            let error = match open(&*self.inner, request.clone()).await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            let refresh = error.kind == ErrorKind::Unauthorized && !std::mem::replace(&mut refreshed, true);
            let wait = if refresh && self.inner.refresh_credentials().await {
                Duration::ZERO
            } else {
                failed += 1;
                let Some(wait) = self.rules.wait(failed, &error) else { return Err(past.fail(error)) };
                wait
            };
            past.add(&error);
            if let Err(refused) = past.allow_another(&request).await {
                return Err(past.fail(refused));
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn count_tokens(&self, request: &ChatRequest) -> Result<Option<u64>, ModelError> {
        self.inner.count_tokens(request).await
    }

    async fn refresh_credentials(&self) -> bool {
        self.inner.refresh_credentials().await
    }
}
