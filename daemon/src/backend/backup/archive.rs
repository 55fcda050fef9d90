//! The archive as it is written: entries with their hashes, and a hash over the whole file.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek as _, Write},
    os::unix::fs::MetadataExt as _,
};

use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::manifest::{Entry, Form, hash, hex};

/// Bytes after which the file is flushed: a disk that has to write gigabytes at once keeps the daemon's commits waiting.
const FLUSH: u64 = 16 << 20;
/// How often a file is read that is written to meanwhile.
const TRIES: u32 = 3;

/// What is written, counted and hashed.
struct Hashed {
    file: File,
    hash: Sha256,
    bytes: u64,
    flushed: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        if self.bytes - self.flushed >= FLUSH {
            self.file.sync_data()?;
            self.flushed = self.bytes;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// An archive that is being written.
pub(crate) struct Archive {
    tar: Builder<BufWriter<Hashed>>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) unsteady: Vec<String>,
}

/// Reads at most so many bytes, hashes them, and makes zeros of those that are missing: the size stands in front.
struct Exactly<'a> {
    file: &'a mut File,
    hash: Sha256,
    left: u64,
    short: bool,
    tell: &'a mut dyn FnMut(u64) -> io::Result<()>,
}

impl Read for Exactly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..wanted).filter(|buffer| !buffer.is_empty()) else { return Ok(0) };
        let mut count = self.file.read(buffer)?;
        if count == 0 {
            self.short = true;
            buffer.fill(0);
            count = wanted;
        }
        self.hash.update(buffer.get(..count).unwrap_or_default());
        self.left -= count as u64;
        (self.tell)(count as u64)?;
        Ok(count)
    }
}

impl Archive {
    pub(crate) fn new(file: File) -> Self {
        let out = Hashed { file, hash: Sha256::new(), bytes: 0, flushed: 0 };
        Self { tar: Builder::new(BufWriter::with_capacity(256 << 10, out)), entries: Vec::new(), unsteady: Vec::new() }
    }

    fn header(form: EntryType, mode: u32, size: u64, modified: i64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(form);
        header.set_mode(mode);
        header.set_size(size);
        header.set_mtime(u64::try_from(modified).unwrap_or(0));
        header
    }

    /// Adds a file as it is. One that was written to while it was read is added again, behind: who unpacks the archive
    /// has the last one. `tell` hears of bytes, and may end it.
    pub(crate) fn file(
        &mut self,
        path: &str,
        mode: u32,
        file: &mut File,
        tell: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> io::Result<()> {
        for attempt in 1..=TRIES {
            file.rewind()?;
            let before = file.metadata()?;
            let mut content = Exactly { file: &mut *file, hash: Sha256::new(), left: before.len(), short: false, tell };
            let mut header = Self::header(EntryType::Regular, mode, before.len(), before.mtime());
            self.tar.append_data(&mut header, path, &mut content)?;
            let (hash, short) = (content.hash, content.short);
            let after = file.metadata()?;
            let when = |meta: &std::fs::Metadata| (meta.len(), meta.mtime(), meta.mtime_nsec());
            let steady = !short && when(&before) == when(&after);
            if !steady && attempt < TRIES {
                continue;
            }
            if !steady {
                self.unsteady.push(path.to_owned());
            }
            let sha256 = hex(&hash.finalize());
            self.entries.push(Entry { path: path.to_owned(), form: Form::File, mode, size: before.len(), sha256 });
            break;
        }
        Ok(())
    }

    pub(crate) fn folder(&mut self, path: &str, mode: u32) -> io::Result<()> {
        let mut header = Self::header(EntryType::Directory, mode, 0, 0);
        self.tar.append_data(&mut header, format!("{path}/"), io::empty())?;
        self.entries.push(Entry { path: path.to_owned(), form: Form::Folder, mode, size: 0, sha256: hash(b"") });
        Ok(())
    }

    pub(crate) fn link(&mut self, path: &str, target: &[u8]) -> io::Result<()> {
        use std::os::unix::ffi::OsStrExt as _;
        let mut header = Self::header(EntryType::Symlink, 0o777, 0, 0);
        self.tar.append_link(&mut header, path, std::ffi::OsStr::from_bytes(target))?;
        let size = target.len() as u64;
        self.entries.push(Entry { path: path.to_owned(), form: Form::Link, mode: 0o777, size, sha256: hash(target) });
        Ok(())
    }

    /// Adds what is of the archive itself, and no entry of the manifest.
    pub(crate) fn note(&mut self, path: &str, text: &[u8]) -> io::Result<()> {
        let mut header = Self::header(EntryType::Regular, 0o600, text.len() as u64, 0);
        self.tar.append_data(&mut header, path, text)
    }

    /// Ends it, durably; answers its size and hash.
    pub(crate) fn finish(self) -> io::Result<(u64, String)> {
        let out = self.tar.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        out.file.sync_all()?;
        Ok((out.bytes, hex(&out.hash.finalize())))
    }
}
