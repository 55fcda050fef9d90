//! Conversations with agents: the session is taken among all daemons, the question stored, the agent asked, its answer passed
//! on while it comes and stored at its end.
//!
//! An answer belongs to the daemon, not to who asked for it: it goes on without its client (`running`), another client
//! finds it again, also one that asks another daemon (`elsewhere`).

mod answer;
mod ask;
mod asking;
pub mod attachments;
mod elsewhere;
mod history;
mod invoke;
mod lease;
mod messages;
mod piece;
mod ready;
mod running;
mod sessions;
mod settle;

use std::sync::{Arc, OnceLock};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::running::Chats;
pub use self::{
    answer::Answer,
    ask::Pieces,
    asking::{NoAnswer, Outcome},
    invoke::Invoke,
    messages::Sent,
    piece::{MessagePiece, Metrics, Numbered, Piece},
    sessions::NewSession,
};
use super::{AgentError, Result, lost, of_session};
use crate::{
    backend::store::Store, deletion::Deletions, events::EventHub, idempotency::HeldKeys, jobs::DeployedAgents,
};

pub struct Conversations {
    store: Arc<dyn Store>,
    deployed: DeployedAgents,
    deletions: Deletions,
    hub: Arc<EventHub>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    keys: HeldKeys,
    chats: Chats,
    meter: OnceLock<Meter>,
}

/// Hears what each answer took, and on whose credential.
pub type Meter = Arc<dyn Fn(&str, &Answer) + Send + Sync>;

impl Conversations {
    /// Over this store, with this way to agents. `hub` tells when one is deployed, `tasks` go on when a client leaves, and
    /// answers end when `shutdown` fires.
    pub fn new(
        store: Arc<dyn Store>,
        deployed: DeployedAgents,
        hub: Arc<EventHub>,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        let deletions = Deletions::new(Arc::clone(&store), deployed.clone());
        let (keys, chats) = (HeldKeys::new(Arc::clone(&store), tasks.clone()), Chats::default());
        Arc::new(Self { store, deployed, deletions, hub, tasks, shutdown, keys, chats, meter: OnceLock::new() })
    }

    /// Has every answer counted from now on.
    pub fn count_by(&self, meter: Meter) {
        let _ = self.meter.set(meter);
    }
}
