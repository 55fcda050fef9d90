//! Files of projects in a store that all daemons share, so that a build begun on one machine goes on on another.
//!
//! At the end of a stage, before its commit, the folder is saved: each new content once, under its hash, and then the
//! manifest, which names them all. A manifest belongs to a lease (its number is in its name), so a daemon that has lost
//! its lease cannot change what the next owner reads. Who takes a build over makes its folder that of the newest
//! manifest, checked against the hashes, and begins no stage before it is complete.
//!
//! The embedded backend is one machine: its folders are all there is, and nothing is saved.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::{self, Read as _},
    path::{Path as FilePath, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, buffered::BufWriter, path::Path};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::{
    domain::{ids::ProjectId, task::Lease},
    store::{StoreError, StoreErrorKind},
};

type Result<T> = std::result::Result<T, StoreError>;

/// Files that are moved at a time.
const SIDE_BY_SIDE: usize = 4;
/// Files of one project; more are refused, by name of the project.
const MOST_FILES: usize = 20_000;
/// Projects whose last manifest is kept in memory.
const KEPT: usize = 1_000;

/// A file of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// SHA-256, hexadecimal.
    sha256: String,
    size: u64,
    /// Whether it can be run.
    #[serde(default)]
    executable: bool,
}

/// What a project's folder holds, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    files: BTreeMap<String, Entry>,
}

/// See the module.
#[derive(Default)]
pub struct Artifacts {
    store: Option<Arc<dyn ObjectStore>>,
    saved: Mutex<HashMap<ProjectId, Known>>,
}

/// What is known of a project's newest manifest.
#[derive(Clone, Default)]
struct Known {
    manifest: Manifest,
    /// Where it lies, and in which version.
    at: Option<(Path, Option<String>)>,
}

fn away(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the artifact store is not available").because(error)
}

