//! The sections of the settings below `[server]` and `[data]`; see `config::model`, which holds the whole.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::units::{Bytes, Days, Seconds};

/// `[backend]`: which store and queue hold the state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackendConfig {
    /// Default `embedded`.
    pub kind: BackendKind,
    /// AWS region. Default empty: as the environment and the profile have it.
    pub region: String,
    /// Address of all AWS services, for emulators and private endpoints. Default empty: AWS's own.
    pub endpoint_url: String,
    /// Address of DynamoDB alone; comes before `endpoint_url`. Default empty.
    pub dynamodb_endpoint_url: String,
    /// Address of SQS alone; comes before `endpoint_url`. Default empty.
    pub sqs_endpoint_url: String,
    /// Before the name of every table and queue. Default empty.
    pub prefix: String,
    /// Where goes what is too large for a table: `s3://bucket` or `s3://bucket/folder`. Default empty: the data folder,
    /// which is enough for one daemon.
    pub artifacts: String,
}

/// The stores and queues there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// One SQLite file for metadata and queues.
    #[default]
    Embedded,
    /// DynamoDB and SQS, shared by any number of daemons.
    Aws,
}

impl BackendKind {
    /// The word used in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Aws => "aws",
        }
    }
}

/// What a daemon does; a fleet can share it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Serves the REST and event interface. (Health and metrics are served by every daemon.)
    Api,
    /// Builds and deploys.
    Worker,
}

/// `[store]`: the embedded store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Connections that read side by side. Default 4.
    pub readers: usize,
    /// Most write requests gathered into one transaction. Default 256.
    pub max_batch: usize,
    /// How long project events are kept for replay, in days. Default 30.
    pub event_retention_days: Days,
    /// Copies of the file from before upgrades of its schema that are kept in `backups/` of the data folder; 0 makes
    /// none. Default 3.
    pub schema_backups: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { readers: 4, max_batch: 256, event_retention_days: Days(30), schema_backups: 3 }
    }
}

/// `[retention]`: what is deleted when it is past its time, in days. Default 0 everywhere: nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// Projects that ended that long ago and have no agent, with their files. Default 0: kept.
    pub projects_days: Days,
    /// Conversations that were not used for that long, with their messages. Default 0: kept.
    pub sessions_days: Days,
    /// Answered questions to agents. Default 0: kept.
    pub invocations_days: Days,
    /// Versions of agents' files that were replaced, but for the newest of each. Default 0: kept (at most 20 of each).
    pub agent_versions_days: Days,
}

/// `[queues]`: what the queues are called in SQS, and how long messages are kept. (The embedded queues have no names
/// outside.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueuesConfig {
    /// How long a dead letter is kept, in days. Default 14.
    pub dead_letter_retention_days: Days,
    /// Build tasks. Default 7 days.
    pub build: QueueConfig,
    /// Deploy tasks. Default 3 days.
    pub deploy: QueueConfig,
}

impl Default for QueuesConfig {
    fn default() -> Self {
        let queue = |name: &str, dead_letters: &str, days| QueueConfig {
            name: name.to_owned(),
            dead_letters: dead_letters.to_owned(),
            retention_days: Days(days),
        };
        Self {
            dead_letter_retention_days: Days(14),
            build: queue("nexus-build-queue", "nexus-build-dlq", 7),
            deploy: queue("nexus-deploy-queue", "nexus-deploy-dlq", 3),
        }
    }
}

/// `[queues.<name>]`: one queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueConfig {
    /// Its name, behind `[backend] prefix`.
    pub name: String,
    /// The name of the queue of its dead letters, likewise.
    pub dead_letters: String,
    /// How long a message waits to be received, in days.
    pub retention_days: Days,
}

