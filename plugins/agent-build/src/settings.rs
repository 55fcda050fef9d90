//! The plugin's section of the configuration: `[plugins.agent-build]`.

use serde::Deserialize;

/// Settings with their defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The Python that verifies agents: a command or a path. 3.9 or newer.
    pub python: String,
    /// Longest time for compiling and testing an agent.
    pub test_timeout_secs: u64,
    /// Longest time for an agent to start, and for each of its answers while being verified.
    pub start_timeout_secs: u64,
    /// Which model provider writes the content. This version has `blueprint`.
    pub provider: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { python: "python3".into(), test_timeout_secs: 120, start_timeout_secs: 20, provider: "blueprint".into() }
    }
}
