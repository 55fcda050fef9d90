//! What can go wrong in asking an agent.

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there; nothing was sent.
    #[error("does not accept connections: {0}")]
    Refused(String),
    /// The connection ended before the answer did.
    #[error("broke off its answer: {0}")]
    Cut(String),
    /// No byte for so many seconds.
    #[error("was silent for {0} seconds (idle_timeout_secs)")]
    Silent(u64),
    /// The answer took too long in all.
    #[error("did not finish its answer within {0} seconds (invoke_timeout_secs)")]
    Overtime(u64),
    /// It is no HTTP, no JSON, no text.
    #[error("answered garbage: {0}")]
    Garbage(String),
    /// The answer is larger than allowed.
    #[error("answered more than {0} bytes (max_answer_bytes)")]
    TooMuch(usize),
    /// An HTTP status other than success.
    #[error("answered with HTTP status {status}: {message}")]
    Rejected {
        /// The status.
        status: u16,
        /// From the body, shortened.
        message: String,
    },
    /// The agent reported a failure of its own within an answer.
    #[error("reported {error_type}: {message}")]
    Reported {
        /// The exception's name, or `an error`.
        error_type: String,
        /// Its text, shortened.
        message: String,
    },
    /// What was asked cannot be sent.
    #[error("cannot be asked this: {0}")]
    BadRequest(String),
}

/// Whether an exception's name speaks of something that passes by itself.
#[must_use]
pub fn may_pass(error_type: &str) -> bool {
    let name = error_type.to_ascii_lowercase();
    ["throttl", "timeout", "unavailable", "ratelimit", "overloaded", "connection"]
        .iter()
        .any(|hint| name.contains(hint))
}