/// `[worker]`: how work is taken from the queues and kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerConfig {
    /// Builds that run at a time. Default 16.
    pub builds: usize,
    /// Deployments that run at a time. Default 4.
    pub deploys: usize,
    /// Independent stages of one build that run at a time. Default 4.
    pub parallel_stages: usize,
    /// How long a build belongs to a daemon that no longer answers, in seconds. Default 60.
    pub lease_secs: Seconds,
    /// Pause between two renewals of lease and message, in seconds; at most half of either. Default 15.
    pub heartbeat_secs: Seconds,
    /// How long a received message stays hidden without a heartbeat, in seconds. Default 120.
    pub visibility_timeout_secs: Seconds,
    /// Receives after which a message becomes a dead letter. Default 3.
    pub max_receive_count: u32,
    /// Pause between two searches for lost tasks and expired leases, in seconds. Default 10.
    pub reconcile_secs: Seconds,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            builds: 16,
            deploys: 4,
            parallel_stages: 4,
            lease_secs: Seconds(60),
            heartbeat_secs: Seconds(15),
            visibility_timeout_secs: Seconds(120),
            max_receive_count: 3,
            reconcile_secs: Seconds(10),
        }
    }
}

/// `[workflows]`: workflow files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkflowsConfig {
    /// Folders whose `*.toml` files are read, in this order. A workflow of a later folder replaces one of the same name,
    /// the shipped `agent_build` too. Default none: only the shipped one. `config::load` has made the paths absolute.
    pub dirs: Vec<PathBuf>,
    /// The workflow of a project that names none. Default `agent_build`.
    pub default: String,
}

impl Default for WorkflowsConfig {
    fn default() -> Self {
        Self { dirs: Vec::new(), default: "agent_build".to_owned() }
    }
}

/// `[deploy]`: where finished agents run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeployConfig {
    /// The target of a deployment that names none. Default `local`.
    pub default: String,
    /// Target name → deploy handler (`plugin/handler`). Default `local = "deploy-local/local"`; naming any target
    /// in the file adds to it.
    pub targets: BTreeMap<String, String>,
}

impl Default for DeployConfig {
    fn default() -> Self {
        let targets = BTreeMap::from([("local".to_owned(), "deploy-local/local".to_owned())]);
        Self { default: "local".to_owned(), targets }
    }
}

/// `[plugins]`: the plugin host; `[plugins.<name>]`: what one plugin gets.
///
/// `Debug` leaves the plugins' own settings out, because keys and tokens live there.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginsConfig {
    /// Folders searched for plugins, before those of the shipped ones. Default none.
    /// `config::load` has made the paths absolute.
    pub dirs: Vec<PathBuf>,
    /// Whether the shipped plugins are searched for too ([`PluginsConfig::shipped_dirs`]). Default true.
    pub shipped: bool,
    /// Jobs one plugin runs at a time; `[plugins.<name>] max_jobs` sets it for one. Default 256.
    pub max_jobs: usize,
    /// Answers of agents that one plugin gives at a time, beside its other jobs; more are refused, to be asked again.
    /// Default 2048.
    pub max_answers: usize,
    /// From cancel to counting a job as stuck, in seconds. Default 5.
    pub cancel_grace_secs: Seconds,
    /// Stuck jobs after which a plugin gets no new ones, because their threads cannot be killed. Default 8.
    pub max_stuck: usize,
    /// Largest result of a job, in bytes. Default 8 MiB.
    pub max_result_bytes: Bytes,
    /// Largest single event of a job, in bytes. Default 256 KiB.
    pub max_event_bytes: Bytes,
    /// Plugin name → its free table.
    #[serde(flatten)]
    pub settings: BTreeMap<String, toml::Table>,
}

impl Default for PluginsConfig {
    fn default() -> Self {
        Self {
            dirs: Vec::new(),
            shipped: true,
            max_jobs: 256,
            max_answers: 2_048,
            cancel_grace_secs: Seconds(5),
            max_stuck: 8,
            max_result_bytes: Bytes(8 * 1024 * 1024),
            max_event_bytes: Bytes(256 * 1024),
            settings: BTreeMap::new(),
        }
    }
}

