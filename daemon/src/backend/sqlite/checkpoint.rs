//! Moves the log into the database, beside the writer, and keeps the log short.
//!
//! A passive checkpoint waits for nobody, but the log begins anew only in a moment in which no reader looks into it, and
//! readers that overlap leave no such moment. So when the log has grown to [`RESTART_PAGES`], new questions are held
//! (`readers::Shared::hold`) until those under way are answered, the writer pauses before its next transaction, and the
//! log is begun anew. Another program that reads the file (a backup) may hinder that for as long as it reads; then it is
//! tried again later.

use std::{
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError, SyncSender, TrySendError},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{open::connect, readers};

/// Pages of log (4 KiB) after which they are moved: 64 MB. While the database is synced, which takes some 40 ms whatever was
/// moved, commits wait: so this is seldom.
pub(crate) const MOVE_PAGES: u32 = 16_000;
/// Pages of log after which it is begun anew.
const RESTART_PAGES: i64 = MOVE_PAGES as i64;
/// How long questions under way may keep the log from being begun anew; new ones wait that long at most.
const READERS: Duration = Duration::from_secs(2);
/// How long the log's new beginning waits for the writer's transaction, and for readers of other programs.
const TURN: Duration = Duration::from_millis(60);
/// Pause after an attempt in vain.
const AGAIN: Duration = Duration::from_secs(5);
/// How long a short log may wait: a file that gave pages back is only shorter when the log is moved.
const QUIET: Duration = Duration::from_secs(20);

pub(crate) struct Checkpointer {
    bell: Option<SyncSender<()>>,
    turn: Arc<Turn>,
    thread: Option<JoinHandle<()>>,
}

/// Whose turn it is to write.
#[derive(Default)]
struct Turn {
    wanted: Mutex<bool>,
    free: Condvar,
}

impl Turn {
    fn want(&self, wanted: bool) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
        self.free.notify_all();
    }
}

impl Checkpointer {
    pub(crate) fn start(path: PathBuf, readers: Arc<readers::Shared>) -> std::io::Result<Self> {
        let (bell, rung) = mpsc::sync_channel(1);
        let turn = Arc::new(Turn::default());
        let work = Work { path, readers, turn: Arc::clone(&turn), conn: None, in_vain: None };
        let thread = std::thread::Builder::new().name("store-log".into()).spawn(move || work.run(&rung))?;
        Ok(Self { bell: Some(bell), turn, thread: Some(thread) })
    }

    /// The log has grown.
    pub(crate) fn ring(&self) {
        if let Some(bell) = &self.bell {
            // Full: it will look anyway.
            let (Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(()))) = bell.try_send(());
        }
    }

    /// Lets the log be begun anew, should that be wanted. Called between two transactions.
    pub(crate) fn give_way(&self) {
        let wanted = self.turn.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if *wanted {
            let _turn = self.turn.free.wait_timeout_while(wanted, TURN * 4, |wanted| *wanted);
        }
    }

    /// Ends the thread, whose connection must not outlive the writer's.
    pub(crate) fn end(&mut self) {
        self.bell = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that moves the store's log panicked");
        }
    }
}

struct Work {
    path: PathBuf,
    readers: Arc<readers::Shared>,
    turn: Arc<Turn>,
    conn: Option<Connection>,
    in_vain: Option<Instant>,
}

impl Work {
    fn run(mut self, rung: &mpsc::Receiver<()>) {
        loop {
            let wait = if self.in_vain.is_some() { AGAIN } else { QUIET };
            match rung.recv_timeout(wait) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if let Err(error) = self.work() {
                self.conn = None;
                tracing::warn!(%error, "the store's log could not be moved into its file");
            }
        }
    }

    fn work(&mut self) -> rusqlite::Result<()> {
        let conn = match &self.conn {
            Some(conn) => conn,
            None => {
                let conn = connect(&self.path, false)?;
                conn.busy_timeout(TURN)?;
                conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;")?;
                self.conn.insert(conn)
            }
        };
        let log: i64 = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
        if log < RESTART_PAGES || self.in_vain.is_some_and(|at| at.elapsed() < AGAIN) {
            return Ok(());
        }
        let hold = self.readers.hold(READERS);
        self.turn.want(true);
        let begun = conn.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, i64>(0));
        self.turn.want(false);
        drop(hold);
        let begun = begun? == 0;
        self.in_vain = (!begun).then(Instant::now);
        if !begun {
            tracing::debug!(pages = log, "another program reads the store's file: its log grows meanwhile");
        }
        Ok(())
    }
}
