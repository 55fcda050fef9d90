//! What the host needs to know: folders, limits, settings. Built from the configuration by `app.rs`
//! at start-up and again for every reload.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use nexus_plugin_api::payload::Description;

use super::refusal::Refusal;

type Judge = dyn Fn(&str, &serde_json::Value, serde_json::Value) -> Result<serde_json::Value, String> + Send + Sync;

/// What is done with settings before a plugin that described them gets them: they are checked, and their paths resolved.
/// It takes the plugin's name, its schema and its settings; an error says what is wrong with them.
#[derive(Clone)]
pub struct Prepare(Arc<Judge>);

impl Prepare {
    /// By this function.
    pub fn new(
        judge: impl Fn(&str, &serde_json::Value, serde_json::Value) -> Result<serde_json::Value, String>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(judge))
    }
}

/// Settings go on as they are.
impl Default for Prepare {
    fn default() -> Self {
        Self::new(|_, _, settings| Ok(settings))
    }
}

impl fmt::Debug for Prepare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepare")
    }
}

/// Folders, limits and settings of the plugin host. Build it with `..HostOptions::default()`.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Where to look for `.so` files; an earlier folder wins over a later one.
    pub dirs: Vec<PathBuf>,
    /// Folders of the shipped plugins, searched last; what has a namesake in `dirs` is passed over there.
    pub shipped_dirs: Vec<PathBuf>,
    /// Copies go to `<runtime_dir>/plugins`. Must not be mounted `noexec` (`/run` often is).
    pub runtime_dir: PathBuf,
    /// The `[plugins.<name>]` sections without the host's own keys, handed to `configure` as JSON.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// What is done with them before.
    pub prepare: Prepare,
    /// The program that tries each new file in a process of its own first (`nexusd plugin-probe`); none: files are loaded
    /// untried.
    pub probe: Option<PathBuf>,
    /// How many jobs of one plugin run at once, when not said otherwise.
    pub max_jobs: usize,
    /// The same for single plugins.
    pub max_jobs_by_plugin: BTreeMap<String, usize>,
    /// How many answers of agents one plugin gives at once, beside its other jobs.
    pub max_answers: usize,
    /// How long a cancelled job may go on before it counts as stuck.
    pub cancel_grace: Duration,
    /// Largest result of a job in bytes of JSON.
    pub max_result_bytes: usize,
    /// Largest event in bytes of JSON; longer ones are dropped and counted.
    pub max_event_bytes: usize,
    /// A generation with more stuck jobs than this is `degraded` and refuses new ones.
    pub max_stuck: usize,
    /// How long `describe`, `start`, `cancel` and `destroy` may take. They are meant to return at once.
    pub call_limit: Duration,
    /// How long `configure` may take: it may connect to something.
    pub configure_limit: Duration,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            dirs: Vec::new(),
            shipped_dirs: Vec::new(),
            runtime_dir: std::env::temp_dir().join("nexusd"),
            settings: BTreeMap::new(),
            prepare: Prepare::default(),
            probe: None,
            max_jobs: 64,
            max_answers: 1_024,
            max_jobs_by_plugin: BTreeMap::new(),
            cancel_grace: Duration::from_secs(10),
            max_result_bytes: 16 << 20,
            max_event_bytes: 1 << 20,
            max_stuck: 4,
            call_limit: Duration::from_secs(5),
            configure_limit: Duration::from_secs(30),
        }
    }
}

impl HostOptions {
    /// The folder of the loaded copies.
    pub(super) fn copies(&self) -> PathBuf {
        self.runtime_dir.join("plugins")
    }

    /// How many jobs of `plugin` run at once; never 0, which would only wait.
    pub(super) fn max_jobs_of(&self, plugin: &str) -> usize {
        self.max_jobs_by_plugin.get(plugin).copied().unwrap_or(self.max_jobs).max(1)
    }

    /// The settings of `plugin` as a JSON object.
    pub(super) fn settings_of(&self, plugin: &str) -> serde_json::Value {
        self.settings.get(plugin).cloned().unwrap_or_else(|| serde_json::Value::Object(serde_json::Map::new()))
    }

    /// The same, as the plugin gets them.
    pub(super) fn prepared(&self, described: &Description) -> Result<serde_json::Value, Refusal> {
        let settings = self.settings_of(&described.name);
        match &described.settings {
            Some(schema) => (self.prepare.0)(&described.name, schema, settings).map_err(Refusal::Settings),
            None => Ok(settings),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            cancel_grace: self.cancel_grace,
            max_result_bytes: self.max_result_bytes,
            max_event_bytes: self.max_event_bytes,
            max_stuck: self.max_stuck,
            call_limit: self.call_limit,
        }
    }
}

/// The part of the options that a running generation obeys; a reload replaces it in place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) cancel_grace: Duration,
    pub(super) max_result_bytes: usize,
    pub(super) max_event_bytes: usize,
    pub(super) max_stuck: usize,
    pub(super) call_limit: Duration,
}
