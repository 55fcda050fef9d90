//! The states of an agent, and what can happen in each by itself.

use std::{sync::Arc, time::Duration};

use nexus_plugin_api::payload::Failure;
use nexus_sandbox::Ending;
use tokio::{
    select,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::{
    Code, End, Lease, Usage, Waiter,
    lease::Talk,
    start::{StartFault, Started},
};

/// Where an agent is in its life.
pub(crate) enum State {
    /// No process; the next use starts one.
    Idle,
    /// A process is coming up.
    Starting(Starting),
    /// A process answers.
    Running(Box<Running>),
    /// The process crashed; another is started at `until`.
    Backoff { until: Instant, why: String, waiters: Vec<Waiter> },
    /// It could not be started, or crashed too often. A use after `retry_at` tries again.
    Failed { failure: Failure, retry_at: Instant },
}

/// A start under way.
pub(crate) struct Starting {
    pub(crate) cancel: oneshot::Sender<()>,
    pub(crate) task: JoinHandle<Result<Started, StartFault>>,
    pub(crate) waiters: Vec<Waiter>,
    /// What the code was before.
    pub(crate) code: Code,
    /// Number of the deployment that it is started for.
    pub(crate) deployment: u64,
    /// A restart after a crash, which nobody asked for.
    pub(crate) automatic: bool,
}

/// A process that answers.
pub(crate) struct Running {
    pub(crate) started: Started,
    pub(crate) generation: u64,
    /// Number of the deployment that it was started for.
    pub(crate) deployment: u64,
    /// Who wants a later deployment than this one: it is replaced once its last answer is given.
    pub(crate) replaced_for: Vec<Waiter>,
    pub(crate) ended: watch::Sender<Option<End>>,
    /// What its code was when it was started.
    pub(crate) code: Code,
    /// Who talks to it; the other end tells when nobody does.
    pub(crate) talk: (Talk, mpsc::Receiver<()>),
    /// Not before this is it asked again whether it may be stopped for resting.
    pub(crate) busy_until: Instant,
}

/// What happened without a command.
pub(crate) enum Happening {
    StartOver(Box<Result<Started, StartFault>>),
    Ended(std::io::Result<Ending>),
    Rested,
    /// A process that is to be replaced gave its last answer.
    Drained,
    BackoffOver,
}

impl State {
    /// Waits for the next happening. Safe to cancel.
    pub(crate) async fn happening(&mut self, usage: &Usage, idle_stop: Option<Duration>) -> Happening {
        match self {
            Self::Idle | Self::Failed { .. } => std::future::pending().await,
            Self::Starting(starting) => {
                let outcome = (&mut starting.task).await.unwrap_or_else(|e| {
                    let failure = Failure::transient(format!("starting the agent failed: {e}"));
                    Err(StartFault { failure, crashed: true })
                });
                Happening::StartOver(Box::new(outcome))
            }
            Self::Running(running) => {
                let busy_until = running.busy_until;
                select! {
                    status = running.started.process.ended() => Happening::Ended(status),
                    () = drained(usage), if !running.replaced_for.is_empty() => Happening::Drained,
                    () = rested(usage, idle_stop, busy_until), if running.replaced_for.is_empty() => Happening::Rested,
                }
            }
            Self::Backoff { until, .. } => {
                sleep_until(*until).await;
                Happening::BackoffOver
            }
        }
    }
}

/// Resolves when no answer is being given.
async fn drained(usage: &Usage) {
    while !usage.is_resting() {
        usage.changed().await;
    }
}

/// Resolves when the agent has had no request for so long.
async fn rested(usage: &Usage, idle_stop: Option<Duration>, not_before: Instant) {
    let Some(idle_stop) = idle_stop else { return std::future::pending().await };
    loop {
        if usage.is_resting() {
            let due = (usage.last_used() + idle_stop).max(not_before);
            if Instant::now() >= due {
                return;
            }
            sleep_until(due).await;
        } else {
            usage.changed().await;
        }
    }
}

impl Running {
    pub(crate) fn lease(&self, usage: &Arc<Usage>) -> Lease {
        let (ended, usage) = (self.ended.subscribe(), Arc::clone(usage));
        Lease::new(self.generation, &self.started, ended, usage, self.talk.0.clone())
    }
}
