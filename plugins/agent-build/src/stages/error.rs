//! Why a stage failed, and what the daemon is told of it.

use nexus_model::ErrorKind;
use nexus_plugin_api::payload::Failure;

use crate::{
    author::AuthorError,
    spec::Uncovered,
    verify::{VerifyError, acceptance::FrozenError},
    workspace::WorkspaceError,
};

#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    #[error("the output of `{stage}` is needed: {problem}")]
    Input { stage: &'static str, problem: String },
    #[error(transparent)]
    Author(#[from] AuthorError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Cases(#[from] FrozenError),
    #[error("cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the stage's task ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
    #[error("{}", nothing_served(.0))]
    NothingServed(Vec<Uncovered>),
    #[error("cancelled")]
    Cancelled,
}

/// What is wanted, why it cannot be, and what would help.
fn nothing_served(left: &[Uncovered]) -> String {
    let wishes: Vec<String> = left.iter().map(|left| format!("“{}”: {}", left.text, left.reason)).collect();
    let needs = |what: &str| left.iter().any(|left| left.needs == what);
    let needed = [
        ("model", "a language model"),
        ("connection", "a connection to the services that are named"),
        ("memory", "a memory that lasts"),
        ("data", "the data to answer from"),
    ];
    let needed: Vec<&str> = needed.into_iter().filter(|(what, _)| needs(what)).map(|(_, words)| words).collect();
    format!(
        "nothing of the requirement can be served: {}. It would need {}. Change the requirement, or give the project the tag `allow_unserved` to get an agent with general tools",
        wishes.join("; "),
        needed.join(" and ")
    )
}

impl From<StageError> for Failure {
    fn from(error: StageError) -> Self {
        let message = error.to_string();
        match error {
            StageError::Cancelled => Self::cancelled(),
            StageError::Author(AuthorError::Unanswerable(_)) => Self::invalid_input(message),
            StageError::Author(AuthorError::Model { ref error, .. }) => match error.kind {
                ErrorKind::BudgetExhausted => Self::budget_exhausted(message),
                kind if kind.is_worth_a_retry() => Self::transient(message),
                _ => Self::permanent(message),
            },
            StageError::Author(AuthorError::NotUsable { answers, .. }) => {
                Self::transient(message).with_details(answers.join("\n\n"))
            }
            StageError::Author(AuthorError::Unproven { attempts, .. }) => {
                Self::permanent(message).with_details(attempts)
            }
            StageError::Author(AuthorError::Proof(error)) => Self::from(StageError::Verify(error)),
            // Another answer may keep the rules.
            StageError::Author(AuthorError::Unusable { .. })
            | StageError::Workspace(WorkspaceError::Io { .. })
            | StageError::Task(_)
            | StageError::Verify(VerifyError::Timeout(_)) => Self::transient(message),
            StageError::Verify(error) => match error.details() {
                Some(details) => Self::permanent(message).with_details(details),
                None => Self::permanent(message),
            },
            StageError::NothingServed(_)
            | StageError::Input { .. }
            | StageError::Author(_)
            | StageError::Workspace(_)
            | StageError::Cases(_)
            | StageError::Json(_) => Self::permanent(message),
        }
    }
}
