//! Copies of the database, each as it was at one moment, taken beside whoever writes it.
//!
//! The copy is made by SQLite's online backup through a read-only connection of its own. A daemon's writer never waits for
//! it: readers of a write-ahead log hold no lock that a writer needs. One read transaction spans the copy, since a foreign
//! writer would otherwise make SQLite begin anew after each commit. While it lasts the log cannot be reset, so nothing
//! else is done in it: pages are copied in bites, and hashing, checking and the files come when it is over.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use super::{OpenError, open::connect, schema};
use crate::domain::time::Timestamp;

/// The schema version that this daemon writes.
pub const SCHEMA_VERSION: i64 = schema::VERSION;
/// Pages of one bite: at most 1 MiB.
const BITE: i32 = 256;
/// Bytes after which the copy is flushed. A disk that has to write gigabytes at once keeps a writer's commits waiting.
const FLUSH: u64 = 16 << 20;
/// How long a bite waits for a file that is locked.
const LOCKED_PAUSE: Duration = Duration::from_millis(20);
/// Before the version in the name of a copy that is made before an upgrade.
const BEFORE_UPGRADE: &str = "nexus-schema-";
const DATABASE: &str = ".db";

#[derive(Clone, Copy, Debug)]
pub struct Copied {
    /// The version of its schema.
    pub schema: i64,
    /// Bytes of the copy.
    pub bytes: u64,
    /// How long the log of the live file could not be reset.
    pub held: Duration,
}

/// Copies the database at `from` to the new file `to`, durably. `tell` hears bytes done and bytes in all, and may stop it.
/// `None` when it was stopped. Blocking.
///
/// # Errors
/// [`OpenError`] of the file that was in the way; a newer schema is copied as it is.
pub fn copy(
    from: &Path,
    to: &Path,
    tell: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Option<Copied>, OpenError> {
    if let Err(error) = std::fs::metadata(from) {
        return Err(OpenError::from_io(from, error));
    }
    private_file(to).map_err(|error| OpenError::from_io(to, error))?;
    let copied = copy_pages(from, to, tell)?;
    if copied.is_some() {
        settle(to)?;
    }
    Ok(copied)
}

fn copy_pages(
    from: &Path,
    to: &Path,
    tell: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Option<Copied>, OpenError> {
    let of_source = |error| OpenError::from_sqlite(from, error);
    // Trouble in the middle is the target's, unless what is read is damaged.
    let of_copy = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => of_source(error),
        _ => OpenError::from_sqlite(to, error),
    };
    let source = connect(from, true).map_err(of_source)?;
    let page: u64 = source.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0)).map_err(of_source)?.into();
    let mut target = Connection::open(to).map_err(of_copy)?;
    // Nobody else opens it, and it is flushed below: a journal would double what is written.
    let quiet = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;";
    target.execute_batch(quiet).map_err(of_copy)?;
    let flush = || std::fs::File::open(to).and_then(|file| file.sync_data());
    let begun = Instant::now();
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;").map_err(of_source)?;
    let schema = schema::version(&source).map_err(of_source)?;
    let backup = Backup::new(&source, &mut target).map_err(of_copy)?;
    let (mut flushed, mut bytes) = (0, 0);
    loop {
        let step = backup.step(BITE).map_err(of_copy)?;
        let pages = backup.progress();
        let of = |pages: i32| u64::try_from(pages).unwrap_or(0) * page;
        bytes = bytes.max(of(pages.pagecount - pages.remaining));
        if tell(bytes, of(pages.pagecount)).is_break() {
            return Ok(None);
        }
        match step {
            StepResult::Done => break,
            StepResult::Busy | StepResult::Locked => std::thread::sleep(LOCKED_PAUSE),
            _ if bytes - flushed >= FLUSH => {
                flush().map_err(|error| OpenError::from_io(to, error))?;
                flushed = bytes;
            }
            _ => {}
        }
    }
    drop(backup);
    source.execute_batch("COMMIT").map_err(of_source)?;
    Ok(Some(Copied { schema, bytes, held: begun.elapsed() }))
}

