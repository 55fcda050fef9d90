//! Reading an archive: every entry is hashed as it passes, and compared with the manifest at the end.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read, Write as _},
    path::Path,
};

use sha2::{Digest as _, Sha256};
use tar::EntryType;

use super::{
    BackupError, Watch,
    manifest::{self, Entry, Form, Head, MANIFEST, SEAL, hash, hex},
};
use crate::domain::rel_path::RelPath;

const BUFFER: usize = 256 << 10;
/// Largest manifest that is read.
const LARGEST: u64 = 4 << 30;

/// An archive that is whole.
#[derive(Debug)]
pub struct Verified {
    /// What stands first in its manifest.
    pub head: Head,
    /// Files in it, the database included.
    pub files: usize,
    /// Bytes of the archive.
    pub bytes: u64,
    /// SHA-256 of the archive.
    pub sha256: String,
}

/// Takes entries as they pass; nothing is proven before the end.
pub(crate) trait Sink {
    fn folder(&mut self, path: &str, mode: u32) -> Result<(), BackupError>;
    /// Where the content goes.
    fn file(&mut self, path: &str, mode: u32) -> Result<Option<File>, BackupError>;
    fn link(&mut self, path: &str, target: &[u8]) -> Result<(), BackupError>;
    /// For errors: where a file goes.
    fn place(&self, path: &str) -> std::path::PathBuf;
}

struct Nowhere;

impl Sink for Nowhere {
    fn folder(&mut self, _: &str, _: u32) -> Result<(), BackupError> {
        Ok(())
    }

    fn file(&mut self, _: &str, _: u32) -> Result<Option<File>, BackupError> {
        Ok(None)
    }

    fn link(&mut self, _: &str, _: &[u8]) -> Result<(), BackupError> {
        Ok(())
    }

    fn place(&self, path: &str) -> std::path::PathBuf {
        path.into()
    }
}

/// Reads a backup to its end and compares every hash. Blocking.
///
/// # Errors
/// [`BackupError::Bad`] says what is not as it was written.
pub fn verify(file: &Path, watch: &Watch<'_>) -> Result<Verified, BackupError> {
    read(file, watch, &mut Nowhere)
}

struct Hashing {
    file: BufReader<File>,
    hash: Sha256,
    bytes: u64,
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }
}

#[derive(Default)]
struct Passed {
    entries: BTreeMap<String, Entry>,
    manifest: Option<Vec<u8>>,
    seal: Option<String>,
}

