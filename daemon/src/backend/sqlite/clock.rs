//! Time for what only this process decides: ends of leases, visibility of messages, pauses before they come again.
//!
//! The wall clock may be set, and a process may be stopped or its machine suspended; neither is a reason to take work
//! away from those who hold it. So this clock goes on only while the process runs: it is read at least every
//! [`TICK`], by a thread of its own, and counts no more than [`MOST`] between two readings.

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use crate::domain::time::Timestamp;

/// How often the thread reads the clock.
const TICK: Duration = Duration::from_millis(500);
/// Longest time that counts between two readings: what a stop of the process costs a lease. A reading that comes late on a
/// full machine makes this clock slow, which takes nothing from anybody.
const MOST: Duration = Duration::from_secs(1);

/// Where the clock of a process begins: a moment before its start has a place, too.
const START: u64 = 1 << 50;

/// A point in the time that this process has run, in microseconds from [`START`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(u64);

struct Clock {
    read: Instant,
    micros: u64,
}

static CLOCK: OnceLock<Mutex<Clock>> = OnceLock::new();

impl Moment {
    /// Begins to read the clock regularly. Done once per process.
    pub(crate) fn start() -> std::io::Result<()> {
        static STARTED: Mutex<bool> = Mutex::new(false);
        let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
        if !*started {
            std::thread::Builder::new().name("store-clock".into()).spawn(|| {
                loop {
                    std::thread::sleep(TICK);
                    let _read = Self::now();
                }
            })?;
            *started = true;
        }
        Ok(())
    }

    pub(crate) fn now() -> Self {
        let clock = CLOCK.get_or_init(|| Mutex::new(Clock { read: Instant::now(), micros: START }));
        let mut clock = clock.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        clock.micros = advance(clock.micros, now.saturating_duration_since(clock.read));
        clock.read = now;
        Self(clock.micros)
    }

    pub(crate) fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(micros(by)))
    }

    /// Time since `earlier`; zero when that is later.
    pub(crate) const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The moment that a caller means who named a point of the wall clock a moment ago.
    pub(crate) fn meant_by(at: Timestamp) -> Self {
        let (now, wall) = (Self::now(), Timestamp::now());
        if at >= wall { now.plus(at.since(wall)) } else { Self(now.0.saturating_sub(micros(wall.since(at)))) }
    }

    /// The point of the wall clock at which it will be, as far as that can be said now.
    pub(crate) fn on_the_wall(self) -> Timestamp {
        Timestamp::now().plus(self.since(Self::now()))
    }
}

fn micros(of: Duration) -> u64 {
    u64::try_from(of.as_micros()).unwrap_or(u64::MAX)
}

/// The clock after `passed` without a reading.
fn advance(so_far: u64, passed: Duration) -> u64 {
    so_far.saturating_add(micros(passed.min(MOST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_process_loses_no_time() {
        assert_eq!(advance(7, Duration::from_millis(3)), 3_007);
        assert_eq!(advance(0, Duration::from_secs(66)), micros(MOST));
        assert_eq!(advance(u64::MAX, Duration::from_secs(1)), u64::MAX);
    }

    #[test]
    fn it_agrees_with_the_wall_clock_about_what_was_just_named() {
        let (now, minute) = (Moment::now(), Duration::from_secs(60));
        let later = Moment::meant_by(Timestamp::now().plus(minute));
        assert!(later.since(now) > Duration::from_secs(59) && later.since(now) < Duration::from_secs(61));
        let earlier = Moment::meant_by(Timestamp::from_micros(Timestamp::now().as_micros() - 60_000_000));
        assert!(now.since(earlier) > Duration::from_secs(59), "also in the first second of a process");
        assert!(later.on_the_wall() > Timestamp::now().plus(Duration::from_secs(50)));
    }
}
