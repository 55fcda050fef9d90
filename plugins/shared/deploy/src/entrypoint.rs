//! Which file of the agent's folder is run, and with what.

use std::{
    fs::File,
    io::Read,
    path::{Component, Path},
};

use nexus_plugin_api::payload::Failure;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    requirements::Requirements,
    wish::{ManifestModel, Wish},
};

const MANIFEST: &str = "manifest.json";
const MANIFEST_MAX_BYTES: u64 = 4 * 1024 * 1024;
const DEFAULT_FILE: &str = "agent.py";

/// A manifest that names more ports than this wants no walls.
const MAX_PORTS: usize = 32;

/// A program and its arguments, to be run in the agent's folder, and what it needs of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrypoint {
    /// The interpreter.
    pub program: String,
    /// The file, and what follows it.
    pub arguments: Vec<String>,
    /// Whether it needs installed packages at its start. Without them Python is told `-S`, before the file.
    pub needs_packages: bool,
    /// Where it waits for requests.
    pub listens: Listens,
    /// TCP ports that it may connect to.
    pub connect: Vec<u16>,
    /// Whether it wants a language model.
    pub wish: Wish,
    /// The packages that it needs for that, or why they cannot be told.
    pub requirements: Result<Requirements, Failure>,
}

/// Where an agent waits for requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listens {
    /// On the socket that it is handed, as `"listen": "socket"` in its manifest says.
    Socket,
    /// On a port of the loopback interface; these it names beside the usual ones.
    Ports(Vec<u16>),
}

/// The fields of the manifest that matter here.
#[derive(Default, Deserialize)]
struct Manifest {
    #[serde(default)]
    entrypoint: Option<Vec<String>>,
    #[serde(default)]
    listen: Option<String>,
    #[serde(default)]
    bind: Vec<u16>,
    #[serde(default)]
    connect: Vec<u16>,
    /// `false`: it needs no installed packages at its start, and Python does not look for them.
    #[serde(default)]
    site_packages: Option<bool>,
    #[serde(default)]
    model: Option<ManifestModel>,
    /// Who wrote it.
    #[serde(default)]
    model_id: Option<String>,
}

impl Entrypoint {
    /// Reads the folder's manifest. `["python3", "agent.py", …]` and `["agent.py", …]` are understood;
    /// the interpreter is always the configured one. `config` is the deployment's. Blocks on files.
    ///
    /// # Errors
    /// What its manifest or the deployment says wrongly.
    pub fn of_folder(folder: &Path, python: &str, config: &Value) -> Result<Self, Failure> {
        if !folder.is_dir() {
            return Err(Failure::permanent(format!("the agent's folder {} does not exist", folder.display())));
        }
        let Manifest { entrypoint, listen, bind, connect, site_packages, model, model_id } = manifest(folder)?;
        let words = entrypoint.unwrap_or_else(|| vec![DEFAULT_FILE.into()]);
        let mut words = words.into_iter().peekable();
        if words.peek().is_some_and(|word| is_python(word)) {
            words.next();
        }
        let file = words
            .next()
            .ok_or_else(|| Failure::permanent("manifest.json: the entrypoint names no file of the agent's folder"))?;
        check_file(folder, &file)?;
        let needs_packages = site_packages != Some(false);
        let flag = (!needs_packages).then(|| "-S".to_owned());
        let arguments: Vec<String> = flag.into_iter().chain([file]).chain(words).collect();
        if arguments.iter().any(|argument| argument.contains('\0')) {
            return Err(Failure::permanent("manifest.json: the entrypoint holds a NUL"));
        }
        if bind.len() + connect.len() > MAX_PORTS {
            return Err(Failure::permanent(format!("manifest.json: more than {MAX_PORTS} ports in bind and connect")));
        }
        let listens = match listen.as_deref() {
            Some("socket") => Listens::Socket,
            Some("port") | None => Listens::Ports(bind),
            Some(other) => {
                return Err(Failure::permanent(format!(
                    "manifest.json: listen must be \"socket\" or \"port\", not {other:?}"
                )));
            }
        };
        let requirements = Requirements::of_folder(folder);
        // Names that are not taken are packages, too.
        let has_packages = requirements.as_ref().map_or(true, |packages| !packages.is_empty());
        let wish = Wish::new(model, model_id.as_deref(), has_packages, config)?;
        Ok(Self { program: python.to_owned(), arguments, needs_packages, listens, connect, wish, requirements })
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
            let found = Entrypoint::of_folder(folder(manifest).path(), "/opt/py", &Value::Null).unwrap();
            assert_eq!((found.program.as_str(), found.arguments), ("/opt/py", vec!["agent.py".to_owned()]));
            assert_eq!((found.listens, found.connect), (Listens::Ports(Vec::new()), Vec::new()));
        }
    }

    #[test]
    fn who_needs_no_packages_starts_without_them() {
        let found =
            Entrypoint::of_folder(folder(Some(r#"{"site_packages": false}"#)).path(), "p", &Value::Null).unwrap();
        assert_eq!(found.arguments, ["-S", "agent.py"]);
        let found =
            Entrypoint::of_folder(folder(Some(r#"{"site_packages": true}"#)).path(), "p", &Value::Null).unwrap();
        assert_eq!(found.arguments, ["agent.py"]);
    }

    #[test]
    fn the_manifest_names_ports_and_the_socket() {
        let found =
            Entrypoint::of_folder(folder(Some(r#"{"listen": "socket", "connect": [443]}"#)).path(), "p", &Value::Null)
                .unwrap();
        assert_eq!((found.listens, found.connect), (Listens::Socket, vec![443]));
        let found = Entrypoint::of_folder(folder(Some(r#"{"bind": [9000]}"#)).path(), "p", &Value::Null).unwrap();
        assert_eq!(found.listens, Listens::Ports(vec![9000]));
        let many = format!(r#"{{"connect": {:?}}}"#, vec![1; 40]);
        for wrong in [r#"{"listen": "everywhere"}"#, r#"{"connect": [99999]}"#, &many] {
            assert!(Entrypoint::of_folder(folder(Some(wrong)).path(), "p", &Value::Null).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_outside_the_folder_is_run() {
        for entry in [r#"["/bin/sh"]"#, r#"["../agent.py"]"#, r#"["python3", "-c"]"#, r#"["python3"]"#, r#"["link"]"#] {
            let folder = folder(Some(&format!(r#"{{"entrypoint": {entry}}}"#)));
            std::os::unix::fs::symlink("/bin/sh", folder.path().join("link")).unwrap();
            assert!(Entrypoint::of_folder(folder.path(), "python3", &Value::Null).is_err(), "{entry}");
        }
    }

    #[test]
    fn a_broken_manifest_is_reported() {
        let failure = Entrypoint::of_folder(folder(Some("{")).path(), "python3", &Value::Null).unwrap_err();
        assert!(failure.message.contains("manifest.json is not understood"), "{failure}");
    }
}