pub(crate) fn read(file: &Path, watch: &Watch<'_>, sink: &mut dyn Sink) -> Result<Verified, BackupError> {
    let open = File::open(file).map_err(BackupError::file(file))?;
    let known = open.metadata().map_err(BackupError::file(file))?;
    if !known.is_file() {
        return Err(BackupError::bad(file, "this is no file"));
    }
    let input = Hashing { file: BufReader::with_capacity(BUFFER, open), hash: Sha256::new(), bytes: 0 };
    let mut archive = tar::Archive::new(input);
    let mut passed = Passed::default();
    let mut last = String::from("the begin");
    // What the archive's form forbids is told by the reader as an error without a number of the system.
    let damaged = |last: &str, error: io::Error| match error.raw_os_error() {
        Some(_) => BackupError::file(file)(error),
        None => BackupError::bad(
            file,
            format!("it is damaged, cut off, or no backup of nexusd: behind {last}: {error}. Take another backup"),
        ),
    };
    for entry in archive.entries().map_err(|error| damaged(&last, error))? {
        let mut entry = entry.map_err(|error| damaged(&last, error))?;
        watch.go_on("checked", entry.raw_header_position(), Some(known.len()))?;
        if passed.seal.is_some() {
            return Err(BackupError::bad(file, "something comes behind its end. Take another backup"));
        }
        let path = entry.path_bytes().into_owned();
        let path = std::str::from_utf8(&path).ok().and_then(|path| RelPath::of_file(path).ok());
        let path = path.map(|path| path.to_string());
        let path =
            path.ok_or_else(|| BackupError::bad(file, format!("it has a path that no backup has, behind {last}")))?;
        let size = entry.size();
        let position = entry.raw_file_position();
        let mut told = |done: u64| watch.go_on("checked", position + done, Some(known.len()));
        match path.as_str() {
            MANIFEST => {
                let mut text = Vec::new();
                entry.take(LARGEST).read_to_end(&mut text).map_err(|error| damaged(&last, error))?;
                passed.manifest = Some(text);
            }
            SEAL => {
                let mut text = String::new();
                entry.take(1024).read_to_string(&mut text).map_err(|error| damaged(&last, error))?;
                passed.seal = Some(text.trim().to_owned());
            }
            _ => {
                let mode = entry.header().mode().map_err(|error| damaged(&last, error))? & 0o7777;
                let (form, sha256, size) = match entry.header().entry_type() {
                    EntryType::Directory => {
                        sink.folder(&path, mode)?;
                        (Form::Folder, hash(b""), 0)
                    }
                    EntryType::Symlink => {
                        let target = entry.link_name_bytes().map(|target| target.into_owned()).unwrap_or_default();
                        sink.link(&path, &target)?;
                        (Form::Link, hash(&target), target.len() as u64)
                    }
                    EntryType::Regular => {
                        let to = sink.file(&path, mode)?;
                        let broken = |error| damaged(&path, error);
                        let place = sink.place(&path);
                        let written = |error| BackupError::file(&place)(error);
                        (Form::File, pass(&mut entry, to, broken, written, &mut told)?, size)
                    }
                    _ => return Err(BackupError::bad(file, format!("{path} is of a kind that no backup has"))),
                };
                let entry = Entry { path: path.clone(), form, mode, size, sha256 };
                // One that comes again is the one that counts.
                passed.entries.insert(path.clone(), entry);
            }
        }
        last = path;
    }
    let mut input = archive.into_inner();
    // Behind the end there are zeros.
    io::copy(&mut input, &mut io::sink()).map_err(BackupError::file(file))?;
    let (head, files) = compare(file, passed)?;
    Ok(Verified { head, files, bytes: input.bytes, sha256: hex(&input.hash.finalize()) })
}

/// Copies an entry's content; answers its hash.
fn pass(
    entry: &mut dyn Read,
    mut to: Option<File>,
    broken: impl Fn(io::Error) -> BackupError,
    written: impl Fn(io::Error) -> BackupError,
    told: &mut dyn FnMut(u64) -> Result<(), BackupError>,
) -> Result<String, BackupError> {
    let (mut buffer, mut hash, mut done) = (vec![0; BUFFER], Sha256::new(), 0);
    loop {
        let count = entry.read(&mut buffer).map_err(&broken)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(bytes);
        if let Some(to) = &mut to {
            to.write_all(bytes).map_err(&written)?;
        }
        done += count as u64;
        told(done)?;
    }
}

fn compare(file: &Path, mut passed: Passed) -> Result<(Head, usize), BackupError> {
    let bad = |text: String| BackupError::bad(file, text);
    let (Some(text), Some(seal)) = (passed.manifest, passed.seal) else {
        let text = "it ends without its last entry: it was cut off, or is no backup of nexusd. Take another backup";
        return Err(bad(text.to_owned()));
    };
    if hash(&text) != seal {
        return Err(bad("its manifest was changed since it was written. Take another backup".to_owned()));
    }
    let (head, entries) = manifest::read(&text).map_err(bad)?;
    let mut files = 0;
    for wanted in entries {
        files += usize::from(wanted.form == Form::File);
        match passed.entries.remove(&wanted.path) {
            Some(found) if found == wanted => {}
            Some(found) => {
                return Err(bad(format!(
                    "{} was changed since it was written: SHA-256 {}, not {}. Take another backup",
                    wanted.path, found.sha256, wanted.sha256
                )));
            }
            None => return Err(bad(format!("{} is missing. Take another backup", wanted.path))),
        }
    }
    if let Some(path) = passed.entries.keys().next() {
        return Err(bad(format!("it has {path}, of which its manifest does not know. Take another backup")));
    }
    Ok((head, files))
}
