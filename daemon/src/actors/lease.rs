//! Keeps the leases and messages of running work alive, all in one heartbeat.
//!
//! Role: the [`LeaseBook`] lists what this daemon works on; the [`LeaseKeeper`] actor renews it every
//! `heartbeat_secs`. Messages in: `Beat` (own timer), `Renewed` (its spawned call). Messages out: to the
//! holder, [`LeaseNews`]. Supervised by `root`.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::{environment::Environment, supervise::Finally};
use crate::{
    domain::{control::ControlStatus, task::Lease, time::Timestamp},
    queue::Receipt,
};

/// Leases renewed in one store call.
const CHUNK: usize = 256;

/// What a heartbeat found.
#[derive(Clone, Copy, Debug)]
pub enum LeaseNews {
    /// The lease went to another, or its task was withdrawn.
    Lost,
    /// Still ours; the user's wish as the store has it, for requests that came through another daemon.
    Control(ControlStatus),
}

type Listener = Arc<dyn Fn(LeaseNews) + Send + Sync>;

struct Held {
    lease: Option<Lease>,
    receipt: Receipt,
    listener: Listener,
}

/// The work of this daemon.
#[derive(Default)]
pub struct LeaseBook {
    held: Arc<Mutex<HashMap<u64, Held>>>,
    next: AtomicU64,
}

/// An entry of the book; dropping it ends the renewal.
pub struct Holding {
    held: Arc<Mutex<HashMap<u64, Held>>>,
    key: u64,
}

impl LeaseBook {
    /// Keeps `receipt` invisible, and `lease` renewed once it is known, until the entry is dropped.
    pub fn hold(&self, receipt: Receipt, listener: Listener) -> Holding {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let entry = Held { lease: None, receipt, listener };
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

    fn all(&self) -> Vec<(Option<Lease>, Receipt, Listener)> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.values().map(|h| (h.lease.clone(), h.receipt.clone(), Arc::clone(&h.listener))).collect()
    }
}

impl Holding {
    /// From now on the lease is renewed with the message.
    pub fn leased(&self, lease: Lease) {
        if let Some(entry) = self.held.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&self.key) {
            entry.lease = Some(lease);
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// The heartbeat.
pub struct LeaseKeeper;

/// Messages of the [`LeaseKeeper`].
pub enum LeaseMessage {
    /// Time to renew.
    Beat,
    /// A renewal is through.
    Renewed,
}

/// State of the [`LeaseKeeper`].
pub struct KeeperState {
    env: Arc<Environment>,
    renewing: bool,
}

impl Actor for LeaseKeeper {
    type Msg = LeaseMessage;
    type State = KeeperState;
    type Arguments = Arc<Environment>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        env: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.send_interval(env.worker.heartbeat_secs.duration(), || LeaseMessage::Beat);
        Ok(KeeperState { env, renewing: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            LeaseMessage::Beat if !state.renewing => {
                state.renewing = true;
                let env = Arc::clone(&state.env);
                tokio::spawn(async move {
                    let _renewed = Finally::new(move || drop(myself.cast(LeaseMessage::Renewed)));
                    renew(&env).await;
                });
            }
            LeaseMessage::Beat => tracing::warn!("the store is slow: a heartbeat is skipped, the last one still runs"),
            LeaseMessage::Renewed => state.renewing = false,
        }
        Ok(())
    }
}

async fn renew(env: &Environment) {
    let until = Timestamp::now().plus(env.worker.lease_secs.duration());
    for chunk in env.leases.all().chunks(CHUNK) {
        let receipts: Vec<Receipt> = chunk.iter().map(|(_, receipt, _)| receipt.clone()).collect();
        if let Err(error) = env.queue.extend(&receipts, env.worker.visibility_timeout_secs.duration()).await {
            tracing::warn!(%error, "messages could not be kept invisible");
        }
        let leased: Vec<(Lease, &Listener)> =
            chunk.iter().filter_map(|(lease, _, listener)| lease.clone().map(|l| (l, listener))).collect();
        let leases: Vec<Lease> = leased.iter().map(|(lease, _)| lease.clone()).collect();
        if leases.is_empty() {
            continue;
        }
        match env.store.extend_leases(&leases, until).await {
            Ok(states) => {
                for ((_, listener), state) in leased.iter().zip(states) {
                    listener(if state.held { LeaseNews::Control(state.control) } else { LeaseNews::Lost });
                }
            }
            // The lease runs on for a while; the next beat tries again.
            Err(error) => tracing::warn!(%error, "leases could not be renewed"),
        }
    }
}
