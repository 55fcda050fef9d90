//! What a gateway speaks to its callers: OpenAI's chat completions, and of Responses what SDKs use. The other side of
//! [`crate::providers::OpenAi`].
//!
//! What is not understood and would change the answer is refused by name; what only tunes a provider is left out.

mod chat;
mod responses;

use serde_json::{Value, json};

pub use chat::{Asked, ChatWriter, read_chat, whole_chat};
pub use responses::{ResponseWriter, read_response};

use crate::{ErrorKind, ModelError};

/// A request that is not of the protocol, or asks for what is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WireError(pub String);

impl WireError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// A limit of the answer's length. To some servers 0 means none, and a budget would have set nothing aside for the answer.
    fn unless_zero(name: &str, limit: Option<u32>) -> Result<Option<u32>, Self> {
        match limit {
            Some(0) => Err(Self::new(format!("`{name}` must be at least 1: leave it out for the gateway's own limit"))),
            limit => Ok(limit),
        }
    }

    /// The body of the refusal.
    #[must_use]
    pub fn body(&self) -> Value {
        error_body("invalid_request_error", "invalid_request", &self.0)
    }
}

/// The protocol's envelope of an error.
#[must_use]
pub fn error_body(kind: &str, code: &str, message: &str) -> Value {
    json!({ "error": { "message": message, "type": kind, "code": code, "param": null } })
}

/// The status and the body by which a caller's SDK understands a failure: what it retries by itself, and what it must not.
#[must_use]
pub fn refusal(error: &ModelError) -> (u16, Value) {
    let (status, kind) = match error.kind {
        // No 429: SDKs would come again at once, and nothing changes until somebody raises the budget.
        ErrorKind::BudgetExhausted => (402, "budget_exhausted"),
        ErrorKind::InvalidRequest | ErrorKind::ContextOverflow => (400, "invalid_request_error"),
        ErrorKind::UnknownModel => (404, "not_found_error"),
        ErrorKind::RateLimited => (429, "rate_limit_error"),
        ErrorKind::Overloaded => (503, "overloaded_error"),
        ErrorKind::Timeout => (504, "timeout_error"),
        // The caller's own token is right; it is the gateway's key that is not.
        ErrorKind::Unauthorized
        | ErrorKind::Forbidden
        | ErrorKind::QuotaExceeded
        | ErrorKind::ProviderFault
        | ErrorKind::Unreachable
        | ErrorKind::Cut
        | ErrorKind::Protocol => (502, "provider_error"),
    };
    // The word by which SDKs know a prompt that is too long.
    let code = if error.kind == ErrorKind::ContextOverflow { "context_length_exceeded" } else { error.kind.as_str() };
    (status, error_body(kind, code, &error.message))
}

#[cfg(test)]
mod tests;
