//! What was changed and what was refused, one line of JSON each, in a chain: each line holds the hash of the one before, so
//! that nothing can be taken out, put in, or changed without that being seen (`nexusd audit verify`). What is cut off at
//! the end is not: keep the head that `verify` prints somewhere else, and give it back with `--head`.
//!
//! A line is `{…,"prev":"<hash>","hash":"<hash>"}`; `hash` is the SHA-256 of the line before that member.

use std::{
    fs, io,
    io::{BufRead as _, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{files, token::hex};
use crate::domain::time::Timestamp;

/// A file larger than this is followed by the next one.
const FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Lines that wait to be written; who has more waits.
const WAITING: usize = 4096;
/// What the first line follows.
const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Longest text of a line.
const TEXT_CHARS: usize = 200;

/// Something that was changed, or refused.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub caller: String,
    /// From where.
    pub address: String,
    /// What was asked for: an operation of the API, or a command.
    pub action: String,
    /// Of what.
    pub resource: String,
    /// `allowed`, or why not.
    pub outcome: String,
    /// The request.
    pub request_id: String,
}

#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    #[serde(flatten)]
    entry: &'a Entry,
    prev: &'a str,
}

/// Where the chain has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Lines so far.
    pub seq: u64,
    /// The hash of the last one.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { seq: 0, hash: BEGINNING.to_owned() }
    }
}

/// What is wrong with a chain.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line was changed, put in, or taken out.
    #[error("{}, line {line}: {problem}", path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
        /// Which line of it.
        line: u64,
        /// What does not fit.
        problem: &'static str,
    },
}

/// Adds lines. Cheap to clone.
#[derive(Clone)]
pub struct Audit(mpsc::Sender<Entry>);

impl Audit {
    /// Opens the folder, and begins to write behind what is there.
    ///
    /// # Errors
    /// The folder cannot be made, or the last line of the chain cannot be read.
    pub fn open(folder: &Path) -> Result<Self, AuditError> {
        let mut writer = Writer::open(folder)?;
        let (sender, mut entries) = mpsc::channel::<Entry>(WAITING);
        let spawned = std::thread::Builder::new().name("audit".to_owned()).spawn(move || {
            while let Some(entry) = entries.blocking_recv() {
                if let Err(error) = writer.add(&entry) {
                    tracing::error!(%error, ?entry, "a line of the audit could not be written");
                }
            }
        });
        spawned.map_err(|source| AuditError::Io { path: folder.to_owned(), source })?;
        Ok(Self(sender))
    }

    /// Adds a line. Waits only while thousands wait to be written.
    pub async fn note(&self, entry: Entry) {
        if self.0.send(entry).await.is_err() {
            tracing::error!("the audit is not written any more");
        }
    }
}

/// Writes the chain; also what commands without a daemon do.
pub struct Writer {
    folder: PathBuf,
    number: u64,
    file: fs::File,
    head: Head,
    size: u64,
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> AuditError + '_ {
    |source| AuditError::Io { path: path.to_owned(), source }
}

fn name(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("audit-{number:06}.jsonl"))
}

