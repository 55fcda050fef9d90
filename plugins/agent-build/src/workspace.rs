//! Writes into a project's folder: only inside it, and each file as a whole or not at all.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkspaceError {
    /// A path that leads out of the folder.
    #[error("`{0}` is not a path inside the project's folder")]
    Outside(String),
    #[error("cannot read or write {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// A project's folder.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The folder at this path; it must exist.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// A file or folder inside, by its relative path.
    pub(crate) fn path(&self, relative: &str) -> Result<PathBuf, WorkspaceError> {
        let path = Path::new(relative);
        let inside = !relative.is_empty() && path.components().all(|part| matches!(part, Component::Normal(_)));
        if inside { Ok(self.root.join(path)) } else { Err(WorkspaceError::Outside(relative.to_owned())) }
    }

    /// The text of a file.
    pub(crate) fn read(&self, relative: &str) -> Result<String, WorkspaceError> {
        let path = self.path(relative)?;
        fs::read_to_string(&path).map_err(|source| WorkspaceError::Io { path, source })
    }

    /// Writes a file beside its place and moves it there. A file that has this content already is left alone.
    pub(crate) fn write(&self, relative: &str, content: &str) -> Result<(), WorkspaceError> {
        let target = self.path(relative)?;
        let io = |source| WorkspaceError::Io { path: target.clone(), source };
        if fs::read(&target).is_ok_and(|old| old == content.as_bytes()) {
            return Ok(());
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(io)?;
        }
        let mut beside = target.clone().into_os_string();
        beside.push(".part");
        fs::write(&beside, content).and_then(|()| fs::rename(&beside, &target)).map_err(io)
    }

    /// Removes the files of a folder that an earlier attempt left and that do not belong there any more.
    pub(crate) fn keep_only(&self, folder: &str, keep: &[String]) -> Result<(), WorkspaceError> {
        let path = self.path(folder)?;
        let Ok(entries) = fs::read_dir(&path) else { return Ok(()) };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_file = entry.file_type().is_ok_and(|kind| !kind.is_dir());
            if is_file && !keep.contains(&format!("{folder}/{name}")) {
                fs::remove_file(entry.path()).map_err(|source| WorkspaceError::Io { path: entry.path(), source })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_inside_and_replaces_whole_files() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(folder.path().to_owned());
        for bad in ["../x", "/etc/x", "a/../../x", "", "a/./../b"] {
            assert!(workspace.write(bad, "x").is_err(), "{bad}");
        }
        workspace.write("a/b.txt", "one").unwrap();
        workspace.write("a/b.txt", "two").unwrap();
        workspace.write("a/c.txt", "three").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("a/b.txt")).unwrap(), "two");
        workspace.keep_only("a", &["a/c.txt".into()]).unwrap();
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
    }
}
