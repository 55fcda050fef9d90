//! Keeps the leases and messages of running work alive, all in one heartbeat.
//!
//! Role: the [`LeaseBook`](super::book::LeaseBook) lists what this daemon works on; the [`LeaseKeeper`] actor renews it every
//! `heartbeat_secs`. Messages in: `Beat` and `Look` (own timers), `Renewed` (its spawned call). Messages out: to the
//! holder, [`LeaseNews`]. Supervised by `root`.
//!
//! Where other daemons share the store, a lease that could not be renewed is given up by its holder before it ends:
//! another daemon may take the work then, and nothing is to run twice at once. The time that counts is this machine's
//! own since the last renewal began, whatever its clock says.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::book::{Due, LeaseNews};
use crate::workers::{environment::Environment, supervise::Finally};
use crate::{
    backend::queue::Receipt,
    domain::{task::Lease, time::Timestamp},
};

/// Leases renewed in one store call.
const CHUNK: usize = 256;
/// Leases that are renewed side by side, where each is a request.
const SIDE_BY_SIDE: usize = 16;
/// How often it is looked for leases that run out.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
            tracing::warn!(%error, "the visibility timeout of messages could not be extended");
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
