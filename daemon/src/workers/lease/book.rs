//! What this daemon works on: the leases and messages that the keeper renews, each with whoever is to hear of it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    backend::queue::Receipt,
    domain::{control::ControlStatus, ids::ProjectId, task::Lease},
    jobs::BuildsHere,
};

/// What a heartbeat found.
#[derive(Clone, Copy, Debug)]
pub enum LeaseNews {
    /// The lease went to another, or its task was withdrawn.
    Lost,
    /// Still ours; the user's wish as the store has it, for requests that came through another daemon.
    Control(ControlStatus),
}

type Entries = Arc<Mutex<HashMap<u64, Held>>>;
pub(super) type Listener = Arc<dyn Fn(LeaseNews) + Send + Sync>;

struct Held {
    lease: Option<Lease>,
    receipt: Receipt,
    listener: Listener,
    /// Begin of the last renewal that succeeded; at first, of the entry.
    renewed: Instant,
    /// Its holder was told that it is lost.
    given_up: bool,
}

/// The work of this daemon.
#[derive(Default)]
pub struct LeaseBook {
    held: Entries,
    next: AtomicU64,
}

/// An entry of the book; dropping it ends the renewal.
pub struct Holding {
    held: Entries,
    key: u64,
}

impl LeaseBook {
    /// Keeps `receipt` invisible, and `lease` renewed once it is known, until the entry is dropped.
    pub fn hold(&self, receipt: Receipt, listener: Listener) -> Holding {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let entry = Held { lease: None, receipt, listener, renewed: Instant::now(), given_up: false };
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(key, entry);
        Holding { held: Arc::clone(&self.held), key }
    }

    /// Entries now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn all(&self) -> Vec<Due> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let due = |(key, held): (&u64, &Held)| Due {
            key: *key,
            lease: held.lease.clone(),
            receipt: held.receipt.clone(),
            listener: Arc::clone(&held.listener),
        };
        held.iter().filter(|(_, held)| !held.given_up).map(due).collect()
    }

    pub(super) fn renewed(&self, keys: &[u64], at: Instant) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if let Some(entry) = held.get_mut(key) {
                entry.renewed = at;
            }
        }
    }

    /// The holders of leases that were not renewed for so long; each is answered once.
    pub(super) fn run_out(&self, limit: Duration) -> Vec<(Lease, Listener)> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let late = held.values_mut().filter(|held| !held.given_up && held.renewed.elapsed() >= limit);
        let lost = late.filter_map(|held| {
            let lease = held.lease.clone()?;
            held.given_up = true;
            Some((lease, Arc::clone(&held.listener)))
        });
        lost.collect()
    }
}

/// An entry that is to be renewed.
pub(super) struct Due {
    pub(super) key: u64,
    pub(super) lease: Option<Lease>,
    pub(super) receipt: Receipt,
    pub(super) listener: Listener,
}

/// Adds the lease to an entry, by whoever claims it.
pub struct Claimant {
    held: Entries,
    key: u64,
}

impl Claimant {
    /// From now on the lease is renewed with the message.
    pub fn leased(&self, lease: Lease) {
        if let Some(entry) = self.held.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&self.key) {
            entry.lease = Some(lease);
        }
    }
}

impl Holding {
    /// For whoever claims the lease, which must be asked for after this entry was made.
    #[must_use]
    pub fn claimant(&self) -> Claimant {
        Claimant { held: Arc::clone(&self.held), key: self.key }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl BuildsHere for LeaseBook {
    fn works_on(&self, project: &ProjectId) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.values().any(|held| held.lease.as_ref().is_some_and(|lease| lease.project_id == *project))
    }
}
