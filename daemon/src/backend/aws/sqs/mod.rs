//! The queues of the cloud backend: SQS, shared by any number of daemons and by the original's services.

mod dead_letters;
mod removal;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    types::{
        ChangeMessageVisibilityBatchRequestEntry as VisibilityEntry, Message, MessageAttributeValue,
        MessageSystemAttributeName as System, QueueAttributeName,
    },
};
use tokio::sync::OnceCell;

pub use dead_letters::FoundDeadLetter;
use removal::Removals;

use crate::domain::queue::Receive;
use crate::{
    backend::queue::{BuildMessage, DeadLetter, Delivery, Queue, QueueDepth, QueueNames, Receipt},
    domain::queue::QueueName,
};
use crate::{
    backend::{
        aws::TroubleLog,
        error::{BackendError, BackendErrorKind},
        store::Trouble,
    },
    telemetry::names,
};

type Result<T> = std::result::Result<T, BackendError>;

/// Messages of one request.
const BATCH: usize = 10;
/// SQS's longest long poll and longest delay.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
const LONGEST_DELAY: Duration = Duration::from_secs(900);
/// SQS's longest visibility timeout.
const LONGEST_HIDDEN: Duration = Duration::from_secs(43_200);
/// SQS's limit of a message.
const MAX_BYTES: usize = 262_144;
/// Messages of which more than the receipt is remembered.
const KEPT: usize = 100_000;
/// Seconds for which a dead letter stays hidden while the daemon looks at it.
const LOOKED_AT: i32 = 5;

/// Where the queues are and how they behave.
#[derive(Clone, Debug)]
pub struct SqsOptions {
    /// What the client's tries are noted in.
    pub trouble: Arc<TroubleLog>,
    /// What the queues are called.
    pub names: QueueNames,
    /// How long a received message stays hidden.
    pub visibility: Duration,
    /// As the queues' redrive policy has it; for the words of a reason.
    pub max_receive_count: u32,
}

/// What a receipt does not say of its message.
struct InFlight {
    body: String,
    priority: u8,
    /// When it can be received again: from then on the receipt may be another's.
    until: Instant,
}

pub struct SqsQueue {
    client: Client,
    options: SqsOptions,
    urls: [OnceCell<String>; 4],
    in_flight: Mutex<HashMap<String, InFlight>>,
    settled: Mutex<HashSet<String>>,
    removals: Removals,
}

fn failed<E, R>(error: SdkError<E, R>) -> BackendError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
    let (kind, text) = if code.contains("NonExistentQueue") || code.contains("QueueDoesNotExist") {
        (BackendErrorKind::Unavailable, "a queue is missing: run `nexusd resources init`")
    } else if code.contains("AccessDenied") {
        (BackendErrorKind::Unavailable, "the queue service denies access: see `nexusd resources policy`")
    } else {
        (BackendErrorKind::Unavailable, "the queue service is not available")
    };
    tracing::debug!(error = %DisplayErrorContext(&error), "a request to SQS failed");
    BackendError::new(kind, text).because(error)
}

fn unbuilt(error: aws_sdk_sqs::error::BuildError) -> BackendError {
    BackendError::new(BackendErrorKind::Corrupt, "a request to the queue service could not be made").because(error)
}

/// Whether a receipt is of no use (any more): not an error of the service.
fn is_stale<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    is_stale_code(error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default())
}

fn is_stale_code(code: &str) -> bool {
    ["ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight", "InvalidIdFormat"]
        .iter()
        .any(|known| code.contains(known))
}

fn seconds(time: Duration) -> i32 {
    // Up to the next whole one: a message that comes too early is worse than one that comes late.
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}

fn attribute(kind: &str, text: impl Into<String>) -> Result<MessageAttributeValue> {
    MessageAttributeValue::builder().data_type(kind).string_value(text).build().map_err(unbuilt)
}

fn priority_of(message: &Message, body: &str) -> u8 {
    let attributes = message.message_attributes();
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    #[allow(clippy::cast_possible_truncation)] // clamped
    let stated = attributes.and_then(|all| Some(number(all.get("priority")?.string_value()?)? as i64));
    let stated = stated.or_else(|| BuildMessage::parse(body).ok().map(|message| message.priority));
    crate::domain::project::Priority::clamped(stated.unwrap_or(3)).get()
}

fn count_of(message: &Message) -> u32 {
    let attributes = message.attributes();
    attributes.and_then(|all| all.get(&System::ApproximateReceiveCount)?.parse().ok()).unwrap_or(1)
}

