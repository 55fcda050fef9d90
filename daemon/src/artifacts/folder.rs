//! What a project's folder holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Result, away};
use crate::store::{StoreError, StoreErrorKind};

/// Files of one project; more are refused, by name of the project.
const MOST_FILES: usize = 20_000;

/// A file of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// SHA-256, hexadecimal.
    pub(super) sha256: String,
    pub(super) size: u64,
    /// Whether it can be run.
    #[serde(default)]
    pub(super) executable: bool,
}

/// What a project's folder holds, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) files: BTreeMap<String, Entry>,
}

pub(super) fn local(error: io::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the project's folder cannot be read or written").because(error)
}

/// Runs file work off the runtime.
pub(super) async fn blocking<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(act).await.map_err(away)?.map_err(local)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn hash(file: &Path) -> io::Result<String> {
    let (mut file, mut hasher, mut buffer) = (fs::File::open(file)?, Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

/// A file as it is now; none when it is gone.
pub(super) fn entry(file: &Path) -> io::Result<Option<Entry>> {
    use std::os::unix::fs::PermissionsExt as _;
    let read = || {
        let known = fs::symlink_metadata(file)?;
        let executable = known.permissions().mode() & 0o111 != 0;
        Ok(Entry { sha256: hash(file)?, size: known.len(), executable })
    };
    match read() {
        Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// The files below a folder; links are left out, and what Python makes by itself.
pub(super) fn scan(root: &Path) -> io::Result<Manifest> {
    let mut manifest = Manifest::default();
    walk(root, &mut |path| {
        let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) else { return Ok(()) };
        // One that went in this moment was a passing one.
        if let Some(entry) = entry(path)? {
            manifest.files.insert(name.to_owned(), entry);
        }
        if manifest.files.len() > MOST_FILES {
            return Err(io::Error::other(format!("a project has more than {MOST_FILES} files")));
        }
        Ok(())
    })?;
    Ok(manifest)
}

/// Calls for every plain file below a folder.
pub(crate) fn walk(root: &Path, file: &mut dyn FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() && entry.file_name() != "__pycache__" {
                folders.push(entry.path());
            } else if kind.is_file() {
                file(&entry.path())?;
            }
        }
    }
    Ok(())
}

/// Removes what is not in the manifest, and what stands in the way of what is; answers what stays.
pub(super) fn clear(root: &Path, wanted: &Manifest) -> io::Result<Manifest> {
    let mut here = scan(root)?;
    let gone: BTreeSet<String> = here.files.keys().filter(|name| !wanted.files.contains_key(*name)).cloned().collect();
    for name in &gone {
        here.files.remove(name);
        match fs::remove_file(root.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for name in wanted.files.keys() {
        let place = root.join(name);
        if fs::symlink_metadata(&place).is_ok_and(|known| known.is_dir()) {
            fs::remove_dir_all(place)?;
        }
    }
    Ok(here)
}

/// A path of a manifest, if it stays below the folder.
pub(super) fn within(root: &Path, name: &str) -> Result<PathBuf> {
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if Path::new(name).components().all(plain) && !name.is_empty() {
        return Ok(root.join(name));
    }
    Err(StoreError::new(StoreErrorKind::Corrupt, "a manifest of artifacts names a file outside of its project"))
}
