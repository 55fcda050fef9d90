//! Requests to DynamoDB: names with the prefix, errors as the store's, and how many are under way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    types::{AttributeValue, DeleteRequest, KeysAndAttributes, Select, WriteRequest},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{table::Table, value::Item};
use crate::{
    backend::{
        aws::TroubleLog,
        error::{BackendError, BackendErrorKind},
        store::{Pressure, Result},
    },
    domain::time::Timestamp,
    telemetry::names,
};

/// Requests under way at a time; further ones wait.
const IN_FLIGHT: usize = 256;
/// Callers that may wait for one of these.
const ROOM: usize = 4_096;
/// Keys that one batch request takes.
const BATCH_READ: usize = 100;
const BATCH_WRITE: usize = 25;

/// The client with what is known of its requests.
pub(crate) struct Tables {
    pub(crate) client: Client,
    pub(crate) trouble: Arc<TroubleLog>,
    prefix: String,
    permits: Semaphore,
    waiting: AtomicUsize,
    started: Instant,
    /// Milliseconds from `started` to the last answer, and to the first request that waits since.
    answered: AtomicU64,
    asked: AtomicU64,
    requests: AtomicU64,
}

/// Items of a query, with the place where the next page begins.
pub(crate) struct Found {
    pub(crate) items: Vec<Item>,
    pub(crate) next: Option<Item>,
}

/// A query of one partition of a table or index.
#[derive(Clone)]
pub(crate) struct Query<'a> {
    pub(crate) table: Table,
    pub(crate) index: Option<&'a str>,
    pub(crate) partition: (&'a str, AttributeValue),
    /// Sort key, comparison (`<`, `<=`, `>`, `>=`) and value.
    pub(crate) sort: Option<(&'a str, &'a str, AttributeValue)>,
    pub(crate) forward: bool,
    /// Items that are read at most.
    pub(crate) limit: usize,
    pub(crate) from: Option<Item>,
}

impl<'a> Query<'a> {
    /// All of a partition, oldest first.
    pub(crate) fn of(table: Table, partition: &'a str, value: AttributeValue) -> Self {
        Self { table, index: None, partition: (partition, value), sort: None, forward: true, limit: 1_000, from: None }
    }

    /// The same of an index.
    pub(crate) fn by(table: Table, index: &'a str, partition: &'a str, value: AttributeValue) -> Self {
        Self { index: Some(index), ..Self::of(table, partition, value) }
    }
}

