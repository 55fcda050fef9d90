//! Makes one virtual environment.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use nexus_plugin_api::payload::Failure;
use serde_json::json;
use tokio::{sync::watch, time::timeout};

use nexus_deploy::Requirements;

use super::{fault, installer};

/// A deployment may take 600 s as a whole.
const PATIENCE: Duration = Duration::from_secs(540);
/// Says that the environment is whole.
const MARK: &str = "nexusd.json";

/// An environment to be made.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) requirements: Requirements,
    pub(super) interpreter: PathBuf,
    pub(super) wheels: PathBuf,
    pub(super) folder: PathBuf,
}

/// How far it is.
#[derive(Clone, Debug)]
pub(super) enum Stand {
    /// The last line for people.
    Working(String),
    Over(Result<(), Failure>),
}

impl Stand {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Over(_))
    }
}

/// The interpreter of a made environment.
pub(super) fn python_of(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

/// Whether it is whole. Blocks.
pub(super) fn is_made(folder: &Path) -> bool {
    folder.join(MARK).is_file() && python_of(folder).is_file()
}

/// Makes it, unless somebody else does meanwhile.
pub(super) async fn make(work: &Work, told: &watch::Sender<Stand>) -> Result<(), Failure> {
    timeout(PATIENCE, make_locked(work, told)).await.unwrap_or_else(|_| {
        Err(Failure::transient(format!(
            "the packages {} were not installed within {} s",
            work.requirements.named(),
            PATIENCE.as_secs()
        )))
    })
}

async fn make_locked(work: &Work, told: &watch::Sender<Stand>) -> Result<(), Failure> {
    let say = |line: String| drop(told.send_replace(Stand::Working(line)));
    let lock = match blocking(work, try_lock).await? {
        Lock::Mine(lock) => lock,
        Lock::Others(file) => {
            say("another deployment installs the same packages: waiting for it".to_owned());
            blocking(work, move |_| file.lock().map(|()| file)).await?
        }
    };
    let (folder, whole) = (work.folder.clone(), blocking(work, |work| Ok(is_made(&work.folder))).await?);
    if whole {
        return Ok(());
    }
    blocking(work, |work| match fs::remove_dir_all(&work.folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
    .await?;
    say(format!("installing {}", work.requirements.named()));
    let installed = installer::install(work, &lock, say).await;
    let by = match installed {
        Ok(by) => by,
        Err(failure) => {
            // A half of it would only take space.
            let _ = blocking(work, |work| fs::remove_dir_all(&work.folder)).await;
            return Err(failure);
        }
    };
    blocking(work, move |work| mark(work, &folder, by)).await?;
    drop(lock);
    Ok(())
}

enum Lock {
    Mine(File),
    Others(File),
}

fn try_lock(work: &Work) -> io::Result<Lock> {
    let folder = work.folder.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let path = work.folder.with_extension("lock");
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock::Mine(file)),
        Err(TryLockError::WouldBlock) => Ok(Lock::Others(file)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The last thing: what has no mark is not used.
fn mark(work: &Work, folder: &Path, by: &str) -> io::Result<()> {
    let told = json!({ "requirements": work.requirements.lines(), "python": work.interpreter, "installed_by": by });
    let part = folder.join("nexusd.json.part");
    let mut file = File::create(&part)?;
    writeln!(file, "{told:#}")?;
    file.sync_all()?;
    fs::rename(part, folder.join(MARK))
}

async fn blocking<T: Send + 'static>(
    work: &Work,
    act: impl FnOnce(&Work) -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let own = work.clone();
    let done = tokio::task::spawn_blocking(move || act(&own)).await.unwrap_or_else(|e| Err(io::Error::other(e)));
    done.map_err(|error| fault::of_folder(&work.folder, &error))
}
