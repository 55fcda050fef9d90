//! Projects, for whoever asks: a requirement becomes a queued build, which is looked at, steered and deleted.
//!
//! One file per thing that a caller does. Nothing here knows HTTP or a backend's inside.

mod budget;
mod control;
mod create;
mod delete;
mod read;

use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::Value;
use tokio_util::task::TaskTracker;

pub use self::{
    budget::{Budget, BudgetUse},
    control::told,
    create::{NewBuild, Queued},
};
use crate::{
    backend::{error::BackendError, store::Store},
    config::Config,
    deletion::Deletions,
    domain::{
        control::ControlAction,
        ids::{ProjectId, TaskId},
        workflow::Workflows,
    },
    idempotency::KeyError,
};

/// What this service asks of the actor tree. The tree implements it; tests put a recorder in its place.
pub trait Conductor: Send + Sync {
    /// A control request was applied in the store: tell the owner of `task`, if it is here.
    fn controlled(&self, project: &ProjectId, task: Option<&TaskId>, action: ControlAction);
    /// A project was deleted: end whatever works on it.
    fn deleted(&self, project: &ProjectId);
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Projects {
    pub store: Arc<dyn Store>,
    pub conductor: Arc<dyn Conductor>,
    pub deletions: Deletions,
    pub workflows: Arc<ArcSwap<Workflows>>,
    pub config: Arc<ArcSwap<Config>>,
    /// Work that goes on when its client leaves.
    pub tasks: TaskTracker,
}

/// Why something cannot be done with a project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    #[error("project {0} not found")]
    Unknown(ProjectId),
    /// It has no such stage, by this or an old name.
    #[error("stage {0} not found")]
    UnknownStage(String),
    #[error("task {0} not found")]
    UnknownTask(TaskId),
    #[error("There is no such workflow; known: {known}")]
    NoWorkflow { name: String, known: String },
    #[error("There is no such deployment target; known: {known}")]
    NoTarget { given: Value, known: String },
    #[error("{message}")]
    FromStage { message: String, stage: Option<String> },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Store(#[from] BackendError),
    /// The work was lost: a fault of the daemon.
    #[error("{0}")]
    Lost(#[from] tokio::task::JoinError),
}

pub type Result<T> = std::result::Result<T, ProjectError>;
