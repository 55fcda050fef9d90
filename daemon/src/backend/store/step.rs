//! What a build asks of the store from stage to stage, and what it is answered.

use crate::{
    backend::queue::Receipt,
    domain::{
        agent::NewAgent,
        assessment::Assessment,
        change::step::{End, Step},
        control::ControlStatus,
        event::NewEvent,
        failure::{ErrorInfo, Failure},
        project::{AggregatedMetrics, ProjectStatus},
        stage::StageEnd,
    },
};

/// One step of a build: what ended, what begins, and perhaps the end of it all.
#[derive(Clone, Debug, Default)]
pub struct BuildStep {
    pub ended: Vec<StageEnd>,
    /// Names of stages to begin, unless a pause is asked for.
    pub begin: Vec<String>,
    /// Stages that go on running beside.
    pub still_running: usize,
    /// Progress in percent after this step.
    pub progress: f64,
    /// Sums over the stages after this step.
    pub aggregated: AggregatedMetrics,
    /// How much of the requirement is served, when an ended stage said it.
    pub assessment: Option<Assessment>,
    /// The end of the build.
    pub end: Option<BuildEnd>,
    /// Deleted in the same unit when the build ends or is paused, on a backend that holds the queue too.
    pub receipt: Option<Receipt>,
    /// Further events of the ended stages, in order, written before the step's own.
    pub events: Vec<NewEvent>,
}

impl BuildStep {
    /// What is to be decided.
    pub fn request(&self) -> Step<'_> {
        let end = match &self.end {
            Some(BuildEnd::Completed { .. }) => Some(End::Completed),
            Some(BuildEnd::Failed(info)) => Some(End::Failed(info)),
            Some(BuildEnd::Held(info)) => Some(End::Held(info)),
            None => None,
        };
        Step {
            ended: &self.ended,
            begin: &self.begin,
            still_running: self.still_running,
            progress: self.progress,
            aggregated: self.aggregated,
            assessment: self.assessment.as_ref(),
            end,
            events: &self.events,
        }
    }
}

/// How a build ends.
#[derive(Clone, Debug)]
pub enum BuildEnd {
    /// Every stage is done. The agent is registered and, when its target deploys, a deploy task queued.
    Completed {
        /// The agent that came out.
        agent: Option<Box<NewAgent>>,
        /// Whether to queue its deployment; else it is registered `offline`.
        deploy: bool,
    },
    /// A stage failed for good, or the build as a whole.
    Failed(ErrorInfo),
    /// It is paused until somebody has seen to the cause; a resume runs the stage again.
    Held(ErrorInfo),
}

/// What a step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildProgress {
    /// Begun stages with their attempt number, in the order of `begin`; empty when held.
    pub begun: Vec<(String, u32)>,
    pub status: ProjectStatus,
    /// What the user wants now.
    pub control: ControlStatus,
    /// Whether the message was deleted in the same unit.
    pub message_deleted: bool,
}

/// A further attempt after a failure.
#[derive(Clone, Debug)]
pub struct StageRetry {
    pub stage_name: String,
    /// The attempt that failed.
    pub failed_attempt: u32,
    pub failure: Failure,
}