/// The files of a folder by number.
fn numbers(folder: &Path) -> Result<Vec<u64>, AuditError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_error(folder))? {
        let file = entry.map_err(io_error(folder))?.file_name();
        let number = file.to_str().and_then(|name| name.strip_prefix("audit-")?.strip_suffix(".jsonl"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

impl Writer {
    /// Behind the last line that is there.
    ///
    /// # Errors
    /// The folder cannot be made, or the last line is none.
    pub fn open(folder: &Path) -> Result<Self, AuditError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io_error(folder))?;
        let number = numbers(folder)?.last().copied().unwrap_or(1);
        let file = open(folder, number)?;
        let mut writer = Self { folder: folder.to_owned(), number, file, head: Head::default(), size: 0 };
        let _lock = files::lock(&folder.join("audit")).map_err(|error| writer.broken(&error))?;
        writer.catch_up()?;
        Ok(writer)
    }

    fn path(&self) -> PathBuf {
        name(&self.folder, self.number)
    }

    fn broken(&self, error: &dyn std::fmt::Display) -> AuditError {
        AuditError::Io { path: self.path(), source: io::Error::other(error.to_string()) }
    }

    /// Adds a line, behind what other processes have added.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&mut self, entry: &Entry) -> Result<(), AuditError> {
        let lock = files::lock(&self.folder.join("audit")).map_err(|error| self.broken(&error))?;
        if self.other_files()? || self.file.metadata().map_err(io_error(&self.path()))?.len() != self.size {
            self.catch_up()?;
        }
        if self.size >= FILE_BYTES {
            self.number += 1;
            self.file = open(&self.folder, self.number)?;
            self.size = 0;
        }
        let entry = Entry {
            caller: shortened(&entry.caller),
            action: shortened(&entry.action),
            resource: shortened(&entry.resource),
            outcome: shortened(&entry.outcome),
            ..entry.clone()
        };
        let line = Line { seq: self.head.seq + 1, entry: &entry, prev: &self.head.hash };
        let text = serde_json::to_string(&line).map_err(|error| self.broken(&error))?;
        let open = text.strip_suffix('}').unwrap_or(&text);
        let hash = hex(&Sha256::digest(open.as_bytes()));
        let whole = format!("{open},\"hash\":\"{hash}\"}}\n");
        self.file.write_all(whole.as_bytes()).map_err(io_error(&self.path()))?;
        self.size += whole.len() as u64;
        self.head = Head { seq: self.head.seq + 1, hash };
        drop(lock);
        Ok(())
    }

    /// Whether another process began a further file.
    fn other_files(&self) -> Result<bool, AuditError> {
        Ok(name(&self.folder, self.number + 1).exists())
    }

    /// Reads where the chain has come to. A last line that was cut off by a crash is ended, so that the next one stands
    /// by itself; `verify` counts it.
    fn catch_up(&mut self) -> Result<(), AuditError> {
        let numbers = numbers(&self.folder)?;
        self.number = numbers.last().copied().unwrap_or(1);
        self.file = open(&self.folder, self.number)?;
        self.head = Head::default();
        for number in numbers.into_iter().rev() {
            let path = name(&self.folder, number);
            if let Some(head) = last_head(&path).map_err(io_error(&path))? {
                self.head = head;
                break;
            }
        }
        let path = self.path();
        self.size = self.file.seek(io::SeekFrom::End(0)).map_err(io_error(&path))?;
        if self.size > 0 {
            let mut last = [0];
            let mut file = fs::File::open(&path).map_err(io_error(&path))?;
            file.seek(io::SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).map_err(io_error(&path))?;
            if last != *b"\n" {
                self.file.write_all(b"\n").map_err(io_error(&path))?;
                self.size += 1;
            }
        }
        Ok(())
    }
}

fn open(folder: &Path, number: u64) -> Result<fs::File, AuditError> {
    let path = name(folder, number);
    fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(io_error(&path))
}

/// The head after the last whole line of a file.
fn last_head(path: &Path) -> io::Result<Option<Head>> {
    const TAIL: u64 = 64 * 1024;
    let mut file = fs::File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(io::SeekFrom::Start(size.saturating_sub(TAIL)))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().rev().find_map(|line| split(line).map(|(_, _, seq, hash)| Head { seq, hash: hash.to_owned() })))
}

/// The part of a line that is hashed, the hash before, its number, its own hash.
fn split(line: &str) -> Option<(&str, String, u64, &str)> {
    let (open, rest) = line.rsplit_once(",\"hash\":\"")?;
    let hash = rest.strip_suffix("\"}")?;
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let before = value.get("prev")?.as_str()?.to_owned();
    Some((open, before, value.get("seq")?.as_u64()?, hash))
}

fn shortened(text: &str) -> String {
    crate::domain::text::shorten(text, TEXT_CHARS)
}

/// What a whole chain has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Where it has come to.
    pub head: Head,
    /// Lines that are no part of it: a crash cut them off while they were written.
    pub strays: u64,
}

/// Reads every line of the chain. `each` is given every one that fits. A line that is none is passed over: when it took
/// the place of one, the next one does not fit.
///
/// # Errors
/// The first line that does not fit.
pub fn verify(folder: &Path, mut each: impl FnMut(&str)) -> Result<Verified, AuditError> {
    let (mut head, mut strays) = (Head::default(), 0);
    let numbers = if folder.exists() { numbers(folder)? } else { Vec::new() };
    for (at, number) in numbers.iter().enumerate() {
        let path = name(folder, *number);
        let broken = |line, problem| AuditError::Broken { path: path.clone(), line, problem };
        if at as u64 + 1 != *number {
            return Err(broken(0, "a file before this one is missing"));
        }
        let file = fs::File::open(&path).map_err(io_error(&path))?;
        for (line, text) in (1_u64..).zip(io::BufReader::new(file).lines()) {
            let text = text.map_err(io_error(&path))?;
            let Some((open, before, seq, hash)) = split(&text) else {
                strays += 1;
                continue;
            };
            if before != head.hash || seq != head.seq + 1 {
                return Err(broken(line, "lines are missing before it, or were put in"));
            }
            if hex(&Sha256::digest(open.as_bytes())) != hash {
                return Err(broken(line, "it was changed"));
            }
            head = Head { seq, hash: hash.to_owned() };
            each(&text);
        }
    }
    Ok(Verified { head, strays })
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
