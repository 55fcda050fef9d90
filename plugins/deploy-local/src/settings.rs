//! The section `[plugins.deploy-local]`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use nexus_deploy::is_variable_name;
use nexus_plugin_api::payload::Failure;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// How agents are run. Every key has a default, a misspelt one is refused. The comments are what the daemon shows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The Python interpreter: a path, or a name looked up in the daemon's `PATH`.
    #[schemars(extend("format" = "python"), length(min = 1))]
    pub python: String,
    /// How long an agent may take from its start to a healthy `/ping`.
    #[schemars(extend("unit" = "seconds"), range(min = 1))]
    pub ready_timeout_secs: u64,
    /// How long one answer may take in all.
    #[schemars(extend("unit" = "seconds"), range(min = 1))]
    pub invoke_timeout_secs: u64,
    /// How long an agent may be silent within an answer, and before its first byte.
    #[schemars(extend("unit" = "seconds"), range(min = 1))]
    pub idle_timeout_secs: u64,
    /// An agent without requests for so long is stopped; its next request starts it again. 0: never.
    #[schemars(extend("unit" = "seconds"))]
    pub idle_stop_secs: u64,
    /// From SIGTERM to SIGKILL when an agent is stopped.
    #[schemars(extend("unit" = "seconds"))]
    pub stop_grace_secs: u64,
    /// Agents that run at once. One more stops the one that rested longest.
    #[schemars(range(min = 1, max = 10000))]
    pub max_agents: usize,
    /// Agents that start at once; more wait for their turn, and their `ready_timeout_secs` with them.
    #[schemars(range(min = 1, max = 10000))]
    pub max_starts: usize,
    /// Memory of one agent, of each of its processes (`RLIMIT_DATA`) and of all together. 0: no limit.
    #[schemars(extend("unit" = "MiB"))]
    pub memory_limit_mb: u64,
    /// CPU time of one agent process, summed over its life (`RLIMIT_CPU`); beyond it the
    /// process is killed and started again on demand. 0: no limit.
    #[schemars(extend("unit" = "seconds"))]
    pub cpu_limit_secs: u64,
    /// Open files of one agent process. 0: as the daemon.
    pub max_open_files: u64,
    /// Processes and threads of one agent with all that it starts; beyond it the agent is ended. 0: no limit.
    pub max_processes: u64,
    /// What one agent may write to its home in all. 0: no limit.
    #[schemars(extend("unit" = "MiB"))]
    pub disk_limit_mb: u64,
    /// TCP ports that every agent may connect to, beside those that its `manifest.json` names in `connect`; nothing else.
    pub connect: Vec<u16>,
    /// The model that agents ask for which name none: an alias of the model gate, or `provider/model`.
    #[schemars(length(min = 1))]
    pub model: String,
    /// A folder of wheels from which packages of agents are installed, for machines without internet. Empty: from the
    /// package index.
    #[schemars(with = "String", extend("format" = "path"))]
    pub wheels: PathBuf,
    /// Further files and folders that every agent may read, as absolute paths: models, data.
    pub reads: Vec<String>,
    /// Size at which an agent's log is rotated.
    #[schemars(extend("unit" = "bytes"), range(min = 4096))]
    pub log_max_bytes: u64,
    /// Log files kept per agent, the current one included.
    #[schemars(range(min = 1, max = 100))]
    pub log_files: u32,
    /// Size of one answer, as sent over HTTP.
    #[schemars(extend("unit" = "bytes"), range(min = 1024))]
    pub max_answer_bytes: usize,
    /// Variables of the daemon's environment that agents get; nothing else of it reaches them.
    /// `HOME` is a folder of the agent's own unless listed.
    pub env_allow: Vec<String>,
    /// Further variables for every agent.
    #[schemars(extend("writeOnly" = true))]
    pub env: BTreeMap<String, String>,
    /// Wait before the first restart after a crash; it doubles with each crash.
    #[schemars(extend("unit" = "milliseconds"), range(min = 1))]
    pub restart_base_ms: u64,
    /// Longest wait before a restart.
    #[schemars(extend("unit" = "seconds"))]
    pub restart_max_secs: u64,
    /// Crashes within `crash_window_secs` after which an agent is left in state `error`.
    #[schemars(range(min = 1))]
    pub crash_budget: u32,
    /// The time within which `crash_budget` counts.
    #[schemars(extend("unit" = "seconds"))]
    pub crash_window_secs: u64,
    /// After that, how long requests are refused before one may try again.
    #[schemars(extend("unit" = "seconds"))]
    pub cool_down_secs: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            python: "python3".into(),
            ready_timeout_secs: 20,
            invoke_timeout_secs: 300,
            idle_timeout_secs: 120,
            idle_stop_secs: 900,
            stop_grace_secs: 3,
            max_agents: 64,
            max_starts: 8,
            memory_limit_mb: 1024,
            cpu_limit_secs: 0,
            max_open_files: 1024,
            max_processes: 512,
            disk_limit_mb: 1024,
            connect: Vec::new(),
            model: "fast".into(),
            wheels: PathBuf::new(),
            reads: Vec::new(),
            log_max_bytes: 5 * 1024 * 1024,
            log_files: 3,
            max_answer_bytes: 8 * 1024 * 1024,
            env_allow: ["PATH", "LANG", "LC_ALL", "TZ"].map(Into::into).into(),
            env: BTreeMap::new(),
            restart_base_ms: 500,
            restart_max_secs: 30,
            crash_budget: 5,
            crash_window_secs: 300,
            cool_down_secs: 60,
        }
    }
}

