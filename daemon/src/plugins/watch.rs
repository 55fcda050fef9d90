//! One thread per process that notices what does not happen: a cancelled job that does not end within
//! its grace, a call that does not return. It is no task, so that it works on real time and with every
//! runtime thread busy, and it sleeps while there is nothing to watch.

use std::{
    collections::BinaryHeap,
    sync::{
        Arc, Condvar, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{generation, lock, state::JobState};

/// How often running calls are looked at.
const TICK: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Watch {
    deadlines: Mutex<BinaryHeap<Deadline>>,
    wake: Condvar,
    armed: AtomicBool,
}

struct Deadline {
    at: Instant,
    job: Weak<JobState>,
}

// The earliest deadline is the greatest, as `BinaryHeap` gives out the greatest first.
impl Ord for Deadline {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.at.cmp(&self.at)
    }
}
impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Deadline {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl Eq for Deadline {}

/// Looks at the running calls until there is none.
pub(super) fn arm() {
    let watch = watch();
    if !watch.armed.load(Ordering::SeqCst) && !watch.armed.swap(true, Ordering::SeqCst) {
        // Under the lock, so that the wake-up cannot fall between the thread's look and its sleep.
        drop(lock(&watch.deadlines));
        watch.wake.notify_one();
    }
}

/// Calls `job.grace_over()` at `at`, unless the job is gone by then.
pub(super) fn at(at: Instant, job: &Arc<JobState>) {
    let watch = watch();
    lock(&watch.deadlines).push(Deadline { at, job: Arc::downgrade(job) });
    watch.wake.notify_one();
}

fn watch() -> &'static Watch {
    static WATCH: OnceLock<&'static Watch> = OnceLock::new();
    WATCH.get_or_init(|| {
        let watch: &'static Watch = Box::leak(Box::default());
        let spawned = std::thread::Builder::new().name("plugin-watch".into()).spawn(move || watch.run());
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread to watch plugins: hanging ones will not be noticed");
        }
        watch
    })
}

impl Watch {
    fn run(&self) {
        loop {
            for job in self.wait() {
                job.grace_over();
            }
            // Disarm first: a call that begins after the look arms again.
            self.armed.store(false, Ordering::SeqCst);
            if generation::give_up_overdue_calls(Instant::now()) {
                self.armed.store(true, Ordering::SeqCst);
            }
        }
    }

    /// Sleeps until a tick or a deadline, and gives out the jobs that are due.
    fn wait(&self) -> Vec<Arc<JobState>> {
        let mut deadlines = lock(&self.deadlines);
        let tick = Instant::now() + TICK;
        loop {
            let now = Instant::now();
            let mut due = Vec::new();
            while deadlines.peek().is_some_and(|next| next.at <= now) {
                due.extend(deadlines.pop().and_then(|next| next.job.upgrade()));
            }
            let armed = self.armed.load(Ordering::SeqCst);
            if !due.is_empty() || (armed && now >= tick) {
                return due;
            }
            let until = match (deadlines.peek().map(|next| next.at), armed.then_some(tick)) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            deadlines = match until {
                Some(until) => {
                    let sleep = until.saturating_duration_since(now);
                    self.wake.wait_timeout(deadlines, sleep).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.wake.wait(deadlines).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}
