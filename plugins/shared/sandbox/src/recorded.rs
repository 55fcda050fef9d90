//! The files that somebody answers for: a folder's files by their hashes, as they were when a person or a build wrote them,
//! and whether a folder holds those and no other code. What runs in a wall is then at least what somebody put there.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

/// Files by their paths within the folder, each with its SHA-256 in hexadecimal digits; of a file that is being replaced
/// with both, a blank between them.
pub type Recorded = BTreeMap<String, String>;

/// Folders with more files are nobody's to answer for.
const MOST_FILES: usize = 1_000;
const MOST_BYTES: u64 = 256 << 20;
const DEEPEST: usize = 16;
/// Stands for a file that is not there yet.
const ABSENT: &str = "-";
/// What an interpreter runs, or reads what to run from.
const CODE: [&str; 6] = ["py", "pyc", "so", "pth", "sh", "pyd"];

/// What is wrong with a folder.
#[derive(Debug, thiserror::Error)]
pub enum Unrecorded {
    /// A file is not what it was.
    #[error("{0} is not what was recorded when it was last written through nexusd")]
    Differs(String),
    /// A file is gone.
    #[error("{0} is missing")]
    Missing(String),
    /// Code that nobody wrote.
    #[error("{0} is in nobody's record")]
    Unknown(String),
    /// It cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Too much to be recorded.
    #[error(
        "the folder has more than {MOST_FILES} files, more than {MOST_BYTES} bytes, or too many folders in one another"
    )]
    TooMuch,
}

/// The SHA-256 of a content, as it is recorded.
#[must_use]
pub fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Records a folder as it is. Blocks.
///
/// # Errors
/// It cannot be read, or is too much.
pub fn record(folder: &Path) -> Result<Recorded, Unrecorded> {
    files(folder)?.into_iter().map(|(name, path)| Ok((name, hash_of(&path)?))).collect()
}

/// Whether the folder holds what was recorded, and no code beside it. Blocks.
///
/// # Errors
/// The first difference.
pub fn verify(folder: &Path, recorded: &Recorded) -> Result<(), Unrecorded> {
    let found = files(folder)?;
    for (name, hashes) in recorded {
        let Some(path) = found.get(name) else {
            // Bytecode is not shared with other machines, and its lack changes nothing.
            if name.ends_with(".pyc") || hashes.split(' ').any(|known| known == ABSENT) {
                continue;
            }
            return Err(Unrecorded::Missing(name.clone()));
        };
        let hash = hash_of(path)?;
        if !hashes.split(' ').any(|known| known == hash) {
            return Err(Unrecorded::Differs(name.clone()));
        }
    }
    let is_code = |name: &str, path: &Path| {
        let kind = Path::new(name).extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        CODE.iter().any(|code| kind.eq_ignore_ascii_case(code)) || path.is_symlink()
    };
    match found.iter().find(|(name, path)| !recorded.contains_key(*name) && is_code(name, path)) {
        Some((name, _)) => Err(Unrecorded::Unknown(name.clone())),
        None => Ok(()),
    }
}

/// What is to be recorded of a file while it is being replaced by one with this hash: that, or what is there now, as far as
/// it was recorded. Blocks.
#[must_use]
pub fn also(folder: &Path, name: &str, known: Option<&str>, hash: &str) -> String {
    let Some(known) = known else { return format!("{ABSENT} {hash}") };
    let there = hash_of(&folder.join(name)).unwrap_or_else(|_| ABSENT.to_owned());
    let before = known.split(' ').find(|known| *known == there).or_else(|| known.split(' ').next_back());
    format!("{} {hash}", before.unwrap_or(ABSENT))
}

