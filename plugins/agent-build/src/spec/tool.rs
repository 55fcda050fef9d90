//! A tool: what it is, and what a stage wrote of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{LeftOut, Localized, StageOutput};

/// What a tool is, for people and for whoever calls it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Tool {
    /// Name of its Python modules: `[a-z][a-z0-9_]*`.
    pub(crate) id: String,
    pub(crate) category: String,
    pub(crate) name: Localized,
    /// One line.
    pub(crate) summary: Localized,
    /// What it reaches beyond its arguments: `network`, `files`.
    #[serde(default)]
    pub(crate) permissions: Vec<String>,
    pub(crate) functions: Vec<Function>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Function {
    /// Its Python name.
    pub(crate) name: String,
    /// First line of its documentation.
    pub(crate) summary: String,
    pub(crate) parameters: Vec<Parameter>,
    /// What it gives back, in words.
    #[serde(default)]
    pub(crate) returns: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// Its type in words: `string`, `array of string`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) required: bool,
    #[serde(default)]
    pub(crate) description: String,
    /// What it is when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<Value>,
}

/// A tool as an author writes it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct WrittenTool {
    #[serde(flatten)]
    pub(crate) about: Tool,
    /// A question it answers.
    pub(crate) example: Localized,
    /// Where the code comes from.
    pub(crate) source: String,
    /// Content of `tools/<id>.py`.
    pub(crate) code: String,
    /// Content of `intents/<id>.py`.
    pub(crate) intent: String,
    /// Content of `tests/test_<id>.py`.
    pub(crate) tests: String,
    /// How code was proven that nobody vetted.
    #[serde(default)]
    pub(crate) proof: Option<Proof>,
}

/// What a written tool passed before it became part of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Proof {
    /// Worked examples that it passes: all of them.
    pub(crate) examples: u64,
    /// Unit tests that it passes: those made of the examples, and the author's own.
    pub(crate) tests: u64,
    /// Small mistakes put into its code.
    pub(crate) mutants: u64,
    /// Those that its tests notice.
    pub(crate) noticed: u64,
    /// How often its code was written anew.
    pub(crate) repairs: u64,
}

/// The tools of a design, as far as they could be written.
#[derive(Clone, Debug)]
pub(crate) struct WrittenTools {
    pub(crate) tools: Vec<WrittenTool>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// What later stages need of a written tool; the code is in the files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ToolRecord {
    #[serde(flatten)]
    pub(crate) about: Tool,
    pub(crate) example: Localized,
    pub(crate) source: String,
    pub(crate) code_path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proof: Option<Proof>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ToolRecords {
    pub(crate) tools: Vec<ToolRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) left_out: Vec<LeftOut>,
}

impl StageOutput for ToolRecords {
    const STAGE: &'static str = "tools_developer";
}
