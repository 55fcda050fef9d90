//! A job's events on their way from the plugin's threads to the one task that reads them.
//!
//! Bounded in number and bytes. Producers are the plugin's own threads and may block; the reader is a
//! task and never does. A tokio channel would not do: its `blocking_send` panics on a runtime thread,
//! and a producer that waits must be released when the job is given up.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex},
};

use nexus_plugin_api::payload::Event;
use tokio::sync::Notify;

use super::lock;

const MAX_EVENTS: usize = 256;
const MAX_BYTES: usize = 4 << 20;

/// What became of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The reader will get it.
    Queued,
    /// The job is over or given up.
    Closed,
    /// No room, and the caller must not wait.
    Full,
}

/// Whether a producer may be held up until there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    UntilRoom,
    Never,
}

#[derive(Default)]
pub(super) struct EventQueue {
    inner: Mutex<Inner>,
    room: Condvar,
    ready: Notify,
}

#[derive(Default)]
struct Inner {
    events: VecDeque<(Event, usize)>,
    bytes: usize,
    closed: bool,
    /// Producers that wait for room. To wake nobody would cost a system call for each event that is read.
    waiting: usize,
}

impl EventQueue {
    /// Adds an event of `size` bytes; may wait for room, until the queue is closed.
    pub(super) fn push(&self, event: Event, size: usize, wait: Wait) -> Pushed {
        let mut inner = lock(&self.inner);
        loop {
            if inner.closed {
                return Pushed::Closed;
            }
            // One event always fits, whatever its size.
            let fits = inner.events.len() < MAX_EVENTS && inner.bytes + size <= MAX_BYTES;
            if fits || inner.events.is_empty() {
                break;
            }
            if wait == Wait::Never {
                return Pushed::Full;
            }
            inner.waiting += 1;
            inner = self.room.wait(inner).unwrap_or_else(std::sync::PoisonError::into_inner);
            inner.waiting -= 1;
        }
        inner.bytes += size;
        inner.events.push_back((event, size));
        drop(inner);
        self.ready.notify_one();
        Pushed::Queued
    }

    /// No more events; those queued can still be read. Releases every waiting producer.
    pub(super) fn close(&self) {
        lock(&self.inner).closed = true;
        self.room.notify_all();
        self.ready.notify_one();
    }

    /// Closes and forgets what is queued: nobody will read it.
    pub(super) fn abandon(&self) {
        let forgotten = {
            let mut inner = lock(&self.inner);
            inner.closed = true;
            inner.bytes = 0;
            std::mem::take(&mut inner.events)
        };
        drop(forgotten);
        self.room.notify_all();
    }

    /// The next event, or `None` when the queue is closed and empty. For one reader; cancel-safe.
    pub(super) async fn next(&self) -> Option<Event> {
        loop {
            {
                let mut inner = lock(&self.inner);
                if let Some((event, size)) = inner.events.pop_front() {
                    inner.bytes -= size;
                    let held_up = inner.waiting > 0;
                    drop(inner);
                    if held_up {
                        self.room.notify_one();
                    }
                    return Some(event);
                }
                if inner.closed {
                    return None;
                }
            }
            // `notify_one` leaves a permit when nobody waits yet, so no wake-up is lost in between.
            self.ready.notified().await;
        }
    }
}
