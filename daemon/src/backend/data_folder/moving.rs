//! Moving a folder, also to where it cannot be renamed to: `projects`, `agents` or `trash` may be links or mounts of
//! their own. Everything in here blocks.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Moves `from` to `to`, which is not there; answers whether there was anything to move. Cut off in between, `from` is
/// still there, or `to` is whole; the next try begins anew.
///
/// # Errors
/// It cannot be moved; `from` is still there.
pub(crate) fn relocate(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::rename(from, to) {
        Ok(()) => Ok(true),
        // Of two file systems the kernel says only that, whether there is anything to move or not.
        Err(_) if gone(from) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy_over(from, to).map(|()| true),
        Err(error) => Err(error),
    }
}

fn gone(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// What is only a part of `to` never bears its name.
fn part_of(to: &Path) -> io::Result<(PathBuf, &Path)> {
    let nowhere = || io::Error::from(io::ErrorKind::InvalidInput);
    let (parent, name) = (to.parent().ok_or_else(nowhere)?, to.file_name().ok_or_else(nowhere)?);
    Ok((parent.join(format!(".{}.part", name.to_string_lossy())), parent))
}

fn copy_over(from: &Path, to: &Path) -> io::Result<()> {
    let (part, parent) = part_of(to)?;
    if !gone(&part) {
        remove(&part)?;
    }
    if let Err(error) = copy(from, &part, 0) {
        // A full disk is not filled further by what nobody would find.
        drop(remove(&part));
        return Err(error);
    }
    fs::rename(&part, to)?;
    fs::File::open(parent)?.sync_all()?;
    remove(from)
}

/// No project and no agent that is one has folders so deep in each other; who makes them wants to break who walks there.
const DEEPEST: usize = 128;

/// Links stay links; pipes, sockets and devices are of nobody any more, and neither is what lies below the deepest level.
fn copy(from: &Path, to: &Path, depth: usize) -> io::Result<()> {
    let known = fs::symlink_metadata(from)?;
    if known.is_dir() {
        fs::create_dir(to)?;
        if depth == DEEPEST {
            tracing::warn!(folder = %from.display(), "what lies deeper is left out");
            return Ok(());
        }
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()), depth + 1)?;
        }
        // Last: what is in it may have to be written below a folder that is not to be written any more.
        fs::set_permissions(to, known.permissions())?;
        return fs::File::open(to)?.sync_all();
    }
    if known.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(from)?, to);
    }
    if known.is_file() {
        fs::copy(from, to)?;
        return fs::File::open(to)?.sync_all();
    }
    Ok(())
}

/// A link goes, and never what it leads to. What agents wrote is in there.
pub(crate) use nexus_sandbox::leftovers::remove;

#[cfg(test)]
mod tests {
    use super::*;

    /// Two file systems, as a container has them.
    fn elsewhere() -> tempfile::TempDir {
        use std::os::unix::fs::MetadataExt as _;
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap());
        let device = |dir: &tempfile::TempDir| fs::metadata(dir.path()).unwrap().dev();
        assert_ne!(device(&here), device(&there), "this test needs a second file system at /dev/shm");
        there
    }

    #[test]
    fn a_folder_moves_to_another_file_system_whole() {
        let (here, there) = (tempfile::tempdir().unwrap(), elsewhere());
        let (from, to) = (there.path().join("proj_1"), here.path().join("trashed"));
        fs::create_dir_all(from.join("agent/tools")).unwrap();
        fs::write(from.join("agent/tools/a.py"), "a").unwrap();
        fs::create_dir(here.path().join("kept")).unwrap();
        fs::write(here.path().join("kept/b"), "b").unwrap();
        fs::create_dir_all(from.join("a/".repeat(DEEPEST + 50))).unwrap();
        std::os::unix::fs::symlink(here.path().join("kept"), from.join("link")).unwrap();
        // What an earlier try left.
        fs::create_dir(here.path().join(".trashed.part")).unwrap();
        fs::write(here.path().join(".trashed.part/old"), "old").unwrap();
        assert!(fs::rename(&from, &to).is_err_and(|error| error.kind() == io::ErrorKind::CrossesDevices));
        assert!(relocate(&from, &to).unwrap());
        assert_eq!(fs::read_to_string(to.join("agent/tools/a.py")).unwrap(), "a");
        assert!(fs::symlink_metadata(to.join("link")).unwrap().is_symlink() && !to.join("old").exists());
        assert!(to.join("a/".repeat(DEEPEST)).is_dir() && !to.join("a/".repeat(DEEPEST + 1)).exists());
        assert!(gone(&from) && gone(&here.path().join(".trashed.part")));
        assert_eq!(fs::read_to_string(here.path().join("kept/b")).unwrap(), "b");
        assert!(!relocate(&from, &to.join("again")).unwrap(), "there is none any more");
    }
}
