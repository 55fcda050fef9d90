//! How a build leaves this daemon: its message deleted, handed back or forgotten.

use std::{sync::Arc, time::Duration};

use ractor::ActorRef;

use super::{Abandon, BuildMessage, BuildState};
use crate::actors::{attempt::Interrupt, stage::StageMessage};

/// How long stages may go on when the daemon stops, before they are cancelled.
const DRAIN_GRACE: Duration = Duration::from_secs(3);

impl BuildState {
    /// The user ended the build, or another owns it: stages are cancelled, nothing is stored any more.
    pub(super) fn abandon(&mut self, myself: &ActorRef<BuildMessage>, why: Abandon) {
        self.ending = Some(Interrupt::Cancelled);
        self.abandoned.get_or_insert(why);
        self.interrupt(Interrupt::Cancelled);
        self.end_if_idle(myself);
    }

    pub(super) fn drain(&mut self, myself: &ActorRef<BuildMessage>) {
        if self.ending.is_none() {
            self.ending = Some(Interrupt::HandBack);
            myself.send_after(DRAIN_GRACE, || BuildMessage::DrainOver);
            self.end_if_idle(myself);
        }
    }

    pub(super) fn interrupt(&self, reason: Interrupt) {
        for stage in self.running.values() {
            let _ = stage.cast(StageMessage::Interrupt(reason));
        }
    }

    /// Ends the actor when it is to end and nothing is under way.
    pub(super) fn end_if_idle(&mut self, myself: &ActorRef<BuildMessage>) {
        if !self.running.is_empty() || self.step.is_some() || self.work.is_none() {
            return;
        }
        match self.ending {
            Some(Interrupt::Cancelled) if self.abandoned == Some(Abandon::Lost) => {
                self.give_back(myself, Duration::ZERO, true);
            }
            Some(Interrupt::Cancelled) => self.settle(myself),
            Some(Interrupt::HandBack) => self.hand_back(myself),
            _ if self.env.draining.is_cancelled() => self.hand_back(myself),
            _ => {}
        }
    }

    /// Gives lease and message back at once, so that another daemon, or this one after its restart, goes on.
    pub(super) fn hand_back(&mut self, myself: &ActorRef<BuildMessage>) {
        let Some(ticket) = self.ticket.take() else { return };
        let Some(work) = &self.work else {
            // Not claimed yet.
            self.ticket = Some(ticket);
            return self.give_back(myself, Duration::ZERO, true);
        };
        let (env, lease, myself) = (Arc::clone(&self.env), work.lease.clone(), myself.clone());
        self.env.tasks.spawn(async move {
            match env.store.release_lease(&lease, Some(ticket.receipt())).await {
                Ok(()) => ticket.release(Duration::ZERO, true).await,
                Err(error) => {
                    tracing::warn!(%error, "a lease could not be given back; it ends by itself");
                    ticket.release(Duration::from_secs(1), true).await;
                }
            }
            myself.stop(None);
        });
    }

    pub(super) fn give_back(&mut self, myself: &ActorRef<BuildMessage>, delay: Duration, uncounted: bool) {
        let (Some(ticket), myself) = (self.ticket.take(), myself.clone()) else { return };
        self.env.tasks.spawn(async move {
            ticket.release(delay, uncounted).await;
            myself.stop(None);
        });
    }

    /// The message is done with and goes.
    pub(super) fn settle(&mut self, myself: &ActorRef<BuildMessage>) {
        let (Some(ticket), myself) = (self.ticket.take(), myself.clone()) else { return };
        self.env.tasks.spawn(async move {
            ticket.delete().await;
            myself.stop(None);
        });
    }

    /// The message went with the last commit.
    pub(super) fn forget(&mut self, myself: &ActorRef<BuildMessage>) {
        if let Some(ticket) = self.ticket.take() {
            ticket.forget();
        }
        myself.stop(None);
    }
}
