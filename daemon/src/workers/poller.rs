//! Receives messages of one queue, never more than there are permits for.
//!
//! Role: owns N permits; receives only while it holds a free one; a message carries its permit to its
//! end. Messages in: `LoopEnded` (own task). Messages out: `DispatcherMessage::Job`. Supervised by
//! `root`.

use std::{sync::Arc, time::Duration};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::{sync::Semaphore, task::JoinHandle};

use super::{dispatcher::DispatcherMessage, environment::Environment, supervise::Finally};
use crate::{
    domain::{backoff::backoff, queue::QueueName},
    workers::{in_flight::InFlight, metrics as figures},
};

/// Longest wait of one receive.
const LONG_POLL: Duration = Duration::from_secs(20);
/// Most messages of one receive.
const MAX_RECEIVE: usize = 64;

pub struct Poller;

/// Messages of a [`Poller`].
pub enum PollerMessage {
    /// The receiving task ended, which it does only when the daemon stops or by a fault.
    LoopEnded,
}

/// What a [`Poller`] is started with.
#[derive(Clone)]
pub struct PollerArguments {
    pub env: Arc<Environment>,
    pub queue: QueueName,
    /// The permits. They belong to the queue, not to this incarnation of its poller: jobs taken by an
    /// earlier one still hold theirs.
    pub permits: Arc<Semaphore>,
    /// Where jobs go.
    pub dispatcher: ActorRef<DispatcherMessage>,
}

/// State of a [`Poller`].
pub struct PollerState {
    env: Arc<Environment>,
    task: JoinHandle<()>,
}

impl Drop for PollerState {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Actor for Poller {
    type Msg = PollerMessage;
    type State = PollerState;
    type Arguments = PollerArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let env = Arc::clone(&arguments.env);
        let task = tokio::spawn(async move {
            let _ended = Finally::new(move || drop(myself.cast(PollerMessage::LoopEnded)));
            receive(arguments).await;
        });
        Ok(PollerState { env, task })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            PollerMessage::LoopEnded if state.env.draining.is_cancelled() => myself.stop(None),
            PollerMessage::LoopEnded => return Err("the receiving task ended".into()),
        }
        Ok(())
    }
}

async fn receive(arguments: PollerArguments) {
    let PollerArguments { env, queue, permits, dispatcher } = arguments;
    let mut failures = 0;
    loop {
        // One permit is waited for; whatever else is free is taken with it.
        let first = tokio::select! {
            permit = Arc::clone(&permits).acquire_owned() => permit,
            () = env.draining.cancelled() => return,
        };
        let Ok(mut held) = first else { return };
        let more = permits.available_permits().min(MAX_RECEIVE - 1);
        if let Ok(more) = Arc::clone(&permits).try_acquire_many_owned(u32::try_from(more).unwrap_or(0)) {
            held.merge(more);
        }
        // What cannot have its files is not taken: it would be claimed and given back again and again.
        tokio::select! {
            () = env.artifacts.ready() => {}
            () = env.draining.cancelled() => return,
        }
        let received = tokio::select! {
            received = env.queue.receive(queue, held.num_permits(), LONG_POLL) => received,
            () = env.draining.cancelled() => return,
        };
        match received {
            Ok(deliveries) => {
                failures = 0;
                figures::received(queue, deliveries.len());
                for delivery in deliveries {
                    let Some(permit) = held.split(1) else {
                        tracing::error!(%queue, "the queue gave more messages than asked for");
                        break;
                    };
                    let in_flight = InFlight::new(Arc::clone(&env), delivery, permit);
                    if dispatcher.cast(DispatcherMessage::Job(in_flight)).is_err() {
                        // The dispatcher is being restarted; the dropped `InFlight` has handed the message back.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
            Err(error) => {
                failures += 1;
                let pause = backoff(Duration::from_millis(200), failures, rand::random()).min(Duration::from_secs(30));
                tracing::warn!(%queue, %error, pause_ms = pause.as_millis(), "messages could not be received");
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = env.draining.cancelled() => return,
                }
            }
        }
    }
}
