//! How a build leaves this daemon: its message deleted, handed back or forgotten. A lost lease: [`super::lost_lease`].

use std::{sync::Arc, time::Duration};

use ractor::ActorRef;

use super::{Abandon, BuildMessage, BuildState};
use crate::domain::queue::Receive;
use crate::{
    backend::error::BackendErrorKind,
    domain::project::ProjectStatus,
    telemetry::told,
    workers::{
        build::{attempt::Interrupt, stage::StageMessage},
        metrics as figures,
    },
};

/// How long stages may go on when the daemon stops, before they are cancelled.
const DRAIN_GRACE: Duration = Duration::from_secs(3);
/// Pause before a message comes again whose build met an error that was not its stages'.
pub(super) const AFTER_FAULT: Duration = Duration::from_secs(2);

impl BuildState {
    /// The user ended the build, or another owns it: stages are cancelled, nothing is stored any more.
    pub(super) fn abandon(&mut self, myself: &ActorRef<BuildMessage>, why: Abandon) {
        self.ending = Some(Interrupt::Cancelled);
        self.abandoned.get_or_insert(why);
        self.interrupt(Interrupt::Cancelled);
        self.end_if_idle(myself);
    }

    /// The daemon stops. The clock runs for a build that is ending already, too: its stages may be deaf.
    pub(crate) fn drain(&mut self, myself: &ActorRef<BuildMessage>) {
        self.ending.get_or_insert(Interrupt::HandBack);
        self.after(myself, DRAIN_GRACE, || BuildMessage::DrainOver);
        self.end_if_idle(myself);
    }

    pub(crate) fn interrupt(&self, reason: Interrupt) {
        for stage in self.running.values() {
            let _ = stage.cast(StageMessage::Interrupt(reason));
        }
    }

    /// Ends the actor when it is to end and nothing is under way.
    pub(crate) fn end_if_idle(&mut self, myself: &ActorRef<BuildMessage>) {
        let idle = self.running.is_empty() && self.step.is_none() && self.work.is_some();
        if idle && (self.ending.is_some() || self.env.draining.is_cancelled()) {
            self.end_now(myself);
        }
    }

    /// The store has the end of the build, or its rest.
    pub(crate) fn ended(&mut self, myself: &ActorRef<BuildMessage>, status: ProjectStatus, message_deleted: bool) {
        figures::build_ended(status);
        if let Some(work) = &self.work {
            told::build_ended(status, &work.figures());
        }
        if status == ProjectStatus::Cancelled && !self.running.is_empty() {
            // Another's stop was carried out: what still runs ends with it.
            self.abandon(myself, Abandon::Withdrawn);
        } else if message_deleted {
            self.forget(myself);
        } else {
            self.settle(myself);
        }
    }

    /// Ends the actor, whatever is under way.
    pub(crate) fn end_now(&mut self, myself: &ActorRef<BuildMessage>) {
        match (self.ending, self.abandoned) {
            (Some(Interrupt::Cancelled), Some(Abandon::Lost)) => self.let_lost_go(myself),
            (Some(Interrupt::Cancelled), _) => self.settle(myself),
            _ => self.hand_back(myself),
        }
    }

    /// The store refused a write of ours, or is away for long. Whatever it holds is the truth, so the build
    /// goes on from there with the next receive. That counts: what is refused each time must end among the
    /// dead letters, where the project is told, and not run its stages for ever. The lease stays ours until
    /// then, since giving it back would forgive the receive.
    pub(crate) fn fault(&mut self, myself: &ActorRef<BuildMessage>) {
        if self.ending.is_some() || self.env.draining.is_cancelled() {
            return self.end_now(myself);
        }
        self.give_back(myself, AFTER_FAULT, Receive::Counted);
    }

    /// Gives lease and message back at once, so that another daemon, or this one after its restart, goes on.
    pub(crate) fn hand_back(&mut self, myself: &ActorRef<BuildMessage>) {
        self.hand_back_after(myself, Duration::ZERO);
    }

    pub(super) fn hand_back_after(&mut self, myself: &ActorRef<BuildMessage>, delay: Duration) {
        let Some(in_flight) = self.in_flight.take() else { return };
        let Some(work) = &self.work else {
            // Not claimed yet.
            self.in_flight = Some(in_flight);
            return self.give_back(myself, delay, Receive::Uncounted);
        };
        let (env, lease, myself) = (Arc::clone(&self.env), work.lease.clone(), myself.clone());
        self.env.tasks.spawn(async move {
            match env.store.release_lease(&lease, Some(in_flight.receipt())).await {
                Ok(()) => in_flight.release(delay, Receive::Uncounted).await,
                // It was taken or withdrawn meanwhile.
                Err(error) if error.kind() == BackendErrorKind::Fenced => {
                    in_flight.release(delay, Receive::Uncounted).await
                }
                Err(error) => {
                    tracing::warn!(%error, "a lease could not be released; it expires by itself");
                    in_flight.release(Duration::from_secs(1), Receive::Uncounted).await;
                }
            }
            myself.stop(None);
        });
    }

    pub(crate) fn give_back(&mut self, myself: &ActorRef<BuildMessage>, delay: Duration, receive: Receive) {
        let (Some(in_flight), myself) = (self.in_flight.take(), myself.clone()) else { return };
        self.env.tasks.spawn(async move {
            in_flight.release(delay, receive).await;
            myself.stop(None);
        });
    }

    /// The message is done with and goes.
    pub(crate) fn settle(&mut self, myself: &ActorRef<BuildMessage>) {
        let (Some(in_flight), myself) = (self.in_flight.take(), myself.clone()) else { return };
        self.env.tasks.spawn(async move {
            in_flight.delete().await;
            myself.stop(None);
        });
    }

    /// The message went with the last commit.
    pub(crate) fn forget(&mut self, myself: &ActorRef<BuildMessage>) {
        if let Some(in_flight) = self.in_flight.take() {
            in_flight.forget();
        }
        myself.stop(None);
    }
}
