//! How many agents run at once. When all places are taken, the agent that rested longest gives up its own.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use nexus_plugin_api::payload::Failure;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{Instant, timeout},
};

use crate::agent::{Command, Usage};

/// How often the busy agents are looked at again while one waits for a place.
const RETRY: Duration = Duration::from_millis(100);

/// The places.
pub(crate) struct Capacity {
    places: Arc<Semaphore>,
    limit: usize,
    residents: Mutex<HashMap<u64, Resident>>,
    next: AtomicU64,
}

/// An agent that holds a place or asks for one.
#[derive(Clone)]
pub(crate) struct Resident {
    pub(crate) usage: Arc<Usage>,
    /// Its keeper; weak, so that a place alone does not keep the keeper alive.
    pub(crate) keeper: mpsc::WeakSender<Command>,
}

/// A place, given back when dropped.
pub(crate) struct Place {
    capacity: Arc<Capacity>,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.capacity.residents().remove(&self.number);
    }
}

impl Capacity {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(limit)),
            limit,
            residents: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    /// Takes a place, making one free if need be. A failure when all agents stay busy for so long.
    pub(crate) async fn take(self: &Arc<Self>, resident: Resident, patience: Duration) -> Result<Place, Failure> {
        let end = Instant::now() + patience;
        loop {
            if let Ok(Ok(permit)) = timeout(self.pause(end), Arc::clone(&self.places).acquire_owned()).await {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                self.residents().insert(number, resident);
                return Ok(Place { capacity: Arc::clone(self), number, _permit: permit });
            }
            if Instant::now() >= end {
                return Err(Failure::transient(format!(
                    "all {} places for running agents are taken by busy ones (max_agents)",
                    self.limit
                )));
            }
            self.evict().await;
        }
    }

    /// No wait when a place is free or somebody may be evicted, a short one else.
    fn pause(&self, end: Instant) -> Duration {
        let can_evict = !self.resting().is_empty();
        if can_evict { Duration::from_millis(1) } else { RETRY.min(end.saturating_duration_since(Instant::now())) }
    }

    async fn evict(&self) {
        for resident in self.resting() {
            let Some(keeper) = resident.keeper.upgrade() else { continue };
            let (reply, answer) = oneshot::channel();
            if keeper.send(Command::Rest { reply }).await.is_ok() && answer.await.unwrap_or(false) {
                return;
            }
        }
    }

    /// Agents without requests, the longest unused first.
    fn resting(&self) -> Vec<Resident> {
        let mut resting: Vec<Resident> =
            self.residents().values().filter(|resident| resident.usage.is_resting()).cloned().collect();
        resting.sort_by_key(|resident| resident.usage.last_used());
        resting
    }

    fn residents(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Resident>> {
        self.residents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
