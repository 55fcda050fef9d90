//! What a user asks of a project: pause, resume, stop, restart, cancel.

use super::{
    BuildView, Change, LeaseChange, Refusal, StageView, TaskChange,
    draft::{Draft, find},
    ownerless,
};
use crate::domain::{
    allowed_transitions::{self, Effect, ProjectEvent, ProjectState, TaskEvent},
    control::{ControlAction, ControlRequest},
    plan,
    stage::StageStatus,
    task::TaskStatus,
    time::Timestamp,
    workflow::Workflow,
};

/// What a request does.
#[derive(Debug)]
pub struct Controlled<'c> {
    pub change: Change<'c>,
    /// What the record says of the request.
    pub note: Note,
    /// A new build task is written and queued, and the sums are made anew over the stages that stay.
    pub queue: bool,
    /// Somebody works on the task that was the project's, and must be told now.
    pub notify: bool,
}

/// What a project's record says of the last request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub action: ControlAction,
    /// Of resume and restart: the first stage that is run again.
    pub from: Option<String>,
}

impl Note {
    /// Whether it is the time of a pause.
    #[must_use]
    pub fn is_pause(&self) -> bool {
        self.action == ControlAction::Pause
    }

    /// Whether it is the time of a stop.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        matches!(self.action, ControlAction::Stop | ControlAction::Cancel)
    }

    /// Whether it says from where the build goes on.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        matches!(self.action, ControlAction::Resume | ControlAction::Restart)
    }
}

/// Decides a request. `workflow` is the project's, when it is known and has its stages.
///
/// # Errors
/// [`Refusal::Illegal`] in a state that does not allow it, [`Refusal::NoStage`].
pub fn control<'c, S: StageView>(
    view: &BuildView<'_, S>,
    request: &'c ControlRequest,
    workflow: Option<&Workflow>,
    now: Timestamp,
) -> Result<Controlled<'c>, Refusal> {
    let (state, effects) = allowed_transitions::project(view.state, ProjectEvent::Control(request.action))?;
    let queue = effects.contains(&Effect::QueueTask);
    let set_back = match queue {
        true => SetBack::decide(view.stages, request, workflow)?,
        false => SetBack::default(),
    };
    let note = Note { action: request.action, from: set_back.from.clone() };
    let worked_on = view.task == Some(TaskStatus::Running);
    if effects.contains(&Effect::HoldAfterRunningStages) {
        let change = hold(view, state, request, now)?;
        return Ok(Controlled { change, note, queue: false, notify: worked_on });
    }
    let mut draft = Draft::of(view, now);
    if effects.contains(&Effect::CancelRunningStages) {
        let how = if request.action == ControlAction::Stop { "stopped" } else { "cancelled" };
        let who = request.requested_by.as_deref().unwrap_or("its user");
        draft.cut_off(&format!("{how} by {who}"))?;
    }
    let task = view.task.map(|_| TaskChange { event: TaskEvent::Cancel, error: request.reason.as_deref() });
    for index in &set_back.stages {
        draft.set_back(*index, true)?;
    }
    let mut project = draft.project(state, LeaseChange::Ended { error: None });
    if queue {
        project.progress = plan::progress(&draft.statuses());
        if !set_back.stages.is_empty() {
            project.current_stage = None;
        }
    }
    let told = draft.project_event(&project, Some(request));
    draft.events.push(told);
    Ok(Controlled { change: draft.into_told(project, task), note, queue, notify: worked_on })
}

/// A pause of a build that is worked on is reached by its worker; without one, at once.
fn hold<'c, S: StageView>(
    view: &BuildView<'_, S>,
    state: ProjectState,
    request: &'c ControlRequest,
    now: Timestamp,
) -> Result<Change<'c>, Refusal> {
    if matches!(view.task, Some(status) if status != TaskStatus::Running) {
        let held = BuildView { state, ..*view };
        if let Some(change) = ownerless::pause_reached(&held, now)? {
            return Ok(change);
        }
    }
    let mut draft = Draft::of(view, now);
    let project = draft.project(state, LeaseChange::Kept);
    let told = draft.project_event(&project, Some(request));
    draft.events.push(told);
    Ok(draft.into_told(project, None))
}

