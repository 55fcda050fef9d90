//! Whether the writer lives: when it last ended something, and when it last wrote.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// When the thread last wrote, in milliseconds since its start; `u64::MAX` when it never did, or could not since.
pub(super) struct Wrote {
    pub(super) begun: Instant,
    pub(super) at: AtomicU64,
}

impl Wrote {
    pub(super) fn note(&self, well: bool) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at.store(if well { now } else { u64::MAX }, Ordering::Relaxed);
    }

    pub(super) fn within(&self, limit: Duration) -> bool {
        let at = Duration::from_millis(self.at.load(Ordering::Relaxed));
        self.begun.elapsed() <= at.saturating_add(limit) && at <= self.begun.elapsed()
    }
}

/// When the thread last ended something, in milliseconds since its start.
pub(super) struct Progress {
    pub(super) begun: Instant,
    pub(super) at: AtomicU64,
}

impl Progress {
    pub(super) fn note(&self) {
        self.at.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Nothing waits: what comes next has waited for nobody.
    pub(super) fn rest(&self) {
        self.at.store(u64::MAX, Ordering::Relaxed);
    }

    pub(super) fn age(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.at.load(Ordering::Relaxed)))
    }
}
