//! The end of the process: two phases, one deadline, and who is still running.
//!
//! `app.rs` makes one [`Shutdown`] and hands clones to everybody. Order of an end:
//!
//! 1. [`Shutdown::begin`] (a signal, a dead critical actor): `draining` is cancelled, the clock starts. Pollers take
//!    nothing new, the API answers what it has, SSE streams end.
//! 2. [`Shutdown::stop`] (by `app.rs`, once drained or when the grace is over): `stopping` is cancelled. Stages are
//!    cancelled, leases and messages go back.
//! 3. [`Shutdown::finished`] waits until every [`Guard`] is gone, names the rest every five seconds, and gives up at
//!    the deadline: then the process ends with [`EXIT_OVERRUN`].
//!
//! A second SIGTERM or SIGINT ends the process at once with [`EXIT_FORCED`]: nothing durable is lost by that. Two of them
//! within `ONE_REQUEST` are one request: GNU `timeout` signals the process and then its whole group.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::plugins;

/// Exit code when something was still running at the deadline.
pub const EXIT_OVERRUN: u8 = 75;
/// Exit code when a second signal cut the end short.
pub const EXIT_FORCED: u8 = 130;

/// A signal so soon after the first says nothing new. Nobody types a second Ctrl-C so fast.
const ONE_REQUEST: Duration = Duration::from_millis(300);

/// Pause between two reports of who is still running.
const REPORT: Duration = Duration::from_secs(5);

/// The end of this process. Cheap to clone.
#[derive(Clone)]
pub struct Shutdown {
    inner: Arc<Inner>,
}

struct Inner {
    draining: CancellationToken,
    stopping: CancellationToken,
    limit: Duration,
    begun: OnceLock<Instant>,
    running: Mutex<Running>,
    changed: Notify,
}

#[derive(Default)]
struct Running {
    next: u64,
    names: BTreeMap<u64, (String, Instant)>,
}

/// How the end went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Everybody finished.
    Clean,
    /// These were still running at the deadline.
    Overrun(Vec<String>),
}

impl Shutdown {
    /// `limit` is the time from [`Shutdown::begin`] to the end of the process.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        let draining = CancellationToken::new();
        let inner = Inner {
            stopping: CancellationToken::new(),
            draining,
            limit,
            begun: OnceLock::new(),
            running: Mutex::default(),
            changed: Notify::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Cancelled when no new work may begin.
    #[must_use]
    pub fn draining(&self) -> &CancellationToken {
        &self.inner.draining
    }

    /// Cancelled when running work must end. `child_token` of it for a part that can also end by itself.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.inner.stopping
    }

    /// Begins the end and starts the clock; false when it had begun before.
    pub fn begin(&self, reason: &str) -> bool {
        let first = self.inner.begun.set(Instant::now()).is_ok();
        if first {
            tracing::info!(reason, limit_secs = self.inner.limit.as_secs(), "shutting down");
            self.inner.draining.cancel();
        }
        first
    }

    /// The second phase; begins the end if nobody has.
    pub fn stop(&self) {
        self.begin("stop");
        self.inner.stopping.cancel();
    }