/// Which stages are to be run again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetBack {
    /// The first, for the record.
    pub from: Option<String>,
    /// Their places, in order.
    pub stages: Vec<usize>,
}

impl SetBack {
    /// Resume goes on where the build is; a restart, or a resume that names a stage, sets that stage and all that depend
    /// on it back. Failed stages are run again in any case: they are unfinished.
    pub fn decide<S: StageView>(
        stages: &[S],
        request: &ControlRequest,
        workflow: Option<&Workflow>,
    ) -> Result<Self, Refusal> {
        let statuses: Vec<StageStatus> = stages.iter().map(StageView::status).collect();
        let from = match &request.from_stage {
            Some(name) => Some(place(stages, name, workflow)?),
            None if request.action == ControlAction::Restart => Some(plan::default_restart(&statuses)),
            None => None,
        };
        let mut again = match (from, workflow) {
            (Some(from), Some(workflow)) => workflow.with_dependents(from),
            // Without its workflow the claim will fail the build anyway, and say why.
            (Some(from), None) => (from..stages.len()).collect(),
            (None, _) => Vec::new(),
        };
        let unfinished = |status: &StageStatus| matches!(status, StageStatus::Failed | StageStatus::Running);
        again.extend(statuses.iter().enumerate().filter(|(_, status)| unfinished(status)).map(|(index, _)| index));
        again.sort_unstable();
        again.dedup();
        let from = from.and_then(|index| stages.get(index)).map(|stage| stage.name().to_owned());
        Ok(Self { from, stages: again })
    }

    /// Carries it out where nothing else is asked: the original's API moves the project itself.
    pub fn change<S: StageView>(&self, view: &BuildView<'_, S>, now: Timestamp) -> Result<Change<'static>, Refusal> {
        let mut draft = Draft::of(view, now);
        for index in &self.stages {
            draft.set_back(*index, true)?;
        }
        let mut project = draft.project(view.state, LeaseChange::Kept);
        project.progress = plan::progress(&draft.statuses());
        if !self.stages.is_empty() {
            project.current_stage = None;
        }
        Ok(draft.into_told(project, None))
    }
}

/// The place of a stage by its name, or by one that its workflow knew it by.
pub fn place<S: StageView>(stages: &[S], name: &str, workflow: Option<&Workflow>) -> Result<usize, Refusal> {
    match workflow.and_then(|workflow| workflow.index_of(name)) {
        Some(index) => Ok(index),
        None => find(stages, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::tests::{NOW, building, diamond, stages};

    #[test]
    fn a_stage_is_known_by_its_workflow_or_by_what_is_stored() {
        let (stored, workflow) = (stages(&[StageStatus::Pending; 4]), diamond());
        for (name, workflow, wanted) in
            [("c", Some(&workflow), Some(2)), ("c", None, Some(2)), ("x", Some(&workflow), None), ("x", None, None)]
        {
            let found = place(&stored, name, workflow);
            assert_eq!(found.as_ref().ok().copied(), wanted, "{name}");
            if let Err(refusal) = found {
                assert_eq!(refusal.to_string(), "the project has no stage \"x\": it has a, b, c, d");
            }
        }
    }

    #[test]
    fn stages_that_are_set_back_lose_what_they_made_and_the_progress_with_it() {
        use StageStatus::{Completed, Failed, Pending};
        let stored = stages(&[Completed, Completed, Failed, Pending]);
        let again = SetBack { from: Some("b".into()), stages: vec![1, 2] };
        let change = again.change(&building(&stored), NOW).unwrap();
        let reset = |stage: &super::super::StageChange<'_>| {
            let clears = matches!(stage.how, super::super::StageWrite::SetBack { clear: true });
            (stage.index, stage.status, stage.attempt, clears)
        };
        let stages: Vec<_> = change.stages.iter().map(reset).collect();
        assert_eq!(stages, [(1, Pending, 1, true), (2, Pending, 1, true)]);
        let project = change.project.unwrap();
        assert_eq!((project.progress, project.current_stage), (25.0, None));
        assert_eq!(project.lease, LeaseChange::Kept);
        // Nothing to set back: the project stays where it was.
        let project = SetBack::default().change(&building(&stored), NOW).unwrap().project.unwrap();
        assert_eq!((project.progress, project.current_stage.as_deref()), (50.0, Some("b")));
    }
}
