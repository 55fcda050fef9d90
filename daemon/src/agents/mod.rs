//! Agents, for whoever asks: talked to ([`conversation`]), brought into service and out of it, changed and deleted
//! (`lifecycle`), read and written as the files that they are made of ([`package`], `files`).
//!
//! Nothing here knows HTTP or a backend's inside.

mod adopt;
mod budget;
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
    adopt::Adoption,
    budget::{DayBudget, DayBudgetUse},
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
    pub store: Arc<dyn Store>,
    pub deployed: DeployedAgents,
    pub deletions: Deletions,
    pub config: Arc<ArcSwap<Config>>,
    /// Work that goes on when its client leaves.
    pub tasks: TaskTracker,
}

/// Why something cannot be done with an agent, or in a session with one.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("agent {0} not found")]
    Unknown(AgentId),
    #[error("session {0} not found")]
    UnknownSession(SessionId),
    #[error("file {0} not found")]
    UnknownFile(String),
    #[error("{}", not_running(*.0))]
    NotRunning(AgentStatus),
    #[error("an agent that is {now} cannot be put into {wanted}")]
    Illegal { now: AgentStatus, wanted: AgentStatus, allowed: Vec<AgentStatus> },
    #[error("no deploy target is named `{0}`: add it to [deploy.targets] with a plugin's handler")]
    NoTarget(String),
    #[error("{0}")]
    NotThere(String),
    #[error("the agent's project is gone, so it cannot be deployed again")]
    ProjectGone,
    #[error("{0}")]
    Handler(Failure, AgentId),
    #[error("{}", .0.failure)]
    NoAnswer(Box<conversation::NoAnswer>),
    #[error("the session is closed")]
    SessionClosed(SessionStatus),
    #[error("the agent is still answering in this session")]
    SessionBusy,
    #[error("more answers are being given than the daemon can hold; try again")]
    Overloaded,
    #[error("the file is larger than {} bytes", package::MAX_FILE)]
    TooLarge,
    #[error(transparent)]
    Syntax(#[from] syntax::SyntaxError),
    #[error(transparent)]
    Write(#[from] package::WriteError),
    #[error("the file is changed here, but other daemons cannot see that yet: send the change again")]
    NotShared,
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Store(#[from] BackendError),
    /// The work was lost: a fault of the daemon.
    #[error("{0}")]
    Lost(String),
}

pub type Result<T> = std::result::Result<T, AgentError>;

const fn not_running(status: AgentStatus) -> &'static str {
    match status {
        AgentStatus::Building | AgentStatus::Deploying => "the agent is still being deployed; ask again",
        AgentStatus::Error => "the agent's deployment failed; see its error_message, and deploy it again",
        AgentStatus::Offline | AgentStatus::Running => "the agent is offline",
    }
}

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
