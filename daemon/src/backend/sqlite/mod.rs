//! The embedded store and queue: one SQLite file, one writer thread with group commit, a pool of
//! readers. Opened by [`SqliteStore::open`], which answers the store and the queue over the same file.
//!
//! `writer` runs every change; `readers` run the questions; `open` holds lock, pragmas, migrations
//! and what a start settles; the other modules are the use cases of [`crate::backend::store::Store`].

mod aged;
mod agents;
pub mod backup;
mod books;
mod build_steps;
mod change;
mod checkpoint;
mod claim;
pub(crate) mod clock;
mod control;
mod counts;
mod credentials;
mod delete;
mod deletions;
mod deploy;
mod ending;
pub(crate) mod error;
mod events;
mod held;
mod housekeeping;
mod idempotency;
mod job;
mod lease;
mod lists;
mod lock;
pub mod look;
mod names;
pub(crate) mod open;
mod projects;
mod pulse;
pub mod queue;
mod readers;
mod recover;
mod rhythm;
mod rows;
mod schema;
mod sessions;
mod stages;
pub(crate) mod state;
mod statistics;
mod sweep;
mod tasks;
mod tools;
#[cfg(feature = "aws")]
pub mod transfer;
pub(crate) mod tx;
pub(crate) mod writer;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

pub use open::{OpenError, SqliteOptions, compact};
pub use recover::{FAULTS, KILLS};
#[cfg(feature = "aws")]
pub(crate) use stages::MOST as MOST_STAGES;
use tokio::sync::Notify;

use crate::{backend::store::Result, domain::queue::QueueName};

/// The embedded store. Cheap to share; the writer ends when it is closed or the last user is gone.
pub struct SqliteStore {
    inner: Arc<Inner>,
}

impl SqliteStore {
    /// Runs on the writer; answered when durable.
    async fn write<T: Send + 'static>(
        &self,
        act: impl FnMut(&mut tx::Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.write_as(writer::Mode::Durable, act).await
    }

    async fn write_as<T: Send + 'static>(
        &self,
        mode: writer::Mode,
        act: impl FnMut(&mut tx::Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.inner.writer.call(mode, act).await
    }

    /// Runs on a reader.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&rusqlite::Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.inner.readers.ask(ask).await
    }

    /// Transactions written to disk since the start.
    pub fn commits(&self) -> u64 {
        self.inner.writer.commits()
    }

    /// Rows that lists left out since the start because they could not be read.
    pub fn unreadable_rows(&self) -> u64 {
        rows::unreadable()
    }
}

/// What store and queue share.
pub(crate) struct Inner {
    pub(crate) writer: writer::Writer,
    pub(crate) readers: readers::Readers,
    pub(crate) counts: counts::Counts,
    pub(crate) arrivals: Arc<Arrivals>,
    pub(crate) options: SqliteOptions,
    pub(crate) path: PathBuf,
    /// What was deleted is being removed; and there may be more of it.
    pub(crate) sweeping: AtomicBool,
    pub(crate) sweep_again: AtomicBool,
    pub(crate) held: Arc<held::Held>,
}

/// Rings when a queue has a message to receive: one bell per queue.
#[derive(Default)]
pub(crate) struct Arrivals {
    bells: [Notify; 4],
}

impl Arrivals {
    pub(crate) fn bell(&self, queue: QueueName) -> &Notify {
        let [build, deploy, build_dead, deploy_dead] = &self.bells;
        match queue {
            QueueName::Build => build,
            QueueName::Deploy => deploy,
            QueueName::BuildDead => build_dead,
            QueueName::DeployDead => deploy_dead,
        }
    }

    /// Has everybody who waits look again.
    pub(crate) fn ring_all(&self) {
        for bell in &self.bells {
            bell.notify_waiters();
        }
    }
}
