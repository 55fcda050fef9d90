//! The single steps of start-up: folders, store, handles; and what can go wrong with them.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use ractor::SpawnErr;

use crate::{
    agents::Meter,
    auth::{Access, AccessError},
    backend::{data_folder::FolderError, error::chain, open::OpenBackendError},
    config::{AuthMode, Config, Problem},
    domain::time::Timestamp,
    plugins::PluginReport,
    telemetry::Readers,
    terminal,
};

/// Why the daemon did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Nobody can be let in.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The backend cannot be opened.
    #[error(transparent)]
    Backend(#[from] OpenBackendError),
    /// Workflows or deploy targets want handlers that no plugin has.
    #[error("workflows or deploy targets want handlers that no loaded plugin has")]
    Settings {
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
    /// TLS cannot be spoken.
    #[error("[server] tls_certificate and tls_key cannot be used: {0}")]
    Tls(io::Error),
    /// The Unix socket cannot be had.
    #[error("[server] socket = {path:?}: {source}")]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The gate to models cannot be opened.
    #[error(
        "the gate to language models cannot be opened on {address}: {source}; see to `listen` in [models], and to room and rights in the data folder"
    )]
    Models {
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
                untold.for_each(|one| terminal::complain(&format!("error: {}", refused(one))));
                terminal::complain_about(problems);
            }
            (Self::Settings { problems, refused: files }, Readers::Programs) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let refused: Vec<String> = files.iter().map(refused).collect();
                let (problems, refused) = (problems.join("\n"), refused.join("\n"));
                tracing::error!(error = %self, problems, refused, "nexusd did not start");
            }
            (error, Readers::People) => terminal::complain(&format!("error: {}", chain(error))),
            (error, Readers::Programs) => tracing::error!(error = chain(error), "nexusd did not start"),
        }
    }
}

/// Counts what answers take, for the limits of those who ask.
#[must_use]
pub fn meter(access: Arc<Access>, config: Arc<ArcSwap<Config>>) -> Meter {
    Arc::new(move |caller, answer| {
        let (input, output) = (answer.input_tokens, answer.output_tokens);
        let config = config.load();
        let price = answer.model_id.as_ref().and_then(|model| config.pricing.get(model));
        let usd = price.map_or(0.0, |price| price.cost(input, output));
        access.limits.answered(caller, input.saturating_add(output), usd, Timestamp::now());
    })
}

/// Says who may come in, where that is more than the operator may think.
pub fn warn_of_open_doors(config: &Config, address: SocketAddr) {
    if rustix::process::geteuid().is_root() {
        tracing::warn!(
            "nexusd runs as root: whatever gets out of its walls has the whole machine; give it a user of its own"
        );
    }
    if config.auth.mode == AuthMode::None {
        tracing::warn!(
            %address,
            "[auth] mode is none: everybody who reaches this address, each account of this machine too, may do everything"
        );
    } else if !address.ip().to_canonical().is_loopback() && config.server.tls_certificate.as_os_str().is_empty() {
        tracing::warn!(
            %address,
            "tokens cross the network in the clear: set tls_certificate and tls_key in [server], or let a proxy speak TLS"
        );
    }
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
