//! What a command does to a build: decided here, once, for every backend.
//!
//! Each command is a function of a [`BuildView`], as narrow as what a store's writer remembers of a build, and answers a
//! [`Change`]: data that says how the project, its stages and its task are to be written, and what is told of it. A store
//! loads the view, calls the function, and writes the change as one unit under the lease that the view was read with. No
//! store knows a rule.
//!
//! ```text
//! claim     a worker takes the build, fresh, resumed, restarted or taken over
//! step      stages end, others begin, the build may end
//! retry     a failed attempt is tried again
//! rest      a pause or a stop is reached, a build fails, a worker hands its build back
//! control   what a user asks
//! deploy    an agent is put into service
//! ```

pub mod claim;
pub mod control;
pub mod deploy;
mod draft;
pub mod event;
pub mod rest;
pub mod retry;
pub mod step;
#[cfg(test)]
mod tests;

use super::{
    assessment::Assessment,
    event::NewEvent,
    failure::ErrorInfo,
    project::AggregatedMetrics,
    stage::{Stage, StageEnd, StageStatus},
    task::TaskStatus,
    transition::{IllegalTransition, ProjectState, TaskEvent},
    workflow::Workflow,
};

/// What a decision needs of a stage.
pub trait StageView {
    /// Its name in the workflow.
    fn name(&self) -> &str;
    /// Where it is.
    fn status(&self) -> StageStatus;
    /// Attempts begun.
    fn attempt(&self) -> u32;
}

impl StageView for Stage {
    fn name(&self) -> &str {
        &self.stage_name
    }

    fn status(&self) -> StageStatus {
        self.status
    }

    fn attempt(&self) -> u32 {
        self.attempt
    }
}

/// What a decision needs of a build.
#[derive(Debug)]
pub struct BuildView<'v, S> {
    /// The project's two state words.
    pub state: ProjectState,
    /// In percent.
    pub progress: f64,
    /// The stage that began last.
    pub current_stage: Option<&'v str>,
    /// In the order of the workflow.
    pub stages: &'v [S],
    /// The project's task, while it has not ended.
    pub task: Option<TaskStatus>,
}

impl<S> Clone for BuildView<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for BuildView<'_, S> {}

/// Whether the stages are those of a workflow.
pub(crate) fn fits<S: StageView>(workflow: &Workflow, stages: &[S]) -> bool {
    workflow.stages().iter().map(|stage| stage.name.as_str()).eq(stages.iter().map(StageView::name))
}

/// A command cannot be carried out; nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another attempt or another worker has taken its place.
    #[error("the lease of this build is no longer held")]
    Fenced,
    /// The state does not allow it.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// The project has no such stage.
    #[error("the project has no stage {name:?}: it has {}", .known.join(", "))]
    NoStage {
        /// What was named.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// The command contradicts itself or what is stored.
    #[error("{0}")]
    Invalid(String),
}

/// What is to be written as one unit.
#[derive(Debug)]
pub struct Change<'c> {
    /// None: the project's own record stays.
    pub project: Option<ProjectChange<'c>>,
    /// In this order; a stage may be named more than once.
    pub stages: Vec<StageChange<'c>>,
    /// How the project's task ends, if it does. Its message is withdrawn with it.
    pub task: Option<TaskEnd<'c>>,
    /// What is told, in this order.
    pub events: Vec<NewEvent>,
}

/// The project's record after a command.
#[derive(Debug)]
pub struct ProjectChange<'c> {
    /// The state words.
    pub state: ProjectState,
    /// In percent.
    pub progress: f64,
    /// The stage that began last.
    pub current_stage: Option<String>,
    /// Sums over the stages, when they are new.
    pub aggregated: Option<AggregatedMetrics>,
    /// How much of the requirement is served, when a stage said it.
    pub assessment: Option<&'c Assessment>,
    /// What becomes of the build's lease.
    pub lease: LeaseChange<'c>,
}

/// What becomes of a build's lease.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LeaseChange<'c> {
    /// The build goes on under it.
    Kept,
    /// It is the claiming worker's, under a new number.
    Taken,
    /// The build rests, is over or waits again. When it is over, now is its end.
    Ended {
        /// Why it failed.
        error: Option<&'c ErrorInfo>,
    },
}

/// One stage after a command.
#[derive(Debug)]
pub struct StageChange<'c> {
    /// Its place in the view.
    pub index: usize,
    /// Where it is now.
    pub status: StageStatus,
    /// Attempts begun.
    pub attempt: u32,
    /// What else is written.
    pub how: StageWrite<'c>,
}

/// What is written of a stage beside its status.
#[derive(Debug)]
pub enum StageWrite<'c> {
    /// An attempt begins now. A new attempt leaves nothing of the one before but its log, with a line about it.
    Begun {
        /// A line about the attempt before.
        note: Option<String>,
    },
    /// The attempt ended, with what it made.
    Ended(&'c StageEnd),
    /// The attempt was cut off now.
    CutOff(String),
    /// It waits for another attempt. `clear` drops what it made; its numbered attempts stay.
    SetBack {
        /// Whether its products go.
        clear: bool,
    },
}

/// How a task ends.
#[derive(Debug, PartialEq, Eq)]
pub struct TaskEnd<'c> {
    /// Completed, failed or cancelled.
    pub event: TaskEvent,
    /// Why.
    pub error: Option<&'c str>,
}
