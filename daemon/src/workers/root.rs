//! The top of the tree: starts the other actors, restarts them, ends the process when that does not help.
//!
//! Messages in: `Respawn` (own timer), `Drain`, `Tree`, `Dispatch`. Supervised by nobody: `app` awaits its
//! end, and an end that nobody asked for ends the process with a code, so that systemd starts it anew.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent, call_t};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    dispatcher::{Dispatcher, DispatcherMessage},
    environment::Environment,
    lease::LeaseKeeper,
    poller::{Poller, PollerArguments},
    reconciler::Reconciler,
    supervise::{Restarts, Verdict},
};
use crate::domain::queue::QueueName;
use crate::workers::metrics as figures;

pub struct Root;

/// Messages of the [`Root`].
pub enum RootMessage {
    /// Start this child again.
    Respawn(Child),
    /// To the dispatcher, whoever that is now.
    Dispatch(DispatcherMessage),
    /// The daemon stops: what runs is handed back. The root ends when all is.
    Drain,
    /// Look whether all is handed back (own timer).
    Drained(usize),
    /// Answers at once: the watchdog's question.
    Alive(RpcReplyPort<()>),
    /// The tree's state, for people.
    Tree(RpcReplyPort<Value>),
}

/// The children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    /// One job, one actor.
    Dispatcher,
    /// Keeps leases alive.
    LeaseKeeper,
    /// Receives build messages.
    BuildPoller,
    /// Receives deploy messages.
    DeployPoller,
    /// Puts right what nobody comes for.
    Reconciler,
}

impl Child {
    /// Start order: what receives work comes after what does it.
    const ALL: [Self; 5] =
        [Self::Dispatcher, Self::LeaseKeeper, Self::Reconciler, Self::DeployPoller, Self::BuildPoller];

    const fn name(self) -> &'static str {
        match self {
            Self::Dispatcher => "dispatcher",
            Self::LeaseKeeper => "lease_keeper",
            Self::BuildPoller => "poller/build",
            Self::DeployPoller => "poller/deploy",
            Self::Reconciler => "reconciler",
        }
    }

    /// Whether it takes work, which only workers do.
    const fn receives(self) -> bool {
        matches!(self, Self::BuildPoller | Self::DeployPoller)
    }

    const fn index(self) -> usize {
        self as usize
    }
}

#[derive(Default)]
struct Slot {
    id: Option<ActorId>,
    cell: Option<ractor::ActorCell>,
    restarts: Restarts,
}

/// State of the [`Root`].
pub struct RootState {
    env: Arc<Environment>,
    slots: [Slot; 5],
    dispatcher: Option<ActorRef<DispatcherMessage>>,
    builds: Arc<Semaphore>,
    deploys: Arc<Semaphore>,
    draining: bool,
}

impl Actor for Root {
    type Msg = RootMessage;
    type State = RootState;
    type Arguments = Arc<Environment>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        env: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let builds = Arc::new(Semaphore::new(env.worker.builds));
        let deploys = Arc::new(Semaphore::new(env.worker.deploys));
        let slots = Default::default();
        let mut state = RootState { env, slots, dispatcher: None, builds, deploys, draining: false };
        let works = state.env.works;
        for child in Child::ALL.into_iter().filter(|child| works || !child.receives()) {
            state.spawn(&myself, child).await?;
        }
        Ok(state)
    }

    async fn post_stop(&self, myself: ActorRef<Self::Msg>, _state: &mut Self::State) -> Result<(), ActorProcessingErr> {
        // Stopping kills the children's children; by now none of them has work.
        myself.stop_children_and_wait(None, Some(Duration::from_secs(1))).await;
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RootMessage::Respawn(child) if !state.draining => {
                if let Err(error) = state.spawn(&myself, child).await {
                    tracing::error!(child = child.name(), %error, "a part of the daemon did not start");
                    return state.failed(&myself, child);
                }
                tracing::info!(child = child.name(), "restarted");
            }
            RootMessage::Respawn(_) => {}
            RootMessage::Dispatch(message) => {
                if let Some(dispatcher) = &state.dispatcher {
                    let _ = dispatcher.cast(message);
                }
            }
            RootMessage::Drain => {
                state.draining = true;
                let (env, dispatcher) = (Arc::clone(&state.env), state.dispatcher.clone());
                tokio::spawn(async move {
                    // Messages that it has not looked at yet hold no lease: they are counted only after this.
                    if let Some(dispatcher) = dispatcher {
                        let _ = call_t!(dispatcher, DispatcherMessage::Drain, 1_000);
                    }
                    let _ = myself.cast(RootMessage::Drained(env.leases.len()));
                });
            }
            RootMessage::Drained(0) => myself.stop(None),
            RootMessage::Drained(_) => {
                let env = Arc::clone(&state.env);
                myself.send_after(Duration::from_millis(20), move || RootMessage::Drained(env.leases.len()));
            }
            RootMessage::Alive(reply) => {
                let _ = reply.send(());
            }
            RootMessage::Tree(reply) => state.describe(reply),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let (cell, why) = match event {
            SupervisionEvent::ActorFailed(cell, error) => (cell, error.to_string()),
            SupervisionEvent::ActorTerminated(cell, _, reason) => {
                (cell, reason.unwrap_or_else(|| "it ended by itself".to_owned()))
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => return Ok(()),
        };
        let Some(child) = state.child(cell.get_id()) else { return Ok(()) };
        if state.draining || state.env.draining.is_cancelled() {
            return Ok(());
        }
        tracing::error!(child = child.name(), why, "a part of the daemon failed");
        figures::actor_failed(child.name());
        state.failed(&myself, child)
    }
}

