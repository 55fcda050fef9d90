//! Taking the lease of a build task, and beginning where the build is: fresh, resumed, restarted and redelivered
//! builds all come this way, those of the original's API too.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    DynamoStore,
    aggregate::{Aggregate, Plan, TRIES, contended, pause},
    codec::StoredTask,
    control, tasks,
    unit::Unit,
};
use crate::{
    backend::{
        error::BackendErrorKind,
        store::{Claim, ClaimBuild, ClaimedBuild, Claims, Continuation, Result, alike},
    },
    domain::{
        allowed_transitions::TaskEvent,
        change::{
            TaskChange,
            claim::{Claimed, Fit, claim as decide, fitting, obsolete, run_again as decide_again},
        },
        failure::{ErrorInfo, FailureKind},
        foreign,
        ids::{ProjectId, TaskId},
        stage::Stage,
        task::{Lease, TaskType},
        time::Timestamp,
        workflow::{Workflow, Workflows},
    },
};

/// Claims without a stage's end after which a build is given up: it ends its daemon.
pub(crate) const MOST_FRUITLESS: u32 = 8;

/// What a look at the project leads to.
enum Look {
    /// It is claimed, once written.
    Claimed(Timestamp),
    /// Written or not, this is the answer.
    Answer(Claim, bool),
}

fn no(why: &'static str) -> Result<Look> {
    Ok(Look::Answer(Claim::Obsolete(why), false))
}

/// Under which task a claim goes on.
enum Under {
    /// Under the project's own, or under one that it did not have yet: then what the message asks is still to be done.
    Task {
        adopted: bool,
    },
    Answer(Claim),
}

