use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ToolInfo;

/// What a plugin says of itself: the answer of `describe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The plugin's name: `[a-z][a-z0-9-]{0,63}`. Workflow files bind stages as `name/handler`.
    pub name: String,
    /// The plugin's own version, for people.
    pub version: String,
    /// One line, for people.
    #[serde(default)]
    pub summary: String,
    /// What it handles.
    pub handlers: Vec<HandlerInfo>,
    /// Tools it brings along for the agents it builds: the daemon lists them, and people can try them
    /// out there. At most 512.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolInfo>,
    /// Source texts of the tools, by relative path. A tool runs with its own files only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tool_files: BTreeMap<String, String>,
    /// What may stand in the plugin's table of the daemon's settings, as a JSON schema: an object whose `properties` have
    /// `type`, `default`, `description`, and where they fit `minimum`, `maximum`, `enum`, `items`. `"unit"` names what a
    /// number counts. Of the formats the daemon knows `"path"`, which counts from the folder of the file of settings;
    /// `"program"`, a name that is looked up in `PATH`, or a path; and `"python"`, a program that must be Python 3.9 or
    /// newer. What is `"writeOnly"` is shown to nobody; what is `"neededByTargets"` must be set before a target of one of the
    /// plugin's deploy handlers can be served, which `nexusd check-config` tells. Only with
    /// `"additionalProperties": false` are other keys mistakes.
    /// The daemon checks settings against it before `configure`, and shows it; without it, it hands the table over as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Value>,
}

/// One handler of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandlerInfo {
    /// Unique within the plugin: `[a-z][a-z0-9_-]{0,63}`.
    pub name: String,
    /// Which operations it understands.
    pub kind: HandlerKind,
    /// One line, for people.
    #[serde(default)]
    pub summary: String,
}

/// The two kinds of handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandlerKind {
    /// Understands `run`.
    Stage,
    /// Understands `deploy`, `undeploy`, `status` and `invoke`.
    Deploy,
}

impl Description {
    /// Begins a description without handlers.
    #[must_use]
    pub fn new(name: &str, version: &str, summary: &str) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            summary: summary.into(),
            handlers: Vec::new(),
            tools: Vec::new(),
            tool_files: BTreeMap::new(),
            settings: None,
        }
    }

    /// Adds a stage handler.
    #[must_use]
    pub fn stage(self, name: &str, summary: &str) -> Self {
        self.handler(name, HandlerKind::Stage, summary)
    }

    /// Adds a deploy handler.
    #[must_use]
    pub fn deploy(self, name: &str, summary: &str) -> Self {
        self.handler(name, HandlerKind::Deploy, summary)
    }

    /// Adds a tool.
    #[must_use]
    pub fn tool(mut self, tool: ToolInfo) -> Self {
        self.tools.push(tool);
        self
    }

    /// Adds a source text that tools need.
    #[must_use]
    pub fn tool_file(mut self, path: &str, text: &str) -> Self {
        self.tool_files.insert(path.into(), text.into());
        self
    }

    /// Says by a JSON schema what may stand in the plugin's settings.
    #[must_use]
    pub fn settings(mut self, schema: Value) -> Self {
        self.settings = Some(schema);
        self
    }

    fn handler(mut self, name: &str, kind: HandlerKind, summary: &str) -> Self {
        self.handlers.push(HandlerInfo { name: name.into(), kind, summary: summary.into() });
        self
    }
}
