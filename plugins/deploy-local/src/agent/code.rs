//! Tells whether an agent's code was changed since its process was started: by names, sizes and times of the files that
//! people edit. What an agent writes into its folder by itself is none of them.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash as _, Hasher as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

/// Most files that are looked at in a folder.
const MANY: usize = 1_000;

/// What the files of an agent look like now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Code(u64);

impl Code {
    /// Looks at them. Blocks, for as long as a few looks at a folder take.
    pub(crate) fn of(agent_dir: &Path) -> Self {
        let is_code = |name: &str| name.ends_with(".py");
        let is_root = |name: &str| is_code(name) || name.starts_with("prompt") || name == "requirements.txt";
        let mut files = found(agent_dir, is_root);
        files.extend(found(&agent_dir.join("tools"), is_code));
        files.extend(found(&agent_dir.join("prompts"), |_| true));
        files.sort();
        let mut hasher = DefaultHasher::new();
        files.hash(&mut hasher);
        Self(hasher.finish())
    }
}

type File = (String, u64, u64, i64, i64);

fn found(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<File> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok().filter(|name| wanted(name))?;
        let meta = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some((format!("{}/{name}", folder.display()), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
    };
    entries.filter_map(Result::ok).take(MANY).filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_seen_and_what_the_agent_writes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("tools")).unwrap();
        fs::write(at("agent.py"), "a = 1").unwrap();
        fs::write(at("tools/t.py"), "b = 1").unwrap();
        fs::write(at("prompt.md"), "be kind").unwrap();
        let first = Code::of(folder.path());
        fs::write(at("notes.md"), "written by the agent").unwrap();
        fs::create_dir(at("__pycache__")).unwrap();
        assert_eq!(Code::of(folder.path()), first);
        for name in ["agent.py", "tools/t.py", "prompt.md", "tools/new.py"] {
            let before = Code::of(folder.path());
            // As the daemon writes: beside it, then in its place.
            fs::write(at("part"), "changed").unwrap();
            fs::rename(at("part"), at(name)).unwrap();
            assert_ne!(Code::of(folder.path()), before, "{name}");
        }
    }
}
