//! Which store a data folder belongs to. The folder carries the store's id; a store that is not its own would know none of
//! its projects, so the daemon refuses to start on it, and touches nothing before it has looked.
//!
//! A folder of a daemon of before has no id yet: it gets that of a store that knows what lies in it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    backend::{
        data_folder::{Records, Survey, survey},
        error::BackendError,
        sqlite::SqliteStore,
        store::Store,
    },
    config::DataConfig,
    domain::deletion::DeletedKind,
};

/// The file with the id.
const FILE: &str = "store-id";
/// The file with the daemon's name. Not for a backup: a copy of the folder elsewhere is another daemon.
pub(crate) const DAEMON: &str = "daemon-name";
/// Folders that are named in a refusal.
const NAMED: usize = 5;

/// Why a data folder cannot be used with a store.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// It belongs to another.
    #[error(
        "the data folder {} belongs to store {bound}, and this is store {store}: {}. Is this the right data folder, and the \
         right database or table prefix? Then put that back. To go on with this store, look with `nexusd doctor`, then run \
         `nexusd adopt-folder`; neither removes anything",
        .folder.display(), .there
    )]
    OtherStore {
        folder: PathBuf,
        /// The store that it carries.
        bound: String,
        /// The one that was opened.
        store: String,
        /// What lies in the folder.
        there: There,
    },
    /// Its database is away.
    #[error(
        "the data folder {} has files of projects, but its database {} is not there: {there}. Put the database back, with \
         its -wal file if there is one. To go on with a new, empty one, run `nexusd adopt-folder`: the files stay where they \
         are, but the new database will not know them",
        .folder.display(), .database.display()
    )]
    NoDatabase {
        folder: PathBuf,
        database: PathBuf,
        /// What lies in the folder.
        there: There,
    },
    /// The store knows nothing of what lies there.
    #[error(
        "the data folder {} has files of projects of which this store knows none: {there}. Is this the right data folder, \
         and the right database or table prefix? Then put that back. To go on with this store, look with `nexusd doctor`, \
         then run `nexusd adopt-folder`; neither removes anything",
        .folder.display()
    )]
    Strange {
        folder: PathBuf,
        /// What lies in the folder.
        there: There,
    },
    /// The folder cannot be read or written.
    #[error("{} cannot be read or written: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The store does not say.
    #[error("the store does not say whether the data folder is its own: {}", crate::backend::error::chain(.0))]
    Store(#[from] BackendError),
}

/// What lies in a data folder, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct There {
    pub projects: usize,
    pub agents: usize,
    pub names: Vec<String>,
}

impl There {
    /// Whether there is nothing that could be lost.
    pub fn is_empty(&self) -> bool {
        self.projects == 0 && self.agents == 0
    }
}

impl std::fmt::Display for There {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} folders of projects and {} of agents lie there", self.projects, self.agents)?;
        if !self.names.is_empty() {
            write!(f, " ({}{})", self.names.join(", "), if self.names.len() == NAMED { ", …" } else { "" })?;
        }
        Ok(())
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> BindError {
    let path = path.to_owned();
    |source| BindError::Io { path, source }
}

/// What lies in a data folder. Blocks.
pub fn there(data: &DataConfig) -> Result<There, BindError> {
    let found = crate::backend::data_folder::folders(data).map_err(failed(&data.dir))?;
    let of = |kind: DeletedKind| found.iter().filter(|(one, ..)| *one == kind).count();
    let names = found.iter().take(NAMED).map(|(_, name, _)| name.clone()).collect();
    Ok(There { projects: of(DeletedKind::Project), agents: of(DeletedKind::Agent), names })
}

/// The id that a data folder carries. Blocks.
pub fn bound_to(data: &DataConfig) -> Result<Option<String>, BindError> {
    let file = data.dir.join(FILE);
    match fs::read_to_string(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => Ok(Some(read.map_err(failed(&file))?.trim().to_owned()).filter(|id| !id.is_empty())),
    }
}

/// The name of the daemon of a data folder among those that share its store; made when there is none yet. Blocks.
///
/// # Errors
/// It cannot be read or written.
pub fn daemon_name(data: &DataConfig) -> Result<String, BindError> {
    let file = data.dir.join(DAEMON);
    match fs::read_to_string(&file) {
        Ok(name) if !name.trim().is_empty() => return Ok(name.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&file)(error)),
        _ => {}
    }
    let name = format!("{:032x}", rand::random::<u128>());
    write(data, DAEMON, &name)?;
    Ok(name)
}

