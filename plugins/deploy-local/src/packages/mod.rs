//! Python packages of agents: one virtual environment for each list of requirements and each interpreter, made once below
//! the daemon's cache folder and shared by all agents, all deployments and all daemons on that folder.
//!
//! An environment counts as made when its mark is written, which is the last thing. A file lock, which the installer itself
//! holds too, lets only one make it; what somebody who was killed left is removed and made anew.

mod fault;
mod installer;
mod maker;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nexus_plugin_api::payload::Failure;
use nexus_sandbox::Interpreter;
use tokio::{sync::watch, task::AbortHandle, time::Instant};

use maker::{Stand, Work, make, python_of};

pub(crate) use nexus_deploy::Requirements;

/// After a failure, how long a question to the agent does not try again; a deployment always does.
const NOT_AGAIN: Duration = Duration::from_secs(300);
/// Below the cache folder.
const FOLDER: &str = "venvs";

/// See the module.
pub(crate) struct Packages {
    python: String,
    /// A folder of wheels that takes the place of the package index; empty: none.
    wheels: PathBuf,
    known: Mutex<HashMap<PathBuf, Known>>,
}

/// What is known of an environment that is not there.
enum Known {
    Making { stand: watch::Receiver<Stand>, task: AbortHandle },
    Failed { at: Instant, failure: Failure },
}

/// Who asks for packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Tries whatever failed before.
    Deployment,
    /// Does not wait for what just failed.
    Question,
}

impl Packages {
    pub(crate) fn new(python: &str, wheels: &Path) -> Self {
        Self { python: python.to_owned(), wheels: wheels.to_owned(), known: Mutex::default() }
    }

    /// The interpreter that has these packages, which are installed if need be; `tell` hears how far that is. Dropping the
    /// future leaves the work to whoever else waits for it.
    ///
    /// # Errors
    /// Why they cannot be had, in words.
    pub(crate) async fn have(
        &self,
        wanted: &Requirements,
        cache: &Path,
        asker: Asker,
        mut tell: impl FnMut(&str),
    ) -> Result<PathBuf, Failure> {
        let (interpreter, folder) = match self.place(wanted, cache).await? {
            Place::Installed(python) => return Ok(python),
            Place::Folder(interpreter, folder) => (interpreter, folder),
        };
        if let Some(python) = look(&folder).await {
            return Ok(python);
        }
        let mut stand = self.begin(wanted, interpreter, &folder, asker)?;
        loop {
            let now = stand.borrow_and_update().clone();
            match now {
                Stand::Working(line) if line.is_empty() => {}
                Stand::Working(line) => tell(&line),
                Stand::Over(outcome) => {
                    self.note(&folder, &outcome);
                    return outcome.map(|()| python_of(&folder));
                }
            }
            if stand.changed().await.is_err() {
                self.known().remove(&folder);
                return Err(Failure::transient("the installation of the agent's packages was broken off"));
            }
        }
    }

    async fn place(&self, wanted: &Requirements, cache: &Path) -> Result<Place, Failure> {
        let python = &self.python;
        let interpreter = Interpreter::find(python).await.map_err(|e| {
            Failure::permanent(format!(
                "there is no Python at {python:?} ({e}); set `python` in [plugins.deploy-local]"
            ))
        })?;
        let (files, list) = (interpreter.files.clone(), wanted.clone());
        let installed = tokio::task::spawn_blocking(move || list.is_empty() || list.are_installed_in(&files));
        if installed.await.unwrap_or(false) {
            return Ok(Place::Installed(PathBuf::from(python)));
        }
        let (major, minor) = interpreter.version;
        let digest = wanted.digest(&format!("{} {major}.{minor}", interpreter.program.display()));
        Ok(Place::Folder(interpreter, cache.join(FOLDER).join(digest)))
    }

    /// Joins who makes it already, or begins.
    fn begin(
        &self,
        wanted: &Requirements,
        interpreter: Interpreter,
        folder: &Path,
        asker: Asker,
    ) -> Result<watch::Receiver<Stand>, Failure> {
        let mut known = self.known();
        match known.get(folder) {
            Some(Known::Making { stand, .. }) if !stand.borrow().is_over() && stand.has_changed().is_ok() => {
                return Ok(stand.clone());
            }
            Some(Known::Failed { at, failure }) if asker == Asker::Question && at.elapsed() < NOT_AGAIN => {
                return Err(failure.clone());
            }
            _ => {}
        }
        let (told, stand) = watch::channel(Stand::Working(String::new()));
        let work = Work {
            requirements: wanted.clone(),
            interpreter: interpreter.program,
            wheels: self.wheels.clone(),
            folder: folder.to_owned(),
        };
        let task = tokio::spawn(async move {
            let outcome = make(&work, &told).await;
            told.send_replace(Stand::Over(outcome));
        });
        known.insert(folder.to_owned(), Known::Making { stand: stand.clone(), task: task.abort_handle() });
        Ok(stand)
    }

    fn note(&self, folder: &Path, outcome: &Result<(), Failure>) {
        let mut known = self.known();
        match outcome {
            Ok(()) => drop(known.remove(folder)),
            Err(failure) => {
                let failed = Known::Failed { at: Instant::now(), failure: failure.clone() };
                known.insert(folder.to_owned(), failed);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<PathBuf, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Packages {
    fn drop(&mut self) {
        for known in self.known.get_mut().unwrap_or_else(PoisonError::into_inner).values() {
            if let Known::Making { task, .. } = known {
                task.abort();
            }
        }
    }
}

/// Where packages are, or would be.
enum Place {
    /// The interpreter of the settings has them.
    Installed(PathBuf),
    Folder(Interpreter, PathBuf),
}

async fn look(folder: &Path) -> Option<PathBuf> {
    let folder = Arc::<Path>::from(folder);
    tokio::task::spawn_blocking(move || maker::is_made(&folder).then(|| python_of(&folder))).await.ok().flatten()
}

#[cfg(test)]
mod tests;