struct Waiting<'a> {
    tables: &'a Tables,
    permit: Option<SemaphorePermit<'a>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.tables.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Tables {
    pub(crate) fn new(client: Client, prefix: String, trouble: Arc<TroubleLog>) -> Self {
        Self {
            client,
            trouble,
            prefix,
            permits: Semaphore::new(IN_FLIGHT),
            waiting: AtomicUsize::new(0),
            started: Instant::now(),
            answered: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        }
    }

    pub(crate) fn name(&self, table: Table) -> String {
        format!("{}{}", self.prefix, table.name())
    }

    /// Now, by the clock that all daemons share.
    pub(crate) fn clock(&self) -> Timestamp {
        self.shared(Timestamp::now())
    }

    /// A time of this machine's clock, by the one that all daemons share.
    pub(crate) fn shared(&self, local: Timestamp) -> Timestamp {
        Timestamp::from_micros(local.as_micros().saturating_add(self.trouble.offset()))
    }

    pub(crate) fn local(&self, shared: Timestamp) -> Timestamp {
        Timestamp::from_micros(shared.as_micros().saturating_sub(self.trouble.offset()))
    }

    /// Requests sent so far, those repeated by the SDK not counted.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn enter(&self) -> Result<Waiting<'_>> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            self.asked.store(self.now(), Ordering::Relaxed);
        }
        // Counted down whenever this goes, also while it waits.
        let mut waiting = Waiting { tables: self, permit: None };
        let Ok(permit) = self.permits.acquire().await else {
            return Err(BackendError::new(BackendErrorKind::Unavailable, "the store is closed"));
        };
        waiting.permit = Some(permit);
        self.requests.fetch_add(1, Ordering::Relaxed);
        Ok(waiting)
    }

    /// Refuses all further requests.
    pub(crate) fn close(&self) {
        self.permits.close();
    }

    pub(crate) fn pressure(&self) -> Pressure {
        let waiting = self.waiting.load(Ordering::Relaxed);
        let since = self.answered.load(Ordering::Relaxed).max(self.asked.load(Ordering::Relaxed));
        let stalled = (waiting > 0).then(|| Duration::from_millis(self.now().saturating_sub(since)));
        Pressure {
            waiting_writes: waiting,
            write_room: ROOM,
            waiting_reads: waiting,
            read_room: ROOM,
            stalled_for: stalled,
            reads_stall: true,
        }
    }

    /// Sends a request; an answer of any kind that is not trouble counts as progress.
    pub(crate) async fn ask<T, E, R>(
        &self,
        what: &'static str,
        request: impl Future<Output = std::result::Result<T, SdkError<E, R>>>,
    ) -> Result<std::result::Result<T, SdkError<E, R>>>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let _waiting = self.enter().await?;
        let answer = request.await;
        if answer.as_ref().err().is_none_or(|error| error.as_service_error().is_some()) {
            self.answered.store(self.now(), Ordering::Relaxed);
        }
        metrics::counter!(names::CLOUD_REQUESTS, "service" => "dynamodb", "operation" => what,
            "outcome" => if answer.is_ok() { "ok" } else { "error" })
        .increment(1);
        Ok(answer)
    }

    /// One item, as it is now.
    pub(crate) async fn get(&self, table: Table, key: Item) -> Result<Option<Item>> {
        let request = self.client.get_item().table_name(self.name(table)).set_key(Some(key)).consistent_read(true);
        let answer = self.ask("get_item", request.send()).await?.map_err(failed)?;
        Ok(answer.item)
    }

    /// A page of a query.
    pub(crate) async fn query(&self, query: &Query<'_>) -> Result<Found> {
        let answer = self.send_query(query, None).await?;
        Ok(Found { items: answer.items.unwrap_or_default(), next: answer.last_evaluated_key })
    }

    async fn send_query(
        &self,
        query: &Query<'_>,
        select: Option<Select>,
    ) -> Result<aws_sdk_dynamodb::operation::query::QueryOutput> {
        let mut request = self
            .client
            .query()
            .table_name(self.name(query.table))
            .set_index_name(query.index.map(str::to_owned))
            .expression_attribute_names("#p", query.partition.0)
            .expression_attribute_values(":p", query.partition.1.clone())
            .scan_index_forward(query.forward)
            .set_exclusive_start_key(query.from.clone())
            .set_select(select);
        if query.index.is_none() {
            request = request.consistent_read(true);
        }
        let mut condition = "#p = :p".to_owned();
        if let Some((name, than, value)) = &query.sort {
            condition.push_str(&format!(" AND #s {than} :s"));
            request = request.expression_attribute_names("#s", *name).expression_attribute_values(":s", value.clone());
        }
        let limit = i32::try_from(query.limit).unwrap_or(i32::MAX);
        let request = request.key_condition_expression(condition).limit(limit);
        self.ask("query", request.send()).await?.map_err(failed)
    }

    /// All items of a query, up to `most`.
    pub(crate) async fn all(&self, mut query: Query<'_>, most: usize) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        loop {
            let found = self.query(&query).await?;
            items.extend(found.items);
            match found.next {
                Some(next) if items.len() < most => query.from = Some(next),
                _ => return Ok(items),
            }
        }
    }

    /// How many items a partition has.
    pub(crate) async fn count(&self, query: &Query<'_>) -> Result<u64> {
        let mut query = Query { limit: 1_000_000, ..query.clone() };
        let mut count = 0;
        loop {
            let answer = self.send_query(&query, Some(Select::Count)).await?;
            count += u64::try_from(answer.count).unwrap_or(0);
            match answer.last_evaluated_key {
                Some(next) => query.from = Some(next),
                None => return Ok(count),
            }
        }
    }

    /// Items by their keys, in no order.
    pub(crate) async fn get_many(&self, table: Table, keys: Vec<Item>) -> Result<Vec<Item>> {
        let (name, mut found) = (self.name(table), Vec::new());
        for chunk in keys.chunks(BATCH_READ) {
            let mut wanted = chunk.to_vec();
            for round in 0.. {
                let keys = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
                let keys = keys.map_err(unbuilt)?;
                let request = self.client.batch_get_item().request_items(&name, keys);
                let answer = self.ask("batch_get_item", request.send()).await?.map_err(failed)?;
                found.extend(answer.responses.into_iter().flatten().flat_map(|(_, items)| items));
                let left = answer.unprocessed_keys.into_iter().flatten().flat_map(|(_, keys)| keys.keys);
                wanted = left.collect();
                if wanted.is_empty() {
                    break;
                }
                pause(round).await?;
            }
        }
        Ok(found)
    }

    /// Deletes items by their keys.
    pub(crate) async fn delete_many(&self, table: Table, keys: Vec<Item>) -> Result<()> {
        let name = self.name(table);
        for chunk in keys.chunks(BATCH_WRITE) {
            let delete = |key: &Item| {
                let delete = DeleteRequest::builder().set_key(Some(key.clone())).build().map_err(unbuilt)?;
                Ok(WriteRequest::builder().delete_request(delete).build())
            };
            let mut wanted: Vec<WriteRequest> = chunk.iter().map(delete).collect::<Result<_>>()?;
            for round in 0.. {
                let request = self.client.batch_write_item().request_items(&name, wanted);
                let answer = self.ask("batch_write_item", request.send()).await?.map_err(failed)?;
                wanted = answer.unprocessed_items.into_iter().flatten().flat_map(|(_, left)| left).collect();
                if wanted.is_empty() {
                    break;
                }
                pause(round).await?;
            }
        }
        Ok(())
    }
}

