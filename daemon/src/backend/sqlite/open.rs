//! Opening the file: lock, pragmas, schema, what a start settles, then the threads.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, ffi::ErrorCode};

use super::{
    Arrivals, Inner, SqliteStore, backup,
    checkpoint::Checkpointer,
    clock::Moment,
    counts::Counts,
    ending, idempotency,
    lock::{FileLock, LockError},
    readers::Readers,
    recover, schema,
    state::State,
    writer::{Listeners, Writer},
};
use crate::{
    backend::{error::BackendError, sqlite::queue::SqliteQueue, store::EventSink},
    domain::time::Timestamp,
};

/// How the embedded store works.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Threads that answer questions; each starts when it is first needed.
    pub readers: usize,
    /// Requests in one transaction.
    pub max_batch: usize,
    /// Receives after which a message goes to the dead letters.
    pub max_receive_count: u32,
    /// How long a received build message stays hidden unless extended.
    pub build_visibility: Duration,
    /// Likewise for deploy messages and dead letters.
    pub deploy_visibility: Duration,
    /// How long a build message may wait.
    pub build_retention: Duration,
    /// How long a deploy message may wait.
    pub deploy_retention: Duration,
    /// How long dead letters are kept.
    pub dead_retention: Duration,
    /// Copies of the file from before upgrades of its schema that are kept; none are made when it is 0.
    pub schema_backups: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            readers: 4,
            max_batch: 256,
            max_receive_count: 3,
            build_visibility: Duration::from_secs(60),
            deploy_visibility: Duration::from_secs(60),
            build_retention: DAY * 7,
            deploy_retention: DAY * 3,
            dead_retention: DAY * 14,
            schema_backups: 3,
        }
    }
}

/// Why the file could not be opened, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another daemon has it.
    #[error(
        "{} is in use by another daemon{}: stop that one, or give this one a file of its own",
        .path.display(),
        if .holder.is_empty() { String::new() } else { format!(" (process {})", .holder) }
    )]
    InUse {
        path: PathBuf,
        /// The other's process id, when known.
        holder: String,
    },
    /// Written by a later version.
    #[error(
        "{} has schema version {found}, and this daemon knows up to {known}: \
         start a newer nexusd, or {}",
        .path.display(),
        go_back(path, backup.as_deref())
    )]
    NewerSchema {
        path: PathBuf,
        found: i64,
        known: i64,
        /// The newest copy from before an upgrade that can be read.
        backup: Option<PathBuf>,
    },
    /// The copy before an upgrade cannot be made, so there is no upgrade.
    #[error(
        "the schema of {} is to go from version {found} to {known}, and the backup before it cannot be made in {}: {source}. \
         Nothing was changed. Make room there, or set [store] schema_backups = 0 to upgrade without a backup",
        .path.display(),
        .folder.display()
    )]
    NoBackup {
        path: PathBuf,
        /// Where the backup goes.
        folder: PathBuf,
        /// The version of the file.
        found: i64,
        /// The version of this program.
        known: i64,
        source: Box<OpenError>,
    },
    /// Written by an earlier version, and only to be read.
    #[error("{} has schema version {found}, not {known}: start nexusd on it once, which brings it up to date", .path.display())]
    OlderSchema {
        path: PathBuf,
        found: i64,
        /// That of this program.
        known: i64,
    },
    /// Not a database, or a damaged one.
    #[error(
        "{} is damaged or no database of nexusd: put a backup in its place, or recover it with `sqlite3 FILE .recover`. To \
         start afresh move it away, with its -wal and -shm files, and run `nexusd adopt-folder`, which keeps the files of \
         the projects that the new database will not know",
        .path.display()
    )]
    Damaged { path: PathBuf, source: rusqlite::Error },
    #[error("{} cannot be written: check owner and mode of the file and of its folder", .path.display())]
    ReadOnly { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("no space is left for {}: free some, then start again", .path.display())]
    DiskFull { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    /// A step to a newer schema was refused; it was rolled back.
    #[error(
        "the schema of {} cannot be brought from version {found} to {known}: {source}. The file is as it was before the step \
         that failed. Another program has probably changed its tables: restore a backup with `nexusd restore FILE`{}, or go on \
         with the nexusd that wrote the file",
        .path.display(),
        backup.as_ref().map(|made| format!(", or copy {} over it (and move {1}-wal and {1}-shm away)", made.display(), path.display())).unwrap_or_default()
    )]
    Step {
        path: PathBuf,
        found: i64,
        /// The version of this program.
        known: i64,
        /// The copy from before, if one was made.
        backup: Option<PathBuf>,
        source: Box<rusqlite::Error>,
    },
    /// The disk below it does not do its work.
    #[error(
        "{} cannot be read or written: the disk fails, is full, or a limit of the file system is reached; `df -h`, `df -i` and \
         the kernel's log (`dmesg`) say which",
        .path.display()
    )]
    Disk { path: PathBuf, source: rusqlite::Error },
    /// There is something else of its name.
    #[error("{} cannot be opened, it is no file: move away what is there, or name another data folder by --data-dir or [data] dir", .path.display())]
    NotAFile {
        /// What should be the file.
        path: PathBuf,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{} cannot be opened: check that its folder exists and may be written", .path.display())]
    Failed { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
}

/// How to go back to before an upgrade.
fn go_back(path: &Path, backup: Option<&Path>) -> String {
    match backup {
        Some(backup) => format!(
            "go back to before the upgrade, without what was written since: stop nexusd, move {0}, {0}-wal and {0}-shm away, \
             and copy {1} to {0}",
            path.display(),
            backup.display()
        ),
        None => "restore a backup from before the upgrade with `nexusd restore FILE`".to_owned(),
    }
}

impl OpenError {
    pub(crate) fn newer_schema(path: &Path, found: i64) -> Self {
        Self::NewerSchema { path: path.to_owned(), found, known: schema::VERSION, backup: backup::readable(path) }
    }

    pub(crate) fn from_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged { path, source },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { path, source: Box::new(source) }
            }
            Some(ErrorCode::DiskFull) => Self::DiskFull { path, source: Box::new(source) },
            Some(ErrorCode::SystemIoFailure) => Self::Disk { path, source },
            Some(ErrorCode::CannotOpen) if path.is_dir() => Self::NotAFile { path, source: Box::new(source) },
            _ => Self::Failed { path, source: Box::new(source) },
        }
    }

    pub(crate) fn from_io(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly { path, source: Box::new(source) }
            }
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, source: Box::new(source) }
            }
            std::io::ErrorKind::IsADirectory => Self::NotAFile { path, source: Box::new(source) },
            _ => Self::Failed { path, source: Box::new(source) },
        }
    }

    /// A step of the schema failed. A full or failing disk says so by itself.
    fn of_step(path: &Path, conn: &Connection, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::Unknown) | None => {
                let found = schema::version(conn).unwrap_or_default();
                Self::Step {
                    path: path.to_owned(),
                    found,
                    known: schema::VERSION,
                    backup: backup::readable(path),
                    source: Box::new(source),
                }
            }
            Some(_) => Self::from_sqlite(path, source),
        }
    }
}

