//! One file, to the store and from it, under the hash of what it holds.

use std::{
    fs::{self, Permissions},
    io,
    path::PathBuf,
    sync::Arc,
};

use futures::StreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _, buffered::BufWriter};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    Owner, Result, away, content_path,
    folder::{Entry, blocking, hash, hex, local},
};
use crate::backend::error::{BackendError, BackendErrorKind};

/// Bytes of a file that is read whole before it is sent, so that it is one thing.
const SMALL: u64 = 8 << 20;
/// Tries of a larger one that changes while it is sent.
const TRIES: usize = 3;

/// Sends a file; answers what was sent, which may be other than what was seen before. None: it is gone.
pub(super) async fn upload(
    store: &Arc<dyn ObjectStore>,
    owner: &Owner,
    file: PathBuf,
    mut entry: Entry,
) -> Result<Option<Entry>> {
    for _ in 0..TRIES {
        let mut from = match tokio::fs::File::open(&file).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            from => from.map_err(local)?,
        };
        if entry.size <= SMALL {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).await.map_err(local)?;
            let sent =
                Entry { sha256: hex(&Sha256::digest(&bytes)), size: bytes.len() as u64, executable: entry.executable };
            store.put(&content_path(owner, &sent.sha256), bytes.into()).await.map_err(away)?;
            return Ok(Some(sent));
        }
        let mut writer = BufWriter::new(Arc::clone(store), content_path(owner, &entry.sha256));
        let (mut hasher, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 256 << 10]);
        loop {
            let read = from.read(&mut buffer).await.map_err(local)?;
            let piece = buffer.get(..read).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            hasher.update(piece);
            size += read as u64;
            writer.write_all(piece).await.map_err(away)?;
        }
        let sha256 = hex(&hasher.finalize());
        if sha256 == entry.sha256 {
            writer.shutdown().await.map_err(away)?;
            return Ok(Some(entry));
        }
        // Nothing is left of what was sent under a hash that is not its own.
        writer.abort().await.map_err(away)?;
        entry = Entry { sha256, size, executable: entry.executable };
    }
    Err(BackendError::new(BackendErrorKind::Unavailable, "a file of the project changes while it is saved"))
}

/// Beside its place first: a file that is there is whole.
pub(super) async fn download(store: &Arc<dyn ObjectStore>, owner: &Owner, to: PathBuf, entry: Entry) -> Result<()> {
    let found = store.get(&content_path(owner, &entry.sha256)).await.map_err(away)?;
    let parent = to.parent().map_or_else(PathBuf::new, PathBuf::from);
    tokio::fs::create_dir_all(&parent).await.map_err(local)?;
    let beside = parent.join(format!(".{:08x}.part", rand::random::<u32>()));
    let mut file = tokio::fs::File::create(&beside).await.map_err(local)?;
    let written = async {
        let mut chunks = found.into_stream();
        while let Some(chunk) = chunks.next().await {
            file.write_all(&chunk.map_err(away)?).await.map_err(local)?;
        }
        file.sync_all().await.map_err(local)?;
        let checked = beside.clone();
        let sha256 = blocking(move || hash(&checked)).await?;
        if sha256 != entry.sha256 {
            return Err(BackendError::new(BackendErrorKind::Unavailable, "a file of the artifact store is damaged"));
        }
        let (from, to) = (beside.clone(), to.clone());
        blocking(move || {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&from, Permissions::from_mode(if entry.executable { 0o700 } else { 0o600 }))?;
            fs::rename(&from, &to)
        })
        .await
    };
    let written = written.await;
    if written.is_err() {
        let _ = tokio::fs::remove_file(&beside).await;
    }
    written
}
