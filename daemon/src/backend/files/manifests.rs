//! Manifests as objects. Each is written once, under a number of its own, and never changed: a request that arrives late,
//! after its sender has given it up and gone on, can so never put an older state in the place of a newer one.
//!
//! The number is that of the lease under which it was saved, which grows with every claim of the project, and a count
//! within it. A daemon that has lost its lease writes below whatever the next owner writes.

use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::{
    Error as ObjectError, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, path::Path,
};

use super::{Owner, Result, away, folder::Manifest, remove_object};
use crate::backend::error::{BackendError, BackendErrorKind};

/// Tries of what meets others.
const TRIES: usize = 8;

/// Where a manifest stands in the order of those of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number {
    /// Of the lease.
    epoch: u32,
    /// Within the lease, from 1; 0 for one that was named by its lease alone.
    count: u32,
}

impl Number {
    /// The first of a lease.
    pub(super) const fn first(epoch: u32) -> Self {
        Self { epoch, count: 1 }
    }

    /// The next within the same lease.
    pub(super) const fn next(self) -> Self {
        Self { epoch: self.epoch, count: self.count.saturating_add(1) }
    }

    pub(super) const fn is_of(self, epoch: u32) -> bool {
        self.epoch == epoch
    }

    pub(super) fn path(self, owner: &Owner) -> Path {
        Path::from(format!("{}/manifests/{:010}-{:06}.json", owner.folder(), self.epoch, self.count))
    }

    /// None for an object that is no manifest.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let name = path.filename()?.strip_suffix(".json")?;
        match name.split_once('-') {
            Some((epoch, count)) => Some(Self { epoch: epoch.parse().ok()?, count: count.parse().ok()? }),
            None => Some(Self { epoch: name.parse().ok()?, count: 0 }),
        }
    }
}

/// The newest manifest of an owner, and where it lies.
pub(super) async fn newest(store: &Arc<dyn ObjectStore>, owner: &Owner) -> Result<Option<(Path, Manifest)>> {
    for _ in 0..TRIES {
        let Some(at) = newest_place(store, owner).await? else { return Ok(None) };
        let bytes = match store.get(&at).await {
            Ok(found) => found.bytes().await.map_err(away)?,
            // A newer one took its place meanwhile.
            Err(ObjectError::NotFound { .. }) => continue,
            Err(error) => return Err(away(error)),
        };
        return Ok(Some((at, serde_json::from_slice(&bytes)?)));
    }
    Err(changing())
}

/// Where the newest manifest of an owner lies.
pub(super) async fn newest_place(store: &Arc<dyn ObjectStore>, owner: &Owner) -> Result<Option<Path>> {
    let prefix = Path::from(format!("{}/manifests", owner.folder()));
    let listed: Vec<ObjectMeta> = store.list(Some(&prefix)).try_collect().await.map_err(away)?;
    let numbered = listed.into_iter().filter_map(|object| Some((Number::of(&object.location)?, object.location)));
    Ok(numbered.max_by_key(|(number, _)| *number).map(|(_, location)| location))
}

/// Writes a manifest under this number unless there is one. Whether it was written.
pub(super) async fn create(store: &Arc<dyn ObjectStore>, at: &Path, manifest: &Manifest) -> Result<bool> {
    let only = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    match store.put_opts(at, serde_json::to_vec(manifest)?.into(), only).await {
        Ok(_) => Ok(true),
        Err(ObjectError::AlreadyExists { .. } | ObjectError::Precondition { .. }) => Ok(false),
        Err(error) => Err(away(error)),
    }
}

/// Writes a manifest under the first number from this one on that is free. Who asks is the only one to write under the
/// lease: what stands there already is its own, from a try whose answer was lost.
pub(super) async fn create_from(
    store: &Arc<dyn ObjectStore>,
    owner: &Owner,
    mut number: Number,
    manifest: &Manifest,
) -> Result<Path> {
    for _ in 0..TRIES {
        let at = number.path(owner);
        if create(store, &at, manifest).await? {
            return Ok(at);
        }
        number = number.next();
    }
    Err(changing())
}

/// Removes the manifest that another has taken the place of. One that stays is read by nobody.
pub(super) async fn replaced(store: &Arc<dyn ObjectStore>, before: Option<&Path>, by: &Path) {
    if let Some(before) = before.filter(|before| *before != by)
        && let Err(error) = remove_object(store, before).await
    {
        tracing::debug!(%error, "an older manifest of artifacts stays");
    }
}

pub(super) fn changing() -> BackendError {
    BackendError::new(BackendErrorKind::Unavailable, "others change these files just now: try again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_the_order_of_leases_and_of_saves() {
        let owner = Owner::Project("proj_1".parse().unwrap());
        let old = Path::from("projects/proj_1/manifests/0000000002.json");
        let numbers = [
            Number::first(1),
            Number::first(1).next(),
            Number::of(&old).unwrap(),
            Number::first(2),
            Number { epoch: 2, count: 1_000_000 },
            Number::first(10),
        ];
        assert!(numbers.is_sorted());
        for number in numbers.into_iter().filter(|number| number.count > 0) {
            assert_eq!(Number::of(&number.path(&owner)), Some(number));
        }
        assert_eq!(Number::of(&Path::from("projects/proj_1/manifests/else.txt")), None);
    }
}
