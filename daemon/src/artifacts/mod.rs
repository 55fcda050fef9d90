//! Files of projects in a store that all daemons share, so that a build begun on one machine goes on on another.
//!
//! At the end of a stage, before its commit, the folder is saved: each new content once, under its hash, and then the
//! manifest, which names them all. A manifest belongs to a lease (its number is in its name), so a daemon that has lost
//! its lease cannot change what the next owner reads. Who takes a build over makes its folder that of the newest
//! manifest, checked against the hashes, and begins no stage before it is complete. What people change of an agent
//! changes that manifest, and nothing else in it.
//!
//! The embedded backend is one machine: its folders are all there is, and nothing is saved.

mod content;
pub(crate) mod folder;
mod probe;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{
    Error as ObjectError, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion, path::Path,
};

use self::folder::{Entry, Manifest, blocking, scan, within};
use crate::{
    domain::{ids::ProjectId, task::Lease},
    store::{StoreError, StoreErrorKind},
};

type Result<T> = std::result::Result<T, StoreError>;

/// Files that are moved at a time.
const SIDE_BY_SIDE: usize = 4;
/// Projects whose last manifest is kept in memory.
const KEPT: usize = 1_000;
/// Tries of a change that meets others.
const TRIES: usize = 8;

/// See the module.
#[derive(Default)]
pub struct Artifacts {
    store: Option<Arc<dyn ObjectStore>>,
    saved: Mutex<HashMap<ProjectId, Known>>,
    probe: probe::Probe,
}

/// What is known of a project's newest manifest.
#[derive(Clone, Default)]
struct Known {
    manifest: Manifest,
    /// Where it lies, and in which version.
    at: Option<(Path, Option<String>)>,
}

/// A change of the files of a project that rests.
#[derive(Clone, Debug)]
pub enum Edit {
    /// A file is what lies there now.
    Put {
        /// Its path within the project.
        name: String,
        /// Where it lies.
        file: PathBuf,
    },
    /// A folder is gone.
    Remove {
        /// Its path within the project.
        folder: String,
    },
}

fn away(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    let error = match error.into().downcast::<ObjectError>() {
        Ok(error) => {
            let judged = probe::judge(*error);
            // What it is said in stays; in the middle of the work everything passes once somebody has mended it.
            StoreError::new(StoreErrorKind::Unavailable, judged.to_string()).because(judged)
        }
        Err(error) => {
            StoreError::new(StoreErrorKind::Unavailable, "the artifact store is not available").because(error)
        }
    };
    tracing::debug!(error = crate::store::error::chain(&error), "a request to the artifact store failed");
    error
}

/// Everything that is kept of a project.
pub(crate) fn folder_of(id: &str) -> String {
    format!("projects/{id}")
}

fn manifest_path(lease: &Lease) -> Path {
    Path::from(format!("{}/manifests/{:010}.json", folder_of(lease.project_id.as_str()), lease.epoch))
}

fn content_path(id: &ProjectId, sha256: &str) -> Path {
    Path::from(format!("{}/contents/{sha256}", folder_of(id.as_str())))
}

impl Artifacts {
    /// Shared by all daemons of the backend.
    #[must_use]
    pub fn shared(store: Arc<dyn ObjectStore>) -> Self {
        Self { store: Some(store), ..Self::default() }
    }

