//! The embedded store and queue under the contract, and what only a file can do.

mod backup;
mod crashes;
mod file;
#[cfg(feature = "aws")]
mod moves;
mod operation;
mod overdraft;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nexus_daemon::backend::sqlite::{OpenError, SqliteOptions, SqliteStore, queue::SqliteQueue};

use crate::contract::world::{Fixture, Recorder};

const VISIBILITY: Duration = Duration::from_millis(400);

/// Opens `file`, with the recorder of its events.
type Opened = (Arc<SqliteStore>, Arc<SqliteQueue>, Arc<Recorder>);

fn open(file: &Path) -> Result<Opened, OpenError> {
    open_hiding(file, VISIBILITY)
}

/// Opens `file`; what is received stays hidden for `visibility`.
fn open_hiding(file: &Path, visibility: Duration) -> Result<Opened, OpenError> {
    let events = Arc::new(Recorder::default());
    let options =
        SqliteOptions { build_visibility: visibility, deploy_visibility: visibility, ..SqliteOptions::default() };
    let (store, queue) = SqliteStore::open(file, options, events.clone())?;
    Ok((store, queue, events))
}

/// A fixture over `file`.
fn fixture_over(file: &Path, keep: Box<dyn std::any::Any + Send + Sync>) -> Fixture {
    fixture_hiding(file, VISIBILITY, keep)
}

/// A fixture over `file` whose messages stay hidden for `visibility` when they are received.
fn fixture_hiding(file: &Path, visibility: Duration, keep: Box<dyn std::any::Any + Send + Sync>) -> Fixture {
    let (store, queue, events) = open_hiding(file, visibility).unwrap();
    Fixture { store, queue, events, visibility, one_unit: true, crowd: 10_000, keep }
}

/// A file that is not there yet, with its folder.
fn new_file() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("nexus.db");
    (dir, file)
}

async fn fixture() -> Fixture {
    let (dir, file) = new_file();
    fixture_over(&file, Box::new(dir))
}

contract!(fixture);

#[cfg(feature = "aws")]
#[tokio::test]
async fn a_stop_that_came_with_the_records_is_carried_out_by_the_claim() {
    let (_dir, file) = new_file();
    let (store, ..) = open_hiding(&file, VISIBILITY).unwrap();
    crate::contract::controls::a_stop_that_came_with_the_records_is_carried_out_by_the_claim(&*store, &*store).await;
}
