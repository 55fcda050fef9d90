//! Who may change a plugin file: whoever may, runs code as the daemon. As sshd asks of keys (StrictModes), the file and
//! every folder above it must be root's or the daemon's own, and nobody else's to write.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use super::refusal::Refusal;

const WRITABLE_BY_GROUP: u32 = 0o020;
const WRITABLE_BY_ALL: u32 = 0o002;
/// In such a folder everybody may make files, and nobody remove those of others.
const STICKY: u32 = 0o1000;

/// Refuses a file that somebody else may change or replace.
pub(super) fn judge(file: &Path) -> Result<(), Refusal> {
    let unreadable = |error: std::io::Error| Refusal::Unreadable(error.to_string());
    // Of a link: where it leads, since what is there is loaded; and the folder that it stands in.
    let real = fs::canonicalize(file).map_err(unreadable)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::canonicalize(folder).map_err(unreadable)?;
    let own = rustix::process::geteuid().as_raw();
    for path in real.ancestors().chain(folder.ancestors()) {
        let meta = fs::metadata(path).map_err(unreadable)?;
        if let Some(who) = who_else(&meta, own) {
            return Err(Refusal::Exposed { path: path.display().to_string(), who });
        }
    }
    Ok(())
}

/// Who beside root and the daemon may change it, in words.
fn who_else(meta: &Metadata, own: u32) -> Option<String> {
    let (owner, mode) = (meta.uid(), meta.mode());
    if owner != 0 && owner != own {
        return Some(format!("belongs to the user {owner}, who is neither root nor the daemon's"));
    }
    if meta.is_dir() && mode & STICKY != 0 {
        return None;
    }
    if mode & WRITABLE_BY_ALL != 0 {
        return Some("may be written by everybody".to_owned());
    }
    let shared = mode & WRITABLE_BY_GROUP != 0 && meta.gid() != 0 && !is_own_group(meta.gid(), own);
    shared.then(|| format!("may be written by the group {}", meta.gid()))
}

/// Whether nobody but the daemon's user and root is in a group: many systems give every user one of his own, and files in
/// it come to be writable by it.
fn is_own_group(group: u32, own: u32) -> bool {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let members = members(&read("/etc/passwd"), &read("/etc/group"), group);
    members.is_some_and(|members| members.iter().all(|user| *user == own || *user == 0))
}

/// The users of a group; `None` when these files do not say it.
fn members(passwd: &str, groups: &str, group: u32) -> Option<Vec<u32>> {
    let users: Vec<(&str, u32, u32)> = passwd
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _) = (fields.next()?, fields.next()?);
            Some((name, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        })
        .collect();
    let entry = groups.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(group)).then(|| fields.get(3).copied().unwrap_or_default())
    })?;
    let listed = entry.split(',').filter(|name| !name.is_empty());
    // A name that is no user of this file may be one of a directory service's.
    let mut members = Vec::new();
    for name in listed {
        members.push(users.iter().find(|(user, _, _)| *user == name)?.1);
    }
    members.extend(users.iter().filter(|(_, _, primary)| *primary == group).map(|(_, uid, _)| *uid));
    members.sort_unstable();
    members.dedup();
    Some(members)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_others_may_change_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let file = inner.join("p.so");
        fs::write(&file, "").unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        set(&file, 0o755);
        set(&inner, 0o755);
        judge(&file).unwrap();
        for (path, mode) in [(&file, 0o757), (&inner, 0o757)] {
            set(path, mode);
            let refused = judge(&file).unwrap_err().to_string();
            assert!(
                refused.contains("written by everybody") && refused.contains(&path.display().to_string()),
                "{refused}"
            );
            set(path, 0o755);
        }
        // By a link into a folder of others, and by one that stands there.
        set(&inner, 0o757);
        let link = folder.path().join("link.so");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(judge(&link).is_err());
        set(&inner, 0o1777);
        judge(&link).unwrap();
        let safe = folder.path().join("safe.so");
        fs::write(&safe, "").unwrap();
        let inside = inner.join("link.so");
        std::os::unix::fs::symlink(&safe, &inside).unwrap();
        judge(&inside).unwrap();
        set(&inner, 0o757);
        assert!(judge(&inside).is_err());
    }

    #[test]
    fn another_users_file_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let meta = fs::metadata(file.path()).unwrap();
        let (owner, nobody) = (meta.uid(), 12_345);
        assert_eq!(who_else(&meta, owner), None);
        assert_eq!(who_else(&meta, nobody).is_some(), owner != 0, "root may do all of it anyway");
    }

    #[test]
    fn a_group_has_those_who_are_listed_and_those_whose_first_it_is() {
        let passwd = "root:x:0:0::/:/bin/sh\nann:x:1000:1000::/:/bin/sh\nbob:x:1001:100::/:/bin/sh\n";
        let groups =
            "root:x:0:\nusers:x:100:\nann:x:1000:\nstaff:x:50:ann,bob\nodd:x:60:ldap\nself:x:70:ann\nempty:x:80:\n";
        let of = |group| members(passwd, groups, group);
        assert_eq!([of(1000), of(70), of(100)], [Some(vec![1000]), Some(vec![1000]), Some(vec![1001])]);
        assert_eq!([of(50), of(80)], [Some(vec![1000, 1001]), Some(Vec::new())]);
        assert_eq!([of(60), of(999)], [None, None]);
    }
}