impl SqliteStore {
    /// Opens or makes the file at `path`. Blocking: call it at start-up or from a blocking thread.
    ///
    /// Under the lock nobody else lives, so the start settles what the last process left: every
    /// message is visible, every lease free.
    pub fn open(
        path: impl AsRef<Path>,
        options: SqliteOptions,
        sink: Arc<dyn EventSink>,
    ) -> Result<(Arc<Self>, Arc<SqliteQueue>), OpenError> {
        let path = path.as_ref();
        let refused = |error| match error {
            LockError::Held(holder) => OpenError::InUse { path: path.to_owned(), holder },
            LockError::Io(error) => OpenError::from_io(path, error),
        };
        let mut lock = FileLock::take(path).map_err(refused)?;
        Moment::start().map_err(|error| OpenError::from_io(path, error))?;
        let sqlite = |error| OpenError::from_sqlite(path, error);
        let mut conn = connect(path, false).map_err(sqlite)?;
        lock.bind(path).map_err(refused)?;
        let found = schema::version(&conn).map_err(sqlite)?;
        if found > schema::VERSION {
            return Err(OpenError::newer_schema(path, found));
        }
        if found == 0 && !schema::is_empty(&conn).map_err(sqlite)? {
            // Another program's database: nothing is written into it.
            let source = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(NOT_A_DATABASE), None);
            return Err(OpenError::Damaged { path: path.to_owned(), source });
        }
        if found > 0 && found < schema::VERSION && options.schema_backups > 0 {
            let made = backup::before_upgrade(path, found)?;
            tracing::info!(backup = %made.display(), from = found, to = schema::VERSION, "the store's file was backed up before its upgrade");
        }
        set_up(&conn).map_err(sqlite)?;
        if let Err(error) = schema::migrate(&mut conn) {
            return Err(OpenError::of_step(path, &conn, error));
        }
        if found > 0 && found < schema::VERSION && options.schema_backups > 0 {
            backup::prune(path, options.schema_backups);
        }
        idempotency::forget_unfinished(&conn).map_err(sqlite)?;
        let counts = Counts::begin(&conn).map_err(sqlite)?;
        let fault = ending::last_fault(path);
        let mail = recover::settle(&mut conn, Timestamp::now(), fault.as_deref())
            .map_err(|error: BackendError| OpenError::Failed { path: path.to_owned(), source: Box::new(error) })?;
        let state = State::new(mail, options.max_receive_count);
        let arrivals = Arc::new(Arrivals::default());
        let io = |error| OpenError::from_io(path, error);
        let readers = Readers::new(path.to_owned(), options.readers);
        let log = Checkpointer::start(path.to_owned(), readers.shared()).map_err(io)?;
        let listeners = Listeners { sink, arrivals: Arc::clone(&arrivals) };
        let writer = Writer::start(conn, state, options.max_batch, listeners, counts.clone(), log, lock).map_err(io)?;
        let (sweeping, sweep_again, path) = (AtomicBool::new(false), AtomicBool::new(false), path.to_owned());
        let held = Arc::default();
        let inner = Arc::new(Inner { writer, readers, counts, arrivals, options, path, sweeping, sweep_again, held });
        let queue = SqliteQueue::new(Arc::clone(&inner));
        Ok((Arc::new(Self { inner }), Arc::new(queue)))
    }

    /// Begins the note of how this process ends, beside the file; see `ending`. Blocking.
    pub fn note_of_the_end(&self) -> std::io::Result<std::fs::File> {
        ending::begin(&self.inner.path)
    }
}

