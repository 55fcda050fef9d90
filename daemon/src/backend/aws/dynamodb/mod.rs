//! The store of the cloud backend: DynamoDB, shared by any number of daemons and by the original's services.
//!
//! A project, its stages and its task are read together, changed as pure data and written as one transaction
//! (`aggregate`); messages follow the transaction that made their task, and the reconciler sends what did not get through.

mod aged;
mod agents;
mod aggregate;
mod books;
mod build_steps;
mod catalogue;
mod change;
mod claim;
mod client;
pub(crate) mod codec;
mod control;
mod counts;
mod credentials;
mod delete;
mod deletions;
mod deploy;
mod events;
mod foreign;
mod idempotency;
mod invocation_counters;
mod lease;
mod lenient;
mod lists;
mod names;
mod orphans;
mod overflow;
mod oversize;
mod projects;
mod session_leases;
mod sessions;
mod stages;
mod statistics;
pub mod table;
pub(crate) mod tasks;
mod tools;
pub(crate) mod transfer;
mod unit;
pub(crate) mod value;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use object_store::ObjectStore;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::orphans::Orphan;
use self::{aggregate::Slots, client::Tables, counts::Counts, events::ToldUntil, overflow::Overflow, table::Table};
use crate::backend::{
    aws::TroubleLog,
    queue::Queue,
    store::{EventSink, Pressure, Result, StoreCounts, Trouble, Upkeep},
};

/// What is sorted or filtered here holds up to some ten thousand items in memory.
const LARGE_LISTS: usize = 2;

/// What a [`DynamoStore`] is made of.
pub struct DynamoOptions {
    /// The client, with region, credentials and limits set.
    pub client: aws_sdk_dynamodb::Client,
    /// What the client's tries are noted in.
    pub trouble: Arc<TroubleLog>,
    /// Before every table's name.
    pub prefix: String,
    /// Where messages of tasks go.
    pub queue: Arc<dyn Queue>,
    /// Where what is too large for an item goes.
    pub artifacts: Arc<dyn ObjectStore>,
    /// How long events are kept.
    pub event_retention: Duration,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct DynamoStore(Arc<Inner>);

/// What the parts of the store share.
pub struct Inner {
    tables: Tables,
    queue: Arc<dyn Queue>,
    overflow: Overflow,
    sink: Arc<dyn EventSink>,
    slots: Slots,
    counts: Counts,
    told: ToldUntil,
    retention: Duration,
    offers: catalogue::Offers,
    /// How far the looks at what others left have come.
    looks: foreign::Looks,
    /// Lists that read more than a page, at a time.
    large_lists: tokio::sync::Semaphore,
    stop: CancellationToken,
    _stops: DropGuard,
}

impl std::ops::Deref for DynamoStore {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl DynamoStore {
    /// A store that tells `sink` of what it and other daemons commit. Sends nothing yet.
    pub fn new(options: DynamoOptions, sink: Arc<dyn EventSink>) -> Arc<Self> {
        let stop = CancellationToken::new();
        let inner = Inner {
            tables: Tables::new(options.client, options.prefix, options.trouble),
            queue: options.queue,
            overflow: Overflow(options.artifacts),
            sink,
            slots: Slots::default(),
            counts: Counts::default(),
            told: ToldUntil::default(),
            retention: options.event_retention,
            offers: catalogue::Offers::default(),
            looks: foreign::Looks::default(),
            large_lists: tokio::sync::Semaphore::new(LARGE_LISTS),
            _stops: stop.clone().drop_guard(),
            stop,
        };
        Arc::new(Self(Arc::new(inner)))
    }

    /// Begins to look for events of other daemons; ends with `crate::backend::store::Store::close`.
    pub fn follow_others(&self) {
        tokio::spawn(self.clone().follow(self.stop.clone()));
    }

    /// Requests sent to DynamoDB so far.
    pub fn requests(&self) -> u64 {
        self.tables.requests()
    }
}

#[async_trait]
impl Upkeep for DynamoStore {
    async fn ping(&self) -> Result<()> {
        self.tables.get(Table::State, Table::State.two("ping", "-")).await.map(drop)
    }

    async fn counts(&self) -> Result<StoreCounts> {
        self.all_counts().await
    }

    async fn clean(&self, _older_than: Duration) -> Result<u64> {
        self.offer_anew().await?;
        self.finish_deletions().await
    }

    async fn close(&self) -> Result<()> {
        self.stop.cancel();
        self.tables.close();
        Ok(())
    }

    fn pressure(&self) -> Pressure {
        self.tables.pressure()
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn trouble(&self) -> Option<Trouble> {
        self.tables.trouble.lately()
    }

    fn describe(&self) -> Value {
        json!({ "kind": "dynamodb", "tables": Table::ALL.map(|table| self.tables.name(table)), "requests": self.requests() })
    }
}
