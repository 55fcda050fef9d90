//! Why a call to a model failed, and what can be done about it.

use std::time::Duration;

use crate::Identity;

/// The kinds of failure that are treated differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The provider refuses the request as it stands.
    InvalidRequest,
    /// The prompt is longer than the model's context.
    ContextOverflow,
    /// The key is missing, wrong or expired.
    Unauthorized,
    /// The key may not use this model.
    Forbidden,
    /// The provider does not know the model.
    UnknownModel,
    /// The account has no money or quota left: waiting does not help.
    QuotaExceeded,
    /// Too many requests: waiting helps.
    RateLimited,
    /// The provider is busy, starting or in repair.
    Overloaded,
    /// The provider failed.
    ProviderFault,
    /// A deadline passed; what the provider did until then is not known.
    Timeout,
    /// No connection came about; the provider has seen nothing.
    Unreachable,
    /// The stream ended without the provider saying so.
    Cut,
    /// What came is not of the protocol.
    Protocol,
    /// The call would exceed a budget; nothing was sent.
    BudgetExhausted,
}

impl ErrorKind {
    /// The word by which the kind is known outside.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::ContextOverflow => "context_overflow",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::UnknownModel => "unknown_model",
            Self::QuotaExceeded => "quota_exceeded",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::ProviderFault => "provider_fault",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Cut => "stream_cut",
            Self::Protocol => "protocol",
            Self::BudgetExhausted => "budget_exhausted",
        }
    }

    /// Whether the same call may succeed a little later.
    #[must_use]
    pub fn is_worth_a_retry(self) -> bool {
        matches!(
            self,
            Self::RateLimited | Self::Overloaded | Self::ProviderFault | Self::Timeout | Self::Unreachable | Self::Cut
        )
    }

    /// Whether another provider may succeed where this one cannot.
    #[must_use]
    pub fn is_worth_another_provider(self) -> bool {
        self.is_worth_a_retry()
            || matches!(
                self,
                Self::Unauthorized | Self::Forbidden | Self::UnknownModel | Self::QuotaExceeded | Self::Protocol
            )
    }

    /// Whether the provider may have worked for this call, and may charge for it, though it failed.
    #[must_use]
    pub fn may_have_cost(self) -> bool {
        matches!(self, Self::Timeout | Self::Cut | Self::Protocol)
    }
}

/// A failed call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ModelError {
    pub kind: ErrorKind,
    /// For people: what happened, where, and if possible what to do.
    pub message: String,
    /// The HTTP status, if the provider answered with one.
    pub status: Option<u16>,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
    /// Whether an attempt may have cost something for which no budget was asked since then.
    pub may_have_cost: bool,
}

impl ModelError {
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), status: None, retry_after: None, may_have_cost: kind.may_have_cost() }
    }

    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// A stream that ended although its provider had not said that the answer is complete.
    #[must_use]
    pub fn cut(who: &Identity, how: &str) -> Self {
        Self::new(ErrorKind::Cut, format!("{who}: the stream ended before the answer was complete: {how}"))
    }

    #[must_use]
    pub fn protocol(who: &Identity, what: impl std::fmt::Display) -> Self {
        Self::new(ErrorKind::Protocol, format!("{who}: {what}"))
    }
}