impl PluginsConfig {
    /// Where the shipped plugins lie: `deps/` beside the executable (a cargo checkout) or, without that, the executable's
    /// own folder, and `/usr/lib/nexusd/plugins`; none where `shipped` is false. A folder of `dirs` is left out: it comes
    /// first anyway. Folders that do not exist are left in: the caller passes them over.
    #[must_use]
    pub fn shipped_dirs(&self, executable: &Path) -> Vec<PathBuf> {
        if !self.shipped {
            return Vec::new();
        }
        // In a checkout `deps/` is what cargo keeps up to date; beside the executable lie copies of it, some stale.
        let beside = executable.parent().map(|dir| {
            let deps = dir.join("deps");
            if deps.is_dir() { deps } else { dir.to_path_buf() }
        });
        let known = |dir: &PathBuf| !self.dirs.contains(dir);
        beside.into_iter().chain([PathBuf::from("/usr/lib/nexusd/plugins")]).filter(known).collect()
    }

    /// Jobs the plugin `name` runs at a time.
    #[must_use]
    pub fn max_jobs_of(&self, name: &str) -> usize {
        let own = self.settings.get(name).and_then(|table| table.get("max_jobs")?.as_integer());
        own.and_then(|jobs| usize::try_from(jobs).ok()).unwrap_or(self.max_jobs)
    }

    /// The settings the plugin `name` is given, as JSON, without the host's own key `max_jobs`.
    /// Dates become their text. Never log this.
    #[must_use]
    pub fn settings_json(&self, name: &str) -> serde_json::Value {
        let mut table = self.settings.get(name).cloned().unwrap_or_default();
        table.remove("max_jobs");
        json(toml::Value::Table(table))
    }
}

pub(super) fn json(value: toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, item)| (key, json(item))).collect(),
    }
}

impl std::fmt::Debug for PluginsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginsConfig")
            .field("dirs", &self.dirs)
            .field("shipped", &self.shipped)
            .field("max_jobs", &self.max_jobs)
            .field("max_answers", &self.max_answers)
            .field("cancel_grace_secs", &self.cancel_grace_secs)
            .field("max_stuck", &self.max_stuck)
            .field("max_result_bytes", &self.max_result_bytes)
            .field("max_event_bytes", &self.max_event_bytes)
            .field("settings", &self.settings.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// `[tools]`: how tools are tried out (`POST /tools/{name}/test`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolsConfig {
    /// The Python that tools are tried out with: a path, or a name that is looked up in `PATH`. Default `python3`.
    pub python: String,
    /// How long a tool may take, in seconds. Default 10.
    pub test_timeout_secs: Seconds,
    /// Tools that are tried out at a time; who wants more is told to come again. Default 4.
    pub max_tests: usize,
}

impl Default for ToolsConfig {
    fn default() -> Self {
        Self { python: "python3".to_owned(), test_timeout_secs: Seconds(10), max_tests: 4 }
    }
}

/// `[sandbox]`: the walls around code that nobody here wrote: tools that are tried out, tests of agents, agents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxConfig {
    /// How the walls are built. `landlock`: Landlock and seccomp. `bwrap`: these inside namespaces that bubblewrap
    /// makes, so that other processes and folders do not even appear; it needs user namespaces. Default `landlock`.
    pub mode: nexus_sandbox::Mode,
    /// Whether such code is started without the walls that this kernel lacks. They are then named in `/health` and
    /// with each process; otherwise it is not started. Default false.
    pub allow_weaker: bool,
}

