//! Removes what confined code has written. It may have made folders in folders without an end, deeper than any path is
//! long (by moving one tree into another, a level costs it next to nothing), or closed them to their own owner. The
//! standard library removes a tree by calling itself for each level, with a descriptor for each: some ten thousand levels
//! end the process that does it.
//!
//! Here every folder is moved up, beside the first ones, before it is emptied: whatever the depth, two descriptors are open
//! and nothing calls itself.

use std::{
    ffi::{CStr, CString},
    fs, io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{AtFlags, Dir, Mode, OFlags, RenameFlags, openat, renameat_with, unlinkat},
    io::Errno,
};

/// How often a name is tried that something bears already.
const TRIES: usize = 16;
/// How often a folder is emptied in which something appears meanwhile.
const ROUNDS: usize = 4;

/// Removes a file, or a folder with all that is in it. A link goes, and never what it leads to. Blocks.
///
/// # Errors
/// It is not there, or something in it cannot be removed; what else could be is gone.
pub fn remove(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return fs::remove_file(path);
    }
    let top = open(rustix::fs::CWD, &CString::new(path.as_os_str().as_encoded_bytes())?)?;
    let mut waiting = Vec::new();
    empty(&top, &top, &mut waiting)?;
    while let Some(name) = waiting.pop() {
        for _ in 0..ROUNDS {
            match open(&top, &name) {
                Ok(folder) => empty(&folder, &top, &mut waiting)?,
                Err(Errno::NOENT) => break,
                Err(error) => return Err(error.into()),
            }
            match unlinkat(&top, &name, AtFlags::REMOVEDIR) {
                Err(Errno::NOTEMPTY) => {}
                Ok(()) | Err(Errno::NOENT) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    drop(top);
    fs::remove_dir(path)
}

/// Removes the files of a folder, and moves the folders in it to the top, where they wait.
fn empty(folder: &OwnedFd, top: &OwnedFd, waiting: &mut Vec<CString>) -> rustix::io::Result<()> {
    let is_top = folder.as_raw_fd() == top.as_raw_fd();
    for name in names(folder)? {
        match unlinkat(folder, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) if is_top => waiting.push(name),
            Err(Errno::ISDIR) => waiting.push(move_up(folder, &name, top)?),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn names(folder: &OwnedFd) -> rustix::io::Result<Vec<CString>> {
    let entries = Dir::read_from(folder)?.map(|entry| Ok(entry?.file_name().to_owned()));
    let mut names = entries.collect::<rustix::io::Result<Vec<CString>>>()?;
    names.retain(|name| !matches!(name.to_bytes(), b"." | b".."));
    Ok(names)
}

fn move_up(folder: &OwnedFd, name: &CStr, top: &OwnedFd) -> rustix::io::Result<CString> {
    let mut last = Errno::EXIST;
    for _ in 0..TRIES {
        let new = unique()?;
        match renameat_with(folder, name, top, &new, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(new),
            // Who moves a folder has to be able to write to it, too.
            Err(Errno::ACCESS) => drop(open(folder, name)?),
            Err(Errno::EXIST) => {}
            // A file system without this kind of renaming: nothing bears a name of 128 random bits.
            Err(Errno::INVAL | Errno::NOSYS) => {
                return rustix::fs::renameat(folder, name, top, &new).map(|()| new);
            }
            Err(error) => return Err(error),
        }
        last = Errno::ACCESS;
    }
    Err(last)
}

fn unique() -> rustix::io::Result<CString> {
    let random = crate::token().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    CString::new(format!(".removed-{random}")).map_err(|_| Errno::INVAL)
}

/// A folder, opened to its owner first when it is not. Never through a link.
fn open(at: impl std::os::fd::AsFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    // A path alone needs no right to the folder itself, and names it whatever becomes of its name.
    let place = openat(&at, name, FOLDER | OFlags::PATH, Mode::empty())?;
    let door = format!("/proc/self/fd/{}", place.as_raw_fd());
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&place)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        rustix::fs::chmod(door.as_str(), Mode::RWXU)?;
    }
    openat(&place, c".", FOLDER | OFlags::RDONLY, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A chain of folders, each with a file; the last one's descriptor.
    fn chain(top: &Path, levels: usize) {
        let mut at = rustix::fs::open(top, OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..levels {
            rustix::fs::mkdirat(&at, "a", Mode::RWXU).unwrap();
            openat(&at, "f", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
            at = openat(&at, "a", OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
    }

    #[test]
    fn however_deep_it_is_it_goes_and_the_process_stays() {
        // In memory, where there is such a place: a disk takes seconds for so many folders.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let top = folder.path().join("top");
        fs::create_dir(&top).unwrap();
        chain(&top, 2000);
        // With the standard library's function this thread overflows its stack, which ends the process.
        let work = std::thread::Builder::new().stack_size(64 << 10).spawn(move || remove(&top)).unwrap();
        work.join().unwrap().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_was_closed_to_its_owner_goes_and_what_a_link_leads_to_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (top, kept) = (folder.path().join("top"), folder.path().join("kept"));
        fs::create_dir_all(top.join("a/b/c")).unwrap();
        fs::create_dir_all(kept.join("d")).unwrap();
        fs::write(kept.join("d/file"), "x").unwrap();
        for (name, target) in [("top/a/link", &kept), ("top/a/b/link", &kept), ("top/link", &kept)] {
            std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
        }
        for name in ["a/b/c", "a/b", "a", ""] {
            fs::set_permissions(top.join(name), fs::Permissions::from_mode(0o000)).unwrap();
        }
        remove(&top).unwrap();
        assert!(!top.exists() && kept.join("d/file").exists());
        std::os::unix::fs::symlink(&kept, &top).unwrap();
        remove(&top).unwrap();
        assert!(!top.exists() && kept.join("d/file").exists());
        assert_eq!(remove(&top).unwrap_err().kind(), io::ErrorKind::NotFound);
        remove(&kept.join("d/file")).unwrap();
        assert!(!kept.join("d/file").exists());
    }
}
