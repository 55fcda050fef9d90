//! Files below a folder, and never anything outside of it, whatever a path says and wherever a symlink points.
//! Everything in here blocks.
//!
//! A file or folder is opened first, and the kernel is asked afterwards what was opened: a symlink swapped in
//! between cannot lead outside. What is written into a folder goes through the opened folder, not its path.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
};

use crate::domain::rel_path::RelPath;

/// Runs file work off the runtime: all that is in here is such work.
///
/// # Errors
/// The work panicked.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

/// Opens a regular file below `root`; `None` when there is none that may be read.
#[must_use]
pub fn open(root: &Path, file: &RelPath) -> Option<(fs::File, fs::Metadata)> {
    // Before the open, which would wait on a pipe.
    let file = open_below(root, file.as_path(), fs::Metadata::is_file).ok()?;
    let meta = file.metadata().ok()?;
    meta.is_file().then_some((file, meta))
}

fn open_below(root: &Path, relative: &Path, wanted: impl Fn(&fs::Metadata) -> bool) -> io::Result<fs::File> {
    let nothing = || io::Error::from(io::ErrorKind::NotFound);
    // A root that is itself a link would lead wherever that points.
    if root.symlink_metadata()?.is_symlink() {
        return Err(nothing());
    }
    let root = root.canonicalize()?;
    let target = root.join(relative).canonicalize()?;
    if !target.starts_with(&root) || !wanted(&fs::metadata(&target)?) {
        return Err(nothing());
    }
    let file = fs::File::open(&target)?;
    let opened = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    if opened.starts_with(&root) { Ok(file) } else { Err(nothing()) }
}

/// A folder that is held open.
pub struct Folder(fs::File);

impl Folder {
    /// Opens a folder below `root`; without a path, `root` itself.
    ///
    /// # Errors
    /// There is none, or it lies elsewhere.
    pub fn open(root: &Path, below: Option<&RelPath>) -> io::Result<Self> {
        Self::open_at(root, below.map_or(Path::new(""), RelPath::as_path))
    }

    fn open_at(root: &Path, relative: &Path) -> io::Result<Self> {
        open_below(root, relative, fs::Metadata::is_dir).map(Self)
    }

    /// As [`Folder::open`]; folders that are missing on the way are made.
    ///
    /// # Errors
    /// It cannot be made, or something else is in its place.
    pub fn make(root: &Path, below: Option<&RelPath>) -> io::Result<Self> {
        let mut made = PathBuf::new();
        let mut folder = Self::open_at(root, &made)?;
        for name in below.into_iter().flat_map(RelPath::names) {
            made.push(name);
            match fs::create_dir(folder.at(Path::new(name))) {
                Ok(()) => folder.0.sync_all()?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            folder = Self::open_at(root, &made)?;
        }
        Ok(folder)
    }

    /// The path of an entry, through the open folder.
    fn at(&self, name: &Path) -> PathBuf {
        Path::new(&format!("/proc/self/fd/{}", self.0.as_raw_fd())).join(name)
    }

    /// The content of a regular file, no symlink, of at most `most` bytes; `None` when there is no entry.
    ///
    /// # Errors
    /// The entry is something else, too large, or cannot be read.
    pub fn read(&self, name: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
        let path = self.at(Path::new(name));
        let meta = match path.symlink_metadata() {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if !meta.is_file() || meta.len() > most {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Writes a file whole or not at all, durably. An entry of that name is replaced and keeps its mode; a
    /// symlink is replaced, not followed.
    ///
    /// # Errors
    /// It cannot be written; what was there stays.
    pub fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (target, fresh) = (self.at(Path::new(name)), format!(".{:016x}.new", rand::random::<u64>()));
        let fresh = self.at(Path::new(&fresh));
        let written = || -> io::Result<()> {
            let mut file = fs::File::options().write(true).create_new(true).open(&fresh)?;
            file.write_all(bytes)?;
            if let Ok(old) = target.symlink_metadata()
                && old.is_file()
            {
                file.set_permissions(old.permissions())?;
            }
            file.sync_all()?;
            fs::rename(&fresh, &target)?;
            self.0.sync_all()
        };
        written().inspect_err(|_| drop(fs::remove_file(&fresh)))
    }

    /// Names of the entries that are regular files, with what is known of each.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn files(&self) -> io::Result<Vec<(String, fs::Metadata)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.at(Path::new("")))? {
            let entry = entry?;
            let Ok(meta) = entry.path().symlink_metadata() else { continue };
            if let (true, Ok(name)) = (meta.is_file(), entry.file_name().into_string()) {
                found.push((name, meta));
            }
        }
        Ok(found)
    }

    /// Removes an entry that is a file.
    pub fn remove(&self, name: &str) {
        if let Err(error) = fs::remove_file(self.at(Path::new(name))) {
            tracing::warn!(%error, "a file could not be removed");
        }
    }
}

/// A word for a file's kind, by its ending.
#[must_use]
pub fn kind_of(path: &Path) -> &'static str {
    match path.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "py" => "python",
        "json" => "json",
        "yaml" | "yml" => "yaml",
        "toml" => "toml",
        "md" => "markdown",
        "sh" => "shell",
        "js" => "javascript",
        "ts" => "typescript",
        "html" => "html",
        "css" => "css",
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn path(text: &str) -> RelPath {
        text.parse().unwrap()
    }

    #[test]
    fn nothing_outside_is_read_or_written() {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
        fs::create_dir_all(root.join("in")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "s").unwrap();
        symlink(&outside, root.join("up")).unwrap();
        symlink(outside.join("secret"), root.join("in/link")).unwrap();
        assert!(open(&root, &path("up/secret")).is_none() && open(&root, &path("in/link")).is_none());
        assert!(Folder::open(&root, Some(&path("up"))).is_err());
        assert!(Folder::make(&root, Some(&path("up/new"))).is_err());
        assert!(!outside.join("new").exists());
        let folder = Folder::open(&root, Some(&path("in"))).unwrap();
        assert!(folder.read("link", 10).is_err());
        // Replaced, not followed.
        folder.put("link", b"mine").unwrap();
        assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "s");
        assert_eq!(folder.read("link", 10).unwrap().unwrap(), b"mine");
        // A folder that was moved away takes no file to where its path leads now.
        fs::rename(root.join("in"), root.join("away")).unwrap();
        symlink(&outside, root.join("in")).unwrap();
        folder.put("late", b"x").unwrap();
        assert!(root.join("away/late").exists() && !outside.join("late").exists());
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::make(dir.path(), Some(&path("a/b"))).unwrap();
        folder.put("f", b"one").unwrap();
        folder.put("f", b"two").unwrap();
        assert_eq!(folder.read("f", 10).unwrap().unwrap(), b"two");
        assert!(folder.read("f", 2).is_err() && folder.read("none", 2).unwrap().is_none());
        fs::create_dir(dir.path().join("a/b/taken")).unwrap();
        assert!(folder.put("taken", b"x").is_err());
        let names: Vec<_> = folder.files().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["f"], "no remains");
    }
}
