//! The embedded queue: in the same file as the embedded store, so that work and message are one
//! transaction. Who sees which message lives in memory (`mailbox`), bodies and counts in the file.
//!
//! A receive waits on a bell that the writer rings at the commit of a message, and on the moment at
//! which a hidden message becomes visible; it never polls.

mod dead_letters;
pub(crate) mod mailbox;
mod ops;

pub use dead_letters::{KeptLetter, dead_letters};
pub(crate) use ops::expire;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::backend::{
    error::BackendError,
    sqlite::{Inner, clock::Moment, error::closed, tx::Tx, writer::Mode},
};
use crate::domain::queue::Receive;
use crate::{
    backend::queue::{DeadLetter, Delivery, Queue, QueueDepth, Receipt},
    domain::queue::QueueName,
};

type Result<T> = std::result::Result<T, BackendError>;

/// The queues in a store's file. Made by `SqliteStore::open`.
pub struct SqliteQueue {
    inner: Arc<Inner>,
}

impl SqliteQueue {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    /// Takes messages. A caller that went away meanwhile (its actor was stopped) cannot answer for them any
    /// more, so they are put back instead of being hidden from everybody until they time out.
    async fn take(
        &self,
        queue: QueueName,
        max: usize,
        visibility: Duration,
    ) -> Result<(Vec<Delivery>, Option<Moment>)> {
        let (answer, answered) = oneshot::channel();
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move {
            let taken = inner.writer.call(Mode::Loose, move |tx| ops::receive(tx, queue, max, visibility)).await;
            let Err(Ok((found, _))) = answer.send(taken) else { return };
            for Delivery { receipt, .. } in found {
                let put_back = move |tx: &mut Tx<'_>| ops::release(tx, &receipt, Duration::ZERO, Receive::Uncounted);
                // An error means that the store is closing; the next start shows them.
                let _ = inner.writer.call(Mode::Loose, put_back).await;
            }
            inner.arrivals.ring_all();
        });
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    fn visibility(&self, queue: QueueName) -> Duration {
        match queue {
            QueueName::Build => self.inner.options.build_visibility,
            QueueName::Deploy | QueueName::BuildDead | QueueName::DeployDead => self.inner.options.deploy_visibility,
        }
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    async fn send(&self, queue: QueueName, body: String, priority: u8) -> Result<()> {
        self.inner.writer.call(Mode::Durable, move |tx| ops::send(tx, queue, &body, priority)).await
    }

    async fn receive(&self, queue: QueueName, max: usize, wait: Duration) -> Result<Vec<Delivery>> {
        let deadline = tokio::time::Instant::now() + wait;
        let visibility = self.visibility(queue);
        loop {
            // Listening begins before the look, so that nothing that comes in between is missed.
            let bell = self.inner.arrivals.bell(queue).notified();
            tokio::pin!(bell);
            bell.as_mut().enable();
            let (found, next) = self.take(queue, max, visibility).await?;
            if !found.is_empty() || max == 0 {
                // Others that wait must learn when these come again.
                self.inner.arrivals.bell(queue).notify_waiters();
                return Ok(found);
            }
            let now = tokio::time::Instant::now();
            if now >= deadline {
                return Ok(found);
            }
            let visible = next.map(|at| now + at.since(Moment::now()) + Duration::from_millis(1));
            let until = visible.map_or(deadline, |at| at.min(deadline));
            let _rung = tokio::time::timeout_at(until, bell).await;
        }
    }

    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<Vec<bool>> {
        let queues: Vec<QueueName> = receipts.iter().map(|receipt| receipt.queue).collect();
        let receipts = receipts.to_vec();
        let held = self.inner.writer.call(Mode::Peek, move |tx| Ok(ops::extend(tx, &receipts, visibility))).await?;
        for queue in queues.into_iter().filter(|queue| visibility < self.visibility(*queue)) {
            self.inner.arrivals.bell(queue).notify_waiters();
        }
        Ok(held)
    }

    async fn delete(&self, receipt: &Receipt) -> Result<()> {
        let receipt = receipt.clone();
        self.inner.writer.call(Mode::Durable, move |tx| ops::delete(tx, &receipt)).await
    }

    async fn release(&self, receipt: &Receipt, delay: Duration, receive: Receive) -> Result<()> {
        let receipt = receipt.clone();
        self.inner.writer.call(Mode::Loose, move |tx| ops::release(tx, &receipt, delay, receive)).await?;
        // It may have kept a suspect of another queue waiting.
        self.inner.arrivals.ring_all();
        Ok(())
    }

    async fn dead_letter(&self, receipt: &Receipt, reason: &str) -> Result<()> {
        let (receipt, reason) = (receipt.clone(), reason.to_owned());
        self.inner.writer.call(Mode::Durable, move |tx| ops::dead_letter(tx, &receipt, &reason)).await
    }

    async fn unsettled_dead_letters(&self, queue: QueueName, max: usize) -> Result<Vec<DeadLetter>> {
        self.inner.readers.ask(move |conn| ops::unsettled(conn, queue, max)).await
    }

    async fn settle_dead_letter(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.inner.writer.call(Mode::Durable, move |tx| ops::settle(tx, &id)).await
    }

    async fn depth(&self, queue: QueueName) -> Result<QueueDepth> {
        self.inner
            .writer
            .call(Mode::Peek, move |tx| {
                let now = tx.now();
                Ok(tx.state.mail.depth(queue, now))
            })
            .await
    }
}
