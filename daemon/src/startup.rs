//! The single steps of start-up: folders, store, handles; and what can go wrong with them.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use ractor::{ActorRef, SpawnErr, call_t};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    actors::{dispatcher::DispatcherMessage, events::EventHub, root::RootMessage},
    api,
    artifacts::Artifacts,
    backup, binding, cli,
    config::{Config, DataConfig, Problem},
    domain::{
        control::ControlAction,
        ids::{ProjectId, TaskId},
    },
    plugins::{PluginReport, note_in},
    queue::{Queue, sqlite::SqliteQueue},
    reload::{Reloaded, Reloader},
    store::{
        EventSink, Store, StoreError,
        error::chain,
        sqlite::{OpenError, SqliteOptions, SqliteStore},
    },
    systemd::Systemd,
    telemetry::Readers,
};

/// Why the daemon did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A data folder cannot be made.
    #[error("cannot make the folder {}: {source}: {}", .path.display(), folder_remedy(path, source))]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another daemon works in it.
    #[error(
        "the data folder {} is in use by another daemon{}: stop that one, or give this one a folder of its own \
         ([data] dir in the settings, or --data-dir)",
        .path.display(),
        if .holder.is_empty() { String::new() } else { format!(" (process {})", .holder) }
    )]
    FolderInUse {
        /// The folder.
        path: PathBuf,
        /// The other's process id, when known.
        holder: String,
    },
    /// It cannot be locked.
    #[error("the data folder cannot be locked by {}: {source}: {}", .path.display(), folder_remedy(path, source))]
    FolderLock {
        /// The file in it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A restore into the data folder did not come to its end.
    #[error(
        "a restore into {} was cut off, so not everything is there: empty the folder and run `nexusd restore FILE` again",
        .0.display()
    )]
    Restoring(PathBuf),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The cloud backend cannot be used.
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Cloud(#[from] crate::cloud::CloudError),
    /// The data folder is not this store's.
    #[error(transparent)]
    NotItsFolder(#[from] crate::binding::BindError),
    /// It was stopped while it waited for the store.
    #[error("stopped before it was up")]
    Stopped,
    /// Workflows or deploy targets want handlers that no plugin has.
    #[error("workflows or deploy targets want handlers that no loaded plugin has")]
    Settings {
        /// Which.
        problems: Vec<Problem>,
        /// Plugin files that were refused: most likely they have the handlers.
        refused: Vec<PluginReport>,
    },
    /// The port cannot be had.
    #[error("cannot listen on {address}: {source}; {}", port_remedy(source))]
    Port {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The actor tree did not start.
    #[error("the actor tree did not start: {0}")]
    Tree(SpawnErr),
    /// The runtime refused a thread.
    #[error("a thread could not be started: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

fn port_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "is another nexusd running? choose another address with --listen",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE (AmbientCapabilities in the unit): grant it, or choose another with --listen"
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has this address (`ip addr` shows them): choose another with --listen"
        }
        _ => "choose another address with --listen",
    }
}

impl StartError {
    /// Says it to the operator, once: as lines of the log where that is read by programs, else for people.
    pub fn report(&self, readers: Readers) {
        let refused = |one: &PluginReport| {
            let (reason, remedy) =
                (one.reason.as_deref().unwrap_or_default(), one.remedy.as_deref().unwrap_or_default());
            format!("the plugin {} was refused: {reason}; {remedy}", one.file.display())
        };
        match (self, readers) {
            (Self::Settings { problems, refused: files }, Readers::People) => {
                // First the cause, which the log has told already, in one line.
                let told = |one: &&PluginReport| {
                    problems
                        .iter()
                        .any(|problem| problem.message.contains(&format!("plugin `{}` is refused", one.name)))
                };
                let untold = files.iter().filter(|one| !told(one));
                untold.for_each(|one| cli::complain(&format!("error: {}", refused(one))));
                cli::complain_about(problems);
            }
            (Self::Settings { problems, refused: files }, Readers::Programs) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let refused: Vec<String> = files.iter().map(refused).collect();
                let (problems, refused) = (problems.join("\n"), refused.join("\n"));
                tracing::error!(error = %self, problems, refused, "nexusd did not start");
            }
            (error, Readers::People) => cli::complain(&format!("error: {}", chain(error))),
            (error, Readers::Programs) => tracing::error!(error = chain(error), "nexusd did not start"),
        }
    }
}

