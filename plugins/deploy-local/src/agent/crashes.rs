//! How often an agent may crash.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::Settings;

/// What to do after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Try again after so long.
    Retry(Duration),
    /// Too many crashes: leave it until somebody asks, but not before so long.
    Spent(Duration),
}

/// The crashes of the recent past.
pub(crate) struct CrashHistory {
    recent: VecDeque<Instant>,
    budget: usize,
    window: Duration,
    base: Duration,
    max: Duration,
    cool_down: Duration,
}

impl CrashHistory {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            recent: VecDeque::new(),
            budget: settings.crash_budget as usize,
            window: Duration::from_secs(settings.crash_window_secs),
            base: Duration::from_millis(settings.restart_base_ms),
            max: Duration::from_secs(settings.restart_max_secs),
            cool_down: Duration::from_secs(settings.cool_down_secs),
        }
    }

    pub(crate) fn record(&mut self, now: Instant) -> Verdict {
        self.recent.push_back(now);
        while self.recent.len() > self.budget
            || self.recent.front().is_some_and(|crash| now.duration_since(*crash) > self.window)
        {
            self.recent.pop_front();
        }
        let count = self.recent.len();
        if count >= self.budget {
            return Verdict::Spent(self.cool_down);
        }
        let doublings = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX).min(20);
        Verdict::Retry(self.base.saturating_mul(1 << doublings).min(self.max))
    }

    pub(crate) fn clear(&mut self) {
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_then_gives_up_then_forgets() {
        let settings = Settings { crash_budget: 4, restart_base_ms: 500, restart_max_secs: 1, ..Settings::default() };
        let mut crashes = CrashHistory::new(&settings);
        let start = Instant::now();
        let verdicts: Vec<Verdict> = (0..5).map(|n| crashes.record(start + Duration::from_secs(n))).collect();
        let retry = |ms| Verdict::Retry(Duration::from_millis(ms));
        let spent = Verdict::Spent(Duration::from_secs(60));
        assert_eq!(verdicts, [retry(500), retry(1000), retry(1000), spent, spent]);
        assert_eq!(crashes.record(start + Duration::from_secs(1000)), retry(500));
    }
}
