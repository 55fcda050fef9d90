use serde::{Deserialize, Serialize};

/// Why a job failed, and whether trying again can help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Decides about the retry.
    pub kind: FailureKind,
    /// One sentence for the user: what was wrong and what to do.
    pub message: String,
    /// More for the operator: the output of a tool, a position. Shown in `error_info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// May pass by itself: the daemon retries with backoff.
    Transient,
    /// Will fail again: the project is marked failed at once.
    Permanent,
    /// The request is at fault: as permanent, and answered as the caller's mistake.
    InvalidInput,
    /// The job ended because it was asked to.
    Cancelled,
    /// The model gate refused a call beyond a budget: the build is paused with the message as its reason, and goes on from
    /// this stage when it is resumed.
    BudgetExhausted,
}

impl Failure {
    /// A failure that may pass by itself.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Transient, message)
    }

    /// A failure that retrying cannot cure.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Permanent, message)
    }

    /// A failure caused by what the caller sent.
    #[must_use]
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(FailureKind::InvalidInput, message)
    }

    /// The job was cancelled.
    #[must_use]
    pub fn cancelled() -> Self {
        Self::new(FailureKind::Cancelled, "cancelled")
    }

    /// A budget does not allow the model's next call.
    #[must_use]
    pub fn budget_exhausted(message: impl Into<String>) -> Self {
        Self::new(FailureKind::BudgetExhausted, message)
    }

    /// Adds text for the operator.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), details: None }
    }
}
