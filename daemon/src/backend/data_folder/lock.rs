//! One daemon per data folder, on every backend: OS locks on the folder itself, which is the same by whatever path it is
//! reached, and on a file in it, which says who has it. The kernel frees them when the process ends, however it ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use super::FolderError;

/// The file in it.
const FILE: &str = "nexusd.lock";

/// Holds the folder while it lives.
pub struct DataLock {
    _file: File,
    /// None where the file system locks no folders.
    _folder: Option<File>,
}

/// Whether it was to be had.
fn lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl DataLock {
    /// Takes a data folder. Blocks.
    ///
    /// # Errors
    /// [`FolderError::InUse`]; or its file cannot be made.
    pub fn take(folder: &Path) -> Result<Self, FolderError> {
        let path = folder.join(FILE);
        let failed = |source| FolderError::Lock { path: path.clone(), source };
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(failed)?;
        let in_use = |mut file: &File| {
            let mut holder = String::new();
            let _unread = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(64).read_to_string(&mut holder));
            FolderError::InUse { path: folder.to_owned(), holder: holder.trim().to_owned() }
        };
        if !lock(&file).map_err(failed)? {
            return Err(in_use(&file));
        }
        // Somebody may have removed the file: the folder stays the same.
        let itself = match File::open(folder).and_then(|folder| Ok((lock(&folder)?, folder))) {
            Ok((true, folder)) => Some(folder),
            Ok((false, _)) => return Err(FolderError::InUse { path: folder.to_owned(), holder: String::new() }),
            Err(error) => {
                tracing::debug!(%error, "the data folder itself cannot be locked; the file in it is");
                None
            }
        };
        // For the message of whoever is refused; the lock does not depend on it.
        let _for_people = file.set_len(0).and_then(|()| {
            file.seek(SeekFrom::Start(0))?;
            writeln!(file, "{}", std::process::id())
        });
        Ok(Self { _file: file, _folder: itself })
    }
}
