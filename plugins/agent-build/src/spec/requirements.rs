//! The analysed requirement.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Coverage, DataSet, Language, Reading, StageOutput, ToolSketch, Uncovered};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Requirements {
    /// Language of the requirement.
    pub(crate) language: Language,
    pub(crate) title: String,
    /// What is wanted, in short.
    pub(crate) summary: String,
    /// What the text says, part by part.
    #[serde(default)]
    pub(crate) reading: Reading,
    /// What the agent shall know, as its tools read it.
    pub(crate) data: Vec<DataSet>,
    /// How much of it can be served.
    #[serde(default)]
    pub(crate) coverage: Coverage,
    /// What cannot be served, in the requirement's words, and why.
    #[serde(default)]
    pub(crate) not_served: Vec<Uncovered>,
    /// Tools that no catalogue has and that can be written for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) to_write: Vec<ToolSketch>,
    /// Qualities it shall have.
    pub(crate) qualities: Vec<String>,
    /// How one sees that it is done.
    pub(crate) acceptance: Vec<String>,
}

impl StageOutput for Requirements {
    const STAGE: &'static str = "requirements_analysis";
}

/// The frozen cases that the agent will be asked, beside the requirements in the output of their stage.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AcceptanceCases {
    pub(crate) acceptance_cases: CasesRecord,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CasesRecord {
    /// In the project's folder.
    pub(crate) path: String,
    /// Of the file, in hexadecimal.
    pub(crate) sha256: String,
    pub(crate) count: usize,
}

impl StageOutput for AcceptanceCases {
    const STAGE: &'static str = Requirements::STAGE;
}
