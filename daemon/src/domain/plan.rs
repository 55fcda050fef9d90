//! What a build does next, from what is stored: the one start path for fresh, resumed, restarted and
//! redelivered builds.

use super::{stage::StageStatus, workflow::Workflow};

/// The next step of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Begin these stages (indices), others may be running.
    Begin(Vec<usize>),
    /// Nothing to begin until a running stage ends.
    Wait,
    /// Every stage is completed or skipped.
    Finished,
    /// Nothing runs and nothing can begin, since this stage failed.
    Failed(usize),
}

/// Decides the next step. At most `parallel` stages run side by side.
pub fn next(workflow: &Workflow, statuses: &[StageStatus], parallel: usize) -> Next {
    if statuses.iter().all(|s| s.is_satisfied()) {
        return Next::Finished;
    }
    let running = statuses.iter().filter(|s| **s == StageStatus::Running).count();
    if let Some(failed) = statuses.iter().position(|s| *s == StageStatus::Failed) {
        // A failed stage ends the build, once the stages beside it have ended.
        return if running > 0 { Next::Wait } else { Next::Failed(failed) };
    }
    let mut ready = workflow.ready(statuses);
    ready.truncate(parallel.max(1).saturating_sub(running));
    if ready.is_empty() { Next::Wait } else { Next::Begin(ready) }
}

/// Statuses as a new owner takes them over: what was running is to be run again.
pub fn taken_over(statuses: &[StageStatus]) -> Vec<StageStatus> {
    statuses.iter().map(|s| if *s == StageStatus::Running { StageStatus::Pending } else { *s }).collect()
}

/// Progress in percent: the share of stages that are completed or skipped.
pub fn progress(statuses: &[StageStatus]) -> f64 {
    if statuses.is_empty() {
        return 0.0;
    }
    let done = statuses.iter().filter(|s| s.is_satisfied()).count();
    #[allow(clippy::cast_precision_loss)] // a handful of stages
    let percent = done as f64 * 100.0 / statuses.len() as f64;
    (percent * 10.0).round() / 10.0
}

/// The stage where a restart begins when the request names none: the first failed one, else the first.
pub fn default_restart(statuses: &[StageStatus]) -> usize {
    statuses.iter().position(|s| *s == StageStatus::Failed).unwrap_or(0)
}
