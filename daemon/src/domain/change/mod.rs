//! What a command does to a build, a deployment or an agent: each rule stands here, once, and every backend executes it.
//!
//! A command on a build is a function of a [`BuildView`], which is as narrow as what a store's writer remembers of a build.
//! It answers a [`Change`]: data that says how the project, its stages and its task are to be written, and what is told of
//! it. A store loads the view, calls the function, and writes the change as one unit under the lease with which it read
//! the view. A command on an agent changes the agent's record in place and answers the event that tells of it.
//!
//! ```text
//! create    a requirement becomes a project that waits for a worker
//! claim     a worker takes the build, fresh, resumed, restarted or taken over
//! step      stages end, others begin, the build may end
//! retry     a failed attempt is tried again
//! rest      a pause or a stop is reached, a build fails, a worker gives its build back
//! control   a user pauses, resumes, stops, restarts or cancels
//! delete    a project goes, and its agents with it or not
//! agent     a build registers its agent, people change it
//! deploy    an agent is put into service
//! task      a task is claimed and queued again, be it a build or a deployment
//! ```

pub mod agent;
pub mod claim;
pub mod control;
pub mod create;
pub mod delete;
pub mod deploy;
mod draft;
pub mod ownerless;
pub mod retry;
pub mod step;
pub mod task;
#[cfg(test)]
mod tests;

use super::{
    allowed_transitions::{IllegalTransition, ProjectState, TaskEvent},
    assessment::Assessment,
    event::NewEvent,
    failure::ErrorInfo,
    project::AggregatedMetrics,
    stage::{Stage, StageEnd, StageStatus},
    task::TaskStatus,
    workflow::Workflow,
};

/// What a decision needs of a stage.
pub trait StageView {
    /// Its name in the workflow.
    fn name(&self) -> &str;
    fn status(&self) -> StageStatus;
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
    /// The project's task, while it has not ended. A step and a retry do not look at it: who holds the build's lease holds
    /// its task, so a writer need not remember that one.
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
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// The command contradicts itself or what is stored.
    #[error("{0}")]
    Invalid(String),
    /// What it needs beside is gone.
    #[error("{0}")]
    Conflict(&'static str),
}

/// What is to be written as one unit.
#[derive(Debug)]
pub struct Change<'c> {
    /// None: the project's own record stays.
    pub project: Option<ProjectChange<'c>>,
    /// In this order; a stage may be named more than once.
    pub stages: Vec<StageChange<'c>>,
    /// What becomes of the project's task, if it is another now.
    pub task: Option<TaskChange<'c>>,
    /// What is told, in this order.
    pub events: Vec<NewEvent>,
}

/// The project's record after a command.
#[derive(Debug)]
pub struct ProjectChange<'c> {
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
    /// Nobody holds it any more: the build rests, is over or waits again. The project's `completed_at` becomes now if its
    /// status is final, else nothing; its `error_info` becomes `error`, also if that is nothing.
    Ended { error: Option<&'c ErrorInfo> },
}

/// One stage after a command.
#[derive(Debug)]
pub struct StageChange<'c> {
    /// Its place in the view.
    pub index: usize,
    /// Where it is now.
    pub status: StageStatus,
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

/// What becomes of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskChange<'c> {
    /// It is completed, failed or cancelled, and its message withdrawn; or released, and its message comes again.
    pub event: TaskEvent,
    pub error: Option<&'c str>,
}

impl Change<'_> {
    /// Whether the task was given back, so that the next worker takes it.
    #[must_use]
    pub fn waits_again(&self) -> bool {
        self.task.is_some_and(|task| task.event == TaskEvent::Release)
    }
}
