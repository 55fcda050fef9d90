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
    use super::*;

    #[test]
    fn every_key_is_described_with_its_default() {
        let schema = Settings::schema();
        assert_eq!(schema["additionalProperties"], false);
        let properties = schema["properties"].as_object().unwrap();
        assert_eq!(properties.len(), 4, "{properties:#?}");
        for (key, described) in properties {
            assert!(described["type"].is_string() && !described["default"].is_null(), "{key}: {described}");
            assert!(described["description"].as_str().is_some_and(|text| text.len() > 10), "{key}: {described}");
            assert!(!key.ends_with("_secs") || described["unit"] == "seconds", "{key}: {described}");
        }
    }

    #[test]
    fn the_described_defaults_are_the_defaults_and_are_accepted() {
        let schema = Settings::schema();
        let written: serde_json::Map<String, Value> = schema["properties"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, one)| (key.clone(), one["default"].clone()))
            .collect();
        let read: Settings = serde_json::from_value(Value::Object(written)).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", Settings::default()));
    }
}
