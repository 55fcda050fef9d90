//! Dead letters, for people: looked at, sent back, written.

use std::time::{Duration, Instant};

use super::{BATCH, LOOKED_AT, Result, SqsQueue, priority_of};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        queue::{Queue as _, Receipt},
    },
    domain::queue::QueueName,
};

/// Seconds for which letters stay hidden from others while somebody decides about them.
const HELD: i32 = 60;
/// How long others may hold letters that are to be seen, too.
const PATIENCE: Duration = Duration::from_secs(LOOKED_AT as u64 + 2);
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub struct FoundDeadLetter {
    /// The service's id of the message.
    pub id: String,
    /// Why it is there.
    pub reason: String,
    /// As sent.
    pub body: String,
    /// 1 to 5.
    pub priority: u8,
    handle: String,
}

impl SqsQueue {
    /// The dead letters of a queue. They are held: [`SqsQueue::let_go`] shows them to others again. Daemons look at
    /// them, too, now and then; those that one has in hand are waited for.
    pub async fn dead_letters(&self, of: QueueName) -> Result<Vec<FoundDeadLetter>> {
        let Some(dead) = of.dead_letters() else { return Ok(Vec::new()) };
        let mut letters: Vec<FoundDeadLetter> = Vec::new();
        let until = Instant::now() + PATIENCE;
        loop {
            let mut fresh = false;
            let found = match self.receive_some(dead, BATCH, Duration::ZERO, HELD).await {
                Ok(found) => found,
                Err(error) => {
                    // Those that are held already are shown to others again, as far as the service answers at all.
                    let _ = self.let_go(of, &letters).await;
                    return Err(error);
                }
            };
            for message in found {
                let body = message.body.clone().unwrap_or_default();
                let priority = priority_of(&message, &body);
                let attributes = message.message_attributes();
                let reason = attributes.and_then(|all| all.get("reason")?.string_value()).map(str::to_owned);
                let (Some(id), Some(handle)) = (message.message_id, message.receipt_handle) else { continue };
                let reason = reason.unwrap_or_else(|| "received too often, and never worked to its end".to_owned());
                let letter = FoundDeadLetter { id, reason: reason.trim().to_owned(), body, priority, handle };
                match letters.iter_mut().find(|known| known.id == letter.id) {
                    Some(known) => *known = letter,
                    None => {
                        letters.push(letter);
                        fresh = true;
                    }
                }
            }
            if fresh {
                continue;
            }
            let depth = self.depth(dead).await?;
            let missing = (depth.visible + depth.in_flight).saturating_sub(letters.len() as u64);
            if missing == 0 {
                return Ok(letters);
            }
            if Instant::now() >= until {
                self.let_go(of, &letters).await?;
                let text = format!("{missing} dead letters are held by another reader just now: try again in a minute");
                return Err(BackendError::new(BackendErrorKind::Unavailable, text));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Shows letters to others again.
    ///
    /// # Errors
    /// The service is away: then they are to be seen in a minute.
    pub async fn let_go(&self, of: QueueName, letters: &[FoundDeadLetter]) -> Result<()> {
        let Some(queue) = of.dead_letters() else { return Ok(()) };
        let receipt = |letter: &FoundDeadLetter| Receipt { queue, handle: letter.handle.clone(), receive_count: 0 };
        let receipts: Vec<Receipt> = letters.iter().map(receipt).collect();
        let receipts: Vec<(usize, &Receipt)> = receipts.iter().enumerate().collect();
        self.extend_batch(queue, &receipts, 0, |_| ()).await?;
        Ok(())
    }

    /// Sends a dead letter back to its queue. An end in between leaves it in both, which does no harm.
    pub async fn send_back(&self, to: QueueName, letter: &FoundDeadLetter) -> Result<()> {
        self.send_with(to, &letter.body, letter.priority, Duration::ZERO, None).await?;
        match to.dead_letters() {
            Some(dead) => self.remove(dead, &letter.handle).await,
            None => Ok(()),
        }
    }

    /// Writes a dead letter that comes from another place.
    ///
    /// # Errors
    /// The service is away, or the letter is too large.
    pub async fn bury(&self, dead: QueueName, body: &str, priority: u8, reason: &str) -> Result<()> {
        self.send_with(dead, body, priority, Duration::ZERO, Some(reason)).await
    }
}
