//! The thread that calls into one generation.
//!
//! `start`, `cancel`, `destroy` and `shutdown` are meant to return at once, but a plugin may hang in
//! them. So no thread of the daemon calls them: each generation has its lane, a queue with one thread
//! of its own, made when first needed. The watch (`watch.rs`) finds a call that does not return; the
//! lane then leaves that thread to the plugin and goes on with a fresh one, a few times.
//!
//! Calls of one job are ordered by the queue and by the job's handle state (`state.rs`), so that
//! `destroy` never overtakes `start` or `cancel`, not even with a lost thread still inside one of them.
#![allow(unsafe_code)] // calls into plugins

use std::{
    cell::Cell,
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use nexus_plugin_api::abi::Bytes;
use tokio::sync::oneshot;

use super::{generation::Generation, host::HOST, lock, state::JobState, watch};

/// So many threads may be lost to one generation before it is given up.
const MAX_LOST: u32 = 4;

thread_local! {
    static ON_LANE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is a lane, so that waiting here would hold up the generation's other jobs.
pub(super) fn on_lane() -> bool {
    ON_LANE.try_with(Cell::get).unwrap_or(false)
}

pub(super) enum Call {
    Start(Arc<JobState>, Vec<u8>),
    Cancel(Arc<JobState>),
    Destroy(Arc<JobState>),
    Shutdown { limit: Duration, finished: Option<oneshot::Sender<()>> },
}

/// A call that did not return.
pub(super) struct Lost {
    pub(super) entry: &'static str,
    pub(super) limit: Duration,
    pub(super) job: Option<Arc<JobState>>,
    /// Calls that will never be made because the lane is given up now.
    pub(super) unmade: Vec<Call>,
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
    /// Queues a call, or hands it back when the lane is given up or has no thread.
    pub(super) fn push(&self, generation: &'static Generation, call: Call) -> Result<(), Call> {
        let mut inner = lock(&self.inner);
        if inner.lost >= MAX_LOST {
            return Err(call);
        }
        inner.queue.push_back(call);
        if !inner.running && !spawn(generation, &mut inner) {
            return inner.queue.pop_back().map_or(Ok(()), Err);
        }
        drop(inner);
        self.wake.notify_one();
        watch::arm();
        Ok(())
    }

    /// How many threads were lost, and whether that was too many.
    pub(super) fn lost(&self) -> (u32, bool) {
        let lost = lock(&self.inner).lost;
        (lost, lost >= MAX_LOST)
    }

    /// Whether a call is running or waiting.
    pub(super) fn is_active(&self) -> bool {
        let inner = lock(&self.inner);
        inner.busy.is_some() || !inner.queue.is_empty()
    }

    /// Gives up the thread whose call is over its limit, and goes on with a fresh one.
    pub(super) fn check(&self, generation: &'static Generation, now: Instant) -> Option<Lost> {
        let mut inner = lock(&self.inner);
        if inner.busy.as_ref().is_none_or(|busy| now.saturating_duration_since(busy.since) < busy.limit) {
            return None;
        }
        let busy = inner.busy.take()?;
        inner.epoch = inner.epoch.wrapping_add(1);
        inner.lost += 1;
        inner.running = false;
        let go_on = inner.lost < MAX_LOST && (inner.queue.is_empty() || spawn(generation, &mut inner));
        let unmade = if go_on { Vec::new() } else { inner.queue.drain(..).collect() };
        Some(Lost { entry: busy.entry, limit: busy.limit, job: busy.job, unmade })
    }

    fn work(&self, generation: &'static Generation, epoch: u32) {
        let mut inner = lock(&self.inner);
        loop {
            if inner.epoch != epoch {
                return;
            }
            let Some(call) = inner.queue.pop_front() else {
                inner = self.wake.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            inner.busy = Some(Busy::of(&call, generation));
            drop(inner);
            let last = matches!(call, Call::Shutdown { .. });
            run(generation, call);
            inner = lock(&self.inner);
            if inner.epoch == epoch {
                inner.busy = None;
                // A retired generation keeps no thread; should a late `destroy` come, it gets a new one.
                if last && inner.queue.is_empty() {
                    inner.running = false;
                    return;
                }
            }
        }
    }
}

impl Busy {
    fn of(call: &Call, generation: &Generation) -> Self {
        let limit = generation.limits().call_limit;
        let (entry, limit, job) = match call {
            Call::Start(job, _) => ("start", limit, Some(job)),
            Call::Cancel(job) => ("cancel", limit, Some(job)),
            Call::Destroy(job) => ("destroy", limit, Some(job)),
            Call::Shutdown { limit, .. } => ("shutdown", *limit, None),
        };
        Self { since: Instant::now(), limit, entry, job: job.cloned() }
    }
}

fn spawn(generation: &'static Generation, inner: &mut Inner) -> bool {
    let epoch = inner.epoch;
    let thread = std::thread::Builder::new().name(format!("pl-{}", generation.description.name));
    let spawned = thread.spawn(move || {
        ON_LANE.set(true);
        generation.lane.work(generation, epoch);
    });
    if let Err(error) = &spawned {
        tracing::error!(plugin = generation.name(), %error, "no thread for calls into the plugin");
    }
    inner.running = spawned.is_ok();
    inner.running
}

fn run(generation: &'static Generation, call: Call) {
    match call {
        Call::Start(job, request) => start(generation, &job, &request),
        Call::Cancel(job) => {
            if let Some(handle) = job.enter_cancel() {
                // SAFETY: `start` gave the handle and `destroy` was not called: the job's state says so.
                unsafe { (generation.entries.cancel)(handle) };
                job.leave_cancel();
            }
        }
        Call::Destroy(job) => {
            if let Some(handle) = job.enter_destroy() {
                // SAFETY: as above; the state gives the handle out for this once.
                unsafe { (generation.entries.destroy)(handle) };
                job.leave_destroy();
            }
        }
        Call::Shutdown { finished, .. } => {
            if let Some(shutdown) = generation.entries.shutdown {
                // SAFETY: an entry of a table that passed the handshake.
                unsafe { shutdown() };
            }
            if let Some(finished) = finished {
                let _ = finished.send(());
            }
        }
    }
}

fn start(generation: &'static Generation, job: &Arc<JobState>, request: &[u8]) {
    if !job.may_start() {
        return;
    }
    let mut handle = std::ptr::null_mut();
    // SAFETY: an entry of a table that passed the handshake; `HOST` lives as long as the process, the
    // request and the slot as long as the call.
    let code = unsafe { (generation.entries.start)(&raw const HOST, job.token, Bytes::new(request), &raw mut handle) };
    if code == 0 { job.started(handle) } else { job.refused(code) }
}
