//! The section `[plugins.deploy-local]`.

use std::{collections::BTreeMap, time::Duration};

use nexus_plugin_api::payload::Failure;
use serde::Deserialize;

/// How agents are run. Every key has a default, a misspelt one is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The Python interpreter: a path, or a name looked up in the daemon's `PATH`. Default `python3`.
    pub python: String,
    /// How long an agent may take from its start to a healthy `/ping`, in seconds. Default 20.
    pub ready_timeout_secs: u64,
    /// How long one answer may take in all, in seconds. Default 300.
    pub invoke_timeout_secs: u64,
    /// How long an agent may be silent within an answer, and before its first byte, in seconds. Default 120.
    pub idle_timeout_secs: u64,
    /// An agent without requests for so long is stopped; its next request starts it again. In seconds; 0: never. Default 900.
    pub idle_stop_secs: u64,
    /// From SIGTERM to SIGKILL when an agent is stopped, in seconds. Default 3.
    pub stop_grace_secs: u64,
    /// Agents that run at once. One more stops the one that rested longest. Default 64.
    pub max_agents: usize,
    /// Agents that start at once; more wait for their turn, and their `ready_timeout_secs` with them. Default 8.
    pub max_starts: usize,
    /// Memory of one agent process in MiB: `RLIMIT_DATA`, what it can write to. (`RLIMIT_AS` would count
    /// mapped libraries and address space that is only reserved.) A child of the agent has the same again. 0: no limit. Default 1024.
    pub memory_limit_mb: u64,
    /// CPU time of one agent process in seconds, summed over its life (`RLIMIT_CPU`); beyond it the
    /// process is killed and started again on demand. 0: no limit. Default 0.
    pub cpu_limit_secs: u64,
    /// Open files of one agent process. 0: as the daemon. Default 1024.
    pub max_open_files: u64,
    /// Processes and threads (`RLIMIT_NPROC`). The kernel counts all of the daemon's user, and does not
    /// hold root to it: it ends fork bombs, it is no share per agent. 0: as the daemon. Default 4096.
    pub max_processes: u64,
    /// Size at which an agent's log is rotated, in bytes. Default 5242880 (5 MiB).
    pub log_max_bytes: u64,
    /// Log files kept per agent, the current one included. Default 3.
    pub log_files: u32,
    /// Size of one answer in bytes, as sent over HTTP. Default 8388608 (8 MiB).
    pub max_answer_bytes: usize,
    /// Variables of the daemon's environment that agents get; nothing else of it reaches them.
    /// Default `["PATH", "LANG", "LC_ALL", "TZ"]`. `HOME` is a folder of the agent's own unless listed.
    pub env_allow: Vec<String>,
    /// Further variables for every agent. Default none.
    pub env: BTreeMap<String, String>,
    /// Wait before the first restart after a crash, in milliseconds; doubles with each crash. Default 500.
    pub restart_base_ms: u64,
    /// Longest wait before a restart, in seconds. Default 30.
    pub restart_max_secs: u64,
    /// Crashes within `crash_window_secs` after which an agent is left in state `error`. Default 5.
    pub crash_budget: u32,
    /// See `crash_budget`, in seconds. Default 300.
    pub crash_window_secs: u64,
    /// After that, how long requests are refused before one may try again, in seconds. Default 60.
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
            max_processes: 4096,
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
    /// Refuses values that cannot work, naming the key.
    ///
    /// # Errors
    /// The first such value.
    pub fn validate(&self) -> Result<(), Failure> {
        let rules = [
            (!self.python.trim().is_empty(), "python must name an interpreter"),
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

/// Whether a name can stand in an environment: no `=`, no NUL, not empty.
pub(crate) fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b'=')
}
