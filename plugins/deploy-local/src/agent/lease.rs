//! The right to talk to a running process, and the count of those who do.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::start::Started;
use crate::{client::Address, process::Output};

/// Why a process is no more.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// It ended by itself, or was killed by somebody else: how.
    Crashed(String),
    /// It was stopped on purpose: why.
    Stopped(&'static str),
}

/// How an agent is used; shared by its keeper, its leases and the capacity.
pub(crate) struct Usage {
    active: AtomicUsize,
    last: Mutex<Instant>,
    changed: Notify,
}

impl Usage {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { active: AtomicUsize::new(0), last: Mutex::new(Instant::now()), changed: Notify::new() })
    }

    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Acquire)
    }

    pub(crate) fn is_resting(&self) -> bool {
        self.active() == 0
    }

    pub(crate) fn last_used(&self) -> Instant {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Resolves after the last lease was given back; may also do so without reason.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// A running process that will not be stopped for resting as long as this is held.
pub(crate) struct Lease {
    pub(crate) address: Address,
    pub(crate) generation: u64,
    pub(crate) ready_ms: u64,
    /// The model that it asks, and why it goes without one that it wants.
    pub(crate) model: Option<String>,
    pub(crate) degraded: Option<Arc<str>>,
    pub(crate) output: Arc<Output>,
    ended: watch::Receiver<Option<End>>,
    usage: Arc<Usage>,
    /// Held by all who talk to this one process.
    _talk: Talk,
}

/// A share in talking to a process; when all are gone nobody talks to it.
pub(crate) type Talk = tokio::sync::mpsc::Sender<()>;

impl Lease {
    pub(crate) fn new(
        generation: u64,
        started: &Started,
        ended: watch::Receiver<Option<End>>,
        usage: Arc<Usage>,
        talk: Talk,
    ) -> Self {
        usage.active.fetch_add(1, Ordering::AcqRel);
        usage.touch();
        Self {
            address: started.address.clone(),
            generation,
            ready_ms: started.ready_ms,
            model: started.model.clone(),
            degraded: started.degraded.clone(),
            output: Arc::clone(&started.output),
            ended,
            usage,
            _talk: talk,
        }
    }

    /// Resolves when the process has ended.
    pub(crate) async fn ended(&mut self) -> End {
        match self.ended.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or(End::Stopped("stopped")),
            Err(_) => End::Stopped("stopped"),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.usage.touch();
        if self.usage.active.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.usage.changed.notify_one();
        }
    }
}
