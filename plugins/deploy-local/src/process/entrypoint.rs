//! Which file of the agent's folder is run, and with what.

use std::{
    fs::File,
    io::Read,
    path::{Component, Path},
};

use nexus_plugin_api::payload::Failure;
use serde::Deserialize;

const MANIFEST: &str = "manifest.json";
const MANIFEST_MAX_BYTES: u64 = 4 * 1024 * 1024;
const DEFAULT_FILE: &str = "agent.py";

/// A program and its arguments, to be run in the agent's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entrypoint {
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
}

/// The only field of the manifest that matters here.
#[derive(Default, Deserialize)]
struct Manifest {
    #[serde(default)]
    entrypoint: Option<Vec<String>>,
}

impl Entrypoint {
    /// Reads the folder's manifest. `["python3", "agent.py", …]` and `["agent.py", …]` are understood;
    /// the interpreter is always the configured one. Blocks on files.
    pub(crate) fn of_folder(folder: &Path, python: &str) -> Result<Self, Failure> {
        if !folder.is_dir() {
            return Err(Failure::permanent(format!("the agent's folder {} does not exist", folder.display())));
        }
        let words = manifest(folder)?.entrypoint.unwrap_or_else(|| vec![DEFAULT_FILE.into()]);
        let mut words = words.into_iter().peekable();
        if words.peek().is_some_and(|word| is_python(word)) {
            words.next();
        }
        let file = words
            .next()
            .ok_or_else(|| Failure::permanent("manifest.json: the entrypoint names no file of the agent's folder"))?;
        check_file(folder, &file)?;
        let arguments: Vec<String> = std::iter::once(file).chain(words).collect();
        if arguments.iter().any(|argument| argument.contains('\0')) {
            return Err(Failure::permanent("manifest.json: the entrypoint holds a NUL"));
        }
        Ok(Self { program: python.to_owned(), arguments })
    }
}

fn manifest(folder: &Path) -> Result<Manifest, Failure> {
    let path = folder.join(MANIFEST);
    // Opening a pipe or a device could wait for ever.
    if !path.is_file() {
        return Ok(Manifest::default());
    }
    let unreadable = |e| Failure::permanent(format!("manifest.json cannot be read: {e}"));
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MANIFEST_MAX_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    serde_json::from_str(&text).map_err(|e| Failure::permanent(format!("manifest.json is not understood: {e}")))
}

fn is_python(word: &str) -> bool {
    let version = word.strip_prefix("python");
    version.is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

/// The file must lie in the folder, also when links are followed, and must not read as an option.
fn check_file(folder: &Path, file: &str) -> Result<(), Failure> {
    let relative = Path::new(file);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !plain || file.is_empty() || file.starts_with('-') {
        return Err(Failure::permanent(format!(
            "manifest.json: the entrypoint {file:?} must be a relative path inside the agent's folder"
        )));
    }
    let missing =
        |e: std::io::Error| Failure::permanent(format!("the agent's entry file {file} cannot be opened: {e}"));
    let root = folder.canonicalize().map_err(missing)?;
    let target = folder.join(relative).canonicalize().map_err(missing)?;
    if target.starts_with(&root) && target.is_file() {
        return Ok(());
    }
    Err(Failure::permanent(format!("the agent's entry file {file} is no file inside the agent's folder")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(manifest: Option<&str>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("agent.py"), "").unwrap();
        if let Some(manifest) = manifest {
            std::fs::write(folder.path().join(MANIFEST), manifest).unwrap();
        }
        folder
    }

    #[test]
    fn the_configured_interpreter_runs_the_named_file() {
        for manifest in [None, Some("{}"), Some(r#"{"entrypoint": ["python3.12", "agent.py"]}"#)] {
            let found = Entrypoint::of_folder(folder(manifest).path(), "/opt/py").unwrap();
            assert_eq!(found, Entrypoint { program: "/opt/py".into(), arguments: vec!["agent.py".into()] });
        }
    }

    #[test]
    fn nothing_outside_the_folder_is_run() {
        for entry in [r#"["/bin/sh"]"#, r#"["../agent.py"]"#, r#"["python3", "-c"]"#, r#"["python3"]"#, r#"["link"]"#] {
            let folder = folder(Some(&format!(r#"{{"entrypoint": {entry}}}"#)));
            std::os::unix::fs::symlink("/bin/sh", folder.path().join("link")).unwrap();
            assert!(Entrypoint::of_folder(folder.path(), "python3").is_err(), "{entry}");
        }
    }

    #[test]
    fn a_broken_manifest_is_reported() {
        let failure = Entrypoint::of_folder(folder(Some("{")).path(), "python3").unwrap_err();
        assert!(failure.message.contains("manifest.json is not understood"), "{failure}");
    }
}