/// Waits before what DynamoDB left undone is asked for again.
async fn pause(round: u32) -> Result<()> {
    if round >= 8 {
        return Err(BackendError::new(BackendErrorKind::Unavailable, "the store takes no more just now: try again"));
    }
    let most = 50_u64 << round.min(6);
    tokio::time::sleep(Duration::from_millis(rand::random_range(most / 2..=most))).await;
    Ok(())
}

/// A request that the SDK would not build: a fault of ours.
pub(crate) fn unbuilt(error: aws_sdk_dynamodb::error::BuildError) -> BackendError {
    BackendError::new(BackendErrorKind::Corrupt, "a request to the store could not be made").because(error)
}

/// The store's error for one of the SDK.
pub(crate) fn failed<E, R>(error: SdkError<E, R>) -> BackendError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    let (kind, text) = match (code, &error) {
        (Some("ResourceNotFoundException"), _) => {
            (BackendErrorKind::Unavailable, "a table of the store is missing: run `nexusd resources init`")
        }
        (Some("ValidationException" | "ItemCollectionSizeLimitExceededException"), _) => {
            (BackendErrorKind::Invalid, "the store refuses this: it is too large, or not of its form")
        }
        (Some("AccessDeniedException"), _) => {
            (BackendErrorKind::Unavailable, "the store denies access: see `nexusd resources policy`")
        }
        (Some("ExpiredTokenException" | "UnrecognizedClientException" | "InvalidSignatureException"), _) => {
            (BackendErrorKind::Unavailable, "the store does not take the daemon's credentials, or its clock is wrong")
        }
        (None, SdkError::ConstructionFailure(_)) => {
            (BackendErrorKind::Unavailable, "the request to the store could not be signed: are there credentials?")
        }
        _ => (BackendErrorKind::Unavailable, "the store is not available"),
    };
    tracing::debug!(error = %DisplayErrorContext(&error), "a request to DynamoDB failed");
    BackendError::new(kind, text).because(error)
}
