//! Trying out a tool: its function is called in a process of its own, never in the daemon.
//!
//! ```text
//! catalogue  between what plugins tell, the store's rows, and what can be called
//! sources    which files a tool is made of: a plugin's texts, or a copy of an agent's folder
//! sandbox    the process: started bare, in an empty folder, bounded, and ended with all it started
//! runner.py  in the process: calls the tool and tells what came of it
//! typing     Python's words for types, and values out of texts
//! walls      what this kernel gives to confine with, and the operator's choice
//! mcp        the MCP servers that people have written down
//! ```
//!
//! What holds a tool back: the walls of [`nexus_sandbox`] (files, system calls, limits, nothing left behind), and in
//! front of them an audit hook in Python that says why. A kernel that lacks walls runs no tool, unless the operator
//! allows it.

pub mod catalogue;
pub mod mcp;
pub mod pythons;
mod sandbox;
mod sources;
pub mod typing;
pub mod walls;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

pub use sources::{Sources, SourcesError};

/// Most CPU time of a test, in seconds.
const CPU_SECONDS: u64 = 5;
/// Most address space of a test.
const MEMORY_BYTES: u64 = 512 << 20;
/// Largest file that a test writes.
const FILE_BYTES: u64 = 4 << 20;
/// How many files a test writes.
const WRITTEN_FILES: u64 = 64;
const OPEN_FILES: u64 = 32;
/// How much a test writes in all.
const DISK_BYTES: u64 = 64 << 20;
const THREADS: u64 = 64;
/// Processes and threads of the daemon's user, all together.
const USER_PROCESSES: u64 = 4096;
/// Largest result, as JSON.
pub const OUTPUT_BYTES: usize = 256 << 10;
/// What is kept of what the tool prints.
const PRINTED_CHARACTERS: usize = 16 << 10;

/// A call of a tool.
#[derive(Debug)]
pub struct Trial {
    /// What it is made of.
    pub sources: Sources,
    /// The function.
    pub entry: String,
    /// Its arguments.
    pub parameters: Map<String, Value>,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What the function gave back, or why it gave nothing.
    pub result: Result<Value, String>,
    /// What it printed, as far as it is kept.
    pub printed: String,
    /// What held it back: the names of what was in force. Empty when the process never said.
    pub guards: Vec<String>,
    /// How long it was given, start of the process included.
    pub duration: Duration,
}

/// As many tests run as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{running} tools are being tried out already; try again later")]
pub struct Busy {
    pub running: usize,
}

/// Runs tests of tools, a few at a time.
#[derive(Debug)]
pub struct ToolTests {
    folder: PathBuf,
    running: AtomicUsize,
}

/// The right to run a test. Dropping it makes room for the next.
#[derive(Debug)]
pub struct Turn(Arc<ToolTests>);

impl ToolTests {
    /// Tests have their folders below this one, which belongs to them alone.
    #[must_use]
    pub fn new(folder: PathBuf) -> Arc<Self> {
        Arc::new(Self { folder, running: AtomicUsize::new(0) })
    }

    /// Removes what a daemon left behind that was killed during a test.
    pub fn clean(&self) {
        let _ = nexus_sandbox::leftovers::remove(&self.folder);
    }

    /// A turn, when fewer than `most` tests run.
    ///
    /// # Errors
    /// [`Busy`] otherwise.
    pub fn turn(self: &Arc<Self>, most: usize) -> Result<Turn, Busy> {
        let more = |running| (running < most).then_some(running + 1);
        match self.running.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(Turn(Arc::clone(self))),
            Err(running) => Err(Busy { running }),
        }
    }
}

impl Turn {
    /// Runs a test to its end. When `left` fires, the test is ended: nobody waits for it any more.
    /// Not to be dropped half-way, since the test's folder would stay.
    pub async fn run(self, python: &str, limit: Duration, trial: Trial, left: &CancellationToken) -> Verdict {
        sandbox::run(&self.0.folder, python, limit, trial, left).await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}
