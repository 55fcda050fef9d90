//! A change while it is made: what each stage has become so far, and what is told of it.

use super::{BuildView, Change, LeaseChange, ProjectChange, Refusal, StageChange, StageView, StageWrite, TaskChange};
use crate::domain::{
    allowed_transitions::{self, ProjectState, StageEvent, TaskEvent},
    control::ControlRequest,
    event::{Asked, Event, NewEvent},
    failure::ErrorInfo,
    stage::{StageEnd, StageOutcome, StageStatus},
    time::Timestamp,
};

pub(super) struct Draft<'c, 'v, S> {
    view: BuildView<'v, S>,
    now: Timestamp,
    reached: Vec<(StageStatus, u32)>,
    stages: Vec<StageChange<'c>>,
    pub(super) events: Vec<NewEvent>,
}

impl<'c, 'v, S: StageView> Draft<'c, 'v, S> {
    pub(super) fn of(view: &BuildView<'v, S>, now: Timestamp) -> Self {
        let reached = view.stages.iter().map(|stage| (stage.status(), stage.attempt())).collect();
        Self { view: *view, now, reached, stages: Vec::new(), events: Vec::new() }
    }

    /// The place of a stage.
    pub(super) fn find(&self, name: &str) -> Result<usize, Refusal> {
        find(self.view.stages, name)
    }

    /// Where the stages are by now.
    pub(super) fn statuses(&self) -> Vec<StageStatus> {
        self.reached.iter().map(|(status, _)| *status).collect()
    }

    fn name(&self, index: usize) -> &'v str {
        self.view.stages.get(index).map(StageView::name).unwrap_or_default()
    }

    fn write(&mut self, index: usize, event: StageEvent, how: StageWrite<'c>) -> Result<(StageStatus, u32), Refusal> {
        let Some(reached) = self.reached.get_mut(index) else {
            return Err(Refusal::Invalid(format!("the project has no stage number {}", index + 1)));
        };
        reached.0 = allowed_transitions::stage(reached.0, event)?;
        if event == StageEvent::Begin {
            reached.1 += 1;
        }
        let (status, attempt) = *reached;
        self.stages.push(StageChange { index, status, attempt, how });
        Ok((status, attempt))
    }

    fn tell(&mut self, index: usize, (status, attempt): (StageStatus, u32), error: Option<&str>) {
        let (name, error) = (self.name(index).to_owned(), error.map(str::to_owned));
        let event = Event::Stage { name, status, attempt, figures: None, error };
        self.events.push(NewEvent { at: self.now, event });
    }

    /// Begins an attempt; answers its number.
    pub(super) fn begin(&mut self, index: usize) -> Result<u32, Refusal> {
        let reached = self.write(index, StageEvent::Begin, StageWrite::Begun { note: None })?;
        self.tell(index, reached, None);
        Ok(reached.1)
    }

    /// Begins an attempt after one that failed; answers its number.
    pub(super) fn begin_again(&mut self, index: usize, note: String, error: &str) -> Result<u32, Refusal> {
        let reached = self.write(index, StageEvent::Begin, StageWrite::Begun { note: Some(note) })?;
        self.tell(index, reached, Some(error));
        Ok(reached.1)
    }

    pub(super) fn end(&mut self, index: usize, end: &'c StageEnd) -> Result<(), Refusal> {
        let how = match &end.outcome {
            StageOutcome::Completed(_) => StageEvent::Complete,
            StageOutcome::Skipped(_) => StageEvent::Skip,
            StageOutcome::Failed(_) => StageEvent::Fail,
        };
        let (status, _) = self.write(index, how, StageWrite::Ended(end))?;
        let event = Event::Stage {
            name: end.stage_name.clone(),
            status,
            attempt: end.attempt,
            figures: Some(end.figures),
            error: end.outcome.failure().map(|failure| failure.message.clone()),
        };
        self.events.push(NewEvent { at: end.ended_at, event });
        Ok(())
    }

    fn running(&self) -> Vec<usize> {
        let running =
            |(index, (status, _)): (usize, &(StageStatus, u32))| (*status == StageStatus::Running).then_some(index);
        self.reached.iter().enumerate().filter_map(running).collect()
    }

    /// Ends the attempts that run, with this error.
    pub(super) fn cut_off(&mut self, error: &str) -> Result<(), Refusal> {
        for index in self.running() {
            let reached = self.write(index, StageEvent::Fail, StageWrite::CutOff(error.to_owned()))?;
            self.tell(index, reached, Some(error));
        }
        Ok(())
    }

    /// Sets what runs back to pending; what it logged stays.
    pub(super) fn let_go(&mut self) -> Result<(), Refusal> {
        for index in self.running() {
            self.set_back(index, false)?;
        }
        Ok(())
    }

    /// Sets a stage back to pending.
    pub(super) fn set_back(&mut self, index: usize, clear: bool) -> Result<(), Refusal> {
        let reached = self.write(index, StageEvent::Reset, StageWrite::SetBack { clear })?;
        self.tell(index, reached, None);
        Ok(())
    }

    /// The project's record with nothing new but its state and lease.
    pub(super) fn project(&self, state: ProjectState, lease: LeaseChange<'c>) -> ProjectChange<'c> {
        ProjectChange {
            state,
            progress: self.view.progress,
            current_stage: self.view.current_stage.map(str::to_owned),
            aggregated: None,
            assessment: None,
            lease,
        }
    }

    /// The event of a project's record, and of the request that led to it.
    pub(super) fn project_event(&self, project: &ProjectChange<'c>, request: Option<&ControlRequest>) -> NewEvent {
        let error = match project.lease {
            LeaseChange::Ended { error } => error.cloned().map(Box::new),
            LeaseChange::Kept | LeaseChange::Taken => None,
        };
        let request = request.map(|asked| Asked { action: asked.action, reason: asked.reason.clone() });
        let (state, progress, current_stage) = (project.state, project.progress, project.current_stage.clone());
        NewEvent { at: self.now, event: Event::Project { state, progress, current_stage, error, request } }
    }

    /// The change, told last by the project's own event.
    pub(super) fn done(mut self, project: ProjectChange<'c>, task: Option<TaskChange<'c>>) -> Change<'c> {
        self.events.push(self.project_event(&project, None));
        Change { project: Some(project), stages: self.stages, task, events: self.events }
    }

    /// A change that leaves the project's record.
    pub(super) fn of_stages(self) -> Change<'c> {
        Change { project: None, stages: self.stages, task: None, events: self.events }
    }

    /// The change, whose events were told as they came.
    pub(super) fn into_told(self, project: ProjectChange<'c>, task: Option<TaskChange<'c>>) -> Change<'c> {
        Change { project: Some(project), stages: self.stages, task, events: self.events }
    }

    /// The change of a build that ends at rest; its task ends with it.
    pub(super) fn at_rest(self, state: ProjectState, error: Option<&'c ErrorInfo>, event: TaskEvent) -> Change<'c> {
        let project = self.project(state, LeaseChange::Ended { error });
        let task = self.view.task.map(|_| TaskChange { event, error: error.map(|info| info.message.as_str()) });
        self.done(project, task)
    }
}

/// The place of a stage.
pub(super) fn find<S: StageView>(stages: &[S], name: &str) -> Result<usize, Refusal> {
    stages.iter().position(|stage| stage.name() == name).ok_or_else(|| Refusal::NoStage {
        name: name.to_owned(),
        known: stages.iter().map(|stage| stage.name().to_owned()).collect(),
    })
}
