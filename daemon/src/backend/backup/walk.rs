//! What lies below the data folder, entry by entry. Folders and files are opened through their parents and links are
//! never followed: agents write here, and a link that is swapped in must not lead a backup elsewhere.

use std::{
    ffi::{CStr, CString},
    fs::File,
    os::fd::OwnedFd,
    path::Path,
};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, readlinkat, statat},
    io::Errno,
};

use super::{BackupError, LEFT_OUT, manifest};

/// What is read first. A folder that moves from a project to an agent meanwhile is found in one of the two.
const FIRST: [&str; 2] = ["projects", "agents"];

pub(crate) enum Found {
    /// A regular file, open.
    File(File),
    Folder,
    /// A link, and its text.
    Link(Vec<u8>),
}

/// No path of an archive has more folders in it: agents can make them deeper than paths are long.
const DEEPEST: usize = 128;

struct Level {
    folder: OwnedFd,
    names: Vec<CString>,
    path: String,
}

/// Gives every entry with its path and mode to `take`; what cannot be read is named in `left_out`.
pub(crate) fn walk(
    root: &Path,
    left_out: &mut Vec<String>,
    take: &mut dyn FnMut(&str, u32, Found) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let failed = |error: Errno| BackupError::file(root)(error.into());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(root, flags, Mode::empty()).map_err(failed)?;
    let mut names = names(&folder).map_err(failed)?;
    let rank =
        |name: &CString| FIRST.iter().position(|first| first.as_bytes() == name.as_bytes()).unwrap_or(FIRST.len());
    names.retain(|name| {
        let of_archive = [manifest::MANIFEST, manifest::SEAL];
        !LEFT_OUT.iter().chain(&of_archive).any(|left| left.as_bytes() == name.as_bytes())
    });
    names.sort_by(|a, b| (rank(b), b).cmp(&(rank(a), a)));
    let mut levels = vec![Level { folder, names, path: String::new() }];
    loop {
        let depth = levels.len();
        let Some(level) = levels.last_mut() else { break };
        let Some(name) = level.names.pop() else {
            levels.pop();
            continue;
        };
        let Ok(text) = name.to_str() else {
            left_out.push(format!("{}{}: its name is no text", level.path, name.to_string_lossy()));
            continue;
        };
        let path = format!("{}{text}", level.path);
        if depth > DEEPEST {
            left_out.push(format!("{path}: it lies deeper than {DEEPEST} folders"));
            continue;
        }
        match look(&level.folder, &name) {
            Ok(Some((mode, Opened::Folder(folder)))) => match self::names(&folder) {
                Ok(mut names) => {
                    take(&path, mode, Found::Folder)?;
                    names.sort_by(|a, b| b.cmp(a));
                    levels.push(Level { folder, names, path: format!("{path}/") });
                }
                Err(Errno::NOENT) => {}
                Err(error) => left_out.push(format!("{path}: {error}")),
            },
            Ok(Some((mode, Opened::Other(found)))) => take(&path, mode, found)?,
            // Sockets and pipes are of running processes.
            Ok(None) => {}
            // Gone, or something else by now.
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => {}
            Err(error) => left_out.push(format!("{path}: {error}")),
        }
    }
    Ok(())
}

enum Opened {
    Folder(OwnedFd),
    Other(Found),
}

fn look(folder: &OwnedFd, name: &CStr) -> rustix::io::Result<Option<(u32, Opened)>> {
    let mode = |stat: &rustix::fs::Stat| stat.st_mode & 0o7777;
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            let opened = openat(folder, name, flags | OFlags::DIRECTORY, Mode::empty())?;
            Some((mode(&stat), Opened::Folder(opened)))
        }
        FileType::RegularFile => {
            let opened = openat(folder, name, flags, Mode::empty())?;
            let stat = fstat(&opened)?;
            let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
            is_file.then(|| (mode(&stat), Opened::Other(Found::File(opened.into()))))
        }
        FileType::Symlink => {
            let target = readlinkat(folder, name, Vec::new())?;
            Some((mode(&stat), Opened::Other(Found::Link(target.into_bytes()))))
        }
        _ => None,
    })
}

fn names(folder: &OwnedFd) -> rustix::io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}
