//! The agent's system prompt, the words of its README, and its folder.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StageOutput;

/// The version of a fresh agent.
pub(crate) const VERSION: &str = "1.0.0";

/// The agent's system prompt.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct AgentPrompt {
    /// Who the agent is.
    pub(crate) role: String,
    /// The rules it keeps.
    pub(crate) rules: Vec<String>,
    /// The whole prompt as Markdown.
    #[schemars(length(min = 1))]
    pub(crate) text: String,
}

/// What later stages need of the prompt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PromptRecord {
    pub(crate) role: String,
    pub(crate) rules: Vec<String>,
    /// Inside the agent's folder.
    pub(crate) prompt_path: String,
}

impl StageOutput for PromptRecord {
    const STAGE: &'static str = "prompt_engineer";
}

/// What the agent's README says about this agent in particular.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Introduction {
    /// What the agent is for.
    pub(crate) introduction: String,
    /// What its owner should know.
    pub(crate) notes: Vec<String>,
}

/// What later stages need of the agent's folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AgentFolder {
    pub(crate) agent_dir: String,
    pub(crate) entry_point: String,
    pub(crate) manifest_path: String,
    pub(crate) knowledge: Vec<String>,
    pub(crate) files: Vec<String>,
}

impl StageOutput for AgentFolder {
    const STAGE: &'static str = "agent_code_developer";
}
