//! Plugins as shared objects in this process.
//!
//! ```text
//! elf        which files are plugins, without loading any
//! image      copy, load; a library is never unloaded
//! handshake  the checks of the exported table; `describe`, `configure`
//! lane       the thread that calls into the library
//! host       the functions that the library calls
//! ```

pub(in crate::plugins) mod elf;
mod handshake;
mod host;
pub(in crate::plugins) mod image;
mod lane;

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use nexus_plugin_api::payload::Description;
use tokio::sync::oneshot;

use self::{
    handshake::Entries,
    lane::{Call, Lane},
};
use super::{GivenUp, LostCall, LostCalls, Transport};
use crate::plugins::{refusal::Refusal, state::JobState};

/// A library that was loaded and passed the handshake.
pub(in crate::plugins) struct Library {
    entries: Entries,
    /// As `describe` told it, for the name of the thread.
    name: OnceLock<String>,
    lane: Lane,
}

impl Library {
    fn new(entries: Entries) -> Self {
        Self { entries, name: OnceLock::new(), lane: Lane::default() }
    }

    fn name(&self) -> &str {
        self.name.get().map_or("plugin", String::as_str)
    }
}

impl Transport for Library {
    fn describe(&self) -> Result<Description, Refusal> {
        let description = self.entries.describe()?;
        self.name.get_or_init(|| description.name.clone());
        Ok(description)
    }

    fn configure(&self, settings: &[u8]) -> Result<(), Refusal> {
        self.entries.configure(settings)
    }

    fn start(&'static self, job: Arc<JobState>, request: Vec<u8>) -> Result<(), GivenUp> {
        self.lane.push(self, Call::Start(job, request))
    }

    fn cancel(&'static self, job: Arc<JobState>) -> Result<(), GivenUp> {
        self.lane.push(self, Call::Cancel(job))
    }

    fn destroy(&'static self, job: Arc<JobState>) -> Result<(), GivenUp> {
        self.lane.push(self, Call::Destroy(job))
    }

    fn shut_down(&'static self, limit: Duration, finished: Option<oneshot::Sender<()>>) -> Result<(), GivenUp> {
        self.lane.push(self, Call::Shutdown { limit, finished })
    }

    fn lost_calls(&self) -> LostCalls {
        self.lane.lost()
    }

    fn is_active(&self) -> bool {
        self.lane.is_active()
    }

    fn give_up_overdue(&'static self, now: Instant) -> Option<LostCall> {
        self.lane.give_up_overdue(self, now)
    }
}