fn local(error: io::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the project's folder cannot be read or written").because(error)
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

fn hash(file: &FilePath) -> io::Result<String> {
    let (mut file, mut hasher, mut buffer) = (fs::File::open(file)?, Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The files below a folder; links are left out, and what Python makes by itself.
fn scan(root: &FilePath) -> io::Result<Manifest> {
    use std::os::unix::fs::PermissionsExt as _;
    let (mut manifest, mut folders) = (Manifest::default(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder == root => return Ok(manifest),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let (kind, path) = (entry.file_type()?, entry.path());
            if kind.is_dir() && entry.file_name() != "__pycache__" {
                folders.push(path);
            } else if kind.is_file() {
                let Some(name) = path.strip_prefix(root).ok().and_then(FilePath::to_str) else { continue };
                let known = entry.metadata()?;
                let executable = known.permissions().mode() & 0o111 != 0;
                let entry = Entry { sha256: hash(&path)?, size: known.len(), executable };
                manifest.files.insert(name.to_owned(), entry);
                if manifest.files.len() > MOST_FILES {
                    return Err(io::Error::other(format!("a project has more than {MOST_FILES} files")));
                }
            }
        }
    }
    Ok(manifest)
}

/// The names of the files below a folder, as [`Artifacts`] sees them, the last first.
pub(crate) fn names(root: &FilePath) -> io::Result<Vec<String>> {
    Ok(scan(root)?.files.into_keys().rev().collect())
}

/// A path of a manifest, if it stays below the folder.
fn within(root: &FilePath, name: &str) -> Result<PathBuf> {
    let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
    if FilePath::new(name).components().all(plain) {
        return Ok(root.join(name));
    }
    Err(StoreError::new(StoreErrorKind::Corrupt, "a manifest of artifacts names a file outside of its project"))
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(act).await.map_err(away)?.map_err(local)
}

impl Artifacts {
    /// Shared by all daemons of the backend.
    #[must_use]
    pub fn shared(store: Arc<dyn ObjectStore>) -> Self {
        Self { store: Some(store), saved: Mutex::default() }
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
        self.save_at(store, &lease.project_id, manifest_path(lease), folder).await
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

    /// Saves a folder that somebody changed while no build runs: it takes the place of the newest manifest.
    ///
    /// # Errors
    /// As [`Artifacts::save`].
    pub async fn save_again(&self, id: &ProjectId, folder: PathBuf) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        let newest = self.newest(id).await?.map(|found| found.location);
        let first = || Path::from(format!("{}/manifests/{:010}.json", folder_of(id.as_str()), 0));
        self.save_at(store, id, newest.unwrap_or_else(first), folder).await
    }

    async fn save_at(&self, store: &Arc<dyn ObjectStore>, id: &ProjectId, at: Path, folder: PathBuf) -> Result<()> {
        let root = folder.clone();
        let manifest = blocking(move || scan(&root)).await?;
        let before = self.lock().get(id).cloned().unwrap_or_default();
        if manifest == before.manifest && before.at.is_some_and(|(known, _)| known == at) {
            return Ok(());
        }
        let known: Vec<&str> = before.manifest.files.values().map(|entry| entry.sha256.as_str()).collect();
        let new = manifest.files.iter().filter(|(_, entry)| !known.contains(&entry.sha256.as_str()));
        let new: Vec<(PathBuf, String)> =
            new.map(|(name, entry)| Ok((within(&folder, name)?, entry.sha256.clone()))).collect::<Result<_>>()?;
        let uploads = new.into_iter().map(|(file, sha256)| upload(store, file, content_path(id, &sha256)));
        stream::iter(uploads).buffer_unordered(SIDE_BY_SIDE).try_collect::<Vec<()>>().await?;
        let text = serde_json::to_vec(&manifest)?;
        let put = store.put(&at, text.into()).await.map_err(away)?;
        self.remember(id, Known { manifest, at: Some((at, put.e_tag)) });
        Ok(())
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
        let bytes = store.get(&newest.location).await.map_err(away)?.bytes().await.map_err(away)?;
        let manifest: Manifest = serde_json::from_slice(&bytes)?;
        let root = folder.clone();
        let here = blocking(move || scan(&root)).await?;
        let missing = manifest.files.iter().filter(|(name, entry)| here.files.get(*name) != Some(entry));
        let missing: Vec<(PathBuf, Entry)> =
            missing.map(|(name, entry)| Ok((within(&folder, name)?, entry.clone()))).collect::<Result<_>>()?;
        let downloads = missing.into_iter().map(|(file, entry)| download(store, id, file, entry));
        stream::iter(downloads).buffer_unordered(SIDE_BY_SIDE).try_collect::<Vec<()>>().await?;
        for name in here.files.keys().filter(|name| !manifest.files.contains_key(*name)) {
            let file = within(&folder, name)?;
            // Of an attempt that was cut off here, before another machine went on.
            tokio::fs::remove_file(file).await.map_err(local)?;
        }
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

async fn upload(store: &Arc<dyn ObjectStore>, file: PathBuf, to: Path) -> Result<()> {
    let mut from = tokio::fs::File::open(file).await.map_err(local)?;
    let mut writer = BufWriter::new(Arc::clone(store), to);
    tokio::io::copy(&mut from, &mut writer).await.map_err(away)?;
    writer.shutdown().await.map_err(away)
}

/// Beside its place first: a file that is there is whole.
async fn download(store: &Arc<dyn ObjectStore>, id: &ProjectId, to: PathBuf, entry: Entry) -> Result<()> {
    let found = store.get(&content_path(id, &entry.sha256)).await.map_err(away)?;
    if let Some(parent) = to.parent() {
        tokio::fs::create_dir_all(parent).await.map_err(local)?;
    }
    let beside = to.with_extension(format!("{}.part", rand::random::<u32>()));
    let mut file = tokio::fs::File::create(&beside).await.map_err(local)?;
    let mut chunks = found.into_stream();
    while let Some(chunk) = chunks.next().await {
        file.write_all(&chunk.map_err(away)?).await.map_err(local)?;
    }
    file.sync_all().await.map_err(local)?;
    drop(file);
    let checked = beside.clone();
    let sha256 = blocking(move || hash(&checked)).await?;
    if sha256 != entry.sha256 {
        let _ = tokio::fs::remove_file(&beside).await;
        return Err(StoreError::new(StoreErrorKind::Unavailable, "a file of the artifact store is damaged"));
    }
    blocking(move || {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if entry.executable { 0o700 } else { 0o600 };
        fs::set_permissions(&beside, fs::Permissions::from_mode(mode))?;
        fs::rename(&beside, &to)
    })
    .await
}

#[cfg(test)]
mod tests {
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
        let sha256 = hash(&here.path().join("a")).unwrap();
        store.put(&content_path(&id, &sha256), "other".into()).await.unwrap();
        assert!(artifacts.restore(&id, there.path().into()).await.is_err());
        assert_eq!(fs::read_dir(there.path()).unwrap().count(), 0, "nothing is left of it");
        let evil = r#"{"files": {"../x": {"sha256": "0", "size": 1}}}"#;
        store.put(&manifest_path(&lease(2)), evil.into()).await.unwrap();
        let refused = artifacts.restore(&id, there.path().into()).await.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Corrupt);
    }
}