/// `[models]`: the gate through which builds, agents and plugins reach language models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelsConfig {
    /// Loopback address and port of the gate; port 0 lets the system choose. Default `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// Whether providers are looked for that are not written down: by the environment, and on loopback. Default true.
    pub discover: bool,
    /// Limit of an answer for callers who name none; the most that a call can cost is known by it. Default 4096.
    pub max_output_tokens: u32,
    /// Attempts of a call before its first word, the first one too. Default 4.
    pub attempts: u32,
    /// Until the first event of an answer, in seconds. Default 120.
    pub first_event_secs: Seconds,
    /// Between two events of an answer, in seconds. Default 60.
    pub between_events_secs: Seconds,
    /// For a whole call with its attempts, in seconds. Default 900.
    pub call_secs: Seconds,
    /// Limits of what is spent.
    pub budget: BudgetConfig,
    /// What `fast`, `smart`, `judge` and further names stand for: `provider/model`, asked in order.
    pub routes: BTreeMap<String, Vec<String>>,
    /// Providers by name.
    pub providers: BTreeMap<String, ModelProviderConfig>,
}

impl Default for ModelsConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            discover: true,
            max_output_tokens: 4096,
            attempts: 4,
            first_event_secs: Seconds(120),
            between_events_secs: Seconds(60),
            call_secs: Seconds(900),
            budget: BudgetConfig::default(),
            routes: BTreeMap::new(),
            providers: BTreeMap::new(),
        }
    }
}

/// `[models.budget]`: limits in US dollars and tokens; 0 is none, and the default of all. Days are those of UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetConfig {
    /// Of one build.
    pub run_usd: f64,
    pub run_tokens: u64,
    /// Of a project with all its builds.
    pub project_usd: f64,
    pub project_tokens: u64,
    /// Of an agent in a day.
    pub agent_day_usd: f64,
    pub agent_day_tokens: u64,
    /// Of a caller in a day.
    pub caller_day_usd: f64,
    pub caller_day_tokens: u64,
    /// Of everybody in a day.
    pub day_usd: f64,
    pub day_tokens: u64,
}

/// `[models.providers.<name>]`: where models are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelProviderConfig {
    /// The protocol.
    pub kind: ModelProviderKind,
    /// Which server speaks it, for `openai`. Default `openai`.
    pub server: String,
    /// A file that describes the server, in place of `server`.
    pub server_file: PathBuf,
    /// Where it listens. Default empty: the usual place of the server.
    pub base_url: String,
    /// The environment variable with the key. Default empty: the usual one of the server.
    pub key_variable: String,
    /// A file with the key, read again when the provider refuses it; comes before `key_variable`.
    pub key_file: PathBuf,
    /// AWS region, for `bedrock`. Default empty: as the environment has it.
    pub region: String,
}

/// The protocols of providers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelProviderKind {
    /// Bedrock's Converse.
    Bedrock,
    /// Anthropic's Messages.
    Anthropic,
    /// OpenAI's chat completions, and servers that imitate them.
    #[default]
    Openai,
}

/// `[pricing."<model id>"]`: what a million tokens cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Price {
    /// US dollars per million input tokens. Default 0.
    pub input_usd_per_million: f64,
    /// US dollars per million output tokens. Default 0.
    pub output_usd_per_million: f64,
    /// US dollars per million tokens read from the provider's cache. Default 0: as input.
    pub cache_read_usd_per_million: f64,
    /// US dollars per million tokens written to it. Default 0: as input.
    pub cache_write_usd_per_million: f64,
}

impl Price {
    /// What these tokens cost, in US dollars.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // far below 2^52 tokens
    pub fn cost(&self, input_tokens: u64, output_tokens: u64) -> f64 {
        (input_tokens as f64 * self.input_usd_per_million + output_tokens as f64 * self.output_usd_per_million) / 1e6
    }
}

/// `[log]`: log output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Default `auto`.
    pub format: LogFormat,
    /// What is logged, in the form of `RUST_LOG` (`info`, `warn,nexus_daemon::queue=debug`). Default `info`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".to_owned() }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `pretty` on a terminal, `journald` when systemd's journal is the output, `json` otherwise.
    Auto,
    /// One coloured line per event, for people.
    Pretty,
    /// One JSON object per line.
    Json,
    /// systemd's journal with structured fields.
    Journald,
}
