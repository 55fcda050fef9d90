//! A change while it is made: what each stage has become so far, and what is told of it.

use super::{
    BuildView, Change, LeaseChange, ProjectChange, Refusal, StageChange, StageView, StageWrite, TaskEnd, event,
};
use crate::domain::{
    event::NewEvent,
    failure::ErrorInfo,
    stage::{StageEnd, StageOutcome, StageStatus},
    time::Timestamp,
    transition::{self, ProjectState, StageEvent, TaskEvent},
};

/// See the module.
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
        reached.0 = transition::stage(reached.0, event)?;
        if event == StageEvent::Begin {
            reached.1 += 1;
        }
        let (status, attempt) = *reached;
        self.stages.push(StageChange { index, status, attempt, how });
        Ok((status, attempt))
    }

    fn tell(&mut self, index: usize, (status, attempt): (StageStatus, u32)) {
        self.events.push(event::stage(self.now, self.name(index), status, attempt));
    }

    /// Begins an attempt; answers its number.
    pub(super) fn begin(&mut self, index: usize) -> Result<u32, Refusal> {
        let reached = self.write(index, StageEvent::Begin, StageWrite::Begun { note: None })?;
        self.tell(index, reached);
        Ok(reached.1)
    }

    /// Begins an attempt after one that failed; answers its number.
    pub(super) fn begin_again(&mut self, index: usize, note: String, error: &str) -> Result<u32, Refusal> {
        let (status, attempt) = self.write(index, StageEvent::Begin, StageWrite::Begun { note: Some(note) })?;
        let event = event::stage(self.now, self.name(index), status, attempt);
        self.events.push(event::with_error(event, error));
        Ok(attempt)
    }

    /// Ends an attempt.
    pub(super) fn end(&mut self, index: usize, end: &'c StageEnd) -> Result<(), Refusal> {
        let how = match &end.outcome {
            StageOutcome::Completed(_) => StageEvent::Complete,
            StageOutcome::Skipped(_) => StageEvent::Skip,
            StageOutcome::Failed(_) => StageEvent::Fail,
        };
        let (status, _) = self.write(index, how, StageWrite::Ended(end))?;
        self.events.push(event::stage_end(end, status));
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
            let (status, attempt) = self.write(index, StageEvent::Fail, StageWrite::CutOff(error.to_owned()))?;
            let event = event::stage(self.now, self.name(index), status, attempt);
            self.events.push(event::with_error(event, error));
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
        self.tell(index, reached);
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

    /// The event of a project's record.
    pub(super) fn project_event(&self, project: &ProjectChange<'c>) -> NewEvent {
        let event = event::project(self.now, project.state, project.progress, project.current_stage.as_deref());
        match project.lease {
            LeaseChange::Ended { error } => event::with_info(event, error),
            LeaseChange::Kept | LeaseChange::Taken => event,
        }
    }

    /// The change, told last by the project's own event.
    pub(super) fn done(mut self, project: ProjectChange<'c>, task: Option<TaskEnd<'c>>) -> Change<'c> {
        self.events.push(self.project_event(&project));
        Change { project: Some(project), stages: self.stages, task, events: self.events }
    }

    /// A change that leaves the project's record.
    pub(super) fn of_stages(self) -> Change<'c> {
        Change { project: None, stages: self.stages, task: None, events: self.events }
    }

    /// The change, whose events are as they are.
    pub(super) fn told(self, project: ProjectChange<'c>, task: Option<TaskEnd<'c>>) -> Change<'c> {
        Change { project: Some(project), stages: self.stages, task, events: self.events }
    }

    /// The change of a build that ends at rest; its task ends with it.
    pub(super) fn at_rest(self, state: ProjectState, error: Option<&'c ErrorInfo>, event: TaskEvent) -> Change<'c> {
        let project = self.project(state, LeaseChange::Ended { error });
        let task = self.view.task.map(|_| TaskEnd { event, error: error.map(|info| info.message.as_str()) });
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
