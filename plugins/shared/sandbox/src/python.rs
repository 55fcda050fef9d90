//! Which files belong to a Python interpreter. It is asked itself: it may be a link of a virtual environment, or a
//! script that looks for the real one.

use std::{
    collections::HashMap,
    env, io,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use serde::Deserialize;
use tokio::{process::Command, time::timeout};

/// Prints the program and the folders of libraries. `-I`: nothing of the environment or the working folder counts.
const ASK: &str = r"
import json, os, sys, sysconfig
paths = sysconfig.get_paths()
folders = [paths.get(name) for name in ('stdlib', 'platstdlib', 'purelib', 'platlib')]
folders += sys.path + [sysconfig.get_config_var('LIBDIR') or '']
config = [os.path.join(os.path.dirname(os.path.dirname(sys.executable)), 'pyvenv.cfg')]
config += [os.path.join(os.path.dirname(sys.executable), 'pyvenv.cfg')]
print(json.dumps({'program': sys.executable, 'version': sys.version_info[:2],
                  'files': [p for p in config + folders if p and os.path.isabs(p) and os.path.exists(p)]}))
";
const PATIENCE: Duration = Duration::from_secs(20);

/// A Python that can be confined.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Interpreter {
    /// The program itself, behind all scripts.
    pub program: PathBuf,
    /// Major and minor version.
    pub version: (u32, u32),
    /// Files and folders that it reads at least.
    pub files: Vec<PathBuf>,
}

/// What was found is true as long as the file that was asked is the same.
type Key = (PathBuf, Option<SystemTime>);

impl Interpreter {
    /// Finds the interpreter behind a path, or behind a name that is looked up in `PATH`. The answer is kept.
    ///
    /// # Errors
    /// When there is none, or what is there does not answer as Python does.
    pub async fn find(python: &str) -> io::Result<Self> {
        static KNOWN: Mutex<Option<HashMap<Key, Interpreter>>> = Mutex::new(None);
        let path = look_up(python)?;
        let key = (path.clone(), path.metadata()?.modified().ok());
        let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().get(&key).cloned();
        // Scripts that choose a version stay when the version goes.
        if let Some(known) = known.filter(|known| known.program.is_file()) {
            return Ok(known);
        }
        let found = ask(&path).await?;
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(key, found.clone());
        Ok(found)
    }
}

fn look_up(python: &str) -> io::Result<PathBuf> {
    if python.contains('/') {
        return std::path::absolute(python);
    }
    let path = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let found = env::split_paths(&path).map(|folder| folder.join(python)).find(|file| is_program(file));
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such program"))
}

fn is_program(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

async fn ask(path: &Path) -> io::Result<Interpreter> {
    let mut command = Command::new(path);
    command.args(["-I", "-c", ASK]).stdin(Stdio::null()).kill_on_drop(true).current_dir("/").env_clear();
    // What scripts that choose a version need; no secret is named so.
    for name in ["PATH", "HOME", "PYENV_ROOT", "PYENV_VERSION"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    let asked = timeout(PATIENCE, command.output()).await;
    let output: Output = asked.map_err(|_| io::Error::other("it does not answer"))??;
    let wrong = |e: &dyn std::fmt::Display| {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().next_back().unwrap_or_default();
        io::Error::other(format!("it does not answer as Python does ({}; {e}; {last})", output.status))
    };
    let mut found: Interpreter = serde_json::from_slice(&output.stdout).map_err(|e| wrong(&e))?;
    if !found.program.is_absolute() {
        return Err(wrong(&"it does not know where it is"));
    }
    // All the machine is no library, and a home is none.
    let home = env::var_os("HOME").map(PathBuf::from);
    found.files.retain(|file| file.parent().is_some() && Some(file) != home.as_ref());
    found.files.sort();
    found.files.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn python_names_its_libraries() {
        let python = Interpreter::find("python3").await.unwrap();
        assert!(python.program.is_absolute() && python.version >= (3, 8), "{python:?}");
        assert!(python.files.iter().any(|file| file.join("json/__init__.py").is_file()), "{python:?}");
        assert_eq!(Interpreter::find("python3").await.unwrap(), python);
    }

    #[tokio::test]
    async fn what_is_no_python_is_refused() {
        assert_eq!(Interpreter::find("no-such-python").await.unwrap_err().kind(), io::ErrorKind::NotFound);
        let error = Interpreter::find("/bin/true").await.unwrap_err().to_string();
        assert!(error.contains("does not answer as Python does"), "{error}");
    }
}
