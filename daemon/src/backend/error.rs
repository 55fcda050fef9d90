//! Why a store call failed.

use serde_json::Value;

use crate::domain::{
    allowed_transitions::{self, IllegalTransition, ProjectState},
    change::Refusal,
};

/// Kinds of store failure, as callers must tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackendErrorKind {
    /// The thing is not there.
    NotFound,
    /// The thing is there already.
    Conflict,
    /// The same request was answered already, see `KeptAnswer`.
    Repeated,
    /// The state does not allow it.
    Illegal,
    /// The request itself is wrong.
    Invalid,
    /// The lease is no longer held.
    Fenced,
    /// The store cannot do it now: locked, full, away, closed.
    Unavailable,
    /// What is stored cannot be read.
    Corrupt,
}

/// A failed store call. The message is for people and holds no SQL and no path.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct BackendError {
    kind: BackendErrorKind,
    message: String,
    details: Option<Value>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl BackendError {
    /// An error without a cause.
    pub fn new(kind: BackendErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), details: None, source: None }
    }

    /// Files that belong to what is stored cannot be had now.
    pub fn data_folder(error: std::io::Error) -> Self {
        Self::new(BackendErrorKind::Unavailable, "the data folder cannot be read or written").because(error)
    }

    /// Adds the cause, for the log.
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds facts for the caller (state, allowed actions).
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    pub const fn kind(&self) -> BackendErrorKind {
        self.kind
    }

    /// Facts for the caller.
    pub const fn details(&self) -> Option<&Value> {
        self.details.as_ref()
    }

    /// Whether the same call can succeed later.
    pub const fn retryable(&self) -> bool {
        matches!(self.kind, BackendErrorKind::Unavailable)
    }
}

/// The lease is no longer held.
pub(crate) fn fenced() -> BackendError {
    BackendError::new(BackendErrorKind::Fenced, "the lease of this build is no longer held")
}

/// The thing is not there.
pub(crate) fn not_found(what: &str) -> BackendError {
    BackendError::new(BackendErrorKind::NotFound, format!("this {what} does not exist"))
}

/// The request itself is wrong.
pub(crate) fn invalid(text: impl Into<String>) -> BackendError {
    BackendError::new(BackendErrorKind::Invalid, text)
}

impl From<IllegalTransition> for BackendError {
    fn from(error: IllegalTransition) -> Self {
        let details = serde_json::json!({ "status": error.state });
        Self::new(BackendErrorKind::Illegal, error.to_string()).with_details(details)
    }
}

impl From<Refusal> for BackendError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Fenced => fenced(),
            Refusal::Illegal(error) => error.into(),
            Refusal::Invalid(text) => invalid(text),
            Refusal::Conflict(text) => Self::new(BackendErrorKind::Conflict, text),
            Refusal::NoStage { ref known, .. } => {
                let details = serde_json::json!({ "stages": known });
                invalid(refusal.to_string()).with_details(details)
            }
        }
    }
}

/// A user's request that was refused, with what would be possible.
pub(crate) fn not_allowed(state: ProjectState, refusal: Refusal) -> BackendError {
    match refusal {
        Refusal::Illegal(error) => BackendError::new(BackendErrorKind::Illegal, error.to_string()).with_details(
            serde_json::json!({ "status": state.status, "allowed_actions": allowed_transitions::allowed_actions(state) }),
        ),
        refusal => refusal.into(),
    }
}

/// An error with its causes, each in its words and once: many repeat what lies below them.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}
