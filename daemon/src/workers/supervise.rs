//! When and how often a child is restarted: exponential backoff with jitter inside a budget. And that the
//! end of an actor's own task is always heard of.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// First delay.
const BASE: Duration = Duration::from_millis(100);
/// Longest delay.
const CEILING: Duration = Duration::from_secs(30);
/// Failures further apart than this do not add up.
const WINDOW: Duration = Duration::from_secs(60);
/// Restarts within [`WINDOW`] before the process gives up, so that systemd starts it anew.
const BUDGET: usize = 8;

/// What to do about a child that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Start it again after this pause.
    RestartAfter(Duration),
    /// It fails too often.
    GiveUp,
}

/// The failures of one child.
#[derive(Debug, Default)]
pub struct Restarts {
    recent: VecDeque<Instant>,
    total: u64,
}

impl Restarts {
    /// Notes a failure at `now`. `jitter` is a random number from 0 to 1.
    pub fn failed(&mut self, now: Instant, jitter: f64) -> Verdict {
        while self.recent.front().is_some_and(|first| now.duration_since(*first) > WINDOW) {
            self.recent.pop_front();
        }
        if self.recent.len() >= BUDGET {
            return Verdict::GiveUp;
        }
        let exponent = u32::try_from(self.recent.len()).unwrap_or(u32::MAX).min(16);
        self.recent.push_back(now);
        self.total += 1;
        let delay = (BASE * 2u32.saturating_pow(exponent)).min(CEILING);
        // Up to 30 % longer, so that several daemons do not come back in step.
        Verdict::RestartAfter(delay.mul_f64(1.0 + 0.3 * jitter.clamp(0.0, 1.0)))
    }

    /// Restarts so far.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }
}

/// Does something at the end of its scope, also by a panic or an abort: an actor that waits for the word
/// of its own task must not wait for ever.
pub struct Finally<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Finally<F> {
    /// See the type.
    #[must_use]
    pub const fn new(end: F) -> Self {
        Self(Some(end))
    }
}

impl<F: FnOnce()> Drop for Finally<F> {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_keeps_failing_ends_the_process() {
        let (mut restarts, now) = (Restarts::default(), Instant::now());
        let mut last = Duration::ZERO;
        for _ in 0..BUDGET {
            let Verdict::RestartAfter(delay) = restarts.failed(now, 0.0) else { panic!("gave up early") };
            assert!(delay > last);
            last = delay;
        }
        assert_eq!(restarts.failed(now, 0.0), Verdict::GiveUp);
    }

    #[test]
    fn failures_far_apart_start_anew() {
        let (mut restarts, now) = (Restarts::default(), Instant::now());
        for i in 0..100 {
            let at = now + (WINDOW + Duration::from_secs(1)) * i;
            assert_eq!(restarts.failed(at, 0.0), Verdict::RestartAfter(BASE));
        }
    }
}
