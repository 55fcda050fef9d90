//! The design of the agent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Coverage, Language, StageOutput, ToolSketch};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AgentDesign {
    /// `[a-zA-Z][a-zA-Z0-9_]*`, at most 48 characters.
    #[schemars(length(min = 1, max = 48))]
    pub(crate) agent_name: String,
    /// The name that people read.
    pub(crate) display_name: String,
    /// One or two sentences.
    pub(crate) description: String,
    pub(crate) category: String,
    /// The language it answers in when the question tells none.
    pub(crate) language: Language,
    /// What it can do, a phrase each.
    pub(crate) capabilities: Vec<String>,
    /// Its tools, most important first.
    #[schemars(length(min = 1))]
    pub(crate) tools: Vec<ToolChoice>,
    /// Those of the tools that are to be written, by signature and worked examples.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) to_write: Vec<ToolSketch>,
    /// Questions it answers; its own tests ask them.
    pub(crate) examples: Vec<Example>,
    /// How much of the requirement it serves.
    #[serde(default)]
    pub(crate) coverage: Coverage,
    /// What it will not be able to do.
    #[serde(default)]
    pub(crate) not_served: Vec<Uncovered>,
    /// Whether the requirement named nothing in particular.
    pub(crate) general: bool,
}

impl StageOutput for AgentDesign {
    const STAGE: &'static str = "agent_design";
}

impl AgentDesign {
    /// The design as it was carried out: without the tools that could not be written.
    pub(crate) fn without(mut self, left_out: &[LeftOut]) -> Self {
        let is_left = |id: &str| left_out.iter().any(|left| left.tool == id);
        self.tools.retain(|choice| !is_left(&choice.id));
        self.to_write.retain(|sketch| !is_left(&sketch.id));
        self.examples.retain(|example| !is_left(&example.tool));
        for uncovered in left_out.iter().filter_map(|left| left.uncovered.as_ref()) {
            if !self.not_served.contains(uncovered) {
                self.not_served.push(uncovered.clone());
            }
            self.coverage = if self.tools.is_empty() { Coverage::None } else { Coverage::Partial };
        }
        self
    }
}

/// A tool of the design that could not be written, and what is not served without it: nothing, where a vetted tool
/// stands beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    pub(crate) tool: String,
    pub(crate) uncovered: Option<Uncovered>,
}

/// A tool that was chosen, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ToolChoice {
    pub(crate) id: String,
    /// The words of the requirement that decided.
    pub(crate) matched: Vec<String>,
    /// The data set it serves.
    pub(crate) data: Option<String>,
}

/// A question, the tool that answers it, and what the answer contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Example {
    pub(crate) question: String,
    pub(crate) tool: String,
    pub(crate) contains: String,
}

/// A part of the requirement that no tool serves, in its words, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Uncovered {
    pub(crate) text: String,
    pub(crate) reason: String,
    /// The ability that is wanted: `web_search`, `mail`, `translation`, …; `unknown` when it was not recognised.
    #[serde(default)]
    pub(crate) ability: String,
    /// What would serve it: `model`, `connection`, `memory` or `data`.
    #[serde(default)]
    pub(crate) needs: String,
}

/// `[a-zA-Z][a-zA-Z0-9_]{0,47}`: such a name becomes a file name and a cloud resource's name.
pub(crate) fn is_identifier(name: &str) -> bool {
    name.len() <= 48
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
