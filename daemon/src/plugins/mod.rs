//! The plugin host: finds shared libraries, loads them, runs their jobs, and survives what they do.
//!
//! ```text
//! discover                which files are plugins, without loading any
//! owner ─ probe           whether others may change a file, and what it does to a process that is not the daemon's
//! load ─ reload ─ registry   generations come and go; names lead to handlers
//! description             what `describe` answers, read and judged
//! slot ─ permits          one plugin name: its newest generation, its bound on jobs
//! generation              one loaded plugin and its jobs
//! job ─ state ─ queue     one job: events, cancel, outcome
//! transport               how calls get to the plugin: `library` loads it into this process
//! inbound                 what plugins say on their own
//! tools                   the tools that plugins bring along
//! watch                   notices what does not happen
//! fault                   notes that a plugin ends the process
//! ```
//!
//! A job: [`Plugins::resolve`] → [`Handler::start`] (permit) → the transport calls `start` → the plugin's
//! threads call `event` and at last `done` → [`Job::next_event`], [`Job::outcome`] → the transport
//! calls `destroy`. Callers are the stage and deploy actors; the API and the CLI read [`Plugins::reports`].
//!
//! No thread of the daemon ever waits for a plugin: a transport makes calls on threads of its own, events and results
//! arrive on the plugin's threads, and a reload runs on a thread of its own.

mod check;
mod description;
mod discover;
mod error;
mod fault;
mod generation;
mod inbound;
mod job;
mod load;
mod options;
mod owner;
mod permits;
mod probe;
mod queue;
mod refusal;
mod registry;
mod reload;
mod report;
mod slot;
mod state;
mod stats;
mod tools;
mod transport;
mod watch;

pub use check::{Trial, check_dirs, check_file, try_file};
pub use error::{JobError, ResolveError};
pub use fault::{EXIT_NOT_MEANT, end_is_meant, note_in, watch_for_exits};
pub use job::{Canceller, Handler, Job};
pub use probe::{PROBE, TRY, answer as answer_probe};

pub use options::{HostOptions, Prepare};
pub use refusal::Refusal;
pub use registry::Plugins;
pub use report::{PluginReport, PluginState};
pub use tools::PluginTool;

/// A plugin's thread may have been lost in any state; the data behind these locks stays whole because
/// no plugin code runs under them.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
