//! Putting a backup back: into an empty folder, all of it or nothing. Blocking.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::{
    BackupError, DATABASE, Watch,
    read::{Sink, Verified, read},
};
use crate::backend::sqlite::backup::SCHEMA_VERSION;

/// Where entries lie until all of them are there and proven. A daemon does not start while it exists.
pub(crate) const STAGING: &str = ".restoring";

/// Whether a restore into this data folder was cut off.
pub fn unfinished(data: &Path) -> bool {
    data.join(STAGING).symlink_metadata().is_ok()
}

/// Restores `file` into the folder `data`, which is made, or is empty.
///
/// # Errors
/// See [`BackupError`]. The folder is as it was then, unless the process is killed while the last step puts everything in
/// its place: no daemon starts on it then.
pub fn restore(file: &Path, data: &Path, watch: &Watch<'_>) -> Result<Verified, BackupError> {
    let made = !data.exists();
    private(data).map_err(BackupError::file(data))?;
    let put = empty(data).and_then(|()| stage_and_put(file, data, watch));
    if put.is_err() && made {
        // Only if it is empty again.
        drop(fs::remove_dir(data));
    }
    put
}

fn private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn empty(data: &Path) -> Result<(), BackupError> {
    let mut others = 0;
    for entry in fs::read_dir(data).map_err(BackupError::file(data))? {
        let name = entry.map_err(BackupError::file(data))?.file_name();
        // File systems have this one at their root.
        others += u32::from(name != STAGING && name != "lost+found");
    }
    if others > 0 {
        let text = if unfinished(data) {
            format!("an earlier restore into {0} was cut off: empty {0}, then restore again", data.display())
        } else {
            format!(
                "{0} is not empty, and a restore replaces nothing: stop the daemon and move what is there away \
                 (mv {0} {0}.before), or name another folder with --data-dir",
                data.display()
            )
        };
        return Err(BackupError::Refused(text));
    }
    Ok(())
}

fn stage_and_put(file: &Path, data: &Path, watch: &Watch<'_>) -> Result<Verified, BackupError> {
    let root = data.join(STAGING);
    if root.exists() {
        // Nothing of it was put in its place.
        nexus_sandbox::leftovers::remove(&root).map_err(BackupError::file(&root))?;
    }
    let staging = Staging { root, modes: Vec::new(), links: Vec::new(), keep: false };
    let mut staging = staging;
    private(&staging.root).map_err(BackupError::file(&staging.root))?;
    let verified = read(file, watch, &mut staging)?;
    if verified.head.schema > SCHEMA_VERSION {
        return Err(BackupError::bad(
            file,
            format!(
                "its database has schema version {}, and this nexusd knows up to {SCHEMA_VERSION}: restore it with nexusd {} or newer",
                verified.head.schema, verified.head.version
            ),
        ));
    }
    if !staging.root.join(DATABASE).is_file() {
        return Err(BackupError::bad(file, format!("it has no {DATABASE}: this is no backup of nexusd")));
    }
    staging.settle()?;
    staging.put(data)?;
    Ok(verified)
}

struct Staging {
    root: PathBuf,
    /// Of folders: set at the end, since one may be read-only.
    modes: Vec<(PathBuf, u32)>,
    /// Made at the end, so that nothing is written through one.
    links: Vec<(PathBuf, Vec<u8>)>,
    keep: bool,
}

impl Sink for Staging {
    fn folder(&mut self, path: &str, mode: u32) -> Result<(), BackupError> {
        let folder = self.root.join(path);
        private(&folder).map_err(BackupError::file(&folder))?;
        self.modes.push((folder, mode));
        Ok(())
    }

    fn file(&mut self, path: &str, mode: u32) -> Result<Option<File>, BackupError> {
        let to = self.root.join(path);
        let failed = || BackupError::file(&to);
        private(to.parent().unwrap_or(&self.root)).map_err(failed())?;
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&to).map_err(failed())?;
        // Never more than the owner's: neither set-user-id nor others.
        file.set_permissions(fs::Permissions::from_mode(mode & 0o777 | 0o600)).map_err(failed())?;
        Ok(Some(file))
    }

    fn link(&mut self, path: &str, target: &[u8]) -> Result<(), BackupError> {
        self.links.push((self.root.join(path), target.to_owned()));
        Ok(())
    }

    fn place(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

impl Staging {
    /// Everything is proven: links and modes, and all of it on disk.
    fn settle(&mut self) -> Result<(), BackupError> {
        use std::os::unix::ffi::OsStrExt as _;
        for (at, target) in &self.links {
            let made = at.parent().map_or(Ok(()), private);
            let made = made.and_then(|()| std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), at));
            made.map_err(BackupError::file(at))?;
        }
        for (folder, mode) in self.modes.iter().rev() {
            let set = fs::set_permissions(folder, fs::Permissions::from_mode(mode & 0o777 | 0o700));
            set.map_err(BackupError::file(folder))?;
        }
        let root = File::open(&self.root).map_err(BackupError::file(&self.root))?;
        rustix::fs::syncfs(&root).map_err(|error| BackupError::file(&self.root)(error.into()))
    }

    /// Moves everything to its place, the database last.
    fn put(mut self, data: &Path) -> Result<(), BackupError> {
        let failed = || BackupError::file(data);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(failed())? {
            names.push(entry.map_err(failed())?.file_name());
        }
        names.sort_by_key(|name| name == DATABASE);
        let mut moved: Vec<&std::ffi::OsString> = Vec::new();
        for name in &names {
            if let Err(error) = fs::rename(self.root.join(name), data.join(name)) {
                // Back, so that the folder is empty again.
                for name in moved {
                    self.keep |= fs::rename(data.join(name), self.root.join(name)).is_err();
                }
                return Err(failed()(error));
            }
            moved.push(name);
        }
        let synced = || File::open(data).and_then(|data| data.sync_all());
        synced().map_err(failed())?;
        fs::remove_dir(&self.root).map_err(failed())?;
        self.keep = true;
        synced().map_err(failed())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.keep {
            drop(nexus_sandbox::leftovers::remove(&self.root));
        }
    }
}
