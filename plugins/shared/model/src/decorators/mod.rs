//! What stands around a provider. The order is fixed, because each other one is wrong somewhere:
//!
//! budget → whole deadline → retry → failover → deadlines of an attempt → provider
//!
//! A budget within the retry would count a call several times; a retry within the failover would wait for a dead provider
//! while another one stands idle.

mod budget;
mod deadline;
mod failover;
mod open;
mod retry;

use std::sync::Arc;
use std::time::Duration;

pub use budget::{Budget, Ledger, Reservation, Settlement};
pub use deadline::Deadlines;
pub use failover::Failover;
pub use retry::{Retry, RetryRules};

use crate::ChatModel;
use deadline::Timed;

/// Puts the decorators around providers in their order, whatever the order of its methods' calls.
pub struct Stack {
    providers: Vec<Arc<dyn ChatModel>>,
    deadlines: Deadlines,
    whole: Option<Duration>,
    retry: Option<RetryRules>,
    ledger: Option<Arc<dyn Ledger>>,
}

impl Stack {
    #[must_use]
    pub fn of(provider: Arc<dyn ChatModel>) -> Self {
        Self { providers: vec![provider], deadlines: Deadlines::default(), whole: None, retry: None, ledger: None }
    }

    /// Asked when those before it cannot answer.
    #[must_use]
    pub fn or(mut self, provider: Arc<dyn ChatModel>) -> Self {
        self.providers.push(provider);
        self
    }

    /// For each attempt.
    #[must_use]
    pub fn deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// For the call with all its attempts.
    #[must_use]
    pub fn within(mut self, whole: Duration) -> Self {
        self.whole = Some(whole);
        self
    }

    #[must_use]
    pub fn retry(mut self, rules: RetryRules) -> Self {
        self.retry = Some(rules);
        self
    }

    #[must_use]
    pub fn budget(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    #[must_use]
    pub fn build(self) -> Arc<dyn ChatModel> {
        let mut timed: Vec<Arc<dyn ChatModel>> = Vec::with_capacity(self.providers.len());
        for provider in self.providers {
            timed.push(Arc::new(Timed::new(provider, self.deadlines)));
        }
        let mut model: Arc<dyn ChatModel> = match <[_; 1]>::try_from(timed) {
            Ok([only]) => only,
            Err(several) => Arc::new(Failover::new(several)),
        };
        if let Some(rules) = self.retry {
            model = Arc::new(Retry::new(model, rules));
        }
        if let Some(whole) = self.whole {
            model = Arc::new(Timed::new(model, Deadlines { whole: Some(whole), ..Deadlines::default() }));
        }
        match self.ledger {
            Some(ledger) => Arc::new(Budget::new(model, ledger)),
            None => model,
        }
    }
}

#[cfg(test)]
mod account_tests;
#[cfg(test)]
mod tests;
