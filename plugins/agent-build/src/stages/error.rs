//! Why a stage failed, and what the daemon is told of it.

use nexus_plugin_api::payload::Failure;

use crate::{
    author::AuthorError,
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
    #[error("cancelled")]
    Cancelled,
}

impl From<StageError> for Failure {
    fn from(error: StageError) -> Self {
        let message = error.to_string();
        match error {
            StageError::Cancelled => Self::cancelled(),
            StageError::Author(AuthorError::Unanswerable(_)) => Self::invalid_input(message),
            // Another answer may keep the rules.
            StageError::Author(AuthorError::Unusable { .. })
            | StageError::Workspace(WorkspaceError::Io { .. })
            | StageError::Task(_)
            | StageError::Verify(VerifyError::Timeout(_)) => Self::transient(message),
            StageError::Verify(error) => match error.details() {
                Some(details) => Self::permanent(message).with_details(details),
                None => Self::permanent(message),
            },
            StageError::Input { .. }
            | StageError::Author(_)
            | StageError::Workspace(_)
            | StageError::Cases(_)
            | StageError::Json(_) => Self::permanent(message),
        }
    }
}
