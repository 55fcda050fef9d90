//! What can go wrong with a job and with a name. Refused files are in `refusal.rs`.

use std::time::Duration;

use nexus_plugin_api::payload::{Failure, FailureKind, HandlerKind};

/// Why a job has no result.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JobError {
    /// The handler said so.
    #[error("{0}")]
    Failed(Failure),
    /// Plugin code panicked; the plugin caught it.
    #[error("plugin {plugin} panicked: {message}")]
    Panicked {
        /// Whose code.
        plugin: String,
        /// What the panic said.
        message: String,
    },
    /// The job was cancelled and ended.
    #[error("cancelled")]
    Cancelled,
    /// The job neither ended nor can be ended; its memory and threads stay until the daemon restarts.
    #[error("plugin {plugin}: the job of handler {handler} is stuck: {what} within {limit:?}")]
    Stuck {
        plugin: String,
        handler: String,
        /// What was waited for.
        what: &'static str,
        /// For how long.
        limit: Duration,
    },
    /// The plugin broke a rule of the interface.
    #[error("plugin {plugin} broke the plugin interface: {what}")]
    Violation {
        /// Whose fault.
        plugin: String,
        /// Which rule, and how.
        what: String,
    },
    /// `start` answered that the job never began.
    #[error("plugin {plugin} refused the job with code {code}")]
    Refused {
        /// Who refused.
        plugin: String,
        /// Its own code.
        code: u32,
    },
    /// Too many jobs of this generation are stuck.
    #[error("plugin {plugin} is degraded: {stuck} of its jobs are stuck; reload a repaired file or restart nexusd")]
    Degraded { plugin: String, stuck: usize },
    /// It gives as many answers as it may.
    #[error("plugin {plugin} gives as many answers as it may at a time (max_answers in [plugins]); ask again")]
    Busy { plugin: String },
    /// Too many calls into this generation never returned.
    #[error("plugin {plugin} is broken: {lost} calls into it never returned; reload a repaired file or restart nexusd")]
    Broken {
        plugin: String,
        /// How many threads were lost to it.
        lost: u32,
    },
    /// The plugin or the handler is not there any more, or not with this kind.
    #[error(transparent)]
    Gone(#[from] ResolveError),
    /// The request cannot be sent.
    #[error("the request for plugin {plugin} cannot be sent: {what}")]
    Unsendable {
        /// To whom.
        plugin: String,
        what: String,
    },
    /// The daemon ends.
    #[error("nexusd is shutting down")]
    ShuttingDown,
}

impl JobError {
    /// One word for `error_info.kind`, metrics and logs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Failed(failure) => match failure.kind {
                FailureKind::Transient => "transient",
                FailureKind::Permanent => "permanent",
                FailureKind::InvalidInput => "invalid_input",
                FailureKind::Cancelled => "cancelled",
                FailureKind::BudgetExhausted => "budget_exhausted",
            },
            Self::Panicked { .. } => "plugin_panicked",
            Self::Cancelled => "cancelled",
            Self::Stuck { .. } => "plugin_stuck",
            Self::Violation { .. } => "plugin_violation",
            Self::Refused { .. } => "plugin_refused",
            Self::Degraded { .. } => "plugin_degraded",
            Self::Busy { .. } => "plugin_busy",
            Self::Broken { .. } => "plugin_broken",
            Self::Gone(_) => "plugin_gone",
            Self::Unsendable { .. } => "request_unsendable",
            Self::ShuttingDown => "shutting_down",
        }
    }

    /// Whether the same job may succeed later without anybody changing the request.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Failed(failure) => failure.kind == FailureKind::Transient,
            // A hang is often the network's; a reload or restart cures the others.
            Self::Stuck { .. }
            | Self::Refused { .. }
            | Self::Degraded { .. }
            | Self::Busy { .. }
            | Self::Broken { .. }
            | Self::Gone(_)
            | Self::ShuttingDown => true,
            // A bug is there the next time too.
            Self::Panicked { .. } | Self::Violation { .. } | Self::Cancelled | Self::Unsendable { .. } => false,
        }
    }

    /// The operator's part of the message, when the handler gave one.
    #[must_use]
    pub fn details(&self) -> Option<&str> {
        if let Self::Failed(failure) = self { failure.details.as_deref() } else { None }
    }
}

/// Why a `plugin/handler` name leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Not of the form `plugin/handler`.
    #[error("{name:?} is no handler name: write plugin/handler")]
    Malformed {
        /// As it was asked for.
        name: String,
    },
    /// No such plugin.
    #[error("no plugin named {plugin:?} is loaded{hint}")]
    UnknownPlugin {
        /// As it was asked for.
        plugin: String,
        /// A near name, or which plugins there are.
        hint: String,
    },
    /// The plugin's file was found but refused.
    #[error("plugin {plugin:?} was refused: {reason}")]
    Refused {
        /// As it was asked for.
        plugin: String,
        /// Why, as in its report.
        reason: String,
    },
    /// The plugin has no such handler.
    #[error("plugin {plugin:?} has no handler {handler:?}{hint}")]
    UnknownHandler {
        /// The plugin.
        plugin: String,
        /// As it was asked for.
        handler: String,
        /// A near name, or which handlers there are.
        hint: String,
    },
    /// The handler is of the other kind.
    #[error("{name:?} is no {wanted} handler: it is a {found} handler", wanted = word(*wanted), found = word(*found))]
    WrongKind {
        /// As it was asked for.
        name: String,
        /// What was asked for.
        wanted: HandlerKind,
        found: HandlerKind,
    },
}

impl ResolveError {
    /// One word for logs and the API.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "handler_malformed",
            Self::UnknownPlugin { .. } => "plugin_unknown",
            Self::Refused { .. } => "plugin_refused",
            Self::UnknownHandler { .. } => "handler_unknown",
            Self::WrongKind { .. } => "handler_wrong_kind",
        }
    }

    /// A reload can cure what is missing, never a misspelt name.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(self, Self::UnknownPlugin { .. } | Self::Refused { .. } | Self::UnknownHandler { .. })
    }
}

fn word(kind: HandlerKind) -> &'static str {
    match kind {
        HandlerKind::Stage => "stage",
        HandlerKind::Deploy => "deploy",
    }
}

/// "; did you mean …?" or "; there is …" for an unknown name.
pub(super) fn hint<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let near = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(wanted, name), *name))
        .filter(|(distance, _)| *distance <= 3)
        .min();
    match near {
        Some((_, name)) => format!("; did you mean {name:?}?"),
        None if known.is_empty() => "; there is none".to_owned(),
        None => format!("; there is {}", known.join(", ")),
    }
}