/// Has a data folder carry this id, durably. Blocks.
///
/// # Errors
/// It cannot be written.
pub fn bind(data: &DataConfig, id: &str) -> Result<(), BindError> {
    write(data, FILE, id)
}

fn write(data: &DataConfig, name: &str, line: &str) -> Result<(), BindError> {
    let (file, beside) = (data.dir.join(name), data.dir.join(format!(".{name}.new")));
    let write = || {
        let mut new = fs::File::create(&beside)?;
        io::Write::write_all(&mut new, format!("{line}\n").as_bytes())?;
        new.sync_all()?;
        fs::rename(&beside, &file)?;
        fs::File::open(&data.dir)?.sync_all()
    };
    write().map_err(failed(&file))
}

/// Before the embedded file is opened, which would make it: whether it is the folder's own. Blocks.
///
/// # Errors
/// [`BindError`]; nothing has changed.
pub fn check_file(data: &DataConfig) -> Result<(), BindError> {
    let (database, bound) = (data.database(), bound_to(data)?);
    let is_there = fs::metadata(&database).is_ok_and(|meta| meta.len() > 0);
    if !is_there {
        let there = there(data)?;
        if there.is_empty() {
            return Ok(());
        }
        return Err(BindError::NoDatabase { folder: data.dir.clone(), database, there });
    }
    let Some(bound) = bound else { return Ok(()) };
    match SqliteStore::peek_identity(&database) {
        // One of a version that had no ids: it is not the one that this folder got its id from.
        Ok(None) => other(data, bound, "of an older version".to_owned()),
        Ok(Some(store)) if store != bound => other(data, bound, store),
        Ok(Some(_)) => Ok(()),
        // Whoever opens it says what is wrong with it.
        Err(error) => {
            tracing::debug!(%error, "the database's id cannot be read yet");
            Ok(())
        }
    }
}

fn other(data: &DataConfig, bound: String, store: String) -> Result<(), BindError> {
    let there = there(data)?;
    Err(BindError::OtherStore { folder: data.dir.clone(), bound, store, there })
}

/// Makes sure that a data folder is this store's. A folder without an id gets the store's when the store knows something
/// of what lies there, or nothing lies there.
///
/// # Errors
/// [`BindError`]; nothing has changed.
pub async fn check(store: &dyn Store, data: &DataConfig) -> Result<(), BindError> {
    let id = store.identity().await?;
    let of = data.clone();
    let (bound, there) = blocking(data, move || Ok((bound_to(&of)?, there(&of)?))).await?;
    match bound {
        Some(bound) if bound == id => return Ok(()),
        // Nothing lies there: it can have been of anybody.
        Some(bound) if !there.is_empty() => return other(data, bound, id),
        Some(_) => {}
        None if there.is_empty() => {}
        None if knows_any(store, data).await? => {}
        None => return Err(BindError::Strange { folder: data.dir.clone(), there }),
    }
    tracing::info!(store = id, folder = %data.dir.display(), "the data folder belongs to this store from now on");
    let of = data.clone();
    blocking(data, move || bind(&of, &id)).await
}

async fn knows_any(store: &dyn Store, data: &DataConfig) -> Result<bool, BindError> {
    let found = blocking(data, {
        let data = data.clone();
        move || crate::backend::data_folder::folders(&data).map_err(failed(&data.dir))
    });
    for (kind, id, _) in found.await? {
        if store.knows(kind, &id).await? || store.recorded(kind, &id).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Binds a data folder to a store, whatever it carries; answers what lies there, seen from the store.
///
/// # Errors
/// The store does not say, or the folder cannot be written.
pub async fn adopt(store: &dyn Store, data: &DataConfig) -> Result<(String, Survey), BindError> {
    let (id, found) = (store.identity().await?, survey(store, data).await?);
    let (of, own) = (data.clone(), id.clone());
    blocking(data, move || bind(&of, &own)).await?;
    Ok((id, found))
}

async fn blocking<T: Send + 'static>(
    data: &DataConfig,
    act: impl FnOnce() -> Result<T, BindError> + Send + 'static,
) -> Result<T, BindError> {
    crate::files::blocking(act).await.map_err(failed(&data.dir))?
}
