//! The path of a file below a folder that is ours. There is no other way to such a path than through the checks in here:
//! whoever holds a [`RelPath`] may join it to a folder and stays below that folder (links aside: `files` looks after them).

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::Serialize;

/// Bytes of the longest path; Linux takes none that is longer.
const LONGEST: usize = 4096;

/// A relative path of plain names, separated by single slashes: `agent/tools/prices.py`.
///
/// It is never empty and holds no `.`, no `..` and no NUL. What says nothing is left out as it is read: `./a//b/` is `a/b`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RelPath(String);

/// Why a text is no path below a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelPathError {
    /// It names no file.
    #[error("the path is empty")]
    Empty,
    #[error("the path has more than {LONGEST} bytes")]
    TooLong,
    #[error("the path is absolute; it must be relative")]
    Absolute,
    #[error("the path must not hold `..`")]
    Parent,
    /// It ends a text in C, so the kernel would see another path than the one that was checked.
    #[error("the path must not hold a NUL")]
    Nul,
    /// A separator elsewhere: `..\x` is one name here and leads out there.
    #[error("the path must not hold a backslash")]
    Backslash,
}

impl RelPath {
    /// Reads a path that somebody else wrote: a client, a plugin, a record.
    ///
    /// # Errors
    /// It could lead elsewhere, here or on another system.
    pub fn parse(text: &str) -> Result<Self, RelPathError> {
        match Self::of_file(text)? {
            path if path.0.contains('\\') => Err(RelPathError::Backslash),
            path => Ok(path),
        }
    }

    /// The name of a file that lies, or lay, on a disk: as [`RelPath::parse`], but a backslash is a character like any
    /// other there, and such a file must not get lost in a backup.
    ///
    /// # Errors
    /// It could lead elsewhere.
    pub fn of_file(text: &str) -> Result<Self, RelPathError> {
        if text.len() > LONGEST {
            return Err(RelPathError::TooLong);
        }
        if text.starts_with('/') {
            return Err(RelPathError::Absolute);
        }
        if text.contains('\0') {
            return Err(RelPathError::Nul);
        }
        let names: Vec<&str> = text.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
        if names.contains(&"..") {
            return Err(RelPathError::Parent);
        }
        if names.is_empty() { Err(RelPathError::Empty) } else { Ok(Self(names.join("/"))) }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path, to be given to the system.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// Where it lies below this folder.
    pub fn below(&self, folder: &Path) -> PathBuf {
        folder.join(&self.0)
    }

    /// The names on the way, the file's own last.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The folder that it lies in; none for a name alone.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(folder, _)| Self(folder.to_owned()))
    }

    /// The path of `inner` below this one.
    ///
    /// # Errors
    /// Together they are too long.
    pub fn join(&self, inner: &Self) -> Result<Self, RelPathError> {
        let whole = format!("{self}/{inner}");
        if whole.len() > LONGEST { Err(RelPathError::TooLong) } else { Ok(Self(whole)) }
    }

    /// What is left of it below `folder`; none when it lies elsewhere or is that folder.
    pub fn within(&self, folder: &Self) -> Option<Self> {
        self.0.strip_prefix(&folder.0)?.strip_prefix('/').map(|rest| Self(rest.to_owned()))
    }
}

impl FromStr for RelPath {
    type Err = RelPathError;

    fn from_str(text: &str) -> Result<Self, RelPathError> {
        Self::parse(text)
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<Path> for RelPath {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_leads_out_is_refused() {
        use RelPathError::*;
        for (text, why) in [
            ("", Empty),
            (".", Empty),
            ("./", Empty),
            ("/", Absolute),
            ("/etc/passwd", Absolute),
            ("//server/share", Absolute),
            ("..", Parent),
            ("../secret", Parent),
            ("a/../../secret", Parent),
            ("a/..", Parent),
            ("a\0", Nul),
            ("a\0/../b", Nul),
            ("a\\b", Backslash),
            ("..\\secret", Backslash),
        ] {
            assert_eq!(RelPath::parse(text), Err(why), "{text:?}");
        }
        assert_eq!(RelPath::parse(&"x".repeat(LONGEST + 1)), Err(TooLong));
        assert_eq!(RelPath::of_file("a\\b").unwrap().as_str(), "a\\b");
        assert_eq!(RelPath::of_file("a\\b/../c"), Err(Parent));
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        for text in ["a/b", "./a/b", "a//b", "a/./b", "a/b/", "././a///b/./"] {
            assert_eq!(RelPath::parse(text).unwrap().as_str(), "a/b", "{text:?}");
        }
        // Dots in names are names.
        for text in ["...", ".hidden", "a..b/..c", "ü/🙂"] {
            assert_eq!(RelPath::parse(text).unwrap().as_str(), text);
        }
    }

    /// Texts that are made of what paths are made of, far likelier to be odd than random characters are.
    fn texts() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("/".to_owned()),
            Just(".".to_owned()),
            Just("..".to_owned()),
            Just("\\".to_owned()),
            Just("\0".to_owned()),
            "[a-zü.]{1,3}",
            any::<char>().prop_map(String::from),
        ];
        proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        /// By the judge that the nine checks before asked, `Path::components`: nothing but names remains.
        #[test]
        fn a_path_stays_below_its_folder(text in texts()) {
            let folder = Path::new("/srv/data");
            for path in [RelPath::parse(&text), RelPath::of_file(&text)].into_iter().flatten() {
                prop_assert!(path.as_path().components().all(|part| matches!(part, Component::Normal(_))));
                let whole = path.below(folder);
                prop_assert!(whole.starts_with(folder) && whole != folder, "{whole:?}");
                prop_assert_eq!(path.names().count(), path.as_path().components().count());
                prop_assert!(!path.as_str().contains('\0') && path.as_str().len() <= LONGEST);
                // What was read is read again as the same.
                prop_assert_eq!(RelPath::of_file(path.as_str()), Ok(path));
            }
        }

        /// Nothing that those checks took is refused now, and the same file is meant.
        #[test]
        fn a_path_of_names_is_taken(text in texts()) {
            let names = Path::new(&text).components().all(|part| matches!(part, Component::Normal(_)));
            if names && !text.is_empty() && !text.contains('\0') {
                let path = RelPath::of_file(&text).unwrap();
                prop_assert!(path.as_path().components().eq(Path::new(&text).components()));
                prop_assert_eq!(RelPath::parse(&text).is_ok(), !text.contains('\\'));
            }
        }

        #[test]
        fn joined_and_taken_apart_again(folder in texts(), inner in texts()) {
            if let (Ok(folder), Ok(inner)) = (RelPath::of_file(&folder), RelPath::of_file(&inner)) {
                let whole = folder.join(&inner).unwrap();
                prop_assert_eq!(whole.within(&folder), Some(inner.clone()));
                prop_assert_eq!(whole.name(), inner.name());
                let up = whole.parent().unwrap();
                prop_assert!(up == folder || up.within(&folder).is_some());
                prop_assert_eq!(folder.within(&folder), None);
            }
        }
    }
}
