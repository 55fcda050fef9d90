//! The writer thread: the only one that changes the file.
//!
//! It takes what waits, up to a limit (`rhythm`), into one transaction and answers after the commit; it never
//! waits for more company. A *deferred* request is answered when it has run; its transaction stays
//! open a few milliseconds for a durable request to share the commit with. A *peek* changes nothing
//! in the file and is answered at once.
//!
//! Requests run without a savepoint, since nearly all of them check before they write. When one does
//! fail after its first write, the whole transaction is rolled back and its requests run once more,
//! each behind a savepoint: requests are therefore `FnMut`.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::{
    Arrivals,
    checkpoint::{Checkpointer, MOVE_PAGES},
    counts::Counts,
    error::closed,
    job::{Job, Request},
    pulse::{Progress, Wrote},
    rhythm::Rhythm,
    state::{Effect, State},
    tx::Tx,
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        store::{EventSink, Result},
    },
    domain::event::ProjectEvent,
    telemetry::names,
};

pub(crate) use super::job::Mode;

/// How long a deferred request may wait for a durable one.
const DEFER: Duration = Duration::from_millis(25);
/// Requests that may wait; further callers wait before they are let in.
const ROOM: usize = 4096;

thread_local! {
    /// Pages in the log after this thread's last commit, as SQLite tells its hook.
    static LOG_PAGES: Cell<u32> = const { Cell::new(0) };
}

