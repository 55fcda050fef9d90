//! The thread that calls into one library.
//!
//! `start`, `cancel`, `destroy` and `shutdown` are meant to return at once, but a plugin may hang in
//! them. So no thread of the daemon calls them: each loaded library has its lane, a queue with one thread
//! of its own, made when first needed. The watch (`watch.rs`) finds a call that does not return; the
//! lane then leaves that thread to the plugin and goes on with a fresh one, a few times.
//!
//! Calls of one job are ordered by the queue and by the job's handle state (`state.rs`), so that
//! `destroy` never overtakes `start` or `cancel`, not even with a lost thread still inside one of them.
#![allow(unsafe_code)] // calls into plugins

use std::{
    cell::Cell,
    collections::VecDeque,
    ffi::c_void,
    mem,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use nexus_plugin_api::abi::Bytes;
use tokio::sync::oneshot;

use super::{Library, host::HOST};
use crate::plugins::{
    inbound::Wait,
    lock,
    state::JobState,
    transport::{GivenUp, JobHandle, LostCall, LostCalls},
    watch,
};

/// So many threads may be lost to one library before it is given up.
const MAX_LOST: u32 = 4;

thread_local! {
    static ON_LANE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread may be held up: a lane may not, because the library's other jobs wait for it.
pub(super) fn wait() -> Wait {
    if ON_LANE.try_with(Cell::get).unwrap_or(false) { Wait::Never } else { Wait::UntilRoom }
}

pub(super) enum Call {
    Start(Arc<JobState>, Vec<u8>),
    Cancel(Arc<JobState>),
    Destroy(Arc<JobState>),
    Shutdown { limit: Duration, finished: Option<oneshot::Sender<()>> },
}

#[derive(Default)]
pub(super) struct Lane {
    inner: Mutex<Inner>,
    wake: Condvar,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<Call>,
    /// Tells the present thread from lost ones that come back.
    epoch: u32,
    running: bool,
    /// The thread waits to be woken.
    asleep: bool,
    busy: Option<Busy>,
    lost: u32,
}

struct Busy {
    since: Instant,
    limit: Duration,
    entry: &'static str,
    job: Option<Arc<JobState>>,
}

impl Lane {
    /// Queues a call, unless the library is given up or there is no thread for it.
    pub(super) fn push(&self, library: &'static Library, call: Call) -> Result<(), GivenUp> {
        let mut inner = lock(&self.inner);
        if inner.lost >= MAX_LOST {
            return Err(GivenUp);
        }
        // Nobody waits for a `destroy`: it rides with the next call, or with the watch's next look.
        let urgent = !matches!(call, Call::Destroy(_));
        inner.queue.push_back(call);
        if !inner.running && !spawn(library, &mut inner) {
            return inner.queue.pop_back().map_or(Ok(()), |_| Err(GivenUp));
        }
        let wake = urgent && mem::take(&mut inner.asleep);
        drop(inner);
        if wake {
            self.wake.notify_one();
        }
        watch::arm();
        Ok(())
    }

    /// Wakes the thread for calls that were not worth it.
    fn wake_for_leftovers(&self, inner: &mut Inner) {
        if !inner.queue.is_empty() && mem::take(&mut inner.asleep) {
            self.wake.notify_one();
        }
    }

    pub(super) fn lost(&self) -> LostCalls {
        let count = lock(&self.inner).lost;
        LostCalls { count, too_many: count >= MAX_LOST }
    }

    /// Whether a call is running or waiting.
    pub(super) fn is_active(&self) -> bool {
        let inner = lock(&self.inner);
        inner.busy.is_some() || !inner.queue.is_empty()
    }

    /// Gives up the thread whose call is over its limit, and goes on with a fresh one.
    pub(super) fn give_up_overdue(&self, library: &'static Library, now: Instant) -> Option<LostCall> {
        let mut inner = lock(&self.inner);
        self.wake_for_leftovers(&mut inner);
        if inner.busy.as_ref().is_none_or(|busy| now.saturating_duration_since(busy.since) < busy.limit) {
            return None;
        }
        let busy = inner.busy.take()?;
        inner.epoch = inner.epoch.wrapping_add(1);
        inner.lost += 1;
        (inner.running, inner.asleep) = (false, false);
        let go_on = inner.lost < MAX_LOST && (inner.queue.is_empty() || spawn(library, &mut inner));
        let left = if go_on { VecDeque::new() } else { std::mem::take(&mut inner.queue) };
        drop(inner);
        let starts = left.into_iter().filter_map(|call| if let Call::Start(job, _) = call { Some(job) } else { None });
        Some(LostCall { entry: busy.entry, limit: busy.limit, job: busy.job, unmade: starts.collect() })
    }

    fn work(&self, library: &'static Library, epoch: u32) {
        let mut inner = lock(&self.inner);
        loop {
            if inner.epoch != epoch {
                return;
            }
            let Some(call) = inner.queue.pop_front() else {
                inner.asleep = true;
                inner = self.wake.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            inner.busy = Some(Busy::of(&call));
            drop(inner);
            let last = matches!(call, Call::Shutdown { .. });
            run(library, call);
            inner = lock(&self.inner);
            if inner.epoch == epoch {
                inner.busy = None;
                // A retired plugin keeps no thread; should a late `destroy` come, it gets a new one.
                if last && inner.queue.is_empty() {
                    inner.running = false;
                    return;
                }
            }
        }
    }
}

impl Busy {
    fn of(call: &Call) -> Self {
        let (entry, job) = match call {
            Call::Start(job, _) => ("start", Some(job)),
            Call::Cancel(job) => ("cancel", Some(job)),
            Call::Destroy(job) => ("destroy", Some(job)),
            Call::Shutdown { .. } => ("shutdown", None),
        };
        let limit = match (call, job) {
            (Call::Shutdown { limit, .. }, _) => *limit,
            (_, job) => job.map_or(Duration::MAX, |job| job.generation.limits().call_limit),
        };
        Self { since: Instant::now(), limit, entry, job: job.cloned() }
    }
}

fn spawn(library: &'static Library, inner: &mut Inner) -> bool {
    let epoch = inner.epoch;
    let thread = std::thread::Builder::new().name(format!("pl-{}", library.name()));
    let spawned = thread.spawn(move || {
        ON_LANE.set(true);
        library.lane.work(library, epoch);
    });
    if let Err(error) = &spawned {
        tracing::error!(plugin = library.name(), %error, "no thread for calls into the plugin");
    }
    inner.running = spawned.is_ok();
    inner.running
}

fn run(library: &'static Library, call: Call) {
    match call {
        Call::Start(job, request) => start(library, &job, &request),
        Call::Cancel(job) => {
            if let Some(handle) = job.enter_cancel() {
                // SAFETY: `start` gave the handle and `destroy` was not called: the job's state says so.
                unsafe { (library.entries.cancel)(pointer(handle)) };
                job.leave_cancel();
            }
        }
        Call::Destroy(job) => {
            if let Some(handle) = job.enter_destroy() {
                // SAFETY: as above; the state gives the handle out for this once.
                unsafe { (library.entries.destroy)(pointer(handle)) };
                job.leave_destroy();
            }
        }
        Call::Shutdown { finished, .. } => {
            if let Some(shutdown) = library.entries.shutdown {
                // SAFETY: an entry of a table that passed the handshake.
                unsafe { shutdown() };
            }
            if let Some(finished) = finished {
                let _ = finished.send(());
            }
        }
    }
}

fn start(library: &'static Library, job: &Arc<JobState>, request: &[u8]) {
    if !job.may_start() {
        return;
    }
    let mut handle = std::ptr::null_mut::<c_void>();
    // SAFETY: an entry of a table that passed the handshake; `HOST` lives as long as the process, the
    // request and the slot as long as the call.
    let code = unsafe { (library.entries.start)(&raw const HOST, job.token, Bytes::new(request), &raw mut handle) };
    if code == 0 { job.started(JobHandle::new(handle.expose_provenance())) } else { job.refused(code) }
}

/// The pointer that `start` gave. It goes back to the plugin and nowhere else, on whichever thread is the lane's now: the
/// interface says that a plugin must accept that.
fn pointer(handle: JobHandle) -> *mut c_void {
    std::ptr::with_exposed_provenance_mut(handle.value())
}
