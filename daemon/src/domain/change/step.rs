//! A step of a build: stages end, others begin, and perhaps all is over. The path that runs for every stage.

use super::{
    BuildView, Change, LeaseChange, ProjectChange, Refusal, StageView, TaskEnd,
    draft::{Draft, find},
    rest::STOPPED,
};
use crate::domain::{
    assessment::Assessment,
    event::NewEvent,
    failure::ErrorInfo,
    project::AggregatedMetrics,
    stage::{StageEnd, StageOutcome, StageStatus},
    time::Timestamp,
    transition::{self, ProjectEvent, StageEvent, TaskEvent},
};

/// What a worker reports and wants.
#[derive(Clone, Copy, Debug)]
pub struct Step<'c> {
    /// Stages that ended.
    pub ended: &'c [StageEnd],
    /// Stages to begin, unless a pause or stop is asked for.
    pub begin: &'c [String],
    /// Stages that go on running beside.
    pub still_running: usize,
    /// Progress in percent after this step.
    pub progress: f64,
    /// Sums over the stages after this step.
    pub aggregated: AggregatedMetrics,
    /// How much of the requirement is served, when an ended stage said it.
    pub assessment: Option<&'c Assessment>,
    /// The end of the build.
    pub end: Option<End<'c>>,
    /// Further events of the ended stages, told before the step's own.
    pub events: &'c [NewEvent],
}

/// How a build ends.
#[derive(Clone, Copy, Debug)]
pub enum End<'c> {
    /// Every stage is done.
    Completed,
    /// A stage failed for good, or the build as a whole.
    Failed(&'c ErrorInfo),
}

/// What a step does.
#[derive(Debug)]
pub struct Stepped<'c> {
    /// To be written.
    pub change: Change<'c>,
    /// Begun stages with their attempt number, in the order of `begin`; empty when held.
    pub begun: Vec<(String, u32)>,
}

/// Decides a step.
///
/// # Errors
/// A [`Refusal`]: an ended attempt is not the one that runs, a stage cannot begin, or the build is not complete.
pub fn step<'c, S: StageView>(
    view: &BuildView<'_, S>,
    step: &Step<'c>,
    now: Timestamp,
) -> Result<Stepped<'c>, Refusal> {
    check(view, step)?;
    let mut draft = Draft::of(view, now);
    draft.events.reserve(step.events.len() + step.ended.len() + step.begin.len() + 2);
    draft.events.extend_from_slice(step.events);
    for end in step.ended {
        draft.end(draft.find(&end.stage_name)?, end)?;
    }
    let pause = transition::project(view.state, ProjectEvent::PauseReached).is_ok();
    let stop = transition::project(view.state, ProjectEvent::StopReached).is_ok();
    let mut begun = Vec::new();
    let mut current = view.current_stage;
    if !pause && !stop && step.end.is_none() {
        for name in step.begin {
            begun.push((name.clone(), draft.begin(draft.find(name)?)?));
        }
        current = step.begin.first().map_or(current, |name| Some(name.as_str()));
    }
    let mut project = ProjectChange {
        state: view.state,
        progress: step.progress,
        current_stage: current.map(str::to_owned),
        aggregated: Some(step.aggregated),
        assessment: step.assessment,
        lease: LeaseChange::Kept,
    };
    let how = match step.end {
        Some(End::Completed) => ProjectEvent::Completed,
        Some(End::Failed(_)) => ProjectEvent::Failed,
        None if stop => ProjectEvent::StopReached,
        None if pause && step.still_running == 0 => ProjectEvent::PauseReached,
        None => return Ok(Stepped { change: draft.done(project, None), begun }),
    };
    project.state = transition::project(view.state, how)?.0;
    match how {
        ProjectEvent::Completed => {}
        ProjectEvent::Failed => draft.cut_off("the build failed")?,
        ProjectEvent::StopReached => draft.cut_off(STOPPED)?,
        _ => draft.cut_off("the build was paused")?,
    }
    let (error, event) = match step.end {
        Some(End::Completed) => (None, TaskEvent::Complete),
        Some(End::Failed(info)) => (Some(info), TaskEvent::Fail),
        None => (None, TaskEvent::Cancel),
    };
    project.lease = LeaseChange::Ended { error };
    let task = TaskEnd { event, error: error.map(|info| info.message.as_str()) };
    Ok(Stepped { change: draft.done(project, Some(task)), begun })
}

/// Holds a step against what is stored, before anything is decided.
fn check<S: StageView>(view: &BuildView<'_, S>, step: &Step<'_>) -> Result<(), Refusal> {
    let stage =
        |name: &str| -> Result<&S, Refusal> { view.stages.get(find(view.stages, name)?).ok_or(Refusal::Fenced) };
    for end in step.ended {
        let stage = stage(&end.stage_name)?;
        if stage.attempt() != end.attempt {
            return Err(Refusal::Fenced);
        }
        if stage.status() != StageStatus::Running {
            let refused = transition::stage(stage.status(), StageEvent::Complete);
            return Err(refused.err().map_or(Refusal::Fenced, Refusal::Illegal));
        }
    }
    let ends = |name: &str| step.ended.iter().find(|end| end.stage_name == name);
    for name in step.begin {
        let status = stage(name)?.status();
        transition::stage(status, StageEvent::Begin)?;
        if ends(name).is_some() || status == StageStatus::Running {
            let text = format!("stage {name:?} cannot begin in the step in which it runs or ends");
            return Err(Refusal::Invalid(text));
        }
    }
    if let Some(End::Completed) = step.end {
        let ends_well = |name: &str| ends(name).is_some_and(|end| !matches!(end.outcome, StageOutcome::Failed(_)));
        let open = view.stages.iter().find(|stage| !stage.status().is_satisfied() && !ends_well(stage.name()));
        if let Some(stage) = open {
            let text = format!("the build cannot be completed: stage {:?} is not", stage.name());
            return Err(Refusal::Invalid(text));
        }
    }
    Ok(())
}
