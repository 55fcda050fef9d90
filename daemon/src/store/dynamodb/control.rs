//! What a user asks of a project, by the project machine: the effects that it names are carried out in one unit with
//! the new state.

use serde_json::{Value, json};

use super::{
    DynamoStore,
    aggregate::{Aggregate, Plan, TRIES, contended, pause},
    stages, tasks,
};
use crate::{
    domain::{
        control::{ControlAction, ControlApplied, ControlRequest, ControlStatus},
        event::NewEvent,
        ids::{ProjectId, TaskId},
        plan,
        project::{AggregatedMetrics, StageFigures},
        stage::{Stage, StageStatus},
        task::{TaskStatus, TaskType},
        transition::{self, Effect, ProjectEvent, TaskEvent},
        workflow::{Workflow, Workflows},
    },
    store::{
        Continuation, Result, StoreError, StoreErrorKind, alike,
        error::{invalid, not_found},
    },
};

fn told(mut event: NewEvent, control: ControlStatus, request: &ControlRequest) -> NewEvent {
    event.fields.insert("control_status".into(), control.as_str().into());
    event.fields.insert("action".into(), request.action.as_str().into());
    if let Some(reason) = &request.reason {
        event.fields.insert("reason".into(), Value::from(reason.as_str()));
    }
    event
}

