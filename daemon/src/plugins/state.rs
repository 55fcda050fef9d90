//! One job as the host sees it: its outcome, its cancel flag, its handle, its permit.
//!
//! Who touches it: the plugin's threads through `inbound`, the plugin's transport, the
//! watch, and the task that owns the [`Job`](super::Job). Whoever takes the token out of the
//! generation's table (`claim`) decides the outcome; everybody later is late.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    error::JobError, generation::Generation, lock, permits::Permit, queue::EventQueue, transport::JobHandle, watch,
};

pub(super) type Outcome = Result<Value, JobError>;

pub(super) struct JobState {
    pub(super) token: u64,
    pub(super) generation: &'static Generation,
    pub(super) handler: String,
    pub(super) queue: EventQueue,
    /// The job's reader was told once that some of its events are unreadable.
    pub(super) warned: AtomicBool,
    cancelled: AtomicBool,
    inner: Mutex<Inner>,
}

struct Inner {
    phase: Phase,
    outcome: Option<Outcome>,
    handle: Handle,
    cancel_called: bool,
    permit: Option<Permit>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Given up, though it may still end some day.
    Stuck,
    Over,
}

/// The plugin's handle. `destroy` must come after `start` and `cancel` returned, whichever thread they
/// were lost on.
#[derive(Clone, Copy)]
enum Handle {
    /// `start` has not returned.
    Awaited,
    Live(JobHandle),
    Cancelling(JobHandle),
    /// Destroyed, being destroyed, null, or never made.
    Gone,
}

