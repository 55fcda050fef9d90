//! Counts of one generation, for its report and for the bound on stuck jobs.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

#[derive(Default)]
pub(super) struct Stats {
    running: AtomicUsize,
    stuck: AtomicUsize,
    total: AtomicU64,
    panics: AtomicU64,
    violations: AtomicU64,
}

/// The counts at one moment.
pub(super) struct Snapshot {
    pub(super) running: usize,
    pub(super) stuck: usize,
    pub(super) total: u64,
    pub(super) panics: u64,
    pub(super) violations: u64,
}

impl Stats {
    pub(super) fn began(&self) {
        self.running.fetch_add(1, Relaxed);
        self.total.fetch_add(1, Relaxed);
    }

    pub(super) fn ended(&self, was_stuck: bool) {
        let counter = if was_stuck { &self.stuck } else { &self.running };
        counter.fetch_sub(1, Relaxed);
    }

    pub(super) fn became_stuck(&self) -> usize {
        self.running.fetch_sub(1, Relaxed);
        self.stuck.fetch_add(1, Relaxed) + 1
    }

    pub(super) fn stuck(&self) -> usize {
        self.stuck.load(Relaxed)
    }

    pub(super) fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    pub(super) fn violated(&self) -> u64 {
        self.violations.fetch_add(1, Relaxed) + 1
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            running: self.running.load(Relaxed),
            stuck: self.stuck.load(Relaxed),
            total: self.total.load(Relaxed),
            panics: self.panics.load(Relaxed),
            violations: self.violations.load(Relaxed),
        }
    }
}
