//! One daemon per database: OS locks on `<file>.lock`, which says who has it, and on the database itself, which is the
//! same file by whatever path it is reached. The kernel frees them when the process ends, however it ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

/// Holds the lock while it lives.
pub(crate) struct FileLock {
    _file: File,
    /// The database. Not to be closed while SQLite has it open: with any descriptor of it go SQLite's own locks.
    database: Option<File>,
}

/// Why the lock was not to be had.
pub(crate) enum LockError {
    /// Another process has it; what it wrote about itself.
    Held(String),
    /// The lock file cannot be made or locked.
    Io(std::io::Error),
}

impl FileLock {
    pub(crate) fn take(database: &Path) -> Result<Self, LockError> {
        let mut name = database.as_os_str().to_owned();
        name.push(".lock");
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(name).map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _unread = (&file).take(64).read_to_string(&mut holder);
                return Err(LockError::Held(holder.trim().to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        // For the message of whoever is refused; the lock does not depend on it.
        let _for_people = file.set_len(0).and_then(|()| {
            file.seek(SeekFrom::Start(0))?;
            writeln!(file, "{}", std::process::id())
        });
        let mut lock = Self { _file: file, database: None };
        if database.is_file() {
            lock.bind(database)?;
        }
        Ok(lock)
    }

    /// Locks the database itself, once it is there.
    pub(crate) fn bind(&mut self, database: &Path) -> Result<(), LockError> {
        if self.database.is_some() {
            return Ok(());
        }
        // For reading: a file that may not be written is refused with better words by SQLite.
        let file = File::open(database).map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {
                self.database = Some(file);
                Ok(())
            }
            Err(TryLockError::WouldBlock) => {
                // Should it be this very process that has it open, closing it would cost SQLite its locks.
                std::mem::forget(file);
                Err(LockError::Held(String::new()))
            }
            Err(TryLockError::Error(error)) => Err(LockError::Io(error)),
        }
    }
}
