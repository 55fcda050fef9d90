//! How many requests share a commit.
//!
//! When all builds ride one commit, the writer waits while the workers deal with its answers, and they wait while it writes:
//! one core of two idles. So a commit takes a quarter of the requests that are out, and the others are worked on meanwhile.
//! A commit has its price, too: it takes at least as many requests as cost what the commit itself costs, which on a slow
//! disk may be all of them.

use std::time::Duration;

/// Of the requests that are out, a commit takes this part.
const PARTS: f64 = 4.0;
/// What the peak of the requests that are out keeps of itself at each commit.
const KEEPS: f64 = 0.98;
/// Weight of the newest commit in the averages.
const NEWEST: f64 = 0.1;

/// What the last commits were like.
#[derive(Debug)]
pub(super) struct Rhythm {
    most: usize,
    /// Requests in the writer's hands, at the most of late.
    peak: f64,
    /// Seconds that a commit takes, and that a request runs, on average.
    commit: f64,
    request: f64,
}

impl Rhythm {
    /// Never more than `most` requests a commit.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), peak: 0.0, commit: 0.0, request: 0.0 }
    }

    /// Requests that the next commit may take.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // clamped to `most`
    pub(super) fn limit(&self) -> usize {
        let worth = if self.request > 0.0 { self.commit / self.request } else { self.most as f64 };
        (self.peak / PARTS).max(worth).ceil().clamp(1.0, self.most as f64) as usize
    }

    /// A commit took that long, after its `requests` had run for `ran`; `out` were in the writer's hands.
    #[allow(clippy::cast_precision_loss)] // at most some thousands
    pub(super) fn committed(&mut self, out: usize, requests: usize, ran: Duration, commit: Duration) {
        self.peak = (out as f64).max(self.peak * KEEPS);
        if requests > 0 {
            average(&mut self.commit, commit.as_secs_f64());
            average(&mut self.request, ran.as_secs_f64() / requests as f64);
        }
    }
}

fn average(of: &mut f64, newest: f64) {
    *of = if *of > 0.0 { NEWEST.mul_add(newest - *of, *of) } else { newest };
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Duration = Duration::from_micros(50);

    fn after(out: usize, commit: Duration) -> Rhythm {
        let mut rhythm = Rhythm::new(256);
        for _ in 0..500 {
            let requests = rhythm.limit().min(out);
            rhythm.committed(out, requests, REQUEST * u32::try_from(requests).unwrap(), commit);
        }
        rhythm
    }

    #[test]
    fn a_quarter_of_many_shares_a_commit() {
        assert_eq!(after(256, Duration::from_micros(500)).limit(), 64);
    }

    #[test]
    fn few_share_one_commit_where_it_costs_more_than_they_do() {
        assert!(after(16, Duration::from_millis(1)).limit() >= 16);
        // A disk that syncs in 20 ms: nobody waits for a second commit.
        assert_eq!(after(256, Duration::from_millis(20)).limit(), 256);
    }

    #[test]
    fn what_nobody_knows_yet_limits_nobody_and_the_most_is_kept() {
        assert_eq!(Rhythm::new(256).limit(), 256);
        assert_eq!(Rhythm::new(0).limit(), 1);
        assert_eq!(after(100_000, Duration::from_micros(500)).limit(), 256);
    }

    #[test]
    fn a_burst_is_forgotten() {
        let mut rhythm = after(1_024, Duration::from_micros(100));
        for _ in 0..400 {
            rhythm.committed(8, 8, REQUEST * 8, Duration::from_micros(100));
        }
        assert!(rhythm.limit() <= 4, "{rhythm:?}");
    }
}