impl RootState {
    async fn spawn(&mut self, myself: &ActorRef<RootMessage>, child: Child) -> Result<(), ActorProcessingErr> {
        let (env, parent) = (Arc::clone(&self.env), myself.get_cell());
        let name = None;
        let cell = match child {
            Child::Dispatcher => {
                let (dispatcher, _) = Dispatcher::spawn_linked(name, Dispatcher, env, parent).await?;
                self.dispatcher = Some(dispatcher.clone());
                // The pollers know the old one: they come again with the new.
                for poller in [Child::BuildPoller, Child::DeployPoller] {
                    if let Some(cell) = self.slots.get(poller.index()).and_then(|slot| slot.cell.as_ref()) {
                        cell.stop(Some("the dispatcher was restarted".to_owned()));
                    }
                }
                dispatcher.get_cell()
            }
            Child::LeaseKeeper => LeaseKeeper::spawn_linked(name, LeaseKeeper, env, parent).await?.0.get_cell(),
            Child::Reconciler => Reconciler::spawn_linked(name, Reconciler, env, parent).await?.0.get_cell(),
            Child::BuildPoller | Child::DeployPoller => {
                let Some(dispatcher) = self.dispatcher.clone() else { return Err("no dispatcher yet".into()) };
                let (queue, permits) = match child {
                    Child::BuildPoller => (QueueName::Build, Arc::clone(&self.builds)),
                    _ => (QueueName::Deploy, Arc::clone(&self.deploys)),
                };
                let arguments = PollerArguments { env, queue, permits, dispatcher };
                Poller::spawn_linked(name, Poller, arguments, parent).await?.0.get_cell()
            }
        };
        if let Some(slot) = self.slots.get_mut(child.index()) {
            slot.id = Some(cell.get_id());
            slot.cell = Some(cell);
        }
        Ok(())
    }

    fn child(&self, id: ActorId) -> Option<Child> {
        Child::ALL.into_iter().find(|child| self.slots.get(child.index()).is_some_and(|slot| slot.id == Some(id)))
    }

    fn failed(&mut self, myself: &ActorRef<RootMessage>, child: Child) -> Result<(), ActorProcessingErr> {
        let Some(slot) = self.slots.get_mut(child.index()) else { return Ok(()) };
        (slot.id, slot.cell) = (None, None);
        match slot.restarts.failed(Instant::now(), rand::random()) {
            Verdict::RestartAfter(delay) => {
                myself.send_after(delay, move || RootMessage::Respawn(child));
                Ok(())
            }
            // Ends the root, and with it the process.
            Verdict::GiveUp => Err(format!("{} fails again and again", child.name()).into()),
        }
    }

    fn describe(&self, reply: RpcReplyPort<Value>) {
        let children: Vec<Value> = Child::ALL
            .iter()
            .filter_map(|child| {
                let slot = self.slots.get(child.index())?;
                let state = if slot.id.is_some() { "running" } else { "restarting" };
                Some(json!({"actor": child.name(), "state": state, "restarts": slot.restarts.total()}))
            })
            .collect();
        let (env, dispatcher) = (Arc::clone(&self.env), self.dispatcher.clone());
        tokio::spawn(async move {
            let running = match dispatcher {
                Some(dispatcher) => call_t!(dispatcher, DispatcherMessage::Running, 500).unwrap_or_default(),
                None => Default::default(),
            };
            let _ = reply.send(json!({
                "worker_id": env.worker_id,
                "draining": env.draining.is_cancelled(),
                "children": children,
                "builds": {"running": running.builds, "permits": env.worker.builds},
                "deploys": {"running": running.deploys, "permits": env.worker.deploys},
                "leases": env.leases.len(),
            }));
        });
    }
}
