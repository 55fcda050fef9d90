//! The trash folder: what a recorded deletion takes away lies there for some days before it is removed, under a name that
//! says when it came, what it was and of whom. Everything in here blocks.

use std::{fs, io, path::Path, time::Duration};

use super::moving;
use crate::domain::{deletion::DeletedKind, time::Timestamp};

/// Something in the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trashed {
    /// Its name in the trash folder.
    pub name: String,
    pub since: Timestamp,
    /// What it was of.
    pub kind: DeletedKind,
    pub id: String,
}

/// Moves a folder into the trash; answers whether there was one.
///
/// # Errors
/// It cannot be moved; it is where it was.
pub fn put(trash: &Path, kind: DeletedKind, id: &str, folder: &Path) -> io::Result<bool> {
    if fs::symlink_metadata(folder).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(false);
    }
    make(trash)?;
    // Two of one moment and owner would meet without the last part.
    let name = format!("{}.{kind}.{id}.{:08x}", Timestamp::now().as_micros(), rand::random::<u32>());
    moving::relocate(folder, &trash.join(name))
}

fn make(trash: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(trash)
}

fn parse(name: &str) -> Option<Trashed> {
    let (since, rest) = name.split_once('.')?;
    let (kind, rest) = rest.split_once('.')?;
    // Ids may have dots, the last part has none.
    let (id, unique) = rest.rsplit_once('.')?;
    let plain = unique.len() == 8 && unique.bytes().all(|b| b.is_ascii_hexdigit());
    let since = Timestamp::from_micros(since.parse().ok()?);
    plain.then(|| Some(Trashed { name: name.to_owned(), since, kind: kind.parse().ok()?, id: id.to_owned() }))?
}

/// What is in the trash, the oldest first. What does not bear such a name was put there by somebody else.
pub fn list(trash: &Path) -> io::Result<Vec<Trashed>> {
    let entries = match fs::read_dir(trash) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(entry?.file_name().to_str().and_then(parse));
    }
    found.sort_by_key(|one| one.since);
    Ok(found)
}

/// Removes what has been there for longer than `kept`; answers how many things those were.
///
/// # Errors
/// Something cannot be removed; what comes after it is tried all the same.
pub fn empty(trash: &Path, kept: Duration) -> io::Result<u64> {
    let (now, mut removed, mut failed) = (Timestamp::now(), 0, None);
    for one in list(trash)?.into_iter().filter(|one| now.since(one.since) >= kept) {
        match moving::remove(&trash.join(&one.name)) {
            Ok(()) => removed += 1,
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(removed), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deleted_lies_there_for_its_time_and_nothing_else_goes() {
        let data = tempfile::tempdir().unwrap();
        let (trash, folder) = (data.path().join("trash"), data.path().join("proj_1.x"));
        fs::create_dir_all(folder.join("docs")).unwrap();
        fs::write(folder.join("docs/a.md"), "a").unwrap();
        assert!(put(&trash, DeletedKind::Project, "proj_1.x", &folder).unwrap());
        assert!(!put(&trash, DeletedKind::Project, "proj_1.x", &folder).unwrap(), "there is none any more");
        let there = list(&trash).unwrap();
        assert_eq!((there.len(), there[0].kind, there[0].id.as_str()), (1, DeletedKind::Project, "proj_1.x"));
        assert_eq!(fs::read_to_string(trash.join(&there[0].name).join("docs/a.md")).unwrap(), "a");
        assert_eq!(empty(&trash, Duration::from_secs(60)).unwrap(), 0);
        // A person's own folder there, and where a link leads, are nobody's business.
        fs::create_dir(trash.join("mine")).unwrap();
        fs::create_dir(data.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(data.path().join("elsewhere"), &folder).unwrap();
        assert!(put(&trash, DeletedKind::Agent, "agent_1", &folder).unwrap());
        assert_eq!(empty(&trash, Duration::ZERO).unwrap(), 2);
        assert!(trash.join("mine").is_dir() && data.path().join("elsewhere").is_dir());
        assert_eq!(list(&trash).unwrap(), []);
    }
}
