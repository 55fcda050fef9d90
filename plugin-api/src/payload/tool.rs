use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A tool: one function that an agent, or its model, can call.
///
/// In a [`Description`](super::Description) it is one that the plugin brings along for builds; in an
/// [`AgentManifest`](super::AgentManifest) one that an agent was built with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolInfo {
    /// What it is called by: `[A-Za-z_][A-Za-z0-9_-]{0,63}`, unique within the plugin or the agent.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub display_name: String,
    /// What it does.
    #[serde(default)]
    pub description: String,
    /// For grouping.
    #[serde(default)]
    pub category: String,
    /// The tool's version; empty: that of the plugin or the agent.
    #[serde(default)]
    pub version: String,
    /// What it came with: tools of one module share it.
    #[serde(default)]
    pub package: String,
    /// Packages it needs beyond the language's standard library.
    #[serde(default)]
    pub dependencies: Vec<String>,
    /// Its arguments, as the JSON Schema of an object.
    #[serde(default = "no_parameters")]
    pub parameters: Value,
    /// What it gives back: a type in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_type: Option<String>,
    /// What it is written in. Only `python` tools can be tried out by the daemon.
    #[serde(default = "python")]
    pub language: String,
    /// The function's name; empty: as the tool's.
    #[serde(default)]
    pub entry: String,
    /// The file with the function: in a description one of its `tool_files`, in a manifest relative to
    /// the workspace.
    pub code_path: String,
    /// Further files it needs, all of the description's `tool_files`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

impl ToolInfo {
    /// A Python function of this name in this file, without parameters.
    #[must_use]
    pub fn python(name: &str, code_path: &str) -> Self {
        Self {
            name: name.into(),
            display_name: String::new(),
            description: String::new(),
            category: String::new(),
            version: String::new(),
            package: String::new(),
            dependencies: Vec::new(),
            parameters: no_parameters(),
            return_type: None,
            language: python(),
            entry: String::new(),
            code_path: code_path.into(),
            files: Vec::new(),
        }
    }

    /// The name of the function to call.
    #[must_use]
    pub fn function(&self) -> &str {
        if self.entry.is_empty() { &self.name } else { &self.entry }
    }
}

fn python() -> String {
    "python".into()
}

fn no_parameters() -> Value {
    json!({ "type": "object", "properties": {} })
}
