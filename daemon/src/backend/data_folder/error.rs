//! Why the data folder cannot be used, with what to do about it.

use std::{io, path::PathBuf};

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A data folder cannot be made.
    #[error("cannot make the folder {}: {source}: {}", .path.display(), folder_remedy(path, source))]
    Make { path: PathBuf, source: io::Error },
    /// Another daemon works in it.
    #[error(
        "the data folder {} is in use by another daemon{}: stop that one, or give this one a folder of its own \
         ([data] dir in the settings, or --data-dir)",
        .path.display(),
        if .holder.is_empty() { String::new() } else { format!(" (process {})", .holder) }
    )]
    InUse {
        path: PathBuf,
        /// The other's process id, when known.
        holder: String,
    },
    /// It cannot be locked.
    #[error("the data folder cannot be locked by {}: {source}: {}", .path.display(), folder_remedy(path, source))]
    Lock {
        /// The file in it.
        path: PathBuf,
        source: io::Error,
    },
    /// A restore into the data folder did not come to its end.
    #[error(
        "a restore into {} was cut off, so not everything is there: empty the folder and run `nexusd restore FILE` again",
        .0.display()
    )]
    Restoring(PathBuf),
}

/// What to do about a folder that cannot be made.
fn folder_remedy(path: &std::path::Path, source: &io::Error) -> String {
    let file = path.ancestors().find(|above| above.exists() && !above.is_dir());
    match (source.kind(), file) {
        (_, Some(file)) => format!(
            "{} is a file and no folder: move it away, or name another data folder by --data-dir or [data] dir",
            file.display()
        ),
        (io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded, _) => {
            "no space is left there: free some (`df -h`, `df -i`), or name a data folder on another disk by --data-dir or \
             [data] dir"
                .to_owned()
        }
        (io::ErrorKind::PermissionDenied, _) => "nexusd may not write there: give the folder above to its user, or name \
             another data folder by --data-dir or [data] dir"
            .to_owned(),
        (io::ErrorKind::ReadOnlyFilesystem, _) => {
            "the file system is mounted read-only: name another data folder by --data-dir or [data] dir".to_owned()
        }
        _ => "name another data folder by --data-dir or [data] dir".to_owned(),
    }
}
