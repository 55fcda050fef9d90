//! An agent's log file, rotated by size.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The current file; older ones are `agent.log.1`, `agent.log.2`, …
pub(crate) const LOG_NAME: &str = "agent.log";

/// Appends to the current file and renames it when full.
pub(crate) struct RotatingLog {
    path: PathBuf,
    file: Option<File>,
    size: u64,
    max_bytes: u64,
    files: u32,
}

impl RotatingLog {
    /// Opened on the first write, so that a missing folder or a full disk cannot keep an agent from starting.
    pub(crate) fn new(folder: &Path, max_bytes: u64, files: u32) -> Self {
        Self { path: folder.join(LOG_NAME), file: None, size: 0, max_bytes, files }
    }

    /// Writes whole lines; `bytes` is smaller than a file may be.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = bytes.len() as u64;
        if self.file.is_none() {
            self.open()?;
        }
        if self.size > 0 && self.size + length > self.max_bytes {
            self.rotate()?;
        }
        if let Some(file) = &mut self.file {
            file.write_all(bytes)?;
            self.size += length;
        }
        Ok(())
    }

    fn open(&mut self) -> io::Result<()> {
        // Only the daemon's user: an agent may print what it was told in confidence.
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
        self.size = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        for number in (1..self.files).rev() {
            let newer = if number == 1 { self.path.clone() } else { numbered(&self.path, number - 1) };
            match fs::rename(newer, numbered(&self.path, number)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        if self.files == 1 {
            fs::remove_file(&self.path)?;
        }
        self.open()
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Removes the log files in `folder`, also of a larger `log_files` of the past.
pub(crate) fn remove_logs(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(LOG_NAME));
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_so_many_files_of_so_many_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = RotatingLog::new(folder.path(), 100, 3);
        for number in 0..50 {
            log.write(format!("line {number:03} of the log\n").as_bytes()).unwrap();
        }
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["agent.log", "agent.log.1", "agent.log.2"]);
        assert!(names.iter().all(|name| fs::metadata(folder.path().join(name)).unwrap().len() <= 100));
        assert!(fs::read_to_string(folder.path().join(LOG_NAME)).unwrap().contains("line 049"));
        remove_logs(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn one_file_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = RotatingLog::new(folder.path(), 20, 1);
        for _ in 0..5 {
            log.write(b"fifteen bytes..\n").unwrap();
        }
        assert_eq!(fs::metadata(folder.path().join(LOG_NAME)).unwrap().len(), 16);
    }
}
