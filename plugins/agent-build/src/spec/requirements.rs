//! The analysed requirement.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DataSet, Language, StageOutput};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Requirements {
    /// Language of the requirement.
    pub(crate) language: Language,
    pub(crate) title: String,
    /// What is wanted, in short.
    pub(crate) summary: String,
    /// What the agent shall do.
    pub(crate) tasks: Vec<Task>,
    /// What the agent shall know.
    pub(crate) data: Vec<DataSet>,
    /// Qualities it shall have.
    pub(crate) qualities: Vec<String>,
    /// How one sees that it is done.
    pub(crate) acceptance: Vec<String>,
}

impl StageOutput for Requirements {
    const STAGE: &'static str = "requirements_analysis";
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Task {
    /// `R1`, `R2`, …
    pub(crate) id: String,
    /// In the requirement's words.
    pub(crate) text: String,
}
