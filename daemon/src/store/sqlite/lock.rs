//! One daemon per file: an OS lock on `<file>.lock`, which the kernel frees when the process ends,
//! however it ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

/// Holds the lock while it lives.
pub(crate) struct FileLock {
    _file: File,
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
        Ok(Self { _file: file })
    }
}