impl JobState {
    pub(super) fn new(token: u64, generation: &'static Generation, handler: String, permit: Permit) -> Arc<Self> {
        Arc::new(Self {
            token,
            generation,
            handler,
            queue: EventQueue::default(),
            warned: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
            inner: Mutex::new(Inner {
                phase: Phase::Open,
                outcome: None,
                handle: Handle::Awaited,
                cancel_called: false,
                permit: Some(permit),
            }),
        })
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Asks the plugin to end the job and starts the grace period. Only the first call does anything.
    pub(super) fn cancel(self: &Arc<Self>) {
        if self.cancelled.swap(true, Ordering::AcqRel) || lock(&self.inner).phase != Phase::Open {
            return;
        }
        // A plugin that is given up takes no calls; the plugin can still poll, and the grace still ends.
        let _ = self.generation.transport().cancel(Arc::clone(self));
        watch::at(Instant::now() + self.generation.limits().cancel_grace, self);
    }

    /// The grace period after the cancel is over.
    pub(super) fn grace_over(self: &Arc<Self>) {
        self.give_up("it did not end after the cancel", self.generation.limits().cancel_grace);
    }

    /// `start` did not return: nothing is known of the job, and nothing can be asked of it.
    pub(super) fn start_hangs(self: &Arc<Self>, limit: Duration) {
        self.cancelled.store(true, Ordering::Release);
        self.give_up("`start` did not return", limit);
    }

    fn give_up(self: &Arc<Self>, what: &'static str, limit: Duration) {
        let permit = {
            let mut inner = lock(&self.inner);
            if inner.phase != Phase::Open {
                return;
            }
            inner.phase = Phase::Stuck;
            let plugin = self.generation.name().to_owned();
            inner.outcome = Some(Err(JobError::Stuck { plugin, handler: self.handler.clone(), what, limit }));
            // The bound is kept by `max_stuck` from here on; else a few stuck jobs would silence the plugin.
            inner.permit.take()
        };
        self.generation.job_stuck(self, what, limit);
        drop(permit);
        self.queue.close();
    }

    /// Ends the job with what `done` said. The caller has claimed the token.
    pub(super) fn finish(self: &Arc<Self>, outcome: Outcome) {
        self.end(outcome, false);
    }

    /// Ends a job that the plugin never began. The caller has claimed the token.
    fn finish_unbegun(self: &Arc<Self>, outcome: Outcome) {
        self.end(outcome, true);
    }

    fn end(self: &Arc<Self>, outcome: Outcome, unbegun: bool) {
        let word = outcome.as_ref().map_or_else(JobError::kind, |_| "ok");
        let (was_stuck, permit, destroy, closed) = {
            let mut inner = lock(&self.inner);
            let was_stuck = inner.phase == Phase::Stuck;
            inner.phase = Phase::Over;
            if !was_stuck {
                inner.outcome = Some(outcome);
            }
            if unbegun {
                inner.handle = Handle::Gone;
            }
            // In the other states `started` and `leave_cancel` see the phase and go on from here.
            let destroy = matches!(inner.handle, Handle::Live(_));
            (was_stuck, inner.permit.take(), destroy, matches!(inner.handle, Handle::Gone))
        };
        if destroy {
            self.push_destroy();
        }
        self.generation.job_ended(self, word, was_stuck);
        // Before the reader wakes, so that it finds the permit free.
        drop(permit);
        self.queue.close();
        if closed {
            self.generation.job_closed();
        }
    }

    fn push_destroy(self: &Arc<Self>) {
        let _ = self.generation.transport().destroy(Arc::clone(self));
    }

    /// Nobody reads the job any more.
    pub(super) fn abandon(self: &Arc<Self>) {
        self.cancel();
        self.queue.abandon();
    }

    /// What the job came to; once, after the queue has ended.
    pub(super) fn take_outcome(&self) -> Option<Outcome> {
        lock(&self.inner).outcome.take()
    }

    /// The job cannot be brought to the plugin: no further call is made into it.
    pub(super) fn undeliverable(self: &Arc<Self>) {
        if self.generation.claim(self.token).is_some() {
            let lost = self.generation.transport().lost_calls().count;
            self.finish_unbegun(Err(JobError::Broken { plugin: self.generation.name().to_owned(), lost }));
        }
    }

    // From here on: called by the transport.

    /// Whether to call `start` at all: not for a job that was cancelled while it waited.
    pub(super) fn may_start(self: &Arc<Self>) -> bool {
        if self.is_cancelled() && self.generation.claim(self.token).is_some() {
            self.finish_unbegun(Err(JobError::Cancelled));
            return false;
        }
        true
    }

    /// The plugin took the job; without a handle there is nothing to cancel or to destroy.
    pub(super) fn started(self: &Arc<Self>, handle: Option<JobHandle>) {
        let (over, cancel) = {
            let mut inner = lock(&self.inner);
            inner.handle = handle.map_or(Handle::Gone, Handle::Live);
            (inner.phase == Phase::Over, self.is_cancelled() && !inner.cancel_called)
        };
        if over {
            if handle.is_none() { self.generation.job_closed() } else { self.push_destroy() }
        } else if cancel {
            let _ = self.generation.transport().cancel(Arc::clone(self));
        }
    }

    /// `start` returned something else: the job never began.
    pub(super) fn refused(self: &Arc<Self>, code: u32) {
        let plugin = self.generation.name().to_owned();
        if self.generation.claim(self.token).is_some() {
            self.finish_unbegun(Err(JobError::Refused { plugin, code }));
        } else {
            lock(&self.inner).handle = Handle::Gone;
            self.generation.violation("done_and_refused", || format!("`start` called `done` and returned {code}"));
            self.generation.job_closed();
        }
    }

    /// The handle for the one call of `cancel`, if there is something to cancel.
    pub(super) fn enter_cancel(&self) -> Option<JobHandle> {
        let mut inner = lock(&self.inner);
        match inner.handle {
            Handle::Live(handle) if inner.phase != Phase::Over && !inner.cancel_called => {
                inner.cancel_called = true;
                inner.handle = Handle::Cancelling(handle);
                Some(handle)
            }
            _ => None,
        }
    }

    pub(super) fn leave_cancel(self: &Arc<Self>) {
        let over = {
            let mut inner = lock(&self.inner);
            if let Handle::Cancelling(handle) = inner.handle {
                inner.handle = Handle::Live(handle);
            }
            inner.phase == Phase::Over
        };
        if over {
            self.push_destroy();
        }
    }

    /// The handle for the one call of `destroy`.
    pub(super) fn enter_destroy(&self) -> Option<JobHandle> {
        let mut inner = lock(&self.inner);
        match inner.handle {
            Handle::Live(handle) => {
                inner.handle = Handle::Gone;
                Some(handle)
            }
            _ => None,
        }
    }

    pub(super) fn leave_destroy(&self) {
        self.generation.job_closed();
    }
}