/// Files and links below the folder, by their paths within it.
fn files(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Unrecorded> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Unrecorded::Io { path, source }
    };
    let mut found = BTreeMap::new();
    let (mut waiting, mut bytes) = (vec![(folder.to_owned(), String::new(), 0)], 0_u64);
    while let Some((inside, prefix, depth)) = waiting.pop() {
        for entry in fs::read_dir(&inside).map_err(io(&inside))? {
            let entry = entry.map_err(io(&inside))?;
            let (path, name) = (entry.path(), format!("{prefix}{}", entry.file_name().to_string_lossy()));
            let meta = entry.metadata().map_err(io(&path))?;
            if meta.is_dir() {
                waiting.push((path, format!("{name}/"), depth + 1));
            } else if meta.is_file() || meta.is_symlink() {
                bytes = bytes.saturating_add(meta.len());
                found.insert(name, path);
            }
            if found.len() > MOST_FILES || bytes > MOST_BYTES || depth >= DEEPEST || waiting.len() > MOST_FILES {
                return Err(Unrecorded::TooMuch);
            }
        }
    }
    Ok(found)
}

/// Of a link: of where it leads to.
fn hash_of(path: &Path) -> Result<String, Unrecorded> {
    let io = |source| Unrecorded::Io { path: path.to_owned(), source };
    if path.is_symlink() {
        let target = fs::read_link(path).map_err(io)?;
        return Ok(format!("link-{}", hash(target.as_os_str().as_bytes())));
    }
    fs::read(path).map(|content| hash(&content)).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_what_was_recorded_or_says_what_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("tools/__pycache__")).unwrap();
        fs::write(at("agent.py"), "a = 1").unwrap();
        fs::write(at("tools/t.py"), "b = 1").unwrap();
        fs::write(at("data.json"), "{}").unwrap();
        std::os::unix::fs::symlink("data.json", at("alias.json")).unwrap();
        let recorded = record(folder.path()).unwrap();
        assert_eq!(recorded.len(), 4);
        verify(folder.path(), &recorded).unwrap();
        // What an agent may find beside: no code.
        fs::write(at("notes.txt"), "x").unwrap();
        verify(folder.path(), &recorded).unwrap();

        let refused = |said: &str| {
            let error = verify(folder.path(), &recorded).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        };
        for name in ["agent.py", "tools/t.py", "data.json"] {
            let before = fs::read(at(name)).unwrap();
            fs::write(at(name), "changed").unwrap();
            refused(&format!("{name} is not what was recorded"));
            fs::remove_file(at(name)).unwrap();
            refused(&format!("{name} is missing"));
            fs::write(at(name), before).unwrap();
        }
        for name in ["new.py", "tools/new.py", "tools/__pycache__/t.cpython-311.pyc", "lib.so", "x.pth"] {
            fs::write(at(name), "").unwrap();
            refused(&format!("{name} is in nobody's record"));
            fs::remove_file(at(name)).unwrap();
        }
        std::os::unix::fs::symlink("/etc", at("lib")).unwrap();
        refused("lib is in nobody's record");
        fs::remove_file(at("lib")).unwrap();
        fs::remove_file(at("alias.json")).unwrap();
        std::os::unix::fs::symlink("agent.py", at("alias.json")).unwrap();
        refused("alias.json is not what was recorded");
    }

    #[test]
    fn a_file_that_is_being_replaced_may_be_either() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.py");
        let both = format!("{} {}", hash(b"old"), hash(b"new"));
        let recorded = Recorded::from([("agent.py".to_owned(), both)]);
        for (content, good) in [("old", true), ("new", true), ("other", false)] {
            fs::write(&file, content).unwrap();
            assert_eq!(verify(folder.path(), &recorded).is_ok(), good, "{content}");
        }
        // As it is recorded while it happens: of what was left over from a change that failed, what is there counts.
        let both = recorded["agent.py"].as_str();
        for (there, expected) in [("old", "old"), ("new", "new"), ("foreign", "new")] {
            fs::write(&file, there).unwrap();
            let next = also(folder.path(), "agent.py", Some(both), &hash(b"next"));
            assert_eq!(next, format!("{} {}", hash(expected.as_bytes()), hash(b"next")), "{there}");
        }
        // One that is new may be missing still.
        let next = also(folder.path(), "new.py", None, &hash(b"next"));
        let recorded = Recorded::from([("new.py".to_owned(), next)]);
        fs::remove_file(&file).unwrap();
        verify(folder.path(), &recorded).unwrap();
        fs::write(folder.path().join("new.py"), "next").unwrap();
        verify(folder.path(), &recorded).unwrap();
        fs::write(folder.path().join("new.py"), "other").unwrap();
        verify(folder.path(), &recorded).unwrap_err();
    }
}