const CANNOT_OPEN: i32 = 14;
const NOT_A_DATABASE: i32 = 26;

/// A connection to the file.
pub(crate) fn connect(path: &Path, read_only: bool) -> rusqlite::Result<Connection> {
    let access = if read_only {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    };
    // No mutex: a connection stays on its thread.
    let conn = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(if read_only { 32 } else { 128 });
    if read_only {
        conn.execute_batch("PRAGMA cache_size = -2000; PRAGMA query_only = ON;")?;
    }
    Ok(conn)
}

/// SQLite's number for files that give free pages back when they are asked to.
pub(crate) const INCREMENTAL: i64 = 2;
/// Files of up to so many pages (64 MB) learn to at a start, which writes them anew; larger ones by `nexusd compact`.
const SMALL_PAGES: i64 = 16_384;

/// Has the file give free pages back. Must come before the first table is made, or write the whole file anew.
fn learn_to_shrink(conn: &Connection) -> rusqlite::Result<()> {
    let number = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
    if number("PRAGMA auto_vacuum")? == INCREMENTAL {
        return Ok(());
    }
    let pages = number("PRAGMA page_count")?;
    if pages > SMALL_PAGES {
        tracing::info!("the store's file does not shrink when rows are deleted: `nexusd compact` teaches it to");
        return Ok(());
    }
    conn.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    if pages > 0
        && let Err(error) = conn.execute_batch("VACUUM")
    {
        // It needs the room once more; the file is as it was.
        tracing::warn!(%error, "the store's file could not be written anew and does not shrink");
    }
    Ok(())
}

/// Writes the file at `path`, which must be there and in nobody's use, anew; answers its bytes before and after.
///
/// # Errors
/// [`OpenError`]; the file is then as it was.
pub fn compact(path: &Path) -> Result<(u64, u64), OpenError> {
    let io = |error| OpenError::from_io(path, error);
    let before = std::fs::metadata(path).map_err(io)?.len();
    let lock = FileLock::take(path).map_err(|error| match error {
        LockError::Held(holder) => OpenError::InUse { path: path.to_owned(), holder },
        LockError::Io(error) => OpenError::from_io(path, error),
    })?;
    let sqlite = |error| OpenError::from_sqlite(path, error);
    let conn = connect(path, false).map_err(sqlite)?;
    conn.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM; PRAGMA wal_checkpoint(TRUNCATE);").map_err(sqlite)?;
    conn.close().map_err(|(_, error)| sqlite(error))?;
    let after = std::fs::metadata(path).map_err(io)?.len();
    drop(lock);
    Ok((before, after))
}

/// The writer's settings. The log is moved by `checkpoint`.
fn set_up(conn: &Connection) -> rusqlite::Result<()> {
    learn_to_shrink(conn)?;
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        let text = format!("the file system keeps SQLite from writing ahead (journal mode {mode})");
        return Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(CANNOT_OPEN), Some(text)));
    }
    conn.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA cache_size = -16000;
         PRAGMA temp_store = MEMORY;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_of_the_disk_has_its_own_remedy() {
        let path = Path::new("/data/nexus.db");
        let io = |kind| OpenError::from_io(path, std::io::Error::from(kind)).to_string();
        let sqlite = |code| {
            let source = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            OpenError::from_sqlite(path, source).to_string()
        };
        assert!(io(std::io::ErrorKind::StorageFull).contains("free some"));
        assert!(io(std::io::ErrorKind::QuotaExceeded).contains("free some"));
        assert!(io(std::io::ErrorKind::ReadOnlyFilesystem).contains("owner and mode"));
        assert!(sqlite(rusqlite::ffi::SQLITE_FULL).contains("free some"));
        assert!(sqlite(rusqlite::ffi::SQLITE_IOERR_WRITE).contains("df -h"));
    }
}