impl DynamoStore {
    /// `Store::control`.
    pub(crate) async fn apply_control(
        &self,
        id: &ProjectId,
        request: &ControlRequest,
        workflows: &Workflows,
    ) -> Result<ControlApplied> {
        let mut held = self.slots.hold(id).await;
        for round in 0..TRIES {
            let Some(mut plan) = self.plan(&mut held).await? else { return Err(not_found("project")) };
            let applied = match steer(&mut plan, request, workflows) {
                Ok(applied) => applied,
                // What is known may be old: the refusal must be true.
                Err(_) if round == 0 => {
                    *held.known = None;
                    continue;
                }
                Err(error) => return Err(error),
            };
            match self.commit(&mut held, plan).await? {
                Ok(()) => return Ok(applied),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }
}

fn steer(plan: &mut Plan, request: &ControlRequest, workflows: &Workflows) -> Result<ControlApplied> {
    let now = plan.now;
    let was = plan.after.state();
    let (state, effects) = transition::project(was, ProjectEvent::Control(request.action)).map_err(|error| {
        let allowed = transition::allowed_actions(was);
        StoreError::new(StoreErrorKind::Illegal, error.to_string())
            .with_details(json!({"status": was.status, "allowed_actions": allowed}))
    })?;
    let reset = if effects.contains(&Effect::QueueTask) {
        Some(Reset::plan(&plan.after, request, workflows, effects.contains(&Effect::ResetStages))?)
    } else {
        None
    };
    note(plan, request, reset.as_ref().and_then(|reset| reset.from.clone()));
    let open = plan.after.open_task().map(|task| (task.task.task_id.clone(), task.task.status));
    let worked_on = open.as_ref().filter(|(_, status)| *status == TaskStatus::Running).map(|(id, _)| id.clone());
    let mut applied =
        ControlApplied { status: state.status, control_status: state.control, task_id: None, notify: None };
    plan.after.set_state(state);
    plan.after.stored.project.updated_at = now;
    let said = |plan: &Plan| {
        let project = &plan.after.stored.project;
        let event = alike::project_event(now, plan.after.state(), project.progress, project.current_stage.as_deref());
        told(event, state.control, request)
    };
    if effects.contains(&Effect::HoldAfterRunningStages) {
        if worked_on.is_none() && open.is_some() {
            // Nobody works on it, so nobody would reach the pause.
            applied.status = plan.settle_pause()?.status;
        } else {
            let event = said(plan);
            plan.events.push(event);
            applied.notify = worked_on;
        }
        return Ok(applied);
    }
    if effects.contains(&Effect::CancelRunningStages) {
        let how = if request.action == ControlAction::Stop { "stopped" } else { "cancelled" };
        let who = request.requested_by.as_deref().unwrap_or("its user");
        let events = stages::cut_off(&mut plan.after.stages, &format!("{how} by {who}"), now)?;
        plan.events.extend(events);
    }
    if let Some(task) = plan.after.open_task() {
        tasks::finish(task, TaskEvent::Cancel, request.reason.as_deref(), None, now)?;
        applied.notify = worked_on;
    }
    if let Some(reset) = &reset {
        reset.carry_out(plan)?;
        applied.task_id = Some(queue_task(plan, request)?);
    }
    plan.after.stored.lease_worker = None;
    let project = &mut plan.after.stored.project;
    project.completed_at = state.status.is_final().then_some(now);
    project.error_info = None;
    let event = said(plan);
    plan.events.push(event);
    Ok(applied)
}

fn note(plan: &mut Plan, request: &ControlRequest, from: Option<String>) {
    let now = plan.now;
    let project = &mut plan.after.stored.project;
    project.last_control_action = Some(request.action.as_str().to_owned());
    project.control_action_by.clone_from(&request.requested_by);
    match request.action {
        ControlAction::Pause => project.pause_requested_at = Some(now),
        ControlAction::Stop | ControlAction::Cancel => project.stop_requested_at = Some(now),
        ControlAction::Resume | ControlAction::Restart => project.resume_from_stage = from,
    }
}

/// A new build task for the project, whose message follows.
fn queue_task(plan: &mut Plan, request: &ControlRequest) -> Result<TaskId> {
    let project = &plan.after.stored.project;
    let id = TaskId::generate();
    let body = alike::build_payload(project, &id);
    let of = &project.project_id;
    let task = tasks::pending(id.clone(), TaskType::BuildAgent, of, None, project.priority, &body, plan.now)?;
    plan.send(&task, body);
    plan.withdrawal.clone_from(&request.reason);
    plan.after.stored.project.task_id = Some(id.clone());
    plan.after.task = Some(task);
    Ok(id)
}

/// Which stages are to be run again.
struct Reset {
    from: Option<String>,
    stages: Vec<usize>,
}

impl Reset {
    /// Resume goes on where the build is; a restart, or a resume that names a stage, sets that stage and all that depend
    /// on it back. Failed stages are run again in any case: they are unfinished.
    fn plan(known: &Aggregate, request: &ControlRequest, workflows: &Workflows, restart: bool) -> Result<Self> {
        let all = &known.stages;
        let statuses: Vec<StageStatus> = all.iter().map(|stage| stage.status).collect();
        let same = |workflow: &&std::sync::Arc<Workflow>| {
            workflow.stages().iter().map(|stage| &stage.name).eq(all.iter().map(|stage| &stage.stage_name))
        };
        let workflow = workflows.get(&known.stored.project.workflow).filter(same);
        let from = match &request.from_stage {
            Some(name) => Some(find_stage(name, workflow.map(|workflow| &**workflow), all)?),
            None if restart => Some(plan::default_restart(&statuses)),
            None => None,
        };
        let mut stages = match (from, workflow) {
            (Some(from), Some(workflow)) => workflow.with_dependents(from),
            // Without its workflow the claim will fail the build anyway, and say why.
            (Some(from), None) => (from..all.len()).collect(),
            (None, _) => Vec::new(),
        };
        let unfinished = |status: &StageStatus| matches!(status, StageStatus::Failed | StageStatus::Running);
        stages.extend(statuses.iter().enumerate().filter(|(_, status)| unfinished(status)).map(|(index, _)| index));
        stages.sort_unstable();
        stages.dedup();
        let from = from.and_then(|index| all.get(index)).map(|stage| stage.stage_name.clone());
        Ok(Self { from, stages })
    }

    fn carry_out(&self, plan: &mut Plan) -> Result<()> {
        for index in &self.stages {
            if let Some(stage) = plan.after.stages.get_mut(*index) {
                let event = stages::reset(stage, true, plan.now)?;
                plan.events.push(event);
            }
        }
        let statuses: Vec<StageStatus> = plan.after.stages.iter().map(|stage| stage.status).collect();
        let sums = sums(&plan.after.stages);
        let project = &mut plan.after.stored.project;
        project.progress = plan::progress(&statuses);
        project.aggregated_metrics = sums;
        if !self.stages.is_empty() {
            project.current_stage = None;
        }
        Ok(())
    }
}

/// What a message of the original's API asks of the stages: its resume or restart, which moved the project only. A
/// resume names the stage where the project was, whatever that has become: what is completed stays.
pub(crate) fn set_back(plan: &mut Plan, asked: &Continuation, workflows: &Workflows) -> Result<()> {
    let (action, from, named) = match asked {
        Continuation::Execute => return Ok(()),
        Continuation::Resume(from) => (ControlAction::Resume, from, None),
        Continuation::Restart(from) => (ControlAction::Restart, from, from.clone()),
    };
    let request = ControlRequest { action, reason: None, from_stage: named, requested_by: None };
    let reset = Reset::plan(&plan.after, &request, workflows, action == ControlAction::Restart)?;
    let from = match from {
        Some(name) => {
            let all = &plan.after.stages;
            let workflow = workflows.get(&plan.after.stored.project.workflow).map(|workflow| &**workflow);
            all.get(find_stage(name, workflow, all)?).map(|stage| stage.stage_name.clone())
        }
        None => reset.from.clone(),
    };
    note(plan, &request, from);
    reset.carry_out(plan)
}

fn find_stage(name: &str, workflow: Option<&Workflow>, stages: &[Stage]) -> Result<usize> {
    let found = match workflow {
        Some(workflow) => workflow.index_of(name),
        None => stages.iter().position(|stage| stage.stage_name == name),
    };
    found.ok_or_else(|| {
        let known: Vec<&str> = stages.iter().map(|stage| stage.stage_name.as_str()).collect();
        invalid(format!("the project has no stage {name:?}: it has {}", known.join(", ")))
            .with_details(json!({"stages": known}))
    })
}

/// The sums over the stages that stay.
fn sums(stages: &[Stage]) -> AggregatedMetrics {
    let mut sums = AggregatedMetrics::default();
    for stage in stages.iter().filter(|stage| stage.status.is_satisfied()) {
        sums.add(&StageFigures {
            input_tokens: stage.input_tokens.unwrap_or(0),
            output_tokens: stage.output_tokens.unwrap_or(0),
            tool_calls: stage.tool_calls.unwrap_or(0),
            duration_seconds: stage.duration_seconds.unwrap_or(0.0),
            cost_usd: stage.metrics.as_ref().and_then(|m| m.get("cost_usd")?.as_f64()).unwrap_or(0.0),
        });
    }
    sums
}
