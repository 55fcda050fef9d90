//! Files with credentials: readable by nobody else, written whole or not at all.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

/// A file of credentials that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct FileError {
    path: PathBuf,
    problem: String,
}

impl FileError {
    /// The system refused it.
    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        Self { path: path.to_owned(), problem: error.to_string() }
    }

    /// It says something else than it should. Where, but not what: it may be a secret.
    pub(super) fn form(path: &Path, error: &serde_json::Error) -> Self {
        Self::told(path, format!("line {}, column {}: not of the expected form", error.line(), error.column()))
    }

    pub(super) fn told(path: &Path, problem: impl Into<String>) -> Self {
        Self { path: path.to_owned(), problem: problem.into() }
    }
}

/// The text of a file; `None` when it is not there. One that others can read is made private, and the log says so: it
/// may have been read.
pub(super) fn read(path: &Path) -> Result<Option<String>, FileError> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| FileError::io(path, error))?,
    };
    let mode = fs::metadata(path).map_err(|error| FileError::io(path, error))?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{:o}", mode & 0o777), "others could read this file of credentials; it is private now");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(|error| FileError::io(path, error))?;
    }
    Ok(Some(text))
}

/// Writes a private file: whole, on disk, then in its place.
pub(super) fn write(path: &Path, text: &str) -> Result<(), FileError> {
    let io = |error| FileError::io(path, error);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(io)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&beside, path).map_err(io)?;
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
}

/// Tells one version of a file from another: each is a file of its own that was moved into place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    modified: Option<SystemTime>,
    size: u64,
}

/// Which version of a file is there.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let meta = fs::metadata(path).ok()?;
    Some(Stamp { inode: meta.ino(), modified: meta.modified().ok(), size: meta.len() })
}

/// Keeps other processes from changing the file, until dropped.
pub(super) fn lock(path: &Path) -> Result<fs::File, FileError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let io = |error| FileError::io(path, error);
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(beside).map_err(io)?;
    file.lock().map_err(io)?;
    Ok(file)
}

/// A lock whose holder panicked protects plain data all the same.
pub(super) fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
