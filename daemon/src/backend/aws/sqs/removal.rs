//! Messages that are done with, deleted together: builds that end side by side share a request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_sqs::{Client, types::DeleteMessageBatchRequestEntry as Entry};
use tokio::sync::oneshot;

use super::{BATCH, Result, SqsQueue, failed, is_stale_code, unbuilt};
use crate::{
    backend::error::{BackendError, BackendErrorKind},
    domain::queue::QueueName,
};

/// How long the first of a batch waits for others.
const GATHER: Duration = Duration::from_millis(10);

struct Waiting {
    handle: String,
    done: oneshot::Sender<Result<()>>,
}

/// Those that wait for the next request, by queue.
#[derive(Clone, Default)]
pub(super) struct Removals(Arc<Mutex<HashMap<QueueName, Vec<Waiting>>>>);

impl Removals {
    /// Answers whether it is the first, whose caller sends the batch.
    fn push(&self, queue: QueueName, waiting: Waiting) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let list = all.entry(queue).or_default();
        list.push(waiting);
        list.len() == 1
    }

    fn take(&self, queue: QueueName) -> Vec<Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&queue).unwrap_or_default()
    }
}

fn away() -> BackendError {
    BackendError::new(BackendErrorKind::Unavailable, "the queue service is not available")
}

async fn send(client: &Client, url: &str, chunk: Vec<Waiting>) {
    let entry = |(at, waiting): (usize, &Waiting)| {
        Entry::builder().id(at.to_string()).receipt_handle(&waiting.handle).build().map_err(unbuilt)
    };
    let entries: Result<Vec<Entry>> = chunk.iter().enumerate().map(entry).collect();
    let answer = match entries {
        Ok(entries) => {
            let request = client.delete_message_batch().queue_url(url).set_entries(Some(entries));
            SqsQueue::counted("delete_message_batch", request.send().await).map_err(failed)
        }
        Err(error) => Err(error),
    };
    let refused = |answer: &aws_sdk_sqs::operation::delete_message_batch::DeleteMessageBatchOutput, at: usize| {
        let mut failed = answer.failed.iter();
        failed.any(|entry| entry.id == at.to_string() && !is_stale_code(&entry.code))
    };
    for (at, Waiting { done, .. }) in chunk.into_iter().enumerate() {
        let told = match &answer {
            Ok(answer) if refused(answer, at) => Err(away()),
            Ok(_) => Ok(()),
            Err(error) => Err(BackendError::new(error.kind(), error.to_string())),
        };
        // Who does not wait any more has nothing to learn.
        let _ = done.send(told);
    }
}

impl SqsQueue {
    /// Deletes a message; no error when it is gone or another's by now.
    pub(super) async fn remove(&self, queue: QueueName, handle: &str) -> Result<()> {
        let url = self.url(queue).await?.to_owned();
        let (done, answer) = oneshot::channel();
        if self.removals.push(queue, Waiting { handle: handle.to_owned(), done }) {
            let (client, removals) = (self.client.clone(), self.removals.clone());
            // On its own: whoever asked first may go away, and the others still wait.
            tokio::spawn(async move {
                tokio::time::sleep(GATHER).await;
                let mut all = removals.take(queue);
                while !all.is_empty() {
                    let rest = all.split_off(all.len().min(BATCH));
                    send(&client, &url, all).await;
                    all = rest;
                }
            });
        }
        answer.await.unwrap_or_else(|_| Err(away()))
    }
}
