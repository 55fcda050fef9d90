//! Files of projects in a store that all daemons share, so that a build begun on one machine goes on on another.
//!
//! At the end of a stage, before its commit, the folder is saved: each new content once, under its hash, and then the
//! manifest, which names them all. A manifest belongs to a lease (its number is in its name, see `manifests`), so a
//! daemon that has lost its lease cannot change what the next owner reads. Who takes a build over makes its folder that
//! of the newest manifest, checked against the hashes, and begins no stage before it is complete. What people change of
//! an agent makes a manifest that differs in that, and in nothing else.
//!
//! The embedded backend is one machine: its folders are all there is, and nothing is saved.

mod content;
pub(crate) mod folder;
pub(crate) mod kept;
mod manifests;
mod memory;
mod probe;
mod turns;

use std::{path::PathBuf, sync::Arc};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{Error as ObjectError, ObjectMeta, ObjectStore, ObjectStoreExt as _, path::Path};

use self::{
    folder::{Changed, Entry, Manifest, blocking, scan, within},
    manifests::Number,
    memory::{Known, Memory},
    turns::Turns,
};
use crate::{
    backend::error::{BackendError, BackendErrorKind},
    domain::{
        deletion::KeptAgent,
        ids::{AgentId, ProjectId, SessionId},
        rel_path::RelPath,
        task::Lease,
    },
};

type Result<T> = std::result::Result<T, BackendError>;

/// Files that are moved at a time.
const SIDE_BY_SIDE: usize = 4;
/// Tries of a change that meets others.
const TRIES: usize = 8;

/// Whose files and objects they are; they go with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    Project(ProjectId),
    /// An agent: what is too large for its rows, and its files once its project is gone.
    Agent(AgentId),
    Session(SessionId),
}

impl Owner {
    /// Everything that is kept of it.
    pub(crate) fn folder(&self) -> String {
        match self {
            Self::Project(id) => format!("projects/{id}"),
            Self::Agent(id) => format!("agents/{id}"),
            Self::Session(id) => format!("sessions/{id}"),
        }
    }
}

impl From<&ProjectId> for Owner {
    fn from(id: &ProjectId) -> Self {
        Self::Project(id.clone())
    }
}

impl From<&AgentId> for Owner {
    fn from(id: &AgentId) -> Self {
        Self::Agent(id.clone())
    }
}

#[derive(Default)]
pub struct Artifacts {
    store: Option<Arc<dyn ObjectStore>>,
    memory: Memory,
    turns: Turns,
    probe: probe::Probe,
}

/// A change of the files of an owner that rests.
#[derive(Clone, Debug)]
pub enum Edit {
    /// A file is what lies there now.
    Put {
        /// Its path within the project.
        name: RelPath,
        file: PathBuf,
    },
    /// A folder is gone.
    Remove {
        /// Its path within the project.
        folder: RelPath,
    },
}

