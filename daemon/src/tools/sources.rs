//! The files that a tool is made of, in memory: bounded, and gathered so that nothing outside of the
//! folder they come from is read, wherever a link points.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::fd::AsRawFd as _,
    path::Path,
};

use crate::{domain::rel_path::RelPath, plugins::PluginTool};

/// Bounds of an agent's folder that is copied for a test.
const MAX_FILES: usize = 500;
const MAX_BYTES: u64 = 8 << 20;
const MAX_DEPTH: usize = 8;

/// Why there is nothing to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourcesError {
    /// The file with the function is gone, or was never inside the folder.
    #[error("the tool's file is not there")]
    Missing,
    /// The folder holds more than a test may take.
    #[error("the tool's folder has more than {MAX_FILES} files, or more than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
}

/// Relative paths with contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    code_path: RelPath,
    files: Vec<(RelPath, Vec<u8>)>,
}

impl Sources {
    /// The texts that a plugin told.
    ///
    /// # Errors
    /// The file with the function is none of them.
    pub fn of_plugin(tool: &PluginTool) -> Result<Self, SourcesError> {
        let texts = tool.sources().filter_map(|(path, text)| Some((path.parse().ok()?, text.as_bytes().to_vec())));
        Ok(Self { code_path: tool.info.code_path.parse().map_err(|_| SourcesError::Missing)?, files: texts.collect() })
    }

    /// A copy of the part of a project's folder that the tool lives in: `code_path` is relative to the
    /// project's folder, and the folder above the one that holds the file is where modules are searched.
    /// Blocks.
    ///
    /// # Errors
    /// When there is no such file inside of the folder, or when there is too much.
    pub fn of_project(project: &Path, code_path: &str) -> Result<Self, SourcesError> {
        let file: RelPath = code_path.parse().map_err(|_| SourcesError::Missing)?;
        let project = project.canonicalize().map_err(|_| SourcesError::Missing)?;
        // agent/tools/x.py → modules are found from agent/.
        let base = file.parent().and_then(|tools| tools.parent());
        let root = base.as_ref().map_or(project.clone(), |base| base.below(&project));
        let root = root.canonicalize().map_err(|_| SourcesError::Missing)?;
        if !root.starts_with(&project) {
            return Err(SourcesError::Missing);
        }
        let code_path = base.and_then(|base| file.within(&base)).unwrap_or(file);
        let files = copy(&project, &root)?;
        if !files.iter().any(|(path, _)| *path == code_path) {
            return Err(SourcesError::Missing);
        }
        Ok(Self { code_path, files })
    }

    /// The file with the function.
    #[must_use]
    pub fn code_path(&self) -> &str {
        self.code_path.as_str()
    }

    /// The text of the file with the function.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        let (_, bytes) = self.files.iter().find(|(path, _)| *path == self.code_path)?;
        String::from_utf8(bytes.clone()).ok()
    }

    /// Writes them into a new folder. Blocks.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        for (path, content) in &self.files {
            let target = path.below(folder);
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(target, content)?;
        }
        Ok(())
    }
}

/// The regular files below `root`; links are passed over.
fn copy(project: &Path, root: &Path) -> Result<Vec<(RelPath, Vec<u8>)>, SourcesError> {
    let mut files = Vec::new();
    let mut bytes = 0;
    let mut open = vec![(root.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            if kind.is_dir() {
                if depth >= MAX_DEPTH || open.len() >= MAX_FILES {
                    return Err(SourcesError::TooLarge);
                }
                if name != "__pycache__" {
                    open.push((entry.path(), path, depth + 1));
                }
            } else if kind.is_file() {
                let Some(content) = read(project, &entry.path(), MAX_BYTES - bytes)? else { continue };
                bytes += content.len() as u64;
                if files.len() == MAX_FILES {
                    return Err(SourcesError::TooLarge);
                }
                if let Ok(path) = RelPath::of_file(&path) {
                    files.push((path, content));
                }
            }
        }
    }
    Ok(files)
}

/// Opens first and asks the kernel afterwards what was opened: a link swapped in between cannot lead
/// outside.
fn read(project: &Path, path: &Path, most: u64) -> Result<Option<Vec<u8>>, SourcesError> {
    let Ok(file) = File::open(path) else { return Ok(None) };
    let inside = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).is_ok_and(|at| at.starts_with(project));
    if !inside || !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return Ok(None);
    }
    let mut content = Vec::new();
    if file.take(most + 1).read_to_end(&mut content).is_err() {
        return Ok(None);
    }
    if content.len() as u64 > most { Err(SourcesError::TooLarge) } else { Ok(Some(content)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_inside_is_taken() {
        let home = tempfile::tempdir().unwrap();
        let project = home.path().join("proj_1");
        fs::create_dir_all(project.join("agent/tools")).unwrap();
        fs::create_dir_all(project.join("agent/knowledge")).unwrap();
        fs::write(home.path().join("secret.py"), "s").unwrap();
        fs::write(project.join("agent/tools/x.py"), "def x(): pass").unwrap();
        fs::write(project.join("agent/knowledge/a.json"), "{}").unwrap();
        fs::write(project.join("plan.md"), "not the agent's").unwrap();
        let link = std::os::unix::fs::symlink::<std::path::PathBuf, std::path::PathBuf>;
        link(home.path().join("secret.py"), project.join("agent/tools/link.py")).unwrap();
        link(home.path().to_owned(), project.join("agent/up")).unwrap();
        link(home.path().to_owned(), project.join("out")).unwrap();
        let sources = Sources::of_project(&project, "agent/tools/x.py").unwrap();
        let mut paths: Vec<&str> = sources.files.iter().map(|(path, _)| path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!((sources.code_path(), paths), ("tools/x.py", vec!["knowledge/a.json", "tools/x.py"]));
        let bad = [
            "agent/tools/link.py",
            "agent/up/secret.py",
            "out/x/secret.py",
            "../secret.py",
            "/etc/passwd",
            "",
            "none.py",
        ];
        for path in bad {
            assert_eq!(Sources::of_project(&project, path), Err(SourcesError::Missing), "{path:?}");
        }
        fs::write(project.join("agent/big.bin"), vec![0; (MAX_BYTES + 1) as usize]).unwrap();
        assert_eq!(Sources::of_project(&project, "agent/tools/x.py"), Err(SourcesError::TooLarge));
    }
}