fn sent_at(message: &Message) -> u64 {
    let attributes = message.attributes();
    attributes.and_then(|all| all.get(&System::SentTimestamp)?.parse().ok()).unwrap_or(0)
}

impl SqsQueue {
    /// Queues by their names; they are looked up when they are first used.
    pub fn new(client: Client, options: SqsOptions) -> Self {
        let (urls, in_flight, settled, removals) = Default::default();
        Self { client, options, urls, in_flight, settled, removals }
    }

    async fn url(&self, queue: QueueName) -> Result<&str> {
        let Some(cell) = QueueName::ALL.iter().position(|name| *name == queue).and_then(|at| self.urls.get(at)) else {
            return Err(BackendError::new(BackendErrorKind::Invalid, "there is no such queue"));
        };
        let found = cell
            .get_or_try_init(|| async {
                let name = self.options.names.get(queue);
                let answer = self.client.get_queue_url().queue_name(name).send().await.map_err(failed)?;
                answer
                    .queue_url
                    .ok_or_else(|| BackendError::new(BackendErrorKind::Unavailable, "a queue has no address"))
            })
            .await?;
        Ok(found)
    }

    fn counted<T, E, R>(
        what: &'static str,
        answer: std::result::Result<T, SdkError<E, R>>,
    ) -> std::result::Result<T, SdkError<E, R>> {
        let outcome = if answer.is_ok() { "ok" } else { "error" };
        metrics::counter!(names::CLOUD_REQUESTS, "service" => "sqs", "operation" => what, "outcome" => outcome)
            .increment(1);
        answer
    }

    async fn send_with(
        &self,
        queue: QueueName,
        body: &str,
        priority: u8,
        delay: Duration,
        reason: Option<&str>,
    ) -> Result<()> {
        if body.len() > MAX_BYTES {
            return Err(BackendError::new(
                BackendErrorKind::Invalid,
                format!("a message has at most {MAX_BYTES} bytes"),
            ));
        }
        let mut request = self
            .client
            .send_message()
            .queue_url(self.url(queue).await?)
            .message_body(body)
            .delay_seconds(seconds(delay.min(LONGEST_DELAY)))
            .message_attributes("priority", attribute("Number", priority.to_string())?);
        if let Some(reason) = reason {
            let reason: String = reason.chars().filter(|c| !c.is_control()).take(1_000).collect();
            request = request.message_attributes("reason", attribute("String", format!("{reason} "))?);
        }
        Self::counted("send_message", request.send().await).map_err(failed)?;
        Ok(())
    }

    /// Receives at most ten.
    async fn receive_some(&self, queue: QueueName, max: usize, wait: Duration, hidden: i32) -> Result<Vec<Message>> {
        let request = self
            .client
            .receive_message()
            .queue_url(self.url(queue).await?)
            .max_number_of_messages(i32::try_from(max.clamp(1, BATCH)).unwrap_or(1))
            .wait_time_seconds(i32::try_from(wait.min(LONGEST_WAIT).as_secs()).unwrap_or(0))
            .visibility_timeout(hidden)
            .message_system_attribute_names(System::ApproximateReceiveCount)
            .message_system_attribute_names(System::SentTimestamp)
            .message_attribute_names("All");
        let answer = request.customize().config_override(crate::backend::aws::clients::poll_limits()).send().await;
        let answer = Self::counted("receive_message", answer).map_err(failed)?;
        Ok(answer.messages.unwrap_or_default())
    }

    fn remember(&self, handle: &str, body: &str, priority: u8, until: Instant) {
        let mut known = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(handle.to_owned(), InFlight { body: body.to_owned(), priority, until });
    }

    /// Takes what is known of a message that is still ours. SQS would act on a receipt whose time is over, too, and
    /// so on a message that is another's by now.
    fn take(&self, receipt: &Receipt) -> Option<InFlight> {
        let known = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(&receipt.handle);
        known.filter(|message| message.until > Instant::now())
    }

