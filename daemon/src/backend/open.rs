//! Opens the backend that the settings name, and waits for one that is away.

use std::{fs::File, io, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    data_folder::{self, binding::BindError},
    error::{BackendError, chain},
    files::Artifacts,
    queue::Queue,
    sqlite::{OpenError, SqliteOptions, SqliteStore, queue::SqliteQueue},
    store::{EventSink, Store},
};
use crate::{config::Config, systemd::Systemd};

/// Why a backend cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenBackendError {
    /// The embedded file cannot be opened.
    #[error(transparent)]
    File(#[from] OpenError),
    /// The cloud backend cannot be used.
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Cloud(#[from] super::aws::clients::CloudError),
    /// The data folder is not this store's.
    #[error(transparent)]
    NotItsFolder(#[from] BindError),
    /// It was stopped while it waited.
    #[error("stopped before it was up")]
    Stopped,
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] data_folder::FolderError),
    /// The runtime refused a thread.
    #[error("a thread could not be started: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

/// Waits at a start for services that are away: a daemon that starts with its machine, or in the middle of an outage, need
/// not be started again by hand.
pub struct Patience {
    /// Is told, so that it does not end the start.
    pub systemd: Systemd,
    /// Cancelled when the daemon is to stop.
    pub stop: CancellationToken,
    /// How often it was waited.
    pub asked: std::sync::atomic::AtomicU32,
}

impl Patience {
    const EVERY: Duration = Duration::from_secs(1);
    const LONGER: Duration = Duration::from_secs(120);
    /// Not with every question: the log is to be read.
    const TOLD_EVERY: u32 = 20;

    /// Before the first question, which may take a while by itself.
    pub fn begin(&self) {
        self.systemd.starting("asking the backend", Self::LONGER);
    }

    /// Waits a little, and says for what; whether to go on.
    pub async fn wait(&self, error: &BackendError) -> bool {
        let error = chain(error);
        if self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed).is_multiple_of(Self::TOLD_EVERY) {
            tracing::warn!(error, "the backend does not answer: the start waits for it");
        }
        self.systemd.starting(&format!("waiting for the backend: {error}"), Self::LONGER);
        tokio::time::timeout(Self::EVERY, self.stop.cancelled()).await.is_err()
    }
}

/// Metadata, tasks, and files where they are shared.
pub type Opened = (Arc<dyn Store>, Arc<dyn Queue>, Arc<Artifacts>);

/// Opens store and queue of the backend. Ends of this process that nobody meant are noted by `note_ends_in`, in a file of the
/// embedded store.
pub async fn open(
    config: &Config,
    sink: Arc<dyn EventSink>,
    patience: &Patience,
    note_ends_in: fn(File) -> io::Result<()>,
) -> Result<Opened, OpenBackendError> {
    #[cfg(feature = "aws")]
    if config.backend.kind == crate::config::BackendKind::Aws {
        let opened = super::aws::clients::open(config, sink, patience).await;
        if patience.stop.is_cancelled() {
            return Err(OpenBackendError::Stopped);
        }
        let opened = opened?;
        data_folder::binding::check(opened.0.as_ref(), &config.data).await?;
        return Ok(opened);
    }
    // The file is on this machine: there or not.
    #[cfg(not(feature = "aws"))]
    let _ = patience;
    let data = config.data.clone();
    tokio::task::spawn_blocking(move || data_folder::binding::check_file(&data)).await??;
    let (store, queue) = open_file(config, sink).await?;
    let noted = tokio::task::spawn_blocking({
        let store = Arc::clone(&store);
        move || store.note_of_the_end().and_then(note_ends_in)
    });
    if let Err(error) = noted.await? {
        tracing::warn!(%error, "the crash note cannot be written: a crash by a plugin will look like a kill from outside");
    }
    data_folder::binding::check(store.as_ref(), &config.data).await?;
    Ok((store, queue, Arc::default()))
}

/// Opens the embedded file.
pub async fn open_file(
    config: &Config,
    sink: Arc<dyn EventSink>,
) -> Result<(Arc<SqliteStore>, Arc<SqliteQueue>), OpenBackendError> {
    let visibility = config.worker.visibility_timeout_secs.duration();
    let options = SqliteOptions {
        readers: config.store.readers,
        max_batch: config.store.max_batch,
        max_receive_count: config.worker.max_receive_count,
        build_visibility: visibility,
        deploy_visibility: visibility,
        build_retention: config.queues.build.retention_days.duration(),
        deploy_retention: config.queues.deploy.retention_days.duration(),
        dead_retention: config.queues.dead_letter_retention_days.duration(),
        schema_backups: config.store.schema_backups,
    };
    let path = config.data.database();
    Ok(tokio::task::spawn_blocking(move || SqliteStore::open(path, options, sink)).await??)
}