fn away(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BackendError {
    let error = match error.into().downcast::<ObjectError>() {
        Ok(error) => {
            let judged = probe::judge(*error);
            // What it is said in stays; in the middle of the work everything passes once somebody has mended it.
            BackendError::new(BackendErrorKind::Unavailable, judged.to_string()).because(judged)
        }
        Err(error) => {
            BackendError::new(BackendErrorKind::Unavailable, "the artifact store is not available").because(error)
        }
    };
    tracing::debug!(error = crate::backend::error::chain(&error), "a request to the artifact store failed");
    error
}

fn content_path(owner: &Owner, sha256: &str) -> Path {
    Path::from(format!("{}/contents/{sha256}", owner.folder()))
}

impl Artifacts {
    /// Shared by all daemons of the backend.
    pub fn shared(store: Arc<dyn ObjectStore>) -> Self {
        Self { store: Some(store), ..Self::default() }
    }

    /// The same, with what it placed on this machine kept in a folder, so that a restart knows it.
    pub fn remembering(store: Arc<dyn ObjectStore>, folder: PathBuf) -> Self {
        Self { store: Some(store), memory: Memory::in_folder(folder), ..Self::default() }
    }

    /// Whether other daemons see what is saved.
    pub fn is_shared(&self) -> bool {
        self.store.is_some()
    }

    /// Saves a project's folder as the lease's owner leaves it.
    ///
    /// # Errors
    /// The store is away, or the folder cannot be read: then the stage must not be committed.
    pub async fn save(&self, lease: &Lease, folder: PathBuf) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        let owner = &Owner::from(&lease.project_id);
        let _turn = self.turns.of(owner).await;
        let before = self.memory.of(owner).await;
        let (root, placed) = (folder.clone(), !before.manifest.files.is_empty());
        let mut manifest = blocking(move || match scan(&root)? {
            // What is taken away from outside is not what a stage left: the next owner brings it again.
            empty if empty.files.is_empty() && placed && !root.try_exists()? => Ok(None),
            manifest => Ok(Some(manifest)),
        })
        .await?
        .ok_or_else(|| BackendError::new(BackendErrorKind::Unavailable, "the project's folder is gone"))?;
        let last = before.at.as_ref().and_then(Number::of).filter(|number| number.is_of(lease.epoch));
        if manifest == before.manifest && last.is_some() {
            return Ok(());
        }
        let known: Vec<&str> = before.manifest.files.values().map(|entry| entry.sha256.as_str()).collect();
        let new = manifest.files.iter().filter(|(_, entry)| !known.contains(&entry.sha256.as_str()));
        let new: Vec<(String, PathBuf, Entry)> = new
            .map(|(name, entry)| Ok((name.clone(), within(&folder, name)?, entry.clone())))
            .collect::<Result<_>>()?;
        let uploads = new.into_iter().map(|(name, file, entry)| async move {
            content::upload(store, owner, file, entry).await.map(|entry| (name, entry))
        });
        let saved: Vec<_> = stream::iter(uploads).buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
        // A stage that runs beside may have written meanwhile: what counts is what was saved.
        for (name, entry) in saved {
            match entry {
                Some(entry) => manifest.files.insert(name, entry),
                None => manifest.files.remove(&name),
            };
        }
        let number = last.map_or(Number::first(lease.epoch), Number::next);
        let at = manifests::create_from(store, owner, number, &manifest).await?;
        self.memory.keep(owner, Known { manifest, at: Some(at.clone()) }).await?;
        manifests::replaced(store, before.at.as_ref(), &at).await;
        Ok(())
    }

    /// Makes the files of an agent that outlives its project the agent's own. Safe to repeat.
    pub async fn keep(&self, project: &ProjectId, agent: &KeptAgent) -> Result<()> {
        match &self.store {
            Some(store) => kept::keep(store, project, agent).await,
            None => Ok(()),
        }
    }

    /// Removes everything that is kept of an owner which is gone: also what was saved when nobody knew that yet.
    pub async fn forget(&self, owner: &Owner) -> Result<()> {
        let _turn = self.turns.of(owner).await;
        self.memory.forget(owner).await;
        match &self.store {
            Some(store) => remove_all(store, owner).await,
            None => Ok(()),
        }
    }

    /// Saves a folder that comes from elsewhere, unless the project has files here already: those are newer.
    ///
    /// # Errors
    /// As [`Artifacts::save`].
    pub async fn save_first(&self, lease: &Lease, folder: PathBuf) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        match manifests::newest_place(store, &Owner::from(&lease.project_id)).await? {
            Some(_) => Ok(()),
            None => self.save(lease, folder).await,
        }
    }

    /// Makes a manifest that is the newest with this change, and no other: what lies in this machine's folder may be
    /// older. Nothing happens for a project that has none.
    ///
    /// # Errors
    /// The store is away, or others change the same again and again.
    pub async fn edit(&self, owner: &Owner, edit: &Edit) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        let _turn = self.turns.of(owner).await;
        for _ in 0..TRIES {
            let Some((newest, mut manifest)) = manifests::newest(store, owner).await? else { return Ok(()) };
            match edit {
                Edit::Put { name, file } => {
                    let path = file.clone();
                    let Some(entry) = blocking(move || folder::entry(&path)).await? else { return Ok(()) };
                    let Some(entry) = content::upload(store, owner, file.clone(), entry).await? else { return Ok(()) };
                    manifest.files.insert(name.to_string(), entry);
                }
                Edit::Remove { folder } => {
                    let below = format!("{folder}/");
                    manifest.files.retain(|name, _| !name.starts_with(&below));
                }
            }
            let Some(at) = Number::of(&newest).map(|number| number.next().path(owner)) else { return Ok(()) };
            // Somebody else may have changed the same: then it is done again on top of that.
            if !manifests::create(store, &at, &manifest).await? {
                continue;
            }
            let known = self.memory.of(owner).await;
            if known.at.as_ref() == Some(&newest) {
                self.memory.keep(owner, Known { manifest, at: Some(at.clone()) }).await?;
            } else {
                self.memory.keep(owner, Known { at: None, ..known }).await?;
            }
            manifests::replaced(store, Some(&newest), &at).await;
            return Ok(());
        }
        Err(manifests::changing())
    }

    /// Makes a folder that of the newest manifest, for who begins to work on it; answers whether there is one. What an
    /// attempt that was cut off here changed is replaced; what no manifest ever named stays.
    ///
    /// # Errors
    /// The store is away or a file is not what its hash says: then no stage must begin.
    pub async fn restore(&self, id: &ProjectId, folder: PathBuf) -> Result<bool> {
        let Some(store) = &self.store else { return Ok(false) };
        let owner = Owner::from(id);
        let _turn = self.turns.of(&owner).await;
        let Some(newest) = manifests::newest(store, &owner).await? else { return Ok(false) };
        self.bring(store, &owner, newest, folder, Changed::Goes).await.map(|()| true)
    }

    /// Brings what others have changed since the files were last seen here, or all of it when the folder is not there.
    /// Nothing happens while a build of the project runs here (`in_use`): what it writes is newer.
    ///
    /// # Errors
    /// As [`Artifacts::restore`].
    pub async fn refresh(&self, owner: &Owner, folder: PathBuf, in_use: impl Fn() -> bool + Send) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        let _turn = self.turns.of(owner).await;
        // A build that begins from here on waits for its turn to bring its files.
        if in_use() {
            return Ok(());
        }
        let Some(place) = manifests::newest_place(store, owner).await? else { return Ok(()) };
        let known = self.memory.of(owner).await.at;
        if known.is_some_and(|at| at == place) && tokio::fs::try_exists(&folder).await.unwrap_or(false) {
            return Ok(());
        }
        let Some(newest) = manifests::newest(store, owner).await? else { return Ok(()) };
        self.bring(store, owner, newest, folder, Changed::Stays).await
    }

    async fn bring(
        &self,
        store: &Arc<dyn ObjectStore>,
        owner: &Owner,
        (at, manifest): (Path, Manifest),
        folder: PathBuf,
        changed: Changed,
    ) -> Result<()> {
        let before = self.memory.of(owner).await.manifest;
        let (root, wanted) = (folder.clone(), manifest.clone());
        for name in wanted.files.keys() {
            within(&folder, name)?;
        }
        let here = blocking(move || folder::clear(&root, &before, &wanted, changed)).await?;
        let missing = manifest.files.iter().filter(|(name, entry)| here.files.get(*name) != Some(entry));
        let missing: Vec<(PathBuf, Entry)> =
            missing.map(|(name, entry)| Ok((within(&folder, name)?, entry.clone()))).collect::<Result<_>>()?;
        let downloads = missing.into_iter().map(|(file, entry)| content::download(store, owner, file, entry));
        stream::iter(downloads).buffer_unordered(SIDE_BY_SIDE).try_collect::<Vec<()>>().await?;
        self.memory.keep(owner, Known { manifest, at: Some(at) }).await
    }
}

/// Removes everything that is kept of an owner.
pub(crate) async fn remove_all(store: &Arc<dyn ObjectStore>, owner: &Owner) -> Result<()> {
    let folder = Path::from(owner.folder());
    let found: Vec<ObjectMeta> = store.list(Some(&folder)).try_collect().await.map_err(away)?;
    let mut removals = Vec::with_capacity(found.len());
    for object in found {
        removals.push(async move { remove_object(store, &object.location).await });
    }
    stream::iter(removals).buffer_unordered(SIDE_BY_SIDE).try_collect().await
}

/// Removes an object; one that is gone is fine.
pub(crate) async fn remove_object(store: &Arc<dyn ObjectStore>, at: &Path) -> Result<()> {
    match store.delete(at).await {
        Ok(()) | Err(ObjectError::NotFound { .. }) => Ok(()),
        Err(error) => Err(away(error)),
    }
}

#[cfg(test)]
mod tests;
