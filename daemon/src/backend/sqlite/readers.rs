//! The readers: threads with a connection each that answer questions, so that no question waits for a
//! write and none blocks the runtime. A thread starts when all others are busy.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::{error::closed, open::connect};
use crate::backend::{error::BackendError, store::Result};

/// Questions that may wait; further callers wait before they are let in.
const ROOM: usize = 1024;

/// How long one question may take: as long as it reads, the log cannot begin anew.
const LIMIT: Duration = Duration::from_secs(20);
/// Steps of SQLite's machine between two looks at the clock.
const OPERATIONS: i32 = 10_000;

type Question = Box<dyn FnOnce(&mut Connection) + Send>;

pub(crate) struct Readers {
    shared: Arc<Shared>,
    room: Semaphore,
}

/// What the threads share.
pub(crate) struct Shared {
    path: PathBuf,
    limit: usize,
    desk: Mutex<Desk>,
    bell: Condvar,
    /// Rung when nobody is asked any more while questions are held.
    calm: Condvar,
}

#[derive(Default)]
struct Desk {
    waiting: VecDeque<Question>,
    threads: usize,
    idle: usize,
    busy: usize,
    /// What comes waits: the log is to begin anew.
    held: bool,
    closed: bool,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, limit: usize) -> Self {
        let shared =
            Shared { path, limit: limit.max(1), desk: Mutex::default(), bell: Condvar::new(), calm: Condvar::new() };
        Self { shared: Arc::new(shared), room: Semaphore::new(ROOM) }
    }

    /// Runs `ask` on a reader. Everything it reads is of one moment.
    pub(crate) async fn ask<T, F>(&self, ask: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let _permit = self.room.acquire().await.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        let question: Question = Box::new(move |conn| {
            if !reply.is_closed() {
                let _gone = reply.send(in_one_moment(conn, ask));
            }
        });
        self.shared.put(question)?;
        answer.await.map_err(|_| closed())?
    }

    /// For who must hold them.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Questions that wait, and how many may.
    pub(crate) fn pressure(&self) -> (usize, usize) {
        (ROOM.saturating_sub(self.room.available_permits()), ROOM)
    }

    /// Ends the threads when what waits is answered. Later questions fail.
    pub(crate) fn close(&self) {
        self.shared.desk().closed = true;
        self.shared.bell.notify_all();
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

fn in_one_moment<T>(conn: &mut Connection, ask: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    // Prepared once: these two cost more than many a question otherwise.
    conn.prepare_cached("BEGIN")?.execute([])?;
    let answer = ask(conn);
    if conn.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([])).is_err() && !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK")?;
    }
    answer
}

/// Holds questions back while it lives.
pub(crate) struct Hold(Arc<Shared>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.desk().held = false;
        self.0.bell.notify_all();
    }
}

impl Shared {
    /// Lets no question begin until the answer is dropped, and waits that long at most for those under way.
    pub(crate) fn hold(self: &Arc<Self>, limit: Duration) -> Hold {
        let mut desk = self.desk();
        desk.held = true;
        let _calm = self.calm.wait_timeout_while(desk, limit, |desk| desk.busy > 0);
        Hold(Arc::clone(self))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(self: &Arc<Self>, question: Question) -> Result<()> {
        let mut desk = self.desk();
        if desk.closed {
            return Err(closed());
        }
        desk.waiting.push_back(question);
        if desk.idle >= desk.waiting.len() || desk.threads >= self.limit {
            self.bell.notify_one();
            return Ok(());
        }
        let shared = Arc::clone(self);
        let started = std::thread::Builder::new().name("store-reader".into()).spawn(move || shared.serve());
        match started {
            Ok(_) => desk.threads += 1,
            Err(error) if desk.threads == 0 => {
                desk.waiting.pop_back();
                return Err(BackendError::from_thread(error));
            }
            Err(_) => {}
        }
        Ok(())
    }

    fn serve(&self) {
        let mut conn: Option<Connection> = None;
        loop {
            let question = {
                let mut desk = self.desk();
                loop {
                    // At the end nobody waits for the log any more.
                    if (!desk.held || desk.closed)
                        && let Some(question) = desk.waiting.pop_front()
                    {
                        desk.busy += 1;
                        break question;
                    }
                    if desk.closed {
                        desk.threads -= 1;
                        return;
                    }
                    desk.idle += 1;
                    desk = self.bell.wait(desk).unwrap_or_else(PoisonError::into_inner);
                    desk.idle -= 1;
                }
            };
            let opened = match conn.take() {
                Some(conn) => Ok(conn),
                None => connect(&self.path, true),
            };
            match opened {
                Ok(mut open) => {
                    let begun = Instant::now();
                    open.progress_handler(OPERATIONS, Some(move || begun.elapsed() > LIMIT)).ok();
                    // A question that panics costs its own answer, not the thread.
                    let asked = std::panic::AssertUnwindSafe(|| question(&mut open));
                    if std::panic::catch_unwind(asked).is_ok() {
                        conn = Some(open);
                    }
                }
                Err(error) => tracing::error!(%error, "a reader of the store cannot open its file"),
            }
            let mut desk = self.desk();
            desk.busy -= 1;
            if desk.held && desk.busy == 0 {
                self.calm.notify_all();
            }
        }
    }
}

impl BackendError {
    fn from_thread(error: std::io::Error) -> Self {
        Self::new(crate::backend::error::BackendErrorKind::Unavailable, "the store has no thread left").because(error)
    }
}
