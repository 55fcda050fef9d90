//! What lies in a data folder, seen from the store: what it knows, what a record says was deleted, what nobody knows.

use std::{fs, io, path::Path, time::Duration};

use async_trait::async_trait;

use super::trash::{self, Trashed};
use crate::{
    backend::{
        error::BackendError,
        store::{Result, Store},
    },
    config::DataConfig,
    domain::{
        deletion::{DeletedKind, Deletion},
        ids::{AgentId, ProjectId},
    },
    files,
    telemetry::names,
};

/// A folder younger than this may be of something that is being written.
const SETTLED: Duration = Duration::from_secs(3_600);

/// What is asked of a store.
#[async_trait]
pub trait Records: Send + Sync {
    /// Whether there is such a thing now.
    async fn knows(&self, kind: DeletedKind, id: &str) -> Result<bool>;
    /// The record of its deletion.
    async fn recorded(&self, kind: DeletedKind, id: &str) -> Result<Option<Deletion>>;
}

#[async_trait]
impl<S: Store + ?Sized> Records for S {
    async fn knows(&self, kind: DeletedKind, id: &str) -> Result<bool> {
        Ok(match (kind, id.parse::<ProjectId>(), id.parse::<AgentId>()) {
            (DeletedKind::Project, Ok(id), _) => self.project(&id).await?.is_some(),
            (DeletedKind::Agent, _, Ok(id)) => self.agent(&id).await?.is_some(),
            _ => false,
        })
    }

    async fn recorded(&self, kind: DeletedKind, id: &str) -> Result<Option<Deletion>> {
        self.deletion(kind, id).await
    }
}

/// A folder that the store does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Of what it seems to be.
    pub kind: DeletedKind,
    pub id: String,
    /// Whether it is so young that its owner may just be in the making.
    pub young: bool,
}

/// What lies in a data folder.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Folders of things that the store has.
    pub known: u64,
    /// Records of things that were deleted and still have a folder.
    pub deleted: Vec<Deletion>,
    /// Folders that nobody knows.
    pub unknown: Vec<Unknown>,
    /// What is in the trash, the oldest first.
    pub trash: Vec<Trashed>,
}

/// A folder and whether it is young.
type Folder = (DeletedKind, String, bool);

/// The folders of projects and agents. Blocks.
pub(crate) fn folders(data: &DataConfig) -> io::Result<Vec<Folder>> {
    let mut found = Vec::new();
    for (kind, parent) in [(DeletedKind::Project, data.projects()), (DeletedKind::Agent, data.agents())] {
        let entries = match fs::read_dir(&parent) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if name.parse::<ProjectId>().is_ok() && !is_empty(&entry.path()) {
                let age = entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|at| at.elapsed().ok());
                found.push((kind, name, age.is_none_or(|age| age < SETTLED)));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A folder without anything in it is nothing that could be lost.
fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Looks at all folders.
///
/// # Errors
/// The store cannot say, or the data folder cannot be read.
pub async fn survey<R: Records + ?Sized>(store: &R, data: &DataConfig) -> Result<Survey> {
    let of = data.clone();
    let look = move || Ok((folders(&of)?, trash::list(&of.trash())?));
    let (folders, trash) = files::blocking(look).await.flatten().map_err(BackendError::data_folder)?;
    let mut found = Survey { trash, ..Survey::default() };
    for (kind, id, young) in folders {
        if store.knows(kind, &id).await? {
            found.known += 1;
            continue;
        }
        match store.recorded(kind, &id).await? {
            Some(record) => found.deleted.push(record),
            None => found.unknown.push(Unknown { kind, id, young }),
        }
    }
    Ok(found)
}

/// Tells the metrics, and the log when there is something that nobody knows.
pub(crate) fn measure(found: &Survey) {
    for kind in [DeletedKind::Project, DeletedKind::Agent] {
        let count = found.unknown.iter().filter(|one| one.kind == kind && !one.young).count();
        #[allow(clippy::cast_precision_loss)] // a count of folders
        metrics::gauge!(names::UNKNOWN_FOLDERS, "kind" => kind.as_str()).set(count as f64);
        if count > 0 {
            tracing::warn!(
                %kind,
                count,
                "the data folder has folders that the store does not know, and no record of a deletion: they are left as \
                 they are; see `nexusd doctor`"
            );
        }
    }
    #[allow(clippy::cast_precision_loss)] // a count of folders
    metrics::gauge!(names::TRASH).set(found.trash.len() as f64);
}
