//! The steps of a build: the path that runs for every stage of every project.

use serde_json::json;

use super::{
    DynamoStore,
    aggregate::{Aggregate, Plan, TRIES, contended, pause},
    stages, tasks,
};
use crate::{
    domain::{
        event::NewEvent,
        failure::ErrorInfo,
        project::ProjectStatus,
        stage::{StageOutcome, StageStatus},
        task::Lease,
        transition::{self, ProjectEvent, ProjectState, StageEvent, TaskEvent},
    },
    store::{
        BuildEnd, BuildProgress, BuildStep, Result, StageRetry,
        alike::project_event,
        error::{fenced, illegal, invalid},
    },
};

/// What a stage says that a stop has cut off.
const STOPPED: &str = "stopped by its user";

/// Checks a step against what is stored.
fn check(known: &mut Aggregate, step: &BuildStep) -> Result<()> {
    let all = &mut known.stages;
    for end in &step.ended {
        let stage = stages::find(all, &end.stage_name)?;
        if stage.attempt != end.attempt {
            return Err(fenced());
        }
        if stage.status != StageStatus::Running {
            let refused = transition::stage(stage.status, StageEvent::Complete);
            return Err(refused.err().map_or_else(fenced, |e| illegal(&e)));
        }
    }
    for name in &step.begin {
        let stage = stages::find(all, name)?;
        transition::stage(stage.status, StageEvent::Begin).map_err(|e| illegal(&e))?;
        if step.ended.iter().any(|end| end.stage_name == *name) || stage.status == StageStatus::Running {
            return Err(invalid(format!("stage {name:?} cannot begin in the step in which it runs or ends")));
        }
    }
    if let Some(BuildEnd::Completed { .. }) = &step.end {
        let ends_well = |name: &str| {
            step.ended.iter().any(|end| end.stage_name == name && !matches!(end.outcome, StageOutcome::Failed(_)))
        };
        let open = all.iter().find(|stage| !stage.status.is_satisfied() && !ends_well(&stage.stage_name));
        if let Some(stage) = open {
            return Err(invalid(format!("the build cannot be completed: stage {:?} is not", stage.stage_name)));
        }
    }
    Ok(())
}

/// What tells a step from every other of the project.
fn name_of(lease: &Lease, step: &BuildStep) -> String {
    let ended = step.ended.iter().map(|end| format!("{}@{}", end.stage_name, end.attempt));
    let ended: Vec<String> = ended.collect();
    let end = if step.end.is_some() { "!" } else { "" };
    format!("{}:{}:{}{end}", lease.epoch, ended.join(","), step.begin.join(","))
}

/// The answer to a step that was written, though its writer did not hear of it.
fn told_again(known: &Aggregate, step: &BuildStep) -> BuildProgress {
    let running = |name: &String| {
        let stage = known.stages.iter().find(|stage| stage.stage_name == *name)?;
        (stage.status == StageStatus::Running).then(|| (name.clone(), stage.attempt))
    };
    let ProjectState { status, control } = known.state();
    BuildProgress { begun: step.begin.iter().filter_map(running).collect(), status, control, message_deleted: false }
}

impl Plan {
    /// The build rests or is over: the lease ends.
    pub(crate) fn rest(&mut self, state: ProjectState, error: Option<&ErrorInfo>) {
        let now = self.now;
        self.after.set_state(state);
        self.after.stored.lease_worker = None;
        let project = &mut self.after.stored.project;
        project.updated_at = now;
        project.completed_at = state.status.is_final().then_some(now);
        project.error_info = error.cloned();
        let mut event = project_event(now, state, project.progress, project.current_stage.as_deref());
        if let Some(info) = error {
            event.fields.insert("error_info".into(), json!(info));
        }
        self.events.push(event);
    }

    /// Ends the task of the build, if one is open.
    fn finish_task(&mut self, event: TaskEvent, error: Option<&str>) -> Result<()> {
        let now = self.now;
        match self.after.open_task() {
            Some(task) => tasks::finish(task, event, error, None, now),
            None => Ok(()),
        }
    }

