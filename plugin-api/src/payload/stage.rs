use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ModelAccess, ToolInfo};

/// One attempt of one stage.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StageRequest {
    /// `proj_…`.
    pub project_id: String,
    /// As the user named it.
    pub project_name: String,
    /// What the user wants, as written.
    pub requirement: String,
    /// Who asked.
    pub user_id: String,
    /// The user's tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The stage's name in the workflow.
    pub stage: String,
    /// Its place in the workflow, from 1.
    pub stage_number: u32,
    /// From 1; grows with every retry. An earlier attempt may have been cut off anywhere.
    pub attempt: u32,
    /// The project's folder: absolute, exists, belongs to this project alone.
    pub workspace: PathBuf,
    /// `output` of every completed stage that this one depends on, directly or not, by stage name.
    #[serde(default)]
    pub inputs: BTreeMap<String, Value>,
    /// The stage's `[stages.options]` of the workflow file.
    #[serde(default)]
    pub options: Value,
    /// The project's `deployment` as the user gave it; null when absent.
    #[serde(default)]
    pub deployment: Value,
    /// How the stage asks language models, on the project's account; absent when the daemon knows none. Its token lasts as
    /// long as the attempt may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<ModelAccess>,
}

/// What a stage leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageResult {
    /// Becomes `output_data`, and the input of later stages.
    pub output: Map<String, Value>,
    /// The stage's document.
    #[serde(default)]
    pub document: Option<Document>,
    /// Files made, relative to the workspace. The daemon adds size and checksum.
    #[serde(default)]
    pub files: Vec<String>,
    /// Tokens used in all, beyond those reported by events.
    #[serde(default)]
    pub usage: Usage,
    /// Tool calls made, beyond those reported by events.
    #[serde(default)]
    pub tool_calls: u64,
    /// The stage decided that there is nothing to do; it counts as `skipped`.
    #[serde(default)]
    pub skipped: bool,
    /// The agent that came out. The last one given by any stage is registered when the build ends.
    #[serde(default)]
    pub agent: Option<AgentManifest>,
    /// How much of the requirement is served, as far as this stage knows. The last one given by any stage is kept with
    /// the project, and with the agent when one comes out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assessment: Option<Assessment>,
}

/// How much of a requirement an agent serves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// `full`, `partial` or `none`.
    pub coverage: String,
    /// What is not served.
    #[serde(default)]
    pub not_served: Vec<NotServed>,
    /// What the finished agent answered: `{asked, passed, failed, unproven, items: [{kind, question, answer, expected,
    /// outcome, reason?, source?}]}`, with the outcomes `passed`, `failed` and `unproven`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<Value>,
}

/// A part of a requirement that is not served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotServed {
    /// In the requirement's words.
    pub text: String,
    /// Why, for people.
    pub reason: String,
}

/// The document of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Relative to the workspace; already written.
    pub path: String,
    /// Its content, kept as `agent_output_content`.
    pub content: String,
}

/// Tokens of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Read.
    pub input_tokens: u64,
    /// Written.
    pub output_tokens: u64,
    /// Which model; decides the price.
    #[serde(default)]
    pub model_id: Option<String>,
}

/// What is to be known of a finished agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentManifest {
    /// Short name.
    pub agent_name: String,
    /// What people call it; empty: the short name in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// One or two sentences.
    pub description: String,
    /// For grouping.
    pub category: String,
    /// The agent's version.
    pub version: String,
    /// What it can do, a phrase each.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Names of its tools.
    #[serde(default)]
    pub tools: Vec<String>,
    /// What is to be known of the tools it was built with; the daemon lists them and counts their use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_infos: Vec<ToolInfo>,
    /// The agent's folder, relative to the workspace.
    pub agent_dir: String,
    /// The prompt file, relative to the workspace.
    #[serde(default)]
    pub prompt_path: String,
    /// The entry file, relative to the workspace.
    #[serde(default)]
    pub code_path: String,
}
