//! Agents, for whoever asks: talked to ([`conversation`]), brought into service and out of it, changed and deleted
//! ([`lifecycle`]), read and written as the files that they are made of ([`package`], [`files`]).
//!
//! Nothing here knows HTTP or a backend's inside.

pub mod conversation;
mod files;
mod lifecycle;
pub mod package;
mod read;
pub mod syntax;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::task::TaskTracker;

pub use self::{
    conversation::{Conversations, Meter},
    files::{NewContent, Written},
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        store::Store,
    },
    config::Config,
    deletion::Deletions,
    domain::{
        agent::AgentStatus,
        failure::Failure,
        ids::{AgentId, SessionId},
        session::SessionStatus,
    },
    idempotency::KeyError,
    jobs::DeployedAgents,
};

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Agents {
    /// Metadata.
    pub store: Arc<dyn Store>,
    /// What runs of them.
    pub deployed: DeployedAgents,
    /// The one way to delete something.
    pub deletions: Deletions,
    /// The settings of today.
    pub config: Arc<ArcSwap<Config>>,
    /// Work that goes on when its client leaves.
    pub tasks: TaskTracker,
}

/// Why something cannot be done with an agent, or in a session with one.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// There is none of this id.
    #[error("agent {0} not found")]
    Unknown(AgentId),
    /// There is no such session.
    #[error("session {0} not found")]
    UnknownSession(SessionId),
    /// It has no such file.
    #[error("file {0} not found")]
    UnknownFile(String),
    /// Nobody asks it now.
    #[error("{}", not_running(*.0))]
    NotRunning(AgentStatus),
    /// A state that cannot be had from here.
    #[error("an agent that is {now} cannot be put into {wanted}")]
    Illegal {
        /// How it is.
        now: AgentStatus,
        /// How it was to be.
        wanted: AgentStatus,
        /// How it could be.
        allowed: Vec<AgentStatus>,
    },
    /// Its deploy target is not in the settings.
    #[error("no deploy target is named `{0}`: add it to [deploy.targets] with a plugin's handler")]
    NoTarget(String),
    /// It cannot be deployed without one.
    #[error("the agent's project is gone, so it cannot be deployed again")]
    ProjectGone,
    /// Its deploy handler failed.
    #[error("{0}")]
    Handler(Failure, AgentId),
    /// It was asked, and did not answer.
    #[error("{}", .0.failure)]
    NoAnswer(Box<conversation::NoAnswer>),
    /// It takes no messages.
    #[error("the session is closed")]
    SessionClosed(SessionStatus),
    /// Somebody asks in it.
    #[error("the agent is still answering in this session")]
    SessionBusy,
    /// Too many others are being answered.
    #[error("more answers are being given than the daemon can hold; try again")]
    Overloaded,
    /// The new content of a file is too large.
    #[error("the file is larger than {} bytes", package::MAX_FILE)]
    TooLarge,
    /// The new content of a file is not taken.
    #[error(transparent)]
    Syntax(#[from] syntax::SyntaxError),
    /// A file was not changed.
    #[error(transparent)]
    Write(#[from] package::WriteError),
    /// A file is changed here, and nobody else can see that yet.
    #[error("the file is changed here, but other daemons cannot see that yet: send the change again")]
    NotShared,
    /// See [`KeyError`].
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store refuses, or is away.
    #[error(transparent)]
    Store(#[from] BackendError),
    /// The work was lost: a fault of the daemon.
    #[error("{0}")]
    Lost(String),
}

/// What a service answers.
pub type Result<T> = std::result::Result<T, AgentError>;

const fn not_running(status: AgentStatus) -> &'static str {
    match status {
        AgentStatus::Building | AgentStatus::Deploying => "the agent is still being deployed; ask again",
        AgentStatus::Error => "the agent's deployment failed; see its error_message, and deploy it again",
        AgentStatus::Offline | AgentStatus::Running => "the agent is offline",
    }
}

/// The task that works was lost.
fn lost(error: impl std::fmt::Display) -> AgentError {
    AgentError::Lost(error.to_string())
}

/// What the store says of a session that is not there.
fn of_session(id: &SessionId) -> impl FnOnce(BackendError) -> AgentError {
    move |error| match error.kind() {
        BackendErrorKind::NotFound => AgentError::UnknownSession(id.clone()),
        _ => error.into(),
    }
}
