//! What the actors hold: a [`Handler`] to start jobs on, the [`Job`] they read, a [`Canceller`].

use std::sync::Arc;

use nexus_plugin_api::payload::{Event, HandlerKind, Operation, PAYLOAD_VERSION, Request};
use serde_json::Value;

use super::{error::JobError, slot::Slot, state::JobState};

/// A handler of a plugin. Cheap to clone. Each job starts on the plugin's newest generation.
#[derive(Clone)]
pub struct Handler {
    pub(super) slot: Arc<Slot>,
    pub(super) name: Arc<str>,
    pub(super) kind: HandlerKind,
}

impl Handler {
    /// Starts a job as soon as the plugin may run one more.
    ///
    /// Cancel-safe: dropping the future before it is ready leaves nothing behind.
    ///
    /// # Errors
    /// When the plugin takes no jobs (gone, degraded, broken, shutting down) or the operation is not
    /// one of this handler's kind. Whatever the plugin itself answers comes as the job's outcome.
    pub async fn start(&self, operation: Operation) -> Result<Job, JobError> {
        let plugin = || self.slot.name.clone();
        if operation_kind(&operation) != self.kind {
            let what = format!("handler {} does not understand this operation", self.name);
            return Err(JobError::Unsendable { plugin: plugin(), what });
        }
        let is_answer = matches!(operation, Operation::Invoke(_));
        let request = Request { version: PAYLOAD_VERSION, handler: self.name.to_string(), operation };
        let request =
            serde_json::to_vec(&request).map_err(|e| JobError::Unsendable { plugin: plugin(), what: e.to_string() })?;
        // Before the wait too: a plugin whose jobs are all stuck must not keep its callers waiting.
        self.slot.generation(&self.name, self.kind)?.admits()?;
        let mut permit = if is_answer {
            // Whoever asks waits for the answer itself already; to try again costs him less than to wait in line here.
            self.slot.answers.try_acquire().ok_or_else(|| JobError::Busy { plugin: plugin() })?
        } else {
            self.slot.permits.acquire().await.ok_or(JobError::ShuttingDown)?
        };
        let state = loop {
            let generation = self.slot.generation(&self.name, self.kind)?;
            generation.admits()?;
            match generation.begin(&self.name, permit) {
                Ok(state) => break state,
                // Retired since; a newer one is in the slot by now, or none.
                Err(returned) => permit = returned,
            }
        };
        if state.generation.transport().start(Arc::clone(&state), request).is_err() {
            state.undeliverable();
        }
        Ok(Job { state })
    }

    /// The handler's name within its plugin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The plugin's name.
    #[must_use]
    pub fn plugin(&self) -> &str {
        &self.slot.name
    }

    /// Which operations it understands.
    #[must_use]
    pub fn kind(&self) -> HandlerKind {
        self.kind
    }
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handler({}/{})", self.slot.name, self.name)
    }
}

fn operation_kind(operation: &Operation) -> HandlerKind {
    match operation {
        Operation::Run(_) => HandlerKind::Stage,
        Operation::Deploy(_) | Operation::Undeploy(_) | Operation::Status(_) | Operation::Invoke(_) => {
            HandlerKind::Deploy
        }
    }
}

/// A running job. Dropping it cancels the job; its events are then thrown away.
pub struct Job {
    state: Arc<JobState>,
}

impl Job {
    /// The next event, or `None` when the job is over: done, or given up as stuck. Cancel-safe.
    ///
    /// A plugin that sends faster than this is called waits, so call it until `None`.
    pub async fn next_event(&mut self) -> Option<Event> {
        self.state.queue.next().await
    }

    /// Asks the job to end, from anywhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.state))
    }

    /// What the job came to. Reads and forgets the events that are left.
    ///
    /// # Errors
    /// Whatever ended the job without a result.
    pub async fn outcome(self) -> Result<Value, JobError> {
        while self.state.queue.next().await.is_some() {}
        // Set before the queue ends, and taken only here.
        self.state.take_outcome().unwrap_or_else(|| {
            let plugin = self.state.generation.name().to_owned();
            Err(JobError::Violation { plugin, what: "the job ended without an outcome".into() })
        })
    }

    /// The generation it runs in; a reload does not change it.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.state.generation.number
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.state.abandon();
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Job({:#x} of {}/{})", self.state.token, self.state.generation.name(), self.state.handler)
    }
}

/// Cancels a job. Cheap to clone; does nothing for a job that is over.
#[derive(Clone)]
pub struct Canceller(Arc<JobState>);

impl Canceller {
    /// Asks the job to end. Never blocks; only the first call does anything.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether the job was asked to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

impl std::fmt::Debug for Canceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Canceller({:#x})", self.0.token)
    }
}
