//! What a build found out about its agent, as it is kept with the project and the agent.

use serde::{Deserialize, Serialize};

/// Questions, answers and score.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// Cases that were made from the requirement.
    pub asked: u64,
    /// Those that the agent passed.
    pub passed: u64,
    /// Those that it failed.
    pub failed: u64,
    /// Those of which nothing can be said, each with its reason.
    pub unproven: u64,
    /// The cases, in the order in which they were asked.
    pub items: Vec<Item>,
}

/// A question that was made from the requirement and asked of the finished agent.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "AcceptanceItem"))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What it is about: `datum`, `task`, `refusal`, `trap`.
    pub kind: String,
    /// What was asked, in one session.
    pub question: String,
    /// What came last.
    pub answer: String,
    /// What should have come, in words.
    pub expected: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, unless it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The words of the requirement that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// What became of a case: the agent answered as it should, it did not, or nothing can be said of it.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
// Without its texts on the words, the schema is a plain list of words, which every generator of clients reads.
#[cfg_attr(feature = "schema", schemars(rename = "CaseOutcome"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Outcome {
    Passed,
    Failed,
    Unproven,
}

impl Acceptance {
    /// Counts the items.
    #[must_use]
    pub fn of(items: Vec<Item>) -> Self {
        let count = |outcome| items.iter().filter(|item| item.outcome == outcome).count() as u64;
        Self {
            asked: items.len() as u64,
            passed: count(Outcome::Passed),
            failed: count(Outcome::Failed),
            unproven: count(Outcome::Unproven),
            items,
        }
    }
}

/// How much of a requirement an agent serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// All of it.
    Full,
    /// Some of it.
    Partial,
    /// Nothing.
    #[default]
    None,
}

impl Coverage {
    /// The word in records.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::None => "none",
        }
    }
}

/// A part of a requirement that an agent does not serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotServed {
    /// In the requirement's words.
    pub text: String,
    /// Why.
    pub reason: String,
}
