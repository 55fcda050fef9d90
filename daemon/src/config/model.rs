//! The settings of the daemon, one struct per section of `nexusd.toml`, each key with its default and unit.
//!
//! `config::load` fills a [`Config`]; every other module only reads it. What each key accepts (ranges, forms) stands
//! in `config::schema`; the commented file is `config/nexusd.toml`. Tests hold the three together.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::auth::{AgentsConfig, AuthConfig};
use super::sections::{
    BackendConfig, DeployConfig, LogConfig, ModelsConfig, PluginsConfig, Price, QueuesConfig, RetentionConfig, Role,
    SandboxConfig, StoreConfig, ToolsConfig, WorkerConfig, WorkflowsConfig,
};
use super::units::{Bytes, Days, Seconds};

/// The file format this daemon reads.
pub const FORMAT_VERSION: u64 = 1;

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Version of the file format. Default 1, the only one so far.
    pub version: u64,
    /// What this daemon does. Default `["api", "worker"]`; fewer make sense only where others share the backend.
    pub roles: Vec<Role>,
    /// The HTTP server.
    pub server: ServerConfig,
    /// Who may call.
    pub auth: AuthConfig,
    /// Where files live.
    pub data: DataConfig,
    /// Which store and queue hold the state.
    pub backend: BackendConfig,
    /// The embedded store.
    pub store: StoreConfig,
    /// What is deleted when it is past its time.
    pub retention: RetentionConfig,
    /// Queue names and retention.
    pub queues: QueuesConfig,
    /// How work is taken and kept.
    pub worker: WorkerConfig,
    /// Workflow files.
    pub workflows: WorkflowsConfig,
    /// Where finished agents run.
    pub deploy: DeployConfig,
    /// The plugin host, and the plugins' own settings.
    pub plugins: PluginsConfig,
    /// What may be done with agents.
    pub agents: AgentsConfig,
    /// How tools are tried out.
    pub tools: ToolsConfig,
    /// The walls around tools, tests and agents.
    pub sandbox: SandboxConfig,
    /// The gate to language models.
    pub models: ModelsConfig,
    /// Price of a model's tokens, by model id. Models that are not listed cost nothing.
    pub pricing: BTreeMap<String, Price>,
    /// Log output.
    pub log: LogConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            version: FORMAT_VERSION,
            roles: vec![Role::Api, Role::Worker],
            server: ServerConfig::default(),
            auth: AuthConfig::default(),
            data: DataConfig::default(),
            backend: BackendConfig::default(),
            store: StoreConfig::default(),
            retention: RetentionConfig::default(),
            queues: QueuesConfig::default(),
            worker: WorkerConfig::default(),
            workflows: WorkflowsConfig::default(),
            deploy: DeployConfig::default(),
            plugins: PluginsConfig::default(),
            agents: AgentsConfig::default(),
            tools: ToolsConfig::default(),
            sandbox: SandboxConfig::default(),
            models: ModelsConfig::default(),
            pricing: BTreeMap::new(),
            log: LogConfig::default(),
        }
    }
}

/// `[server]`: the HTTP server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// IP address and port to listen on; port 0 lets the system choose. Default `127.0.0.1:8000`.
    pub listen: SocketAddr,
    /// A Unix socket to listen on, too: whoever runs as the daemon's user, or as root, is an admin there. Default empty.
    pub socket: PathBuf,
    /// The certificate (PEM, with what leads to its root) by which `listen` speaks TLS. Default empty: it does not.
    pub tls_certificate: PathBuf,
    /// The key of the certificate (PEM). Both files are read again when they change. Default empty.
    pub tls_key: PathBuf,
    /// Origins of web pages that may use the API beside the daemon's own, such as `https://console.example.org`; `*`
    /// allows all. Default empty.
    pub allowed_origins: Vec<String>,
    /// Names by which the daemon may be called, beside `localhost` and addresses; `*` allows all. Default empty.
    pub allowed_hosts: Vec<String>,
    /// Where clients reach the daemon when a proxy stands before it, such as `https://example.org/nexus`: its path
    /// stands before that of every link, its host is known. Default empty: where it listens.
    pub public_url: String,
    /// Largest request body, in bytes. Default 1 MiB.
    pub max_body_bytes: Bytes,
    /// Largest multipart upload, in bytes. Default 32 MiB.
    pub max_upload_bytes: Bytes,
    /// Connections served at a time, SSE streams included; more wait in the kernel's queue. Default 16384.
    pub max_connections: usize,
    /// Pause between two comments that keep an idle SSE stream open, in seconds. Default 15.
    pub sse_keepalive_secs: Seconds,
    /// From SIGTERM to the end of the process, in seconds; past it the exit code is not 0. Default 10.
    pub shutdown_deadline_secs: Seconds,
}

impl ServerConfig {
    /// `public_url` without the slash at its end.
    #[must_use]
    pub fn public_base(&self) -> &str {
        self.public_url.trim_end_matches('/')
    }

    /// Host and perhaps port of `public_url`; empty when it is not set.
    #[must_use]
    pub fn public_authority(&self) -> &str {
        let (_, rest) = self.public_base().split_once("://").unwrap_or_default();
        rest.split('/').next().unwrap_or_default()
    }

    /// The path of `public_url`, such as `/nexus`; mostly empty.
    #[must_use]
    pub fn public_path(&self) -> &str {
        let (_, rest) = self.public_base().split_once("://").unwrap_or_default();
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default()
    }

    /// Scheme and authority of `public_url`: the origin of pages that are served beside the daemon there.
    #[must_use]
    pub fn public_origin(&self) -> &str {
        let base = self.public_base();
        base.get(..base.len() - self.public_path().len()).unwrap_or_default()
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            socket: PathBuf::new(),
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            public_url: String::new(),
            max_body_bytes: Bytes(1024 * 1024),
            max_upload_bytes: Bytes(32 * 1024 * 1024),
            max_connections: 16_384,
            sse_keepalive_secs: Seconds(15),
            shutdown_deadline_secs: Seconds(10),
        }
    }
}

/// `[data]`: where files live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The data folder. Default empty: `$STATE_DIRECTORY` (systemd sets it), else `$XDG_DATA_HOME/nexusd`, else
    /// `~/.local/share/nexusd`. `config::load` has put the absolute path here.
    pub dir: PathBuf,
    /// How long files of what was deleted lie in the trash folder. 0: not at all.
    pub trash_days: Days,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { dir: PathBuf::new(), trash_days: Days(7) }
    }
}

impl DataConfig {
    /// The embedded store and queue.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.dir.join("nexus.db")
    }

    /// One folder per project with what its stages wrote.
    #[must_use]
    pub fn projects(&self) -> PathBuf {
        self.dir.join("projects")
    }

    /// Workflow files that were changed through the API.
    #[must_use]
    pub fn workflows(&self) -> PathBuf {
        self.dir.join("workflows")
    }

    /// One folder per deployed agent.
    #[must_use]
    pub fn agents(&self) -> PathBuf {
        self.dir.join("agents")
    }

    /// What was deleted, for some days.
    #[must_use]
    pub fn trash(&self) -> PathBuf {
        self.dir.join("trash")
    }

    /// The token of the first start.
    #[must_use]
    pub fn admin_token(&self) -> PathBuf {
        self.dir.join("admin.token")
    }

    /// Who logs in by name and password, unless the settings name another file.
    #[must_use]
    pub fn users(&self) -> PathBuf {
        self.dir.join("users.toml")
    }

    /// What was changed, and what was refused.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.dir.join("audit")
    }

    /// Short-lived files: copies of loaded plugins, sockets.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.dir.join("run")
    }
}
