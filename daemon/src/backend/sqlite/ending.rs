//! How the last process ended that had the file open, as far as it could say: `<file>.ending`.
//!
//! The file is written when a daemon begins to work and is written over by a process that breaks (`plugins::fault`). So
//! it tells a fault of the process from a kill from outside, which leaves what was there.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// What stands there while a daemon works. Longer than any word that is written over it, so that those need no room.
const AT_WORK: &[u8] = b"at work, or killed from outside\n";

fn path_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".ending");
    name.into()
}

/// Whether the last process broke, by its own word: the name of a signal, or `exit`.
pub(crate) fn last_fault(database: &Path) -> Option<String> {
    let noted = std::fs::read(path_of(database)).ok()?;
    if noted.is_empty() || noted.starts_with(b"at work") {
        return None;
    }
    let word = noted.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Some(String::from_utf8_lossy(word).chars().take(32).collect())
}

/// Begins the note of this process. Its file is to be written over when the process breaks.
pub(crate) fn begin(database: &Path) -> io::Result<File> {
    // In its place, which a full disk has already.
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path_of(database))?;
    file.write_all(AT_WORK)?;
    file.set_len(AT_WORK.len() as u64)?;
    file.sync_data()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    #[test]
    fn a_word_over_it_is_a_fault_and_nothing_else_is() {
        let dir = tempfile::tempdir().expect("a folder");
        let database = dir.path().join("nexus.db");
        assert_eq!(last_fault(&database), None, "nobody worked yet");
        let file = begin(&database).expect("it begins");
        assert_eq!(last_fault(&database), None, "it was killed");
        file.write_all_at(b"SIGSEGV\n", 0).expect("it breaks");
        assert_eq!(last_fault(&database).as_deref(), Some("SIGSEGV"));
        let _again = begin(&database).expect("it begins again");
        assert_eq!(last_fault(&database), None);
        std::fs::write(path_of(&database), b"").expect("a file without room");
        assert_eq!(last_fault(&database), None);
    }
}
