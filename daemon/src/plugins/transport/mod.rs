//! What lies between the daemon and a plugin. The registry, generations and jobs ask a [`Transport`] and know nothing
//! of how a call gets there; what a plugin says on its own comes back through [`super::inbound`], the same for all.
//!
//! [`library`] calls into a shared object that is loaded into this process. A transport that speaks with a process of
//! its own (so that a crash costs one attempt, not the daemon) would be a second one beside it: its reader hands what
//! the process says to `inbound`, and a process that is gone is a plugin whose calls are lost.

pub(super) mod library;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nexus_plugin_api::payload::Description;
use tokio::sync::oneshot;

use super::{refusal::Refusal, state::JobState};

/// The calls that the daemon makes into one loaded plugin.
///
/// [`describe`](Transport::describe) and [`configure`](Transport::configure) block as long as the plugin does; they are
/// called on threads of their own, with a limit (`load.rs`). All others return at once, whatever the plugin does: they
/// note the call down, and the transport makes the calls of one job in their order. It asks the job right before each
/// (`JobState::may_start`, `enter_cancel`, `enter_destroy`) and tells it what came of it.
pub(super) trait Transport: Send + Sync {
    /// Asks the plugin what it is.
    fn describe(&self) -> Result<Description, Refusal>;

    /// Hands the settings over.
    fn configure(&self, settings: &[u8]) -> Result<(), Refusal>;

    /// Begins a job with this request.
    fn start(&'static self, job: Arc<JobState>, request: Vec<u8>) -> Result<(), GivenUp>;

    /// Asks a job to end.
    fn cancel(&'static self, job: Arc<JobState>) -> Result<(), GivenUp>;

    /// Lets the plugin forget a job that is over.
    fn destroy(&'static self, job: Arc<JobState>) -> Result<(), GivenUp>;

    /// Tells the plugin that no further job comes; `finished` hears when it has returned.
    fn shut_down(&'static self, limit: Duration, finished: Option<oneshot::Sender<()>>) -> Result<(), GivenUp>;

    /// How many calls did not return, and whether that was too many to go on.
    fn lost_calls(&self) -> LostCalls;

    /// Whether a call is running or waiting.
    fn is_active(&self) -> bool;

    /// Gives up the call that is over its limit, if there is one.
    fn give_up_overdue(&'static self, now: Instant) -> Option<LostCall>;
}

/// The plugin is given up: the call is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GivenUp;

/// Calls of a plugin that never returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LostCalls {
    pub(super) count: u32,
    /// There were so many that no further call is made.
    pub(super) too_many: bool,
}

/// A call that did not return.
pub(super) struct LostCall {
    pub(super) entry: &'static str,
    pub(super) limit: Duration,
    pub(super) job: Option<Arc<JobState>>,
    /// Jobs that waited for their start, which will never be made because the plugin is given up now.
    pub(super) unmade: Vec<Arc<JobState>>,
}

/// What the plugin calls its end of a job. Only the transport that made it knows what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JobHandle(std::num::NonZeroUsize);

impl JobHandle {
    /// None for a plugin that keeps nothing of the job, so that there is nothing to cancel or to destroy.
    pub(super) fn new(value: usize) -> Option<Self> {
        std::num::NonZeroUsize::new(value).map(Self)
    }

    pub(super) fn value(self) -> usize {
        self.0.get()
    }
}
