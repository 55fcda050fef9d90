//! The plugin's section of the configuration: `[plugins.agent-build]`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Settings with their defaults. The comments are what the daemon shows of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The Python that verifies agents: a name that is looked up in PATH, or a path. 3.9 or newer.
    #[schemars(extend("format" = "python"), length(min = 1))]
    pub python: String,
    /// Longest time for compiling and testing an agent.
    #[schemars(extend("unit" = "seconds"), range(min = 1))]
    pub test_timeout_secs: u64,
    /// Longest time for an agent to start, and for each of its answers while being verified.
    #[schemars(extend("unit" = "seconds"), range(min = 1))]
    pub start_timeout_secs: u64,
    /// Which model provider writes the content. This version has "blueprint", which works offline.
    #[schemars(extend("enum" = ["blueprint"]))]
    pub provider: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { python: "python3".into(), test_timeout_secs: 120, start_timeout_secs: 20, provider: "blueprint".into() }
    }
}

impl Settings {
    /// What may stand in the section, for the daemon and for people.
    #[must_use]
    pub fn schema() -> Value {
        schemars::schema_for!(Settings).to_value()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_settings_are_described_as_they_are() {
        assert_eq!(nexus_plugin_api::sdk::testing::check_settings::<crate::AgentBuild>(), Ok(4));
    }
}