enum Work {
    Do(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// The way to the writer thread.
pub(crate) struct Writer {
    work: mpsc::Sender<Work>,
    room: Arc<Semaphore>,
    progress: Arc<Progress>,
    commits: Arc<AtomicU64>,
    wrote: Arc<Wrote>,
    closed: AtomicBool,
}

/// Who is told of a commit.
pub(crate) struct Listeners {
    pub(crate) sink: Arc<dyn EventSink>,
    pub(crate) arrivals: Arc<Arrivals>,
}

impl Writer {
    /// Starts the thread. `keep` lives as long as it: the file lock.
    pub(crate) fn start(
        conn: Connection,
        state: State,
        max_batch: usize,
        listeners: Listeners,
        counts: Counts,
        log: Checkpointer,
        keep: impl Send + 'static,
    ) -> std::io::Result<Self> {
        let (work, inbox) = mpsc::channel();
        let commits = Arc::new(AtomicU64::new(0));
        let progress = Arc::new(Progress { begun: Instant::now(), at: AtomicU64::new(0) });
        let wrote = Arc::new(Wrote { begun: Instant::now(), at: AtomicU64::new(u64::MAX) });
        let (room, closed) = (Arc::new(Semaphore::new(ROOM)), AtomicBool::new(false));
        let run = Thread {
            counts,
            log,
            wrote: Arc::clone(&wrote),
            log_moved: 0,
            progress: Arc::clone(&progress),
            conn,
            state,
            rhythm: Rhythm::new(max_batch),
            room: Arc::clone(&room),
            sink: listeners.sink,
            arrivals: listeners.arrivals,
            commits: Arc::clone(&commits),
            inbox,
            batch: Batch::default(),
        };
        std::thread::Builder::new().name("store-writer".into()).spawn(move || {
            let done = run.run();
            drop(keep);
            if let Some(done) = done {
                let _gone = done.send(());
            }
        })?;
        Ok(Self { work, room, progress, commits, wrote, closed })
    }

    /// Requests that wait, how many may, and how long nothing was ended although some wait.
    pub(crate) fn pressure(&self) -> (usize, usize, Option<Duration>) {
        let waiting = ROOM.saturating_sub(self.room.available_permits());
        (waiting, ROOM, (waiting > 0).then(|| self.progress.age()))
    }

    /// Runs `act` on the writer thread. It may run twice and must check before it writes.
    pub(crate) async fn call<T, F>(&self, mode: Mode, act: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        if self.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        let request = Request { mode, act, result: None, reply: Some(reply), _permit: permit };
        self.work.send(Work::Do(Box::new(request))).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Writes what is deferred, closes the file and gives up the lock. Later calls fail.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let (done, answer) = oneshot::channel();
        if self.work.send(Work::Close(done)).is_ok() {
            let _ended = answer.await;
        }
    }

    /// Whether something was durably written within that time, and nothing failed to be since.
    pub(crate) fn wrote_within(&self, limit: Duration) -> bool {
        self.wrote.within(limit)
    }

    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

/// What one transaction holds so far.
#[derive(Default)]
struct Batch {
    open_since: Option<Instant>,
    /// How long its requests ran, and how many did.
    ran: Duration,
    requests: usize,
    jobs: Vec<Box<dyn Job>>,
    durable: usize,
    changes_at_begin: u64,
    events: Vec<ProjectEvent>,
    effects: Vec<Effect>,
}

struct Thread {
    counts: Counts,
    log: Checkpointer,
    wrote: Arc<Wrote>,
    /// Pages of the log when it was last asked to be moved.
    log_moved: u32,
    progress: Arc<Progress>,
    conn: Connection,
    state: State,
    rhythm: Rhythm,
    room: Arc<Semaphore>,
    sink: Arc<dyn EventSink>,
    arrivals: Arc<Arrivals>,
    commits: Arc<AtomicU64>,
    inbox: mpsc::Receiver<Work>,
    batch: Batch,
}

impl Thread {
    fn run(mut self) -> Option<oneshot::Sender<()>> {
        self.conn.wal_hook(Some(|_, pages| {
            LOG_PAGES.set(u32::try_from(pages).unwrap_or(0));
            Ok(())
        }));
        let mut closing = None;
        while closing.is_none() {
            let first = match self.batch.open_since {
                None => {
                    self.progress.rest();
                    self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
                }
                Some(since) => self.inbox.recv_timeout(DEFER.saturating_sub(since.elapsed())),
            };
            self.progress.note();
            match first {
                Ok(work) => closing = self.take(work),
                Err(RecvTimeoutError::Timeout) => {
                    metrics::counter!(names::STORE_DEFERRED_FLUSHES).increment(1);
                    self.commit();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            for _ in 1..self.rhythm.limit() {
                match self.inbox.try_recv() {
                    Ok(work) if closing.is_none() => closing = self.take(work),
                    _ => break,
                }
            }
            if self.is_due() {
                self.commit();
            }
            self.progress.note();
        }
        self.commit();
        self.hand_back();
        self.log.end();
        if let Err(error) = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::debug!(%error, "the log stays beside the store's file");
        }
        closing
    }

    /// A proper end is no crash: what is still held counts against nobody at the next start.
    fn hand_back(&self) {
        let handed = self.conn.execute(
            "UPDATE queue_messages SET in_flight = 0, receive_count = max(receive_count - 1, 0) WHERE in_flight = 1",
            [],
        );
        if let Err(error) = handed {
            tracing::warn!(%error, "held messages could not be released");
        }
    }

    /// Whether the transaction must be committed now.
    fn is_due(&self) -> bool {
        match self.batch.open_since {
            None => false,
            Some(since) => self.batch.durable > 0 || !self.has_written() || since.elapsed() >= DEFER,
        }
    }

    fn has_written(&self) -> bool {
        self.conn.total_changes() != self.batch.changes_at_begin
    }

    fn take(&mut self, work: Work) -> Option<oneshot::Sender<()>> {
        let mut job = match work {
            Work::Do(job) => job,
            Work::Close(done) => return Some(done),
        };
        let mode = job.mode();
        if mode != Mode::Peek
            && let Err(error) = self.begin()
        {
            job.answer(Some(error));
            return None;
        }
        let before = self.conn.total_changes();
        let (events, effects) = (self.batch.events.len(), self.batch.effects.len());
        let begun = Instant::now();
        let ok = self.attempt(job.as_mut());
        self.batch.ran += begun.elapsed();
        self.batch.requests += 1;
        if !ok {
            // Nothing of it happens at the commit of the others.
            self.batch.events.truncate(events);
            self.batch.effects.truncate(effects);
        }
        let in_transaction = !self.conn.is_autocommit();
        if mode == Mode::Peek {
            job.answer(None);
            return None;
        }
        let dirty = !ok && self.conn.total_changes() != before;
        match mode {
            Mode::Durable => {
                self.batch.durable += 1;
                self.batch.jobs.push(job);
            }
            Mode::Deferred | Mode::Loose if dirty || !in_transaction => self.batch.jobs.push(job),
            _ => {
                job.answer(None);
                if mode == Mode::Deferred && ok {
                    self.batch.jobs.push(job);
                }
            }
        }
        if !in_transaction {
            // SQLite gave the whole transaction up (disk full, I/O error).
            self.fail_batch("the transaction was given up");
        } else if dirty {
            self.redo();
        }
        None
    }

    fn attempt(&mut self, job: &mut dyn Job) -> bool {
        let mut tx = Tx::new(&self.conn, &mut self.state, &mut self.batch.events, &mut self.batch.effects);
        // A request that panics costs its own answer, not the thread.
        let run = std::panic::AssertUnwindSafe(|| job.run(&mut tx));
        std::panic::catch_unwind(run).unwrap_or_else(|_| {
            tracing::error!("a request panicked on the store's writer");
            false
        })
    }

    fn begin(&mut self) -> Result<()> {
        if self.batch.open_since.is_none() {
            self.log.give_way();
            self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            self.batch.open_since = Some(Instant::now());
            self.batch.changes_at_begin = self.conn.total_changes();
        }
        Ok(())
    }

    fn rollback(&mut self) {
        if !self.conn.is_autocommit()
            && let Err(error) = self.conn.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "the store's transaction could not be rolled back");
        }
        self.batch.open_since = None;
        self.batch.durable = 0;
        (self.batch.ran, self.batch.requests) = Default::default();
        self.batch.events.clear();
        self.batch.effects.clear();
        self.state.forget_all_hot();
    }

    /// Runs the requests of the transaction again, each behind a savepoint.
    fn redo(&mut self) {
        self.rollback();
        let jobs = std::mem::take(&mut self.batch.jobs);
        for mut job in jobs {
            if let Err(error) = self.begin() {
                job.answer(Some(error));
                continue;
            }
            let (events, effects) = (self.batch.events.len(), self.batch.effects.len());
            let ok = self.conn.execute_batch("SAVEPOINT request").is_ok() && self.attempt(job.as_mut());
            let settled = if ok {
                self.conn.execute_batch("RELEASE request")
            } else {
                self.batch.events.truncate(events);
                self.batch.effects.truncate(effects);
                self.state.forget_all_hot();
                self.conn.execute_batch("ROLLBACK TO request; RELEASE request")
            };
            if job.mode() == Mode::Durable {
                self.batch.durable += 1;
                self.batch.jobs.push(job);
            } else {
                job.answer(None);
                if ok && job.mode() == Mode::Deferred {
                    self.batch.jobs.push(job);
                }
            }
            if settled.is_err() || self.conn.is_autocommit() {
                self.fail_batch("the transaction was given up");
            }
        }
    }

    fn fail_batch(&mut self, why: &str) {
        tracing::error!(requests = self.batch.jobs.len(), "the store could not commit: {why}");
        self.wrote.note(false);
        self.rollback();
        for mut job in std::mem::take(&mut self.batch.jobs) {
            let text =
                "the store could not write (is its disk full? free some space): nothing of this request was stored";
            job.answer(Some(BackendError::new(BackendErrorKind::Unavailable, text).because(why.to_owned())));
        }
    }

    fn commit(&mut self) {
        if self.batch.open_since.is_none() {
            return;
        }
        let written = self.conn.total_changes() - self.batch.changes_at_begin;
        let begun = Instant::now();
        let committed = self.conn.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        if let Err(error) = committed {
            self.fail_batch(&error.to_string());
            return;
        }
        if written > 0 {
            self.commits.fetch_add(1, Ordering::Relaxed);
            let took = begun.elapsed();
            let out = ROOM.saturating_sub(self.room.available_permits());
            self.rhythm.committed(out, self.batch.requests, self.batch.ran, took);
            metrics::histogram!(names::STORE_COMMIT).record(took.as_secs_f64());
            #[allow(clippy::cast_precision_loss)] // at most max_batch
            metrics::histogram!(names::STORE_BATCH).record(self.batch.jobs.len() as f64);
            if let Err(error) = self.counts.settle(&self.conn) {
                tracing::error!(%error, "the counts of projects and agents are no longer true until the next start");
            }
        }
        self.batch.open_since = None;
        self.batch.durable = 0;
        (self.batch.ran, self.batch.requests) = Default::default();
        let mut ring = [false; 4];
        for effect in self.batch.effects.drain(..) {
            if let Some(queue) = self.state.apply(effect)
                && let Some(bell) = ring.get_mut(queue as usize)
            {
                *bell = true;
            }
        }
        if !self.batch.events.is_empty() {
            let tell = std::panic::AssertUnwindSafe(|| self.sink.committed(&self.batch.events));
            if std::panic::catch_unwind(tell).is_err() {
                tracing::error!("the listener to project events panicked");
            }
            self.batch.events.clear();
        }
        for mut job in self.batch.jobs.drain(..) {
            job.answer(None);
        }
        if self.state.mail.take_trial_over() {
            ring = [true; 4];
        }
        for (queue, rung) in crate::domain::queue::QueueName::ALL.into_iter().zip(ring) {
            if rung {
                self.arrivals.bell(queue).notify_waiters();
            }
        }
        if written > 0 {
            self.wrote.note(true);
        }
        let pages = LOG_PAGES.get();
        if pages < self.log_moved {
            // It has begun anew.
            self.log_moved = 0;
        }
        if pages - self.log_moved >= MOVE_PAGES {
            self.log_moved = pages;
            self.log.ring();
        }
    }
}
