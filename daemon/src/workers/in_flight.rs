//! A received message on its way through the daemon: the permit it occupies and the duty to answer it.

use std::{sync::Arc, time::Duration};

use tokio::sync::OwnedSemaphorePermit;

use super::environment::Environment;
use crate::backend::queue::{Delivery, Receipt};
use crate::domain::queue::Receive;

/// Pause before a message comes again whose actor died.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// A message with its permit. One of `delete`, `release`, `dead_letter` or `forget` ends it; when it is
/// dropped without (its actor was killed or panicked), the message is released, so nothing is lost.
pub struct InFlight {
    env: Arc<Environment>,
    delivery: Delivery,
    _permit: OwnedSemaphorePermit,
    settled: bool,
}

impl InFlight {
    /// Takes over the duty.
    #[must_use]
    pub fn new(env: Arc<Environment>, delivery: Delivery, permit: OwnedSemaphorePermit) -> Self {
        Self { env, delivery, _permit: permit, settled: false }
    }

    /// The message's body.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.delivery.body
    }

    /// The right to extend or delete it.
    #[must_use]
    pub const fn receipt(&self) -> &Receipt {
        &self.delivery.receipt
    }

    /// The message was deleted with the last commit, or belongs to another by now.
    pub fn forget(mut self) {
        self.settled = true;
    }

    /// The work is done or of no use: the message goes.
    pub async fn delete(mut self) {
        self.settled = true;
        if let Err(error) = self.env.queue.delete(&self.delivery.receipt).await {
            // It will come again and be found obsolete.
            tracing::warn!(%error, "a finished message could not be deleted");
        }
    }

    /// The message comes again after `delay`; `receive` says whether that is its own fault.
    pub async fn release(mut self, delay: Duration, receive: Receive) {
        self.settled = true;
        release(&self.env, &self.delivery.receipt, delay, receive).await;
    }

    /// The message can never be worked on.
    pub async fn dead_letter(mut self, reason: &str) {
        self.settled = true;
        if let Err(error) = self.env.queue.dead_letter(&self.delivery.receipt, reason).await {
            tracing::warn!(%error, reason, "a message could not be moved to the dead letters");
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let (env, receipt) = (Arc::clone(&self.env), self.delivery.receipt.clone());
        // Outside of a runtime the process is ending, and the visibility timeout does the same.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let tasks = self.env.tasks.clone();
            tasks.spawn_on(async move { release(&env, &receipt, AFTER_FAILURE, Receive::Counted).await }, &runtime);
        }
    }
}

async fn release(env: &Environment, receipt: &Receipt, delay: Duration, receive: Receive) {
    if let Err(error) = env.queue.release(receipt, delay, receive).await {
        tracing::warn!(%error, "a message could not be released; it is delivered again after its visibility timeout");
    }
}