/// What to do about a folder that cannot be made.
fn folder_remedy(path: &std::path::Path, source: &io::Error) -> String {
    let file = path.ancestors().find(|above| above.exists() && !above.is_dir());
    match (source.kind(), file) {
        (_, Some(file)) => format!(
            "{} is a file and no folder: move it away, or name another data folder by --data-dir or [data] dir",
            file.display()
        ),
        (io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded, _) => {
            "no space is left there: free some (`df -h`, `df -i`), or name a data folder on another disk by --data-dir or \
             [data] dir"
                .to_owned()
        }
        (io::ErrorKind::PermissionDenied, _) => "nexusd may not write there: give the folder above to its user, or name \
             another data folder by --data-dir or [data] dir"
            .to_owned(),
        (io::ErrorKind::ReadOnlyFilesystem, _) => {
            "the file system is mounted read-only: name another data folder by --data-dir or [data] dir".to_owned()
        }
        _ => "name another data folder by --data-dir or [data] dir".to_owned(),
    }
}

/// Makes the data folders, for the daemon's user only: agents' files and conversations are private.
pub fn make_folders(data: &DataConfig) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt;
    if backup::unfinished(&data.dir) {
        return Err(StartError::Restoring(data.dir.clone()));
    }
    for path in [data.dir.clone(), data.projects(), data.agents(), data.run()] {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|source| StartError::Folder { path, source })?;
    }
    Ok(())
}

/// Makes room for as many open files as the system allows, and says when that is less than the settings ask for.
pub fn raise_file_limit(max_connections: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    // Beside connections: the store, plugins, agents, files being read.
    let wanted = max_connections as u64 + 512;
    if let Some(allowed) = getrlimit(Resource::Nofile).current.filter(|allowed| *allowed < wanted) {
        tracing::warn!(
            allowed,
            wanted,
            "fewer files may be open than max_connections needs: raise the limit (LimitNOFILE), or lower max_connections"
        );
    }
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
    pub async fn wait(&self, error: &StoreError) -> bool {
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

/// Opens store and queue of the backend.
pub async fn open_store(config: &Config, hub: Arc<EventHub>, patience: &Patience) -> Result<Opened, StartError> {
    #[cfg(feature = "aws")]
    if config.backend.kind == crate::config::BackendKind::Aws {
        let opened = crate::cloud::open(config, hub, patience).await;
        if patience.stop.is_cancelled() {
            return Err(StartError::Stopped);
        }
        let opened = opened?;
        binding::check(opened.0.as_ref(), &config.data).await?;
        return Ok(opened);
    }
    // The file is on this machine: there or not.
    #[cfg(not(feature = "aws"))]
    let _ = patience;
    let data = config.data.clone();
    tokio::task::spawn_blocking(move || binding::check_file(&data)).await??;
    let (store, queue) = open_file(config, hub).await?;
    let noted = tokio::task::spawn_blocking({
        let store = Arc::clone(&store);
        move || store.note_of_the_end().and_then(note_in)
    });
    if let Err(error) = noted.await? {
        tracing::warn!(%error, "should a plugin end this process, the next one will take it for a kill from outside");
    }
    binding::check(store.as_ref(), &config.data).await?;
    Ok((store, queue, Arc::default()))
}

/// Opens the embedded file.
pub async fn open_file(
    config: &Config,
    sink: Arc<dyn EventSink>,
) -> Result<(Arc<SqliteStore>, Arc<SqliteQueue>), StartError> {
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

/// The actor tree and the reload, as the API asks for them.
pub struct Conductor {
    /// The tree.
    pub root: ActorRef<RootMessage>,
    /// The reload.
    pub reloader: Arc<Reloader>,
}

#[async_trait]
impl api::Conductor for Conductor {
    fn controlled(&self, project: &ProjectId, task: Option<&TaskId>, action: ControlAction) {
        // Without a task nobody works on it.
        let Some(task) = task else { return };
        let message = DispatcherMessage::Control(project.clone(), task.clone(), action);
        let _ = self.root.cast(RootMessage::Dispatch(message));
    }

    fn deleted(&self, project: &ProjectId) {
        let _ = self.root.cast(RootMessage::Dispatch(DispatcherMessage::Forget(project.clone())));
    }

    async fn tree(&self) -> Value {
        call_t!(self.root, RootMessage::Tree, 1_000).unwrap_or_else(|error| json!({"error": error.to_string()}))
    }

    async fn reload(&self) -> Result<Reloaded, String> {
        self.reloader.reload().await
    }
}