    fn is_ours(&self, receipt: &Receipt) -> bool {
        let known = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&receipt.handle).is_some_and(|message| message.until > Instant::now())
    }

    fn extended(&self, receipt: &Receipt, by: Duration) {
        let mut known = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(message) = known.get_mut(&receipt.handle) {
            message.until = Instant::now() + by;
        }
    }

    fn delivery(&self, queue: QueueName, message: Message, received: Instant) -> Option<(u8, u64, Delivery)> {
        let (receive_count, sent) = (count_of(&message), sent_at(&message));
        let attributes = message.message_attributes();
        let action = attributes.and_then(|all| all.get("action")?.string_value());
        let body = crate::backend::queue::message::with_action(message.body.clone().unwrap_or_default(), action);
        let priority = priority_of(&message, &body);
        let handle = message.receipt_handle?;
        self.remember(&handle, &body, priority, received + self.options.visibility);
        let receipt = Receipt { queue, handle, receive_count };
        Some((priority, sent, Delivery { receipt, body, receive_count }))
    }

    /// Hides or shows messages; `done` is told of each batch that was taken, also when a later one fails.
    async fn extend_batch(
        &self,
        queue: QueueName,
        receipts: &[(usize, &Receipt)],
        hidden: i32,
        mut done: impl FnMut(usize),
    ) -> Result<()> {
        for chunk in receipts.chunks(BATCH) {
            let entry = |(at, receipt): &(usize, &Receipt)| {
                VisibilityEntry::builder()
                    .id(at.to_string())
                    .receipt_handle(&receipt.handle)
                    .visibility_timeout(hidden)
                    .build()
                    .map_err(unbuilt)
            };
            let entries: Vec<VisibilityEntry> = chunk.iter().map(entry).collect::<Result<_>>()?;
            let request = self.client.change_message_visibility_batch().queue_url(self.url(queue).await?);
            let answer = request.set_entries(Some(entries)).send().await;
            let answer = Self::counted("change_message_visibility_batch", answer).map_err(failed)?;
            answer.successful.iter().filter_map(|entry| entry.id.parse().ok()).for_each(&mut done);
        }
        Ok(())
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, queue: QueueName, body: String, priority: u8) -> Result<()> {
        self.send_with(queue, &body, priority, Duration::ZERO, None).await
    }

    /// What comes together is handed out by priority: SQS itself knows none.
    async fn receive(&self, queue: QueueName, max: usize, wait: Duration) -> Result<Vec<Delivery>> {
        let hidden = seconds(self.options.visibility.min(LONGEST_HIDDEN));
        // Hidden from when they are handed out, which is not before this unless the poll is long.
        let mut received = Instant::now();
        let mut found = self.receive_some(queue, max, wait, hidden).await?;
        if found.is_empty() && !wait.is_zero() && wait < Duration::from_secs(1) {
            // SQS waits in whole seconds.
            tokio::time::sleep(wait).await;
            found = self.receive_some(queue, max, Duration::ZERO, hidden).await?;
        }
        if wait >= Duration::from_secs(1) {
            received = Instant::now();
        }
        while found.len() % BATCH == 0 && !found.is_empty() && found.len() < max {
            match self.receive_some(queue, max - found.len(), Duration::ZERO, hidden).await {
                Ok(more) if more.is_empty() => break,
                Ok(more) => found.extend(more),
                // What is here is hidden from everybody else: it is handed out, and the next receive tells the error.
                Err(error) => {
                    tracing::warn!(%error, "a second receive failed; the messages of the first are worked on");
                    break;
                }
            }
        }
        let mut deliveries: Vec<_> =
            found.into_iter().filter_map(|message| self.delivery(queue, message, received)).collect();
        deliveries.sort_by_key(|(priority, sent, _)| (std::cmp::Reverse(*priority), *sent));
        Ok(deliveries.into_iter().map(|(_, _, delivery)| delivery).collect())
    }

    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<Vec<bool>> {
        let mut held = vec![false; receipts.len()];
        let hidden = seconds(visibility.min(LONGEST_HIDDEN));
        for queue in QueueName::ALL {
            let ours = |(_, receipt): &(usize, &Receipt)| receipt.queue == queue && self.is_ours(receipt);
            let of: Vec<(usize, &Receipt)> = receipts.iter().enumerate().filter(ours).collect();
            let done = |at: usize| {
                if let (Some(slot), Some(receipt)) = (held.get_mut(at), receipts.get(at)) {
                    *slot = true;
                    self.extended(receipt, visibility);
                }
            };
            self.extend_batch(queue, &of, hidden, done).await?;
        }
        Ok(held)
    }

    async fn delete(&self, receipt: &Receipt) -> Result<()> {
        if self.take(receipt).is_none() {
            return Ok(());
        }
        self.remove(receipt.queue, &receipt.handle).await
    }

    /// A receive that is not to count is undone by a copy: SQS takes none back. The copy is sent first, so nothing is
    /// lost by an end in between, and of two one finds nothing to do.
    async fn release(&self, receipt: &Receipt, delay: Duration, receive: Receive) -> Result<()> {
        let Some(InFlight { body, priority, .. }) = self.take(receipt) else { return Ok(()) };
        if receive == Receive::Uncounted {
            self.send_with(receipt.queue, &body, priority, delay, None).await?;
            return self.remove(receipt.queue, &receipt.handle).await;
        }
        let request = self
            .client
            .change_message_visibility()
            .queue_url(self.url(receipt.queue).await?)
            .receipt_handle(&receipt.handle)
            .visibility_timeout(seconds(delay.min(LONGEST_HIDDEN)));
        match Self::counted("change_message_visibility", request.send().await) {
            Ok(_) => Ok(()),
            Err(error) if is_stale(&error) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    async fn dead_letter(&self, receipt: &Receipt, reason: &str) -> Result<()> {
        let (Some(dead), Some(InFlight { body, priority, .. })) = (receipt.queue.dead_letters(), self.take(receipt))
        else {
            return Ok(());
        };
        metrics::counter!(names::POISON, "queue" => receipt.queue.as_str()).increment(1);
        self.send_with(dead, &body, priority, Duration::ZERO, Some(reason)).await?;
        self.remove(receipt.queue, &receipt.handle).await
    }

    /// Letters are looked at and let go again; which of them are settled this daemon remembers. After a restart each is
    /// looked at once more, which ends nothing twice.
    async fn unsettled_dead_letters(&self, queue: QueueName, max: usize) -> Result<Vec<DeadLetter>> {
        let (mut letters, mut seen, mut looked_at) = (Vec::new(), HashSet::new(), Vec::new());
        while letters.len() < max {
            let found = match self.receive_some(queue, BATCH, Duration::ZERO, LOOKED_AT).await {
                Ok(found) => found,
                Err(error) if letters.is_empty() => return Err(error),
                // As of a receive: what is here is looked at now.
                Err(_) => break,
            };
            let mut fresh = false;
            for message in found {
                let (Some(id), Some(handle)) = (message.message_id.clone(), message.receipt_handle.clone()) else {
                    continue;
                };
                looked_at.push(Receipt { queue, handle: handle.clone(), receive_count: 0 });
                fresh |= seen.insert(id.clone());
                let by_hand = message.message_attributes().is_some_and(|all| all.contains_key("reason"));
                let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner).contains(&id);
                if by_hand || settled || letters.iter().any(|letter: &DeadLetter| letter.id == id) {
                    continue;
                }
                let reason = format!("received {} times, and never worked to its end", self.options.max_receive_count);
                letters.push(DeadLetter { id, handle, queue, body: message.body.unwrap_or_default(), reason });
            }
            if !fresh {
                break;
            }
        }
        let looked_at: Vec<(usize, &Receipt)> = looked_at.iter().enumerate().collect();
        // They show themselves again in a few seconds anyway.
        if let Err(error) = self.extend_batch(queue, &looked_at, 0, |_| ()).await {
            tracing::debug!(%error, "the visibility timeout of dead letters could not be ended at once");
        }
        letters.truncate(max);
        Ok(letters)
    }

    async fn settle_dead_letter(&self, id: &str) -> Result<()> {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        if settled.len() >= KEPT {
            settled.clear();
        }
        settled.insert(id.to_owned());
        Ok(())
    }

    async fn discard_dead_letter(&self, letter: &DeadLetter) -> Result<()> {
        self.settle_dead_letter(&letter.id).await?;
        self.remove(letter.queue, &letter.handle).await
    }

    /// SQS does not tell how old the oldest message is.
    async fn depth(&self, queue: QueueName) -> Result<QueueDepth> {
        let request = self
            .client
            .get_queue_attributes()
            .queue_url(self.url(queue).await?)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
        let answer = Self::counted("get_queue_attributes", request.send().await).map_err(failed)?;
        let of =
            |name: QueueAttributeName| answer.attributes().and_then(|all| all.get(&name)?.parse().ok()).unwrap_or(0);
        Ok(QueueDepth {
            visible: of(QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: of(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            oldest: None,
        })
    }
    fn trouble(&self) -> Option<Trouble> {
        self.options.trouble.lately()
    }
}