impl DynamoStore {
    async fn claim_once(&self, claim: &ClaimBuild, workflows: &Workflows) -> Result<Claim> {
        let mut held = self.slots.hold(&claim.project_id).await;
        for round in 0..TRIES {
            // Whatever was known: another may have worked on it meanwhile.
            *held.known = None;
            let Some(mut plan) = self.plan(&mut held).await? else {
                return Ok(Claim::Obsolete("the project does not exist"));
            };
            let adopted = match self.choose_task(&mut plan, claim).await? {
                Under::Task { adopted } => adopted,
                Under::Answer(answer) => {
                    *held.known = None;
                    return Ok(answer);
                }
            };
            let look = self.look(&mut plan, claim, workflows, adopted)?;
            let (claimed, begun) = (
                plan.after.clone(),
                match look {
                    Look::Claimed(begun) => begun,
                    Look::Answer(answer, false) => {
                        *held.known = None;
                        return Ok(answer);
                    }
                    Look::Answer(answer, true) => match self.commit(&mut held, plan).await? {
                        Ok(()) => return Ok(answer),
                        Err(_) => {
                            pause(round).await;
                            continue;
                        }
                    },
                },
            );
            match self.commit(&mut held, plan).await? {
                Ok(()) => return Ok(Claim::Claimed(Box::new(answer(claimed, claim, begun)))),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }

    /// The task to go on under. The original's API names none in a project, lets a project go on under a new one without
    /// a word to the old, and its worker takes no lease.
    async fn choose_task(&self, plan: &mut Plan, claim: &ClaimBuild) -> Result<Under> {
        let now = plan.now;
        if !plan.after.state().status.is_open() {
            return Ok(Under::Task { adopted: false });
        }
        let own = plan.after.task.clone();
        let open = |task: &StoredTask| foreign::may_build(&task.task);
        let other = match &claim.task_id {
            Some(id) if own.as_ref().is_none_or(|own| own.task.task_id != *id) => {
                let named = self.stored_task(id).await?;
                named.filter(|task| task.task.project_id == claim.project_id && open(task))
            }
            _ => None,
        };
        let foreign = plan.after.stored.revision == 0 || other.is_some() || claim.asked != Continuation::Execute;
        let mut running = if foreign { self.tasks_of(&claim.project_id).await? } else { own.iter().cloned().collect() };
        running.retain(|task| foreign::runs_unleased(&task.task, task.lease_until, &claim.worker_id));
        let begun = |task: &StoredTask| task.task.started_at.unwrap_or(task.task.created_at);
        let begun: Vec<Timestamp> = running.iter().map(begun).collect();
        let last = foreign::last_change(&plan.after.stages).max(Some(plan.after.stored.project.updated_at));
        if let Some(until) = foreign::busy_until(&begun, last, now) {
            return Ok(Under::Answer(Claim::HeldUntil(self.tables.local(until))));
        }
        // Nothing was heard of these for long: nobody else would end them.
        let kept = [own.as_ref(), other.as_ref()].map(|task| task.map(|task| task.task.task_id.clone()));
        let ends = own.is_some() || other.is_some();
        for left in running.iter().filter(|task| ends && !kept.contains(&Some(task.task.task_id.clone()))) {
            let ended = tasks::withdrawn(left, Some("nothing was heard of its worker"), now)?;
            self.update_task(&mut plan.unit, left, &ended)?;
        }
        let Some(own) = own.filter(open) else {
            let adopted = self.find_task(plan, claim).await?;
            return Ok(Under::Task { adopted });
        };
        let Some(other) = other else { return Ok(Under::Task { adopted: false }) };
        if let Some(until) = own.leased_until(now) {
            return Ok(Under::Answer(Claim::HeldUntil(self.tables.local(foreign::look_again(until, now)))));
        }
        let ended = tasks::withdrawn(&own, Some(foreign::REPLACED), now)?;
        self.update_task(&mut plan.unit, &own, &ended)?;
        plan.after.stored.project.task_id = Some(other.task.task_id.clone());
        plan.adopt(other);
        Ok(Under::Task { adopted: true })
    }

    /// Ends the task of a message that is of no use any more, if nobody else would: its project is built under another
    /// one, or not at all.
    async fn end_left(&self, id: &TaskId, of: &ProjectId, why: &str) -> Result<()> {
        let Some(task) = self.stored_task(id).await? else { return Ok(()) };
        if task.task.project_id != *of || !foreign::waits(&task.task) {
            return Ok(());
        }
        let mut ended = task.clone();
        let end = TaskChange { event: TaskEvent::Cancel, error: Some(why) };
        tasks::finish(&mut ended, end, None, self.tables.clock())?;
        let mut unit = Unit::default();
        self.update_task(&mut unit, &task, &ended)?;
        let _another_changed_it = unit.commit(&self.tables).await?;
        Ok(())
    }

    /// The original's API names no task in a project, and may write none: not for a new project, and not when it lets one
    /// go on that has ended here. Answers whether there is one now that the project did not have.
    async fn find_task(&self, plan: &mut Plan, claim: &ClaimBuild) -> Result<bool> {
        let current = plan.after.stored.project.task_id.clone();
        let named = match &claim.task_id {
            Some(id) if current.as_ref() == Some(id) && plan.after.task.is_some() => {
                // A message that comes again; or the original's, which lets a project go on under its old task.
                if claim.asked == Continuation::Execute {
                    return Ok(false);
                }
                None
            }
            Some(id) => self.stored_task(id).await?,
            None => None,
        };
        let open = |task: &StoredTask| foreign::may_build(&task.task);
        let found = match named {
            Some(task) if task.task.project_id != claim.project_id || !open(&task) => return Ok(false),
            Some(task) => Some(task),
            None => self.tasks_of(&claim.project_id).await?.into_iter().find(open),
        };
        if let Some(task) = found {
            plan.after.stored.project.task_id = Some(task.task.task_id.clone());
            plan.adopt(task);
            return Ok(true);
        }
        let project = &plan.after.stored.project;
        let id = claim.task_id.clone().filter(|id| current.as_ref() != Some(id)).unwrap_or_else(TaskId::generate);
        let payload = alike::build_payload(project, &id);
        let (of, priority) = (&project.project_id, project.priority);
        let task = tasks::pending(id.clone(), TaskType::BuildAgent, of, None, priority, &payload, plan.now)?;
        plan.after.stored.project.task_id = Some(id);
        plan.after.task = Some(task);
        Ok(true)
    }

    fn look(&self, plan: &mut Plan, claim: &ClaimBuild, workflows: &Workflows, adopted: bool) -> Result<Look> {
        let (now, task) = (plan.now, plan.after.task.clone());
        let (state, task_id) = (plan.after.state(), plan.after.stored.project.task_id.as_ref());
        let known = task.as_ref().map(|task| (task.task.status, task.task.task_type));
        if let Some(why) = obsolete(claim.task_id.as_ref(), state, task_id, known) {
            return no(why);
        }
        let Some(task) = task else { return no("the task does not exist") };
        if let Some(until) = task.held_by_another(&claim.worker_id, now) {
            return Ok(Look::Answer(Claim::HeldUntil(self.tables.local(until)), false));
        }
        // The owner died between the request and the end of its stage.
        if let Some(word) = plan.settle()? {
            return Ok(Look::Answer(Claim::Obsolete(word), true));
        }
        if task.fruitless >= MOST_FRUITLESS {
            let text = format!(
                "given up: {MOST_FRUITLESS} daemons took this build and ended before a stage of it did; see their logs"
            );
            return self.given_up(plan, ErrorInfo::outside(FailureKind::Infrastructure, text));
        }
        let workflow = match find_workflow(&mut plan.after, workflows) {
            Ok(workflow) => workflow,
            Err(info) => return self.given_up(plan, info),
        };
        if adopted {
            match control::set_back(plan, &claim.asked, workflows) {
                Ok(()) => {}
                Err(error) if error.kind() == BackendErrorKind::Invalid => {
                    return self.given_up(plan, ErrorInfo::outside(FailureKind::InvalidInput, error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        run_again(plan, workflow)?;
        let begun = match decide(&plan.view(), workflow, claim.parallel, now)? {
            Claimed::Begun(begun) => begun,
            Claimed::Failed(info) => return self.given_up(plan, info),
        };
        plan.carry_out(begun, None)?;
        let first_claim = task.task.started_at.unwrap_or(now);
        let given = plan.after.stored.lease_epoch;
        let Some(task) = plan.after.open_task() else { return no("the task has ended") };
        tasks::claim(task, given, &claim.worker_id, claim.lease_until, now)?;
        plan.after.stored.lease_epoch = task.epoch;
        plan.after.stored.lease_worker = Some(claim.worker_id.clone());
        Ok(Look::Claimed(first_claim))
    }

    fn given_up(&self, plan: &mut Plan, info: ErrorInfo) -> Result<Look> {
        plan.fail(self, &info)?;
        Ok(Look::Answer(Claim::Failed(info), true))
    }
}

fn answer(claimed: Aggregate, claim: &ClaimBuild, task_begun: Timestamp) -> ClaimedBuild {
    let Aggregate { stored, stages, task, .. } = claimed;
    let task_id = task.map(|task| task.task.task_id).unwrap_or_else(TaskId::generate);
    let lease = Lease {
        task_id,
        project_id: claim.project_id.clone(),
        worker_id: claim.worker_id.clone(),
        epoch: stored.lease_epoch,
    };
    ClaimedBuild { lease, project: stored.project, stages, task_begun }
}

/// Sets stages back that another completed without leaving an output.
fn run_again(plan: &mut Plan, workflow: &Workflow) -> Result<()> {
    let again = foreign::to_run_again(workflow, &plan.after.stages);
    if again.is_empty() {
        return Ok(());
    }
    let change = decide_again(&plan.view(), &again, plan.now)?;
    plan.carry_out(change, None)?;
    for index in again {
        if let Some(stage) = plan.after.stages.get_mut(index) {
            let (id, name) = (&stage.project_id, &stage.stage_name);
            tracing::info!(project_id = %id, stage = %name, "another service completed a stage and left no output: the stage runs again");
            let text = "INFO another service completed the stage and left no output: it runs again";
            stage.logs.push(format!("{} {text}", plan.now));
        }
    }
    Ok(())
}

/// The workflow of the project, when it has the stages that are stored.
fn find_workflow<'w>(known: &mut Aggregate, workflows: &'w Workflows) -> std::result::Result<&'w Workflow, ErrorInfo> {
    if let Some(workflow) = workflows.get(&known.stored.project.workflow) {
        in_order(&mut known.stages, workflow);
    }
    match fitting(&known.stored.project.workflow, &known.stages, workflows)? {
        Fit::Same(workflow) => Ok(workflow),
        Fit::Anew(workflow) => {
            let id = &known.stored.project.project_id;
            let specs = workflow.stages().iter().zip(1..);
            known.stages = specs.map(|(spec, number)| Stage::pending(id.clone(), spec, number)).collect();
            Ok(workflow)
        }
    }
}

/// Puts stages that another has numbered otherwise, or not at all, in the order of their workflow, if they are its stages.
fn in_order(stages: &mut [Stage], workflow: &Workflow) {
    let place = |stage: &Stage| workflow.stages().iter().position(|spec| spec.name == stage.stage_name);
    if stages.len() != workflow.stages().len() || stages.iter().any(|stage| place(stage).is_none()) {
        return;
    }
    stages.sort_by_key(|stage| place(stage));
    for (stage, number) in stages.iter_mut().zip(1..) {
        stage.stage_number = number;
    }
}

#[async_trait]
impl Claims for DynamoStore {
    async fn claim_build(&self, claim: ClaimBuild, workflows: Arc<Workflows>) -> Result<Claim> {
        let claim = &claim;
        let workflows = &workflows;
        let claim = &ClaimBuild { lease_until: self.tables.shared(claim.lease_until), ..claim.clone() };
        let answer = self.claim_once(claim, workflows).await?;
        if let (Claim::Obsolete(why), Some(named)) = (&answer, &claim.task_id) {
            self.end_left(named, &claim.project_id, why).await?;
        }
        Ok(answer)
    }
}