/// Checks a copy, and makes it one plain file without a log beside it. Blocking.
///
/// # Errors
/// It is damaged: then it is no backup.
pub fn settle(copy: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::from_sqlite(copy, error);
    let conn = Connection::open(copy).map_err(failed)?;
    conn.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if found != "ok" {
        let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(failed(rusqlite::Error::SqliteFailure(corrupt, Some(found))));
    }
    conn.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(failed)?;
    drop(conn);
    std::fs::File::open(copy).and_then(|file| file.sync_all()).map_err(|error| OpenError::from_io(copy, error))
}

fn private_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::File::options().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

/// What a copy has that the live file no longer has.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Gone {
    pub projects: Vec<String>,
    pub agents: Vec<String>,
}

/// What was deleted from `live` since `copy` was taken from it. Blocking.
///
/// # Errors
/// [`OpenError`] of the file that cannot be read.
pub fn gone_since(live: &Path, copy: &Path) -> Result<Gone, OpenError> {
    let ids = |path: &Path, sql: &str| -> Result<BTreeSet<String>, OpenError> {
        let failed = |error| OpenError::from_sqlite(path, error);
        let conn = connect(path, true).map_err(failed)?;
        let mut find = conn.prepare(sql).map_err(failed)?;
        let found = find.query_map([], |row| row.get(0)).map_err(failed)?;
        found.collect::<rusqlite::Result<_>>().map_err(failed)
    };
    let gone = |sql: &str| -> Result<Vec<String>, OpenError> {
        Ok(ids(copy, sql)?.difference(&ids(live, sql)?).cloned().collect())
    };
    Ok(Gone {
        projects: gone("SELECT project_id FROM nexus_projects")?,
        agents: gone("SELECT agent_id FROM nexus_agents")?,
    })
}

/// Copies the file at `path`, whose schema is of version `from`, into `backups/` beside it before it is upgraded. The
/// caller holds the file's lock.
pub(super) fn before_upgrade(path: &Path, from: i64) -> Result<PathBuf, OpenError> {
    let folder = folder_of(path);
    let failed = |source: OpenError| OpenError::NoBackup {
        path: path.to_owned(),
        folder: folder.clone(),
        found: from,
        known: schema::VERSION,
        source: Box::new(source),
    };
    let made = || -> Result<PathBuf, OpenError> {
        let io = |error| OpenError::from_io(&folder, error);
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(io)?;
        let at = Timestamp::now().to_string().replace([':', '.'], "-");
        let name = format!("{BEFORE_UPGRADE}{from}-{at}{DATABASE}");
        // One that was cut off: a start that is killed in the middle begins again.
        let part = folder.join("upgrade.part");
        match std::fs::remove_file(&part) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let to = folder.join(name);
        let copied = copy(path, &part, &mut |_, _| ControlFlow::Continue(()));
        copied.inspect_err(|_| drop(std::fs::remove_file(&part)))?;
        std::fs::rename(&part, &to).map_err(io)?;
        std::fs::File::open(&folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        Ok(to)
    };
    made().map_err(failed)
}

/// Where copies before upgrades lie.
fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new(".")).join("backups")
}

/// The copies that were made before upgrades, the oldest first, with the version of each.
fn made_before_upgrades(path: &Path) -> Vec<(String, i64, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder_of(path)) else { return Vec::new() };
    let known = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let (version, at) = name.strip_prefix(BEFORE_UPGRADE)?.strip_suffix(DATABASE)?.split_once('-')?;
        Some((at.to_owned(), version.parse().ok()?, entry.path()))
    };
    let mut found: Vec<_> = entries.flatten().filter_map(known).collect();
    found.sort();
    found
}

/// Removes all but the newest `kept` copies.
pub(super) fn prune(path: &Path, kept: usize) {
    let found = made_before_upgrades(path);
    let surplus = found.len().saturating_sub(kept);
    for (_, _, old) in found.into_iter().take(surplus) {
        if let Err(error) = std::fs::remove_file(&old) {
            tracing::warn!(path = %old.display(), %error, "an old backup could not be removed");
        }
    }
}

/// The newest copy that this daemon can read.
pub(super) fn readable(path: &Path) -> Option<PathBuf> {
    let found = made_before_upgrades(path);
    found.into_iter().rev().find(|(_, version, _)| *version <= schema::VERSION).map(|(_, _, path)| path)
}

#[cfg(test)]
#[path = "backup_tests.rs"]
mod tests;
