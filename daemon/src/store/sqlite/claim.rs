//! Taking the lease of a build task, and beginning where the build is: fresh, resumed, restarted and
//! redelivered builds all come this way.

use rusqlite::{OptionalExtension, params};

use super::{
    build::{self, ProjectUpdate},
    clock::Moment,
    error::illegal,
    projects::{self, Fence},
    rows, stages,
    state::Live,
    tasks,
    tx::Tx,
};
use crate::{
    domain::{
        failure::ErrorInfo,
        ids::{ProjectId, TaskId},
        plan::{self, Next},
        stage::{Stage, StageStatus},
        task::{Lease, TaskStatus, TaskType},
        transition::{self, ProjectEvent, TaskEvent},
        workflow::{Workflow, Workflows},
    },
    store::{
        Claim, ClaimBuild, ClaimedBuild, Result,
        alike::{self, Fit},
    },
};

/// `Store::claim_build`.
pub(crate) fn claim(tx: &mut Tx<'_>, claim: &ClaimBuild, until: Moment, workflows: &Workflows) -> Result<Claim> {
    let id = &claim.project_id;
    let Some(fence) = projects::fence(tx, id)? else { return Ok(Claim::Obsolete("the project does not exist")) };
    let Some(task_id) = fence.task_id.clone() else { return Ok(Claim::Obsolete("the project has no task")) };
    if claim.task_id.as_ref().is_some_and(|asked| *asked != task_id) {
        return Ok(Claim::Obsolete("the project has a newer task"));
    }
    let Some(task) = tasks::brief(tx, &task_id)? else { return Ok(Claim::Obsolete("the task does not exist")) };
    if task.status.is_final() || task.task_type != TaskType::BuildAgent {
        return Ok(Claim::Obsolete("the task has ended"));
    }
    let Ok((state, _)) = transition::project(fence.state, ProjectEvent::Claimed) else {
        return Ok(Claim::Obsolete("the project is not to be built now"));
    };
    if task.status == TaskStatus::Running && task.worker.as_ref() != Some(&claim.worker_id) {
        let held = tx.state.leases.get(&task_id).copied();
        if let Some(until) = held.filter(|until| *until > Moment::now()) {
            return Ok(Claim::HeldUntil(until.on_the_wall()));
        }
    }
    let mut briefs = stages::briefs(tx.conn(), fence.key)?;
    if transition::project(fence.state, ProjectEvent::PauseReached).is_ok() {
        // The owner died between the request and the end of its stage.
        build::settle_pause(tx, id, &fence, &mut briefs, &task_id, &task)?;
        return Ok(Claim::Obsolete("the project is paused"));
    }
    let workflow = match find_workflow(tx, id, &fence, &mut briefs, workflows)? {
        Ok(workflow) => workflow,
        Err(info) => {
            build::fail(tx, id, &fence, &mut briefs, Some((&task_id, &task)), &info)?;
            return Ok(Claim::Failed(info));
        }
    };
    let statuses: Vec<StageStatus> = briefs.iter().map(|stage| stage.status).collect();
    let taken = plan::taken_over(&statuses);
    let begin = match plan::next(workflow, &taken, claim.parallel) {
        Next::Begin(begin) => begin,
        Next::Wait | Next::Finished => Vec::new(),
        Next::Failed(stage) => {
            let failed = briefs.get(stage);
            let info = ErrorInfo::failed_earlier(failed.map(|s| s.name.clone()), failed.map(|s| s.attempt));
            build::fail(tx, id, &fence, &mut briefs, Some((&task_id, &task)), &info)?;
            return Ok(Claim::Failed(info));
        }
    };
    let task_begun = task.started_at.unwrap_or(tx.now());
    let epoch = tasks::claim(tx, &task_id, &task, &claim.worker_id, until)?;
    let mut events = Vec::with_capacity(begin.len() + 1);
    let mut current = fence.current_stage.clone();
    for (index, stage) in briefs.iter_mut().enumerate() {
        if begin.contains(&index) {
            if begin.first() == Some(&index) {
                current = Some(stage.name.clone());
            }
            events.push(stages::begin(tx, stage)?);
        } else if stage.status == StageStatus::Running {
            // Cut off, and not its turn any more (fewer stages side by side than before).
            events.push(stages::reset(tx, stage, false)?);
        }
    }
    tx.sql(
        "UPDATE nexus_projects SET status = ?2, control_status = ?3, lease_worker = ?4, lease_epoch = ?5,
             current_stage = ?6, updated_at = ?7, started_at = coalesce(started_at, ?7)
         WHERE project_key = ?1",
    )?
    .execute(params![
        fence.key,
        state.status.as_str(),
        state.control.as_str(),
        claim.worker_id.as_str(),
        epoch,
        current,
        tx.now_text()
    ])?;
    events.insert(0, projects::event(tx.now(), state, fence.progress, current.as_deref()));
    tx.emit(id, events)?;
    let worker = Some(claim.worker_id.clone());
    let held = Fence { state, worker, epoch, current_stage: current, ..fence };
    tx.state.set_live(id, Live { fence: held, stages: briefs });
    let Some((project, key)) = projects::read_keyed(tx.conn(), id)? else {
        return Ok(Claim::Obsolete("the project does not exist"));
    };
    let stages = stages::all(tx.conn(), id, key)?;
    let lease = Lease { task_id, project_id: id.clone(), worker_id: claim.worker_id.clone(), epoch };
    Ok(Claim::Claimed(Box::new(ClaimedBuild { lease, project, stages, task_begun })))
}

/// The workflow of the project, when it has the stages that are stored.
fn find_workflow<'w>(
    tx: &Tx<'_>,
    id: &ProjectId,
    fence: &Fence,
    briefs: &mut Vec<stages::Brief>,
    workflows: &'w Workflows,
) -> Result<std::result::Result<&'w Workflow, ErrorInfo>> {
    let mut find = tx.sql("SELECT workflow FROM nexus_projects WHERE project_key = ?1")?;
    let name: String = find.query_row([fence.key], |row| row.get(0)).optional()?.unwrap_or_default();
    let stored: Vec<_> = briefs.iter().map(|stage| (stage.name.as_str(), stage.status, stage.attempt)).collect();
    match alike::fitting(&name, &stored, workflows) {
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

/// `Store::fail_task`.
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
        Some(fence) if fence.task_id.as_ref() == Some(id) && !fence.state.status.is_final() => {
            let mut briefs = stages::briefs(tx.conn(), fence.key)?;
            build::fail(tx, &project, &fence, &mut briefs, Some((id, &task)), info)
        }
        // Stale: only the task itself is left to end.
        _ => {
            tasks::finish(tx, id, &task, TaskEvent::Fail, Some(&info.message), None)?;
            tx.withdraw_message(id).map(drop)
        }
    }
}

impl ProjectUpdate<'_> {
    /// The state after a build that failed, wherever it was.
    pub(crate) fn failed_state(fence: &Fence) -> Result<transition::ProjectState> {
        // A build that nobody works on yet fails as if it had just been claimed.
        let claimed = transition::project(fence.state, ProjectEvent::Claimed).map_err(|e| illegal(&e))?.0;
        Ok(transition::project(claimed, ProjectEvent::Failed).map_err(|e| illegal(&e))?.0)
    }
}

/// The error of a failed build as its row holds it.
pub(crate) fn info_json(info: &ErrorInfo) -> Result<String> {
    rows::to_json(info)
}
