//! The orchestrator's plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Language, StageOutput};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Plan {
    /// Language of the requirement.
    pub(crate) language: Language,
    /// What is going to be built, in one or two sentences.
    pub(crate) summary: String,
    pub(crate) stages: Vec<PlannedStage>,
    /// What is taken for granted.
    pub(crate) assumptions: Vec<String>,
}

impl StageOutput for Plan {
    const STAGE: &'static str = "orchestrator";
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PlannedStage {
    /// Its name in the workflow.
    pub(crate) stage: String,
    /// What it shall reach.
    pub(crate) goal: String,
    /// What it leaves behind.
    pub(crate) deliverable: String,
}

/// What the plan says of a stage, in English and in Chinese.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StageOutline {
    pub(crate) stage: &'static str,
    pub(crate) goal: [&'static str; 2],
    pub(crate) deliverable: [&'static str; 2],
}
