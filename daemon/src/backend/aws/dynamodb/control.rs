//! What a user asks of a project, written in one unit with its new state.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    DynamoStore,
    aggregate::{Plan, TRIES, contended, pause},
    tasks,
};
use crate::{
    backend::{
        error::{not_allowed, not_found},
        store::{Continuation, Control, Result, alike},
    },
    domain::{
        change::{
            control::{Controlled, Note, SetBack, control as decide, place},
            fits,
        },
        control::{ControlAction, ControlApplied, ControlRequest},
        ids::{ProjectId, TaskId},
        task::TaskType,
        workflow::{Workflow, Workflows},
    },
};

/// The project's workflow, when it has the stages that are stored.
fn workflow_of<'w>(plan: &Plan, workflows: &'w Workflows) -> Option<&'w Workflow> {
    let workflow = workflows.get(&plan.after.stored.project.workflow).map(|workflow| &**workflow);
    workflow.filter(|workflow| fits(workflow, &plan.after.stages))
}

fn steer(plan: &mut Plan, request: &ControlRequest, workflows: &Workflows) -> Result<ControlApplied> {
    let was = plan.after.state();
    let Controlled { change, note, queue, notify } =
        decide(&plan.view(), request, workflow_of(plan, workflows), plan.now)
            .map_err(|refusal| not_allowed(was, refusal))?;
    write_note(plan, request, &note);
    let open = plan.after.open_task().map(|task| task.task.task_id.clone());
    plan.carry_out(change, None)?;
    let task_id = if queue {
        plan.sum_up();
        Some(queue_task(plan, request)?)
    } else {
        None
    };
    let state = plan.after.state();
    let notify = open.filter(|_| notify);
    Ok(ControlApplied { status: state.status, control_status: state.control, task_id, notify })
}

fn write_note(plan: &mut Plan, request: &ControlRequest, note: &Note) {
    let now = plan.now;
    let project = &mut plan.after.stored.project;
    project.last_control_action = Some(note.action.as_str().to_owned());
    project.control_action_by.clone_from(&request.requested_by);
    if note.is_pause() {
        project.pause_requested_at = Some(now);
    }
    if note.is_stop() {
        project.stop_requested_at = Some(now);
    }
    if note.goes_on() {
        project.resume_from_stage.clone_from(&note.from);
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

/// What a message of the original's API asks of the stages: its resume or restart, which moved the project only. A
/// resume names the stage where the project was, whatever that has become: what is completed stays.
pub(crate) fn set_back(plan: &mut Plan, asked: &Continuation, workflows: &Workflows) -> Result<()> {
    let (action, from, named) = match asked {
        Continuation::Execute => return Ok(()),
        Continuation::Resume(from) => (ControlAction::Resume, from, None),
        Continuation::Restart(from) => (ControlAction::Restart, from, from.clone()),
    };
    let request = ControlRequest { action, reason: None, from_stage: named, requested_by: None };
    let decided = SetBack::decide(&plan.after.stages, &request, workflow_of(plan, workflows))?;
    let from = match from {
        Some(name) => {
            let all = &plan.after.stages;
            let workflow = workflows.get(&plan.after.stored.project.workflow).map(|workflow| &**workflow);
            all.get(place(all, name, workflow)?).map(|stage| stage.stage_name.clone())
        }
        None => decided.from.clone(),
    };
    write_note(plan, &request, &Note { action, from });
    let change = decided.change(&plan.view(), plan.now)?;
    plan.carry_out(change, None)?;
    plan.sum_up();
    Ok(())
}

#[async_trait]
impl Control for DynamoStore {
    async fn control(
        &self,
        id: &ProjectId,
        request: ControlRequest,
        workflows: Arc<Workflows>,
    ) -> Result<ControlApplied> {
        let request = &request;
        let workflows = &workflows;
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
