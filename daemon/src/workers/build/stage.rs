//! One attempt of one stage.
//!
//! Role: owns the task that makes the attempt, so that the tree shows it and its end ends the plugin's
//! job. Messages in: [`StageMessage::Interrupt`]. Messages out: `BuildMessage::StageEnded`, exactly once.
//! Supervised by its `build` actor.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::{sync::watch, task::JoinHandle};

use super::attempt::{Attempt, Interrupt, broken};
use crate::workers::build::BuildMessage;
pub struct StageActor;

/// Messages of a [`StageActor`].
pub enum StageMessage {
    /// End early, for this reason.
    Interrupt(Interrupt),
}

/// What a [`StageActor`] is started with.
pub struct StageArguments {
    /// The attempt to make.
    pub attempt: Attempt,
    /// The other end of the attempt's `interrupt`.
    pub interrupt: watch::Sender<Interrupt>,
    /// Place in the workflow, for the answer.
    pub index: usize,
    /// Who wants to know.
    pub build: ActorRef<BuildMessage>,
}

/// State of a [`StageActor`]. Dropping it (also when the actor is killed) ends the attempt.
pub struct StageState {
    interrupt: watch::Sender<Interrupt>,
    task: JoinHandle<()>,
}

impl Drop for StageState {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Actor for StageActor {
    type Msg = StageMessage;
    type State = StageState;
    type Arguments = StageArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let StageArguments { attempt, interrupt, index, build } = arguments;
        let task = tokio::spawn(async move {
            let (stage_name, number) = (attempt.stage_name().to_owned(), attempt.number);
            let end = AssertUnwindSafe(attempt.run()).catch_unwind().await;
            let end = end.unwrap_or_else(|_| broken(stage_name, number));
            let _ = build.cast(BuildMessage::StageEnded { index, end: Box::new(end) });
            myself.stop(None);
        });
        Ok(StageState { interrupt, task })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let StageMessage::Interrupt(reason) = message;
        state.interrupt.send_if_modified(|now| {
            // The first reason stands.
            let change = *now == Interrupt::None;
            if change {
                *now = reason;
            }
            change
        });
        Ok(())
    }
}