    /// A pause that nobody is left to reach: what ran goes back to pending, the task ends.
    pub(crate) fn settle_pause(&mut self) -> Result<ProjectState> {
        let state = transition::project(self.after.state(), ProjectEvent::PauseReached).map_err(|e| illegal(&e))?.0;
        let events = stages::let_go(&mut self.after.stages, self.now)?;
        self.events.extend(events);
        self.rest(state, None);
        self.finish_task(TaskEvent::Cancel, None)?;
        Ok(state)
    }

    /// Whether its words ask for a stop that nobody has carried out.
    pub(crate) fn is_to_stop(&self) -> bool {
        transition::project(self.after.state(), ProjectEvent::StopReached).is_ok()
    }

    /// A stop that only stands in the words: what runs is cut off, the task ends. The original's API asks so.
    pub(crate) fn settle_stop(&mut self) -> Result<ProjectState> {
        let state = transition::project(self.after.state(), ProjectEvent::StopReached).map_err(|e| illegal(&e))?.0;
        let events = stages::cut_off(&mut self.after.stages, STOPPED, self.now)?;
        self.events.extend(events);
        self.rest(state, None);
        self.finish_task(TaskEvent::Cancel, None)?;
        Ok(state)
    }

    /// Ends a build as failed, whoever holds its lease.
    pub(crate) fn fail(&mut self, store: &DynamoStore, info: &ErrorInfo) -> Result<()> {
        // A build that nobody works on yet fails as if it had just been claimed.
        let claimed = transition::project(self.after.state(), ProjectEvent::Claimed).map_err(|e| illegal(&e))?.0;
        let state = transition::project(claimed, ProjectEvent::Failed).map_err(|e| illegal(&e))?.0;
        let events = stages::cut_off(&mut self.after.stages, &info.message, self.now)?;
        self.events.extend(events);
        self.rest(state, Some(info));
        self.finish_task(TaskEvent::Fail, Some(&info.message))?;
        store.build_figures(self, ProjectStatus::Failed)
    }
}

