//! What a project's folder holds.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Result;
use crate::{
    backend::error::{BackendError, BackendErrorKind},
    domain::rel_path::RelPath,
    files,
};

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

pub(super) fn local(error: io::Error) -> BackendError {
    BackendError::new(BackendErrorKind::Unavailable, "the project's folder cannot be read or written").because(error)
}

/// Runs file work off the runtime.
pub(super) async fn blocking<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    files::blocking(act).await.flatten().map_err(local)
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

/// What becomes of a file that is in both manifests and was changed here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    /// It is left: an agent or a person wrote it.
    Stays,
    /// It is replaced: an attempt that was cut off wrote it.
    Goes,
}

/// Removes what was placed here by the manifest before and is not in the new one, as long as it is what was placed, and
/// moves aside what stands in the way. Answers what need not be brought. Whatever else lies here stays.
pub(super) fn clear(root: &Path, before: &Manifest, wanted: &Manifest, changed: Changed) -> io::Result<Manifest> {
    let mut here = scan(root)?;
    for (name, placed) in before.files.iter().filter(|(name, _)| !wanted.files.contains_key(*name)) {
        if here.files.get(name) != Some(placed) {
            continue;
        }
        here.files.remove(name);
        match fs::remove_file(root.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for (name, entry) in &wanted.files {
        if make_way(root, name)? {
            here.files.remove(name);
        }
        let own = changed == Changed::Stays && before.files.get(name) == Some(entry);
        if own && let Some(found) = here.files.get_mut(name) {
            *found = entry.clone();
        }
    }
    Ok(here)
}

/// Moves aside what keeps a file from its place: a folder there, or a file where a folder belongs. Answers whether
/// anything was moved.
fn make_way(root: &Path, name: &str) -> io::Result<bool> {
    let (mut place, mut parts) = (root.to_path_buf(), Path::new(name).components().peekable());
    while let Some(part) = parts.next() {
        place.push(part);
        let Ok(known) = fs::symlink_metadata(&place) else { return Ok(false) };
        let fits = if parts.peek().is_some() { known.is_dir() } else { !known.is_dir() };
        if fits {
            continue;
        }
        // A folder that is empty holds nothing of anybody.
        if known.is_dir() && fs::remove_dir(&place).is_ok() {
            return Ok(false);
        }
        let mut aside = place.clone().into_os_string();
        aside.push(format!(".aside-{:08x}", rand::random::<u32>()));
        fs::rename(&place, aside)?;
        return Ok(true);
    }
    Ok(false)
}

/// A path of a manifest, if it stays below the folder.
pub(super) fn within(root: &Path, name: &str) -> Result<PathBuf> {
    RelPath::of_file(name).map(|path| path.below(root)).map_err(|why| {
        let message = "a manifest of artifacts names a file outside of its project";
        BackendError::new(BackendErrorKind::Corrupt, message).because(why)
    })
}
