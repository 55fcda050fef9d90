//! Keeps the leases and messages of running work alive, all in one heartbeat.
//!
//! Role: the [`LeaseBook`] lists what this daemon works on; the [`LeaseKeeper`] actor renews it every
//! `heartbeat_secs`. Messages in: `Beat` and `Look` (own timers), `Renewed` (its spawned call). Messages out: to the
//! holder, [`LeaseNews`]. Supervised by `root`.
//!
//! Where other daemons share the store, a lease that could not be renewed is given up by its holder before it ends:
//! another daemon may take the work then, and nothing is to run twice at once. The time that counts is this machine's
//! own since the last renewal began, whatever its clock says.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::{environment::Environment, supervise::Finally};
use crate::{
    backend::queue::Receipt,
    domain::{control::ControlStatus, ids::ProjectId, task::Lease, time::Timestamp},
};

/// Leases renewed in one store call.
const CHUNK: usize = 256;
/// Leases that are renewed side by side, where each is a request.
const SIDE_BY_SIDE: usize = 16;
/// How often it is looked for leases that run out.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a heartbeat found.
#[derive(Clone, Copy, Debug)]
pub enum LeaseNews {
    /// The lease went to another, or its task was withdrawn.
    Lost,
    /// Still ours; the user's wish as the store has it, for requests that came through another daemon.
    Control(ControlStatus),
}

type Entries = Arc<Mutex<HashMap<u64, Held>>>;
type Listener = Arc<dyn Fn(LeaseNews) + Send + Sync>;

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

    /// Whether a build or deployment of a project is ours.
    #[must_use]
    pub fn works_on(&self, project: &ProjectId) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.values().any(|held| held.lease.as_ref().is_some_and(|lease| lease.project_id == *project))
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

    fn all(&self) -> Vec<Due> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let due = |(key, held): (&u64, &Held)| Due {
            key: *key,
            lease: held.lease.clone(),
            receipt: held.receipt.clone(),
            listener: Arc::clone(&held.listener),
        };
        held.iter().filter(|(_, held)| !held.given_up).map(due).collect()
    }

    fn renewed(&self, keys: &[u64], at: Instant) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if let Some(entry) = held.get_mut(key) {
                entry.renewed = at;
            }
        }
    }

    /// The holders of leases that were not renewed for so long; each is answered once.
    fn run_out(&self, limit: Duration) -> Vec<(Lease, Listener)> {
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
struct Due {
    key: u64,
    lease: Option<Lease>,
    receipt: Receipt,
    listener: Listener,
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

/// The heartbeat.
pub struct LeaseKeeper;

/// Messages of the [`LeaseKeeper`].
pub enum LeaseMessage {
    /// Time to renew.
    Beat,
    /// Time to look for leases that run out.
    Look,
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
        if env.store.is_shared() {
            myself.send_interval(LOOK_EVERY.min(env.worker.heartbeat_secs.duration()), || LeaseMessage::Look);
        }
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
            LeaseMessage::Look => {
                for (lease, listener) in state.env.leases.run_out(limit(&state.env)) {
                    let (project_id, epoch) = (&lease.project_id, lease.epoch);
                    tracing::warn!(%project_id, epoch, "a lease could not be renewed in time and is given up");
                    listener(LeaseNews::Lost);
                }
            }
            LeaseMessage::Renewed => state.renewing = false,
        }
        Ok(())
    }
}

/// How long a lease is worked under without a renewal: what runs needs a while to end.
fn limit(env: &Environment) -> Duration {
    let lease = env.worker.lease_secs.duration();
    lease - env.worker.heartbeat_secs.duration().min(lease / 4)
}

async fn renew(env: &Environment) {
    let all = env.leases.all();
    // Neither waits for the other: the message matters less than the lease.
    futures::future::join(renew_messages(env, &all), renew_leases(env, &all)).await;
}

async fn renew_messages(env: &Environment, all: &[Due]) {
    for chunk in all.chunks(CHUNK) {
        let receipts: Vec<Receipt> = chunk.iter().map(|due| due.receipt.clone()).collect();
        if let Err(error) = env.queue.extend(&receipts, env.worker.visibility_timeout_secs.duration()).await {
            tracing::warn!(%error, "messages could not be kept invisible");
        }
    }
}

async fn renew_leases(env: &Environment, all: &[Due]) {
    let leased: Vec<&Due> = all.iter().filter(|due| due.lease.is_some()).collect();
    // Where each lease is a request of its own, the trouble of one is not that of others.
    let (chunk, beside) = if env.store.is_shared() { (1, SIDE_BY_SIDE) } else { (CHUNK, 1) };
    futures::stream::iter(leased.chunks(chunk)).for_each_concurrent(beside, |chunk| renew_some(env, chunk)).await;
}

async fn renew_some(env: &Environment, leased: &[&Due]) {
    let (begun, until) = (Instant::now(), Timestamp::now().plus(env.worker.lease_secs.duration()));
    let leases: Vec<Lease> = leased.iter().filter_map(|due| due.lease.clone()).collect();
    match env.store.extend_leases(&leases, until).await {
        Ok(states) => {
            let held = leased.iter().zip(&states).filter(|(_, state)| state.held);
            env.leases.renewed(&held.map(|(due, _)| due.key).collect::<Vec<u64>>(), begun);
            for (due, state) in leased.iter().zip(states) {
                (due.listener)(if state.held { LeaseNews::Control(state.control) } else { LeaseNews::Lost });
            }
        }
        // The lease runs on for a while; the next beat tries again.
        Err(error) => tracing::warn!(%error, "leases could not be renewed"),
    }
}
