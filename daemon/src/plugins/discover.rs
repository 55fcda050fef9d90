//! Finds plugin files in the configured folders. Loads nothing.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::SystemTime,
};

use object::ReadCache;

use super::{refusal::Refusal, transport::library::elf};

/// Files of this name are test fixtures. In a checkout cargo puts them beside the real plugins, where
/// the daemon must not pick them up; tests copy them to a folder of their own under another name.
const FIXTURE_PREFIX: &str = "libnexus_fixture_";

/// A file that is a plugin by its exported symbol, or that cannot be judged.
pub(super) struct Candidate {
    pub(super) file: PathBuf,
    pub(super) verdict: Result<(), Refusal>,
    /// From a folder of the shipped plugins, which give way to those of the operator.
    pub(super) shipped: bool,
}

/// The candidates of all folders, in order of precedence: by folder, then the newest file first, so
/// that of two builds of one plugin in a folder the newer wins. Libraries without our symbol, and
/// folders that do not exist, are passed over in silence.
pub(super) fn scan(dirs: &[PathBuf], shipped_dirs: &[PathBuf]) -> Vec<Candidate> {
    let mut all = Vec::new();
    let dirs = dirs.iter().map(|dir| (dir, false)).chain(shipped_dirs.iter().map(|dir| (dir, true)));
    for (dir, shipped) in dirs {
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if shipped {
                    tracing::debug!(dir = %dir.display(), "plugin folder does not exist");
                } else {
                    tracing::warn!(dir = %dir.display(), "a folder of [plugins] dirs does not exist: make it, or take it out");
                }
                continue;
            }
            Err(error) => {
                all.push(Candidate {
                    file: dir.clone(),
                    verdict: Err(Refusal::Unreadable(error.to_string())),
                    shipped,
                });
                continue;
            }
        };
        let mut found: Vec<(std::cmp::Reverse<SystemTime>, Candidate)> =
            entries.flatten().filter_map(|entry| candidate(&entry.path(), shipped)).collect();
        found.sort_by(|a, b| (a.0, &a.1.file).cmp(&(b.0, &b.1.file)));
        all.extend(found.into_iter().map(|(_, candidate)| candidate));
    }
    all
}

fn candidate(path: &Path, shipped: bool) -> Option<(std::cmp::Reverse<SystemTime>, Candidate)> {
    let name = path.file_name()?.to_string_lossy();
    if !name.ends_with(".so") || name.starts_with('.') || name.starts_with(FIXTURE_PREFIX) {
        return None;
    }
    let (modified, verdict) = match std::fs::metadata(path) {
        // A folder, or a pipe that would block whoever opens it.
        Ok(metadata) if !metadata.is_file() => return None,
        Ok(metadata) => (metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), exports_entry(path)),
        Err(error) => (SystemTime::UNIX_EPOCH, Err(Refusal::Unreadable(error.to_string()))),
    };
    if matches!(verdict, Err(Refusal::NoEntry)) {
        return None;
    }
    Some((std::cmp::Reverse(modified), Candidate { file: path.to_owned(), verdict, shipped }))
}

/// Reads only the pages that hold the symbol table, so that a folder of large libraries costs little.
fn exports_entry(path: &Path) -> Result<(), Refusal> {
    let file = File::open(path).map_err(|e| Refusal::Unreadable(e.to_string()))?;
    elf::entry_size(&ReadCache::new(file)).map(|_| ())
}
