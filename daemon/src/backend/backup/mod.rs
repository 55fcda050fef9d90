//! `nexusd backup` and `nexusd restore`: a whole data folder in one file, beside a running daemon, and back.
//!
//! The file is a plain tar archive: `tar -xf` makes a data folder of it. It holds, in this order, the files and links below
//! the data folder, `nexus.db` as it was at one moment, `nexusd-backup.jsonl` (the manifest: a line with what this is, then
//! a line for each entry with its SHA-256), and `nexusd-backup.sha256` (that of the manifest). Only a file that was written
//! to its end has the last.
//!
//! Database and files are of different moments, so this order keeps them together: the database is copied first, and the
//! files after it. What the copy says was finished has its files, since a stage's files are written before its commit;
//! files of later stages are surplus and written again. What was deleted meanwhile is deleted from the copy, too.

mod archive;
mod create;
mod manifest;
mod read;
mod restore;
mod walk;

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

pub use create::{Created, create};
pub use manifest::Head;
pub(crate) use manifest::hex;
pub use read::{Verified, verify};
pub use restore::{restore, unfinished};

use crate::backend::{error::BackendError, sqlite::OpenError};

/// Names that are not of a data folder, or not for a backup: what a running daemon has there for itself, what can be made
/// again, copies from before upgrades, what was deleted, a restore that was cut off, and what an archive has of its own.
const LEFT_OUT: [&str; 14] = [
    "nexus.db",
    "nexus.db-wal",
    "nexus.db-shm",
    "nexus.db-journal",
    "nexus.db.lock",
    "nexus.db.ending",
    "nexusd.lock",
    crate::backend::data_folder::binding::DAEMON,
    "run",
    "cache",
    "backups",
    "trash",
    restore::STAGING,
    "lost+found",
];
/// The database's name in data folder and archive.
const DATABASE: &str = "nexus.db";

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder.
    #[error("{}: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("no space is left for {}: {remedy}", .path.display())]
    Full { path: PathBuf, remedy: &'static str },
    #[error(transparent)]
    Database(#[from] OpenError),
    /// What was deleted meanwhile cannot be deleted from the copy.
    #[error(
        "what was deleted while the backup was made could not be deleted from the copy: {0}; make the backup again"
    )]
    Copy(#[from] BackendError),
    /// The file is no whole backup.
    #[error("{}: {text}", .path.display())]
    Bad {
        path: PathBuf,
        /// What is wrong with it, and what to do.
        text: String,
    },
    /// What is asked for is not to be done.
    #[error("{0}")]
    Refused(String),
    /// It was told to stop.
    #[error("stopped; nothing was left behind")]
    Stopped,
}

impl BackupError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full {
                path: path.to_owned(),
                remedy: "a backup takes as much as the data folder, and for a while the database once more; nothing was \
                         left behind",
            },
            _ => Self::File { path: path.to_owned(), source },
        }
    }

    fn bad(path: &Path, text: impl Into<String>) -> Self {
        Self::Bad { path: path.to_owned(), text: text.into() }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub what: &'static str,
    pub bytes: u64,
    /// Of how many, where that is known.
    pub of: Option<u64>,
}

/// How a long operation is watched and stopped.
pub struct Watch<'a> {
    /// Hears how far it is.
    pub tell: &'a (dyn Fn(Progress) + Sync),
    /// Set to stop it.
    pub stop: &'a AtomicBool,
}

impl Watch<'_> {
    fn go_on(&self, what: &'static str, bytes: u64, of: Option<u64>) -> Result<(), BackupError> {
        (self.tell)(Progress { what, bytes, of });
        if self.stop.load(Ordering::Relaxed) { Err(BackupError::Stopped) } else { Ok(()) }
    }
}