    /// Whether other daemons see what is saved.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.store.is_some()
    }

    /// Saves a project's folder as the lease's owner leaves it.
    ///
    /// # Errors
    /// The store is away, or the folder cannot be read: then the stage must not be committed.
    pub async fn save(&self, lease: &Lease, folder: PathBuf) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        let (id, at) = (&lease.project_id, manifest_path(lease));
        let root = folder.clone();
        let mut manifest = blocking(move || scan(&root)).await?;
        let before = self.lock().get(id).cloned().unwrap_or_default();
        if manifest == before.manifest && before.at.is_some_and(|(known, _)| known == at) {
            return Ok(());
        }
        let known: Vec<&str> = before.manifest.files.values().map(|entry| entry.sha256.as_str()).collect();
        let new = manifest.files.iter().filter(|(_, entry)| !known.contains(&entry.sha256.as_str()));
        let new: Vec<(String, PathBuf, Entry)> = new
            .map(|(name, entry)| Ok((name.clone(), within(&folder, name)?, entry.clone())))
            .collect::<Result<_>>()?;
        let uploads = new.into_iter().map(|(name, file, entry)| async move {
            content::upload(store, id, file, entry).await.map(|entry| (name, entry))
        });
        let saved: Vec<_> = stream::iter(uploads).buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
        // A stage that runs beside may have written meanwhile: what counts is what was saved.
        for (name, entry) in saved {
            match entry {
                Some(entry) => manifest.files.insert(name, entry),
                None => manifest.files.remove(&name),
            };
        }
        let text = serde_json::to_vec(&manifest)?;
        let put = store.put(&at, text.into()).await.map_err(away)?;
        self.remember(id, Known { manifest, at: Some((at, put.e_tag)) });
        Ok(())
    }

    /// Saves a folder that comes from elsewhere, unless the project has files here already: those are newer.
    ///
    /// # Errors
    /// As [`Artifacts::save`].
    pub async fn save_first(&self, lease: &Lease, folder: PathBuf) -> Result<()> {
        match self.newest(&lease.project_id).await? {
            Some(_) => Ok(()),
            None => self.save(lease, folder).await,
        }
    }

    /// Changes the newest manifest, and nothing else in it: what lies in this machine's folder may be older. Nothing
    /// happens for a project that has none.
    ///
    /// # Errors
    /// The store is away, or others change the same again and again.
    pub async fn edit(&self, id: &ProjectId, edit: &Edit) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        for _ in 0..TRIES {
            let Some(newest) = self.newest(id).await? else { return Ok(()) };
            let mut manifest = read_manifest(store, &newest).await?;
            match edit {
                Edit::Put { name, file } => {
                    let path = file.clone();
                    let Some(entry) = blocking(move || folder::entry(&path)).await? else { return Ok(()) };
                    let Some(entry) = content::upload(store, id, file.clone(), entry).await? else { return Ok(()) };
                    manifest.files.insert(name.clone(), entry);
                }
                Edit::Remove { folder } => {
                    let below = format!("{}/", folder.trim_end_matches('/'));
                    manifest.files.retain(|name, _| !name.starts_with(&below));
                }
            }
            let text = serde_json::to_vec(&manifest)?;
            let version = UpdateVersion { e_tag: newest.e_tag.clone(), version: newest.version.clone() };
            let only = PutOptions { mode: PutMode::Update(version), ..PutOptions::default() };
            let put = match store.put_opts(&newest.location, text.clone().into(), only).await {
                // A folder of this machine cannot do it, and is nobody else's.
                Err(ObjectError::NotImplemented { .. }) => store.put(&newest.location, text.into()).await,
                put => put,
            };
            match put {
                Ok(put) => {
                    let was_here = self.lock().get(id).and_then(|known| known.at.clone());
                    let current = was_here.is_some_and(|(at, tag)| at == newest.location && tag == newest.e_tag);
                    if current {
                        self.remember(id, Known { manifest, at: Some((newest.location, put.e_tag)) });
                    } else {
                        self.lock().remove(id);
                    }
                    return Ok(());
                }
                Err(ObjectError::Precondition { .. } | ObjectError::NotFound { .. }) => {}
                Err(error) => return Err(away(error)),
            }
        }
        Err(StoreError::new(StoreErrorKind::Unavailable, "others change the files of this project just now: try again"))
    }

    /// The newest manifest of a project.
    async fn newest(&self, id: &ProjectId) -> Result<Option<ObjectMeta>> {
        let Some(store) = &self.store else { return Ok(None) };
        let prefix = Path::from(format!("{}/manifests", folder_of(id.as_str())));
        let listed: Vec<ObjectMeta> = store.list(Some(&prefix)).try_collect().await.map_err(away)?;
        Ok(listed.into_iter().max_by(|a, b| a.location.cmp(&b.location)))
    }

    /// Makes a folder that of the newest manifest; answers whether there is one. Nothing happens for a project that
    /// has none.
    ///
    /// # Errors
    /// The store is away or a file is not what its hash says: then no stage must begin.
    pub async fn restore(&self, id: &ProjectId, folder: PathBuf) -> Result<bool> {
        match (&self.store, self.newest(id).await?) {
            (Some(store), Some(newest)) => self.restore_from(store, id, newest, folder).await.map(|()| true),
            _ => Ok(false),
        }
    }

    /// The same, when the folder is not there or others have changed the files since they were last seen here. Not to be
    /// called while a build of the project runs here: what it has not saved yet would go.
    ///
    /// # Errors
    /// As [`Artifacts::restore`].
    pub async fn refresh(&self, id: &ProjectId, folder: PathBuf) -> Result<()> {
        let (Some(store), Some(newest)) = (&self.store, self.newest(id).await?) else { return Ok(()) };
        let known = self.lock().get(id).and_then(|known| known.at.clone());
        let same = known.is_some_and(|(at, version)| at == newest.location && version == newest.e_tag);
        if same && tokio::fs::try_exists(&folder).await.unwrap_or(false) {
            return Ok(());
        }
        self.restore_from(store, id, newest, folder).await
    }

    async fn restore_from(
        &self,
        store: &Arc<dyn ObjectStore>,
        id: &ProjectId,
        newest: ObjectMeta,
        folder: PathBuf,
    ) -> Result<()> {
        let manifest = read_manifest(store, &newest).await?;
        let (root, wanted) = (folder.clone(), manifest.clone());
        // First what is left of an attempt that was cut off here: it may stand where something else belongs.
        let here = blocking(move || folder::clear(&root, &wanted)).await?;
        let missing = manifest.files.iter().filter(|(name, entry)| here.files.get(*name) != Some(entry));
        let missing: Vec<(PathBuf, Entry)> =
            missing.map(|(name, entry)| Ok((within(&folder, name)?, entry.clone()))).collect::<Result<_>>()?;
        let downloads = missing.into_iter().map(|(file, entry)| content::download(store, id, file, entry));
        stream::iter(downloads).buffer_unordered(SIDE_BY_SIDE).try_collect::<Vec<()>>().await?;
        self.remember(id, Known { manifest, at: Some((newest.location, newest.e_tag)) });
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ProjectId, Known>> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, id: &ProjectId, known: Known) {
        let mut saved = self.lock();
        if saved.len() >= KEPT {
            saved.clear();
        }
        saved.insert(id.clone(), known);
    }
}

