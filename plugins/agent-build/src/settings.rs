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
    /// Who writes agents: "blueprint" composes them from vetted tools by rules, offline; "model" asks the daemon's language
    /// models too, for what rules do not understand; "auto" is "model" whenever the daemon has one.
    #[schemars(extend("enum" = ["auto", "blueprint", "model"]))]
    pub provider: String,
    /// A folder with prompts of your own, by the paths that the shipped ones have (`agent_design/system.md`). Empty: none.
    pub prompts: String,
    /// Most tokens of a requirement and of what earlier stages found out, in one question to a model; an estimate.
    #[schemars(range(min = 500, max = 1_000_000))]
    pub longest_context: u32,
    /// Most tokens of one answer of a model. It is what a budget sets aside for a question.
    #[schemars(range(min = 256, max = 100_000))]
    pub longest_answer: u32,
    /// How often a model writes a tool anew that does not do what its worked examples say.
    #[schemars(range(max = 10))]
    pub tool_repairs: u32,
    /// Longest time for trying out a tool that a model wrote.
    #[schemars(extend("unit" = "seconds"), range(min = 1))]
    pub tool_timeout_secs: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            python: "python3".into(),
            test_timeout_secs: 120,
            start_timeout_secs: 20,
            provider: "auto".into(),
            prompts: String::new(),
            longest_context: 6000,
            longest_answer: 3000,
            tool_repairs: 3,
            tool_timeout_secs: 10,
        }
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
        assert_eq!(nexus_plugin_api::sdk::testing::check_settings::<crate::AgentBuild>(), Ok(9));
    }
}