    /// The time left until the deadline; all of it before the end has begun.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline().map_or(self.inner.limit, |at| at.saturating_duration_since(Instant::now()))
    }

    /// Registers something that must finish before the process may end: keep the guard while it runs.
    pub fn guard(&self, name: impl Into<String>) -> Guard {
        let mut running = self.running();
        let id = running.next;
        running.next += 1;
        running.names.insert(id, (name.into(), Instant::now()));
        Guard { inner: Arc::clone(&self.inner), id }
    }

    /// Who is still running, oldest first.
    #[must_use]
    pub fn still_running(&self) -> Vec<String> {
        self.running().names.values().map(|(name, _)| name.clone()).collect()
    }

    /// Waits until nobody is running any more, at most until the deadline.
    /// Call it after [`Shutdown::begin`]; it begins the end if nobody has.
    pub async fn finished(&self) -> End {
        self.begin("stop");
        let deadline = self.deadline().unwrap_or_else(Instant::now);
        let mut report = Instant::now() + REPORT;
        loop {
            // Registered before the look, so that a guard dropped in between is not missed.
            let changed = self.inner.changed.notified();
            let names = self.still_running();
            if names.is_empty() {
                return End::Clean;
            }
            let now = Instant::now();
            if now >= deadline {
                tracing::error!(still_running = names.join(", "), "not finished at the deadline");
                return End::Overrun(names);
            }
            if now >= report {
                let left = deadline.saturating_duration_since(now).as_secs();
                tracing::warn!(
                    still_running = names.join(", "),
                    seconds_left = left,
                    "shutdown waits for what still runs"
                );
                report = now + REPORT;
            }
            let _ = timeout_at(report.min(deadline), changed).await;
        }
    }

    /// Listens to signals until the process ends: SIGTERM and SIGINT begin the end, a second one exits at once,
    /// SIGHUP wakes `reload`. Call it once, on the runtime, before the first long wait.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn listen_to_signals(&self, reload: Arc<Notify>) -> std::io::Result<()> {
        let mut signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        };
        let shutdown = self.clone();
        tokio::spawn(async move {
            loop {
                match signals.next().await {
                    None => reload.notify_one(),
                    Some(name) if shutdown.begin(name) => {}
                    Some(name) if shutdown.has_just_begun() => {
                        tracing::debug!(signal = name, "the same shutdown request came twice");
                    }
                    Some(name) => {
                        let names = shutdown.still_running().join(", ");
                        tracing::error!(signal = name, still_running = names, "second signal: exiting at once");
                        plugins::end_is_meant();
                        std::process::exit(EXIT_FORCED.into());
                    }
                }
            }
        });
        Ok(())
    }

    /// Whether a signal of now belongs to what began the end.
    fn has_just_begun(&self) -> bool {
        self.inner.begun.get().is_some_and(|begun| begun.elapsed() < ONE_REQUEST)
    }

    fn deadline(&self) -> Option<Instant> {
        self.inner.begun.get().map(|begun| *begun + self.inner.limit)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Running> {
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// The name of the signal that ends the process, or nothing for SIGHUP.
    async fn next(&mut self) -> Option<&'static str> {
        tokio::select! {
            _ = self.terminate.recv() => Some("SIGTERM"),
            _ = self.interrupt.recv() => Some("SIGINT"),
            _ = self.hang_up.recv() => None,
        }
    }
}

/// Something that is running; dropping it says that it has finished.
#[must_use = "a guard that is dropped at once guards nothing"]
pub struct Guard {
    inner: Arc<Inner>,
    id: u64,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).names.remove(&self.id);
        self.inner.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Real time: tokio's paused clock is a feature that would compile tokio a second time.
    #[tokio::test]
    async fn it_ends_with_the_last_guard() {
        let shutdown = Shutdown::new(Duration::from_secs(60));
        let (one, two) = (shutdown.guard("api"), shutdown.guard("build/p1"));
        assert!(shutdown.begin("SIGTERM") && !shutdown.begin("SIGTERM"));
        assert!(shutdown.draining().is_cancelled() && !shutdown.stopping().is_cancelled());
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.finished().await }
        });
        drop(one);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(shutdown.still_running(), ["build/p1"]);
        assert!(!waiting.is_finished());
        drop(two);
        assert_eq!(waiting.await.unwrap(), End::Clean);
        assert!(shutdown.remaining() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn an_overrun_names_who_is_left() {
        let shutdown = Shutdown::new(Duration::from_millis(50));
        let _stuck = shutdown.guard("stage/hang");
        let begun = Instant::now();
        shutdown.stop();
        assert!(shutdown.stopping().is_cancelled());
        assert_eq!(shutdown.finished().await, End::Overrun(vec!["stage/hang".to_owned()]));
        assert!(begun.elapsed() >= Duration::from_millis(50));
        assert_eq!(shutdown.remaining(), Duration::ZERO);
    }
}