async fn read_manifest(store: &Arc<dyn ObjectStore>, at: &ObjectMeta) -> Result<Manifest> {
    let bytes = store.get(&at.location).await.map_err(away)?.bytes().await.map_err(away)?;
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use object_store::memory::InMemory;

    use super::*;

    fn lease(epoch: u32) -> Lease {
        let (task_id, project_id) = ("task_1".parse().unwrap(), "proj_1".parse().unwrap());
        Lease { task_id, project_id, worker_id: "w".parse().unwrap(), epoch }
    }

    #[tokio::test]
    async fn another_machine_has_the_same_folder() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, two) = (Artifacts::shared(Arc::clone(&store)), Artifacts::shared(Arc::clone(&store)));
        let write = |name: &str, text: &str| {
            let file = here.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("docs/a.md", "first");
        write("agent/b.py", "print(1)");
        one.save(&lease(1), here.path().into()).await.unwrap();
        write("docs/a.md", "second");
        write("empty", "");
        one.save(&lease(1), here.path().into()).await.unwrap();
        fs::write(there.path().join("left-over"), "x").unwrap();
        let id = lease(1).project_id;
        two.restore(&id, there.path().into()).await.unwrap();
        assert_eq!(scan(here.path()).unwrap(), scan(there.path()).unwrap());
        // The next owner goes on; the old one, who does not know, changes nothing for anybody.
        fs::write(there.path().join("c"), "of the second").unwrap();
        two.save(&lease(2), there.path().into()).await.unwrap();
        write("c", "of the first");
        one.save(&lease(1), here.path().into()).await.unwrap();
        two.restore(&id, there.path().into()).await.unwrap();
        assert_eq!(fs::read_to_string(there.path().join("c")).unwrap(), "of the second");
    }

    #[tokio::test]
    async fn what_is_damaged_or_outside_is_refused() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let artifacts = Artifacts::shared(Arc::clone(&store));
        fs::write(here.path().join("a"), "text").unwrap();
        artifacts.save(&lease(1), here.path().into()).await.unwrap();
        let id = lease(1).project_id;
        let sha256 = folder::hash(&here.path().join("a")).unwrap();
        store.put(&content_path(&id, &sha256), "other".into()).await.unwrap();
        assert!(artifacts.restore(&id, there.path().into()).await.is_err());
        assert_eq!(fs::read_dir(there.path()).unwrap().count(), 0, "nothing is left of it");
        let evil = r#"{"files": {"../x": {"sha256": "0", "size": 1}}}"#;
        store.put(&manifest_path(&lease(2)), evil.into()).await.unwrap();
        let refused = artifacts.restore(&id, there.path().into()).await.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Corrupt);
    }

    #[tokio::test]
    async fn an_edit_changes_one_file_whatever_lies_here() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, two) = (Artifacts::shared(Arc::clone(&store)), Artifacts::shared(Arc::clone(&store)));
        let id = lease(1).project_id;
        for (name, text) in [("agent/a.py", "1"), ("agent/b.py", "2"), ("docs/c.md", "3")] {
            let file = here.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        one.save(&lease(1), here.path().into()).await.unwrap();
        // The other has nothing but the one file.
        let file = there.path().join("a.py");
        fs::write(&file, "changed").unwrap();
        two.edit(&id, &Edit::Put { name: "agent/a.py".into(), file }).await.unwrap();
        one.refresh(&id, here.path().into()).await.unwrap();
        assert_eq!(fs::read_to_string(here.path().join("agent/a.py")).unwrap(), "changed");
        assert_eq!(scan(here.path()).unwrap().files.len(), 3);
        two.edit(&id, &Edit::Remove { folder: "agent".into() }).await.unwrap();
        // A folder stands where a file belongs, and the other way.
        fs::remove_file(here.path().join("docs/c.md")).unwrap();
        fs::create_dir_all(here.path().join("docs/c.md/d")).unwrap();
        one.refresh(&id, here.path().into()).await.unwrap();
        assert_eq!(scan(here.path()).unwrap().files.keys().collect::<Vec<_>>(), ["docs/c.md"]);
    }
}
