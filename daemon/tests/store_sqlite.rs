//! The embedded store and queue under the contract, and what only a file can do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[macro_use]
mod store_contract;

use std::{sync::Arc, time::Duration};

use nexus_daemon::store::sqlite::{SqliteOptions, SqliteStore};
use store_contract::world::{Fixture, Recorder};

const VISIBILITY: Duration = Duration::from_millis(400);

async fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let events = Arc::new(Recorder::default());
    let options =
        SqliteOptions { build_visibility: VISIBILITY, deploy_visibility: VISIBILITY, ..SqliteOptions::default() };
    let (store, queue) = SqliteStore::open(dir.path().join("nexus.db"), options, events.clone()).unwrap();
    Fixture { store, queue, events, visibility: VISIBILITY, keep: Box::new(dir) }
}

contract!(fixture);
