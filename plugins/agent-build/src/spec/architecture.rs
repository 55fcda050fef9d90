//! The agent's architecture.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StageOutput;

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Architecture {
    /// In a few sentences.
    pub(crate) overview: String,
    pub(crate) components: Vec<Component>,
    /// How a question travels, step by step.
    pub(crate) flow: Vec<String>,
    /// A Mermaid flowchart.
    pub(crate) mermaid: String,
    pub(crate) decisions: Vec<Decision>,
}

impl StageOutput for Architecture {
    const STAGE: &'static str = "system_architecture";
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Component {
    pub(crate) name: String,
    /// What it does.
    pub(crate) role: String,
    /// Where it is found in the agent's folder.
    pub(crate) place: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Decision {
    pub(crate) decision: String,
    pub(crate) reason: String,
}