impl DynamoStore {
    /// `Store::advance_build`.
    pub(crate) async fn advance(&self, lease: &Lease, step: &BuildStep) -> Result<BuildProgress> {
        let id = &lease.project_id;
        let name = name_of(lease, step);
        let mut held = self.slots.hold(id).await;
        for round in 0..TRIES {
            let Some(mut plan) = self.plan(&mut held).await? else { return Err(fenced()) };
            if plan.after.stored.last_step.as_ref() == Some(&name) {
                return Ok(told_again(&plan.after, step));
            }
            if !plan.after.admits(lease) {
                *held.known = None;
                return Err(fenced());
            }
            check(&mut plan.after, step)?;
            plan.after.stored.last_step = Some(name.clone());
            let begun = self.take_step(&mut plan, step).await?;
            let ProjectState { status, control } = plan.after.state();
            match self.commit(&mut held, plan).await? {
                Ok(()) => return Ok(BuildProgress { begun, status, control, message_deleted: false }),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }

    async fn take_step(&self, plan: &mut Plan, step: &BuildStep) -> Result<Vec<(String, u32)>> {
        let now = plan.now;
        plan.events.extend(step.events.iter().cloned());
        for end in &step.ended {
            let event = stages::end(stages::find(&mut plan.after.stages, &end.stage_name)?, end)?;
            plan.events.push(event);
        }
        let pause = transition::project(plan.after.state(), ProjectEvent::PauseReached).ok();
        let stop = transition::project(plan.after.state(), ProjectEvent::StopReached).ok();
        let mut begun = Vec::new();
        if pause.is_none() && stop.is_none() && step.end.is_none() {
            for name in &step.begin {
                let stage = stages::find(&mut plan.after.stages, name)?;
                let event = stages::begin(stage, now)?;
                begun.push((name.clone(), stage.attempt));
                plan.events.push(event);
            }
            if let Some(first) = step.begin.first() {
                plan.after.stored.project.current_stage = Some(first.clone());
            }
        }
        if !step.ended.is_empty()
            && let Some(task) = &mut plan.after.task
        {
            (task.fruitless, task.spared) = (0, 0);
            task.tried_by.clear();
        }
        let project = &mut plan.after.stored.project;
        project.progress = step.progress;
        project.updated_at = now;
        project.aggregated_metrics = step.aggregated;
        let at_rest = match (&step.end, pause) {
            (Some(BuildEnd::Completed { .. }), _) => Some(ProjectEvent::Completed),
            (Some(BuildEnd::Failed(_)), _) => Some(ProjectEvent::Failed),
            (None, None) if stop.is_some() => Some(ProjectEvent::StopReached),
            (None, Some(_)) if step.still_running == 0 => Some(ProjectEvent::PauseReached),
            _ => None,
        };
        let Some(how) = at_rest else {
            let (state, project) = (plan.after.state(), &plan.after.stored.project);
            let event = project_event(now, state, project.progress, project.current_stage.as_deref());
            plan.events.push(event);
            return Ok(begun);
        };
        let state = transition::project(plan.after.state(), how).map_err(|e| illegal(&e))?.0;
        if how != ProjectEvent::Completed {
            let why = match how {
                ProjectEvent::Failed => "the build failed",
                ProjectEvent::StopReached => STOPPED,
                _ => "the build was paused",
            };
            let events = stages::cut_off(&mut plan.after.stages, why, now)?;
            plan.events.extend(events);
        }
        let error = if let Some(BuildEnd::Failed(info)) = &step.end { Some(info) } else { None };
        plan.rest(state, error);
        self.end_task(plan, step).await?;
        if matches!(state.status, ProjectStatus::Completed | ProjectStatus::Failed) {
            self.build_figures(plan, state.status)?;
        }
        Ok(begun)
    }

    /// Ends the task as its build ended, and registers the agent.
    async fn end_task(&self, plan: &mut Plan, step: &BuildStep) -> Result<()> {
        let now = plan.now;
        let mut result = None;
        if let Some(BuildEnd::Completed { agent: Some(agent), deploy }) = &step.end {
            let event: NewEvent = self.register(plan, agent, *deploy).await?;
            plan.events.push(event);
            result = Some(json!({"agent_id": agent.agent_id}));
        }
        let Some(task) = plan.after.open_task() else { return Err(fenced()) };
        match &step.end {
            Some(BuildEnd::Completed { .. }) => tasks::finish(task, TaskEvent::Complete, None, result, now),
            Some(BuildEnd::Failed(info)) => tasks::finish(task, TaskEvent::Fail, Some(&info.message), None, now),
            None => tasks::finish(task, TaskEvent::Cancel, None, None, now),
        }
    }

    /// `Store::retry_stage`.
    pub(crate) async fn retry(&self, lease: &Lease, retry: &StageRetry) -> Result<u32> {
        let mut held = self.slots.hold(&lease.project_id).await;
        for round in 0..TRIES {
            let Some(mut plan) = self.plan(&mut held).await? else { return Err(fenced()) };
            if !plan.after.admits(lease) {
                *held.known = None;
                return Err(fenced());
            }
            if plan.is_to_stop() {
                plan.settle_stop()?;
                match self.commit(&mut held, plan).await? {
                    Ok(()) => return Err(fenced()),
                    Err(_) => pause(round).await,
                }
                continue;
            }
            let now = plan.now;
            let stage = stages::find(&mut plan.after.stages, &retry.stage_name)?;
            if stage.attempt != retry.failed_attempt || stage.status != StageStatus::Running {
                return Err(fenced());
            }
            let line = crate::store::alike::attempt_line(stage.attempt, &retry.failure);
            let mut event = stages::begin(stage, now)?;
            let attempt = stage.attempt;
            stage.logs.push(line);
            event.fields.insert("error".into(), retry.failure.message.as_str().into());
            plan.events.push(event);
            match self.commit(&mut held, plan).await? {
                Ok(()) => return Ok(attempt),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }
}
