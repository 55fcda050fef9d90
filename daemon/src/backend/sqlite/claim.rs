//! Taking the lease of a build task, and ending a task that cannot be worked on.

use std::sync::Arc;

use super::{
    SqliteStore,
    change::{self, Beside},
    clock::Moment,
    projects::{self, Fence},
    stages,
    state::Live,
    tasks,
    tx::Tx,
};
use crate::{
    backend::store::{Claim, ClaimBuild, ClaimedBuild, Claims, Result},
    domain::{
        allowed_transitions::TaskEvent,
        change::{
            StageChange, TaskChange,
            claim::{Claimed, Fit, claim as decide_claim, fitting, obsolete},
            ownerless,
        },
        failure::ErrorInfo,
        ids::{ProjectId, TaskId},
        project::Project,
        stage::{Stage, StageStatus},
        task::{Lease, TaskType},
        time::Timestamp,
        workflow::{Workflow, Workflows},
    },
};
use async_trait::async_trait;

pub(crate) fn claim(tx: &mut Tx<'_>, claim: &ClaimBuild, until: Moment, workflows: &Workflows) -> Result<Claim> {
    let id = &claim.project_id;
    let Some(fence) = projects::fence(tx, id)? else { return Ok(Claim::Obsolete("the project does not exist")) };
    let task = match &fence.task_id {
        Some(task_id) => tasks::brief(tx, task_id)?,
        None => None,
    };
    let known = task.as_ref().map(|task| (task.status, task.task_type));
    if let Some(why) = obsolete(claim.task_id.as_ref(), fence.state, fence.task_id.as_ref(), known) {
        return Ok(Claim::Obsolete(why));
    }
    let (Some(task_id), Some(task)) = (fence.task_id.clone(), task) else {
        return Ok(Claim::Obsolete("the task does not exist"));
    };
    if let Some(until) = tasks::held_by_another(tx, &task_id, &task, &claim.worker_id) {
        return Ok(Claim::HeldUntil(until.on_the_wall()));
    }
    let Some((mut project, _)) = projects::read_keyed(tx.conn(), id)? else {
        return Ok(Claim::Obsolete("the project does not exist"));
    };
    let mut briefs = stages::briefs(tx.conn(), fence.key)?;
    let beside = Beside { task: Some((&task_id, &task)), ..Beside::default() };
    // The owner died between the request and the end of its stage.
    if let Some((reached, word)) = ownerless::reached(&change::view(&fence, &briefs, Some(task.status)), tx.now())? {
        change::carry_out(tx, id, &fence, &mut briefs, reached, &beside)?;
        return Ok(Claim::Obsolete(word));
    }
    let mut fresh = None;
    let decided = match find_workflow(tx, &project, &fence, &mut briefs, workflows)? {
        Ok(workflow) => {
            fresh = untouched(&briefs).then_some(workflow);
            decide_claim(&change::view(&fence, &briefs, Some(task.status)), workflow, claim.parallel, tx.now())?
        }
        Err(info) => Claimed::Failed(info),
    };
    let begun = match decided {
        Claimed::Begun(begun) => begun,
        Claimed::Failed(info) => {
            let failed = ownerless::fail(&change::view(&fence, &briefs, Some(task.status)), &info, tx.now())?;
            change::carry_out(tx, id, &fence, &mut briefs, failed, &beside)?;
            return Ok(Claim::Failed(info));
        }
    };
    let key = fence.key;
    let task_begun = task.started_at.unwrap_or(tx.now());
    let epoch = tasks::claim(tx, &task_id, &task, fence.epoch, &claim.worker_id, until)?;
    let beside = Beside { holder: Some((&claim.worker_id, epoch)), ..beside };
    change::write(tx, &fence, &mut briefs, &begun, &beside)?;
    tx.emit(id, begun.events)?;
    if let Some(taken) = begun.project {
        // As it was just written.
        (project.status, project.control_status) = (taken.state.status, taken.state.control);
        project.updated_at = tx.now();
        project.started_at.get_or_insert(tx.now());
        project.current_stage.clone_from(&taken.current_stage);
        let worker = Some(claim.worker_id.clone());
        let held = Fence { state: taken.state, worker, epoch, current_stage: taken.current_stage, ..fence };
        tx.state.set_live(id, Live { fence: held, stages: briefs });
    }
    let stages = match fresh {
        Some(workflow) => begun_freshly(id, workflow, &begun.stages, tx.now()),
        None => stages::all(tx.conn(), id, key)?,
    };
    let lease = Lease { task_id, project_id: id.clone(), worker_id: claim.worker_id.clone(), epoch };
    Ok(Claim::Claimed(Box::new(ClaimedBuild { lease, project, stages, task_begun })))
}

