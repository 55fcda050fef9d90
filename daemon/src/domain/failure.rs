//! Why something failed, and what that means for trying again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

super::words! {
    /// What kind of failure it was.
    FailureKind {
        /// May pass by itself.
        Transient = "transient",
        Permanent = "permanent",
        /// The requirement or its parameters are at fault.
        InvalidInput = "invalid_input",
        /// Took longer than its limit.
        Timeout = "timeout",
        /// Plugin code panicked.
        Panic = "panic",
        /// Ended because it was asked to.
        Cancelled = "cancelled",
        /// The plugin broke the interface's rules or did not end when cancelled.
        Plugin = "plugin",
        /// The daemon's own surroundings (disk, store).
        Infrastructure = "infrastructure",
        /// A budget for language models does not allow the next call.
        BudgetExhausted = "budget_exhausted",
    }
}

impl FailureKind {
    /// Whether another attempt can succeed.
    pub const fn retryable(self) -> bool {
        match self {
            Self::Transient | Self::Timeout | Self::Infrastructure => true,
            // A bug is there the next time too.
            Self::Permanent | Self::InvalidInput | Self::Panic | Self::Plugin | Self::Cancelled => false,
            // Not by itself: somebody raises the budget first.
            Self::BudgetExhausted => false,
        }
    }

    /// Whether the build is held and goes on from the same stage once somebody has seen to the cause.
    pub const fn holds(self) -> bool {
        matches!(self, Self::BudgetExhausted)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Decides about the retry.
    pub kind: FailureKind,
    pub message: String,
    #[serde(default)]
    pub details: Option<String>,
}

impl Failure {
    /// A failure without details.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), details: None }
    }
}

/// Why a build failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorInfo {
    /// The stage that failed, when one did.
    #[serde(default)]
    pub stage: Option<String>,
    /// What kind of failure.
    pub kind: FailureKind,
    /// For people.
    pub message: String,
    /// What the plugin said of it.
    #[serde(default)]
    pub details: Option<String>,
    /// The attempt that failed.
    #[serde(default)]
    pub attempt: u32,
}

impl ErrorInfo {
    /// Of a build, or of what surrounds it, and of none of its stages.
    pub fn outside(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { stage: None, kind, message: message.into(), details: None, attempt: 0 }
    }

    /// Of a stage that failed in an earlier build, by its name and its last attempt.
    pub fn failed_earlier(stage: Option<String>, attempt: Option<u32>) -> Self {
        let message = "the stage failed in an earlier build: restart the project from it";
        let attempt = attempt.unwrap_or_default();
        Self { stage, attempt, ..Self::outside(FailureKind::Permanent, message) }
    }
}
