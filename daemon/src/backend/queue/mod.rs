//! Queues with the semantics of SQS: at least once, visibility timeout, receive count, dead letters.

pub(crate) mod message;

use std::time::Duration;

use async_trait::async_trait;
pub use message::{BuildMessage, DeployMessage, MessageError, subject};

use crate::backend::{error::BackendError, store::Trouble};
use crate::domain::queue::QueueName;
use crate::domain::queue::Receive;

/// What the queues are called outside, prefix included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueNames {
    names: [String; 4],
    notifications: String,
}

impl QueueNames {
    /// Those of the settings.
    pub fn of(config: &crate::config::Config) -> Self {
        let (queues, prefix) = (&config.queues, &config.backend.prefix);
        let names = QueueName::ALL.map(|queue| match queue {
            QueueName::Build => &queues.build.name,
            QueueName::Deploy => &queues.deploy.name,
            QueueName::BuildDead => &queues.build.dead_letters,
            QueueName::DeployDead => &queues.deploy.dead_letters,
        });
        Self { names: names.map(|name| format!("{prefix}{name}")), notifications: format!("{prefix}{NOTIFICATIONS}") }
    }

    /// The name of one.
    pub fn get(&self, queue: QueueName) -> &str {
        let at = QueueName::ALL.iter().position(|one| *one == queue);
        at.and_then(|at| self.names.get(at)).map_or(queue.as_str(), String::as_str)
    }

    /// That of notifications, which nobody sends yet.
    pub fn notifications(&self) -> &str {
        &self.notifications
    }
}

impl Default for QueueNames {
    fn default() -> Self {
        Self { names: QueueName::ALL.map(|queue| queue.as_str().to_owned()), notifications: NOTIFICATIONS.to_owned() }
    }
}

/// SPEC section 2's optional queue.
const NOTIFICATIONS: &str = "nexus-notification-queue";

/// The right to extend or delete a received message: its id and the number of this receive, so that
/// a receipt of an earlier delivery does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    pub queue: QueueName,
    /// The backend's handle of the message.
    pub handle: String,
    /// Number of the receive it belongs to.
    pub receive_count: u32,
}

#[derive(Clone, Debug)]
pub struct Delivery {
    /// For extend, delete, release.
    pub receipt: Receipt,
    /// The body as sent.
    pub body: String,
    /// How often it was received, this time included.
    pub receive_count: u32,
}

/// How a queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Can be received now.
    pub visible: u64,
    /// Received and not yet deleted.
    pub in_flight: u64,
    /// Age of the oldest visible message.
    pub oldest: Option<Duration>,
}

/// A queue service. Fallible calls may be repeated.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Sends a message; `priority` 1 to 5. Durable when answered.
    async fn send(&self, queue: QueueName, body: String, priority: u8) -> Result<(), BackendError>;

    /// Receives up to `max` messages, waiting up to `wait` for the first. Higher priorities first, but
    /// each lower one keeps a share. A message that was received `max_receive_count` times already goes
    /// to the dead letters instead (with the reason) and shows up in [`Queue::unsettled_dead_letters`].
    ///
    /// Cancel-safe: a dropped call loses nothing for longer than the visibility timeout.
    async fn receive(&self, queue: QueueName, max: usize, wait: Duration) -> Result<Vec<Delivery>, BackendError>;

    /// Keeps messages invisible for `visibility` from now. Answers which receipts still hold.
    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<Vec<bool>, BackendError>;

    /// Deletes a message. No error when it is gone or was received again by another.
    async fn delete(&self, receipt: &Receipt) -> Result<(), BackendError>;

    /// Lets the message come again after `delay`; `receive` says whether this one counted.
    async fn release(&self, receipt: &Receipt, delay: Duration, receive: Receive) -> Result<(), BackendError>;

    /// Moves a received message to the dead letters, with the reason.
    async fn dead_letter(&self, receipt: &Receipt, reason: &str) -> Result<(), BackendError>;

    /// Messages in the dead-letter queue that arrived by count and whose tasks are not yet marked
    /// failed: the reconciler marks them and acknowledges each by [`Queue::settle_dead_letter`].
    async fn unsettled_dead_letters(&self, queue: QueueName, max: usize) -> Result<Vec<DeadLetter>, BackendError>;

    async fn settle_dead_letter(&self, id: &str) -> Result<(), BackendError>;

    /// Removes a dead letter whose task goes on.
    async fn discard_dead_letter(&self, letter: &DeadLetter) -> Result<(), BackendError> {
        self.settle_dead_letter(&letter.id).await
    }

    /// Depth and age, from the backend.
    async fn depth(&self, queue: QueueName) -> Result<QueueDepth, BackendError>;

    /// What it has had to contend with in the last half minute, although it goes on.
    fn trouble(&self) -> Option<Trouble> {
        None
    }
}

/// How the reason of a dead letter begins whose work ended the daemon.
pub(crate) const DIED: &str = "the daemon died";

#[derive(Clone, Debug)]
pub struct DeadLetter {
    pub id: String,
    /// The backend's handle of it, for [`Queue::discard_dead_letter`].
    pub handle: String,
    /// The dead-letter queue it is in.
    pub queue: QueueName,
    /// The body as sent.
    pub body: String,
    /// Why it is here.
    pub reason: String,
}