/// Whether no stage ever began.
fn untouched(briefs: &[stages::Brief]) -> bool {
    briefs.iter().all(|stage| stage.status == StageStatus::Pending && stage.attempt == 0)
}

/// The stages of a build that begins for the first time: nothing is stored of them but what its workflow says.
fn begun_freshly(id: &ProjectId, workflow: &Workflow, begun: &[StageChange<'_>], now: Timestamp) -> Vec<Stage> {
    let specs = workflow.stages().iter().zip(1..);
    let mut stages: Vec<Stage> = specs.map(|(spec, number)| Stage::pending(id.clone(), spec, number)).collect();
    for change in begun {
        if let Some(stage) = stages.get_mut(change.index) {
            (stage.status, stage.attempt, stage.started_at) = (change.status, change.attempt, Some(now));
        }
    }
    stages
}

/// The workflow of the project, when it has the stages that are stored.
fn find_workflow<'w>(
    tx: &Tx<'_>,
    project: &Project,
    fence: &Fence,
    briefs: &mut Vec<stages::Brief>,
    workflows: &'w Workflows,
) -> Result<std::result::Result<&'w Workflow, ErrorInfo>> {
    let id = &project.project_id;
    match fitting(&project.workflow, briefs, workflows) {
        Ok(Fit::Same(workflow)) => Ok(Ok(workflow)),
        Ok(Fit::Anew(workflow)) => {
            let specs = workflow.stages().iter().zip(1..);
            let fresh: Vec<Stage> = specs.map(|(spec, number)| Stage::pending(id.clone(), spec, number)).collect();
            stages::replace(tx, fence.key, &fresh)?;
            *briefs = stages::briefs(tx.conn(), fence.key)?;
            Ok(Ok(workflow))
        }
        Err(info) => Ok(Err(info)),
    }
}

pub(crate) fn fail_task(tx: &mut Tx<'_>, id: &TaskId, info: &ErrorInfo) -> Result<()> {
    let Some(task) = tasks::brief(tx, id)? else { return Err(super::error::not_found("task")) };
    if task.status.is_final() {
        return Ok(());
    }
    if task.task_type == TaskType::DeployAgent {
        return super::deploy::fail(tx, id, &task, info);
    }
    let project = task.project_id.clone();
    match projects::fence(tx, &project)? {
        Some(fence) if ownerless::is_needed(fence.state.status, fence.task_id.as_ref() == Some(id)) => {
            let mut briefs = stages::briefs(tx.conn(), fence.key)?;
            let failed = ownerless::fail(&change::view(&fence, &briefs, Some(task.status)), info, tx.now())?;
            let beside = Beside { task: Some((id, &task)), ..Beside::default() };
            change::carry_out(tx, &project, &fence, &mut briefs, failed, &beside)
        }
        // Stale: only the task itself is left to end.
        _ => {
            let end = TaskChange { event: TaskEvent::Fail, error: Some(&info.message) };
            tasks::finish(tx, id, &task, end, None)?;
            tx.withdraw_message(id).map(drop)
        }
    }
}

#[async_trait]
impl Claims for SqliteStore {
    async fn claim_build(&self, claim: ClaimBuild, workflows: Arc<Workflows>) -> Result<Claim> {
        let until = Moment::meant_by(claim.lease_until);
        self.write(move |tx| self::claim(tx, &claim, until, &workflows)).await
    }
}
