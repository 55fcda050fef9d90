//! Keeps others out of a data folder that was made with wider rights, by an older version or by hand.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

/// Takes the rights of group and others from the folder and from what lies directly in it: behind a closed door nothing
/// further needs one. Says what it did, since others may have read it.
pub(super) fn tighten(folder: &Path) {
    let mut tightened = 0_u64;
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in std::iter::once(folder.to_owned()).chain(entries) {
        match close(&path) {
            Ok(closed) => tightened += u64::from(closed),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "others may read this, and it cannot be changed");
            }
        }
    }
    if tightened > 0 {
        tracing::warn!(
            folder = %folder.display(),
            files = tightened,
            "the data folder, or files in it, could be read by others; they are private now"
        );
    }
}

/// Whether anything was to be closed. Links are left alone: what they lead to is not the daemon's.
fn close(path: &Path) -> io::Result<bool> {
    let meta = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        meta => meta?,
    };
    let mode = meta.mode() & 0o7777;
    if meta.is_symlink() || mode & 0o077 == 0 {
        return Ok(false);
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode & !0o077))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_open_is_closed() {
        let outside = tempfile::tempdir().unwrap();
        fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let database = folder.path().join("nexus.db");
        fs::write(&database, "x").unwrap();
        fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
        tighten(folder.path());
        assert_eq!((mode(folder.path()), mode(&database), mode(outside.path())), (0o700, 0o600, 0o755));
    }
}