impl Settings {
    /// What may stand in the section, for the daemon and for people.
    #[must_use]
    pub fn schema() -> Value {
        schemars::schema_for!(Settings).to_value()
    }

    /// Refuses values that cannot work, naming the key.
    ///
    /// # Errors
    /// The first such value.
    pub fn validate(&self) -> Result<(), Failure> {
        let rules = [
            (!self.python.trim().is_empty(), "python must name an interpreter"),
            (!self.model.trim().is_empty(), "model must name a model"),
            (self.wheels.as_os_str().is_empty() || self.wheels.is_absolute(), "wheels must be an absolute path"),
            (self.ready_timeout_secs > 0, "ready_timeout_secs must be at least 1"),
            (self.invoke_timeout_secs > 0, "invoke_timeout_secs must be at least 1"),
            (self.idle_timeout_secs > 0, "idle_timeout_secs must be at least 1"),
            ((1..=10_000).contains(&self.max_agents), "max_agents must be from 1 to 10000"),
            ((1..=10_000).contains(&self.max_starts), "max_starts must be from 1 to 10000"),
            (self.memory_limit_mb == 0 || self.memory_limit_mb >= 32, "memory_limit_mb must be 0 or at least 32"),
            (self.max_open_files == 0 || self.max_open_files >= 32, "max_open_files must be 0 or at least 32"),
            (self.log_max_bytes >= 4096, "log_max_bytes must be at least 4096"),
            ((1..=100).contains(&self.log_files), "log_files must be from 1 to 100"),
            (self.max_answer_bytes >= 1024, "max_answer_bytes must be at least 1024"),
            (self.restart_base_ms > 0, "restart_base_ms must be at least 1"),
            (self.crash_budget > 0, "crash_budget must be at least 1"),
        ];
        if let Some((_, message)) = rules.iter().find(|(holds, _)| !holds) {
            return Err(Failure::invalid_input(format!("settings: {message}")));
        }
        if let Some(path) = self.reads.iter().find(|path| !Path::new(path).is_absolute() || *path == "/") {
            return Err(Failure::invalid_input(format!(
                "settings: reads must hold absolute paths, and not the whole file system; {path:?} is none"
            )));
        }
        let names = self.env_allow.iter().chain(self.env.keys());
        if let Some(name) = names.into_iter().find(|name| !is_variable_name(name)) {
            return Err(Failure::invalid_input(format!("settings: {name:?} is no name of an environment variable")));
        }
        if let Some((name, _)) = self.env.iter().find(|(_, value)| value.contains('\0')) {
            return Err(Failure::invalid_input(format!("settings: the value of env.{name} holds a NUL")));
        }
        Ok(())
    }

    pub(crate) fn ready_timeout(&self) -> Duration {
        Duration::from_secs(self.ready_timeout_secs)
    }

    pub(crate) fn stop_grace(&self) -> Duration {
        Duration::from_secs(self.stop_grace_secs)
    }

    /// `None`: agents are never stopped for resting.
    pub(crate) fn idle_stop(&self) -> Option<Duration> {
        (self.idle_stop_secs > 0).then(|| Duration::from_secs(self.idle_stop_secs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_described_as_they_are_and_the_defaults_are_accepted() {
        assert_eq!(nexus_plugin_api::sdk::testing::check_settings::<crate::DeployLocal>(), Ok(27));
        Settings::default().validate().unwrap();
    }

    #[test]
    fn what_the_schema_forbids_the_plugin_refuses_too() {
        for (key, described) in Settings::schema()["properties"].as_object().unwrap() {
            let Some(least) = described["minimum"].as_u64().filter(|least| *least > 0) else { continue };
            let settings: Settings = serde_json::from_value(serde_json::json!({key: least - 1})).unwrap();
            assert!(settings.validate().is_err(), "{key} = {}", least - 1);
            let settings: Settings = serde_json::from_value(serde_json::json!({key: least})).unwrap();
            settings.validate().unwrap();
        }
    }
}
