//! What this daemon placed in its folders, as of the newest manifest that it saw: kept in memory, and in a file for each
//! owner, so that a restart knows it too. By it, and by nothing else, files of a folder are removed: what nobody placed
//! there was written by an agent or a person, and stays.

use std::{
    collections::HashMap,
    fs, io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::{Owner, Result, folder::Manifest, folder::blocking};

/// Owners whose last manifest is kept in memory.
const KEPT: usize = 1_000;

/// What is known of an owner's newest manifest.
#[derive(Clone, Default)]
pub(super) struct Known {
    pub(super) manifest: Manifest,
    /// Where it lies; none when what lies here is of no manifest alone.
    pub(super) at: Option<Path>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    manifest: Manifest,
    location: Option<String>,
}

#[derive(Default)]
pub(super) struct Memory {
    folder: Option<PathBuf>,
    saved: Mutex<HashMap<Owner, Known>>,
}

impl Memory {
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self { folder: Some(folder), saved: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Owner, Known>> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file_of(&self, owner: &Owner) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("{}.json", owner.folder().replace('/', "-"))))
    }

    /// What is known of an owner. A file that cannot be read knows nothing, and so removes nothing.
    pub(super) async fn of(&self, owner: &Owner) -> Known {
        if let Some(known) = self.lock().get(owner).cloned() {
            return known;
        }
        let Some(file) = self.file_of(owner) else { return Known::default() };
        let read = blocking(move || match fs::read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        });
        let written: Option<Written> = match read.await {
            Ok(bytes) => bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
            Err(_) => None,
        };
        let Some(Written { manifest, location }) = written else { return Known::default() };
        Known { manifest, at: location.map(Path::from) }
    }

    /// Keeps what is known now.
    pub(super) async fn keep(&self, owner: &Owner, known: Known) -> Result<()> {
        let location = known.at.as_ref().map(Path::to_string);
        if let Some(file) = self.file_of(owner) {
            let text = serde_json::to_vec(&Written { manifest: known.manifest.clone(), location })?;
            blocking(move || {
                if let Some(folder) = file.parent() {
                    fs::create_dir_all(folder)?;
                }
                let beside = file.with_extension(format!("{:08x}.new", rand::random::<u32>()));
                fs::write(&beside, text)?;
                fs::rename(&beside, &file).inspect_err(|_| drop(fs::remove_file(&beside)))
            })
            .await?;
        }
        let mut saved = self.lock();
        if saved.len() >= KEPT {
            saved.clear();
        }
        saved.insert(owner.clone(), known);
        Ok(())
    }

    /// The owner is gone.
    pub(super) async fn forget(&self, owner: &Owner) {
        self.lock().remove(owner);
        if let Some(file) = self.file_of(owner) {
            let _ = tokio::fs::remove_file(file).await;
        }
    }
}
