//! Writes the change of a build into its rows. What changes is decided in [`crate::domain::change`].

use rusqlite::params;

use super::{
    error::fenced,
    projects::Fence,
    rows,
    stages::{self, Brief},
    tasks,
    tx::Tx,
};
use crate::{
    backend::{queue::Receipt, store::Result},
    domain::{
        allowed_transitions::TaskEvent,
        change::{BuildView, Change, LeaseChange, ProjectChange},
        failure::ErrorInfo,
        ids::{ProjectId, TaskId, WorkerId},
        task::TaskStatus,
    },
};

/// What a change needs beside itself.
#[derive(Default)]
pub(crate) struct Beside<'b> {
    /// The project's task as it is.
    pub(crate) task: Option<(&'b TaskId, &'b tasks::Brief)>,
    /// What the task came to.
    pub(crate) result: Option<&'b str>,
    /// The message by which the build was received; it goes with the task.
    pub(crate) receipt: Option<&'b Receipt>,
    /// Who takes the lease, under which number.
    pub(crate) holder: Option<(&'b WorkerId, u32)>,
    /// The task under which the project goes on.
    pub(crate) next_task: Option<&'b TaskId>,
}

/// What decisions need of a build; `task` while that has not ended.
pub(crate) fn view<'v>(fence: &'v Fence, stages: &'v [Brief], task: Option<TaskStatus>) -> BuildView<'v, Brief> {
    BuildView {
        state: fence.state,
        progress: fence.progress,
        current_stage: fence.current_stage.as_deref(),
        stages,
        task: task.filter(|status| !status.is_final()),
    }
}

/// Writes a change, but for its events. Whether a message went with it.
pub(crate) fn write(
    tx: &mut Tx<'_>,
    fence: &Fence,
    briefs: &mut [Brief],
    change: &Change<'_>,
    beside: &Beside<'_>,
) -> Result<bool> {
    for of_stage in &change.stages {
        if let Some(stage) = briefs.get_mut(of_stage.index) {
            stages::write(tx, stage, of_stage)?;
        }
    }
    if let Some(project) = &change.project {
        if let Some(assessment) = project.assessment {
            tx.sql("UPDATE project_texts SET assessment = ?2 WHERE project_key = ?1")?
                .execute(params![fence.key, rows::to_json(assessment)?])?;
        }
        match project.lease {
            LeaseChange::Kept => on_the_way(tx, fence, project)?,
            LeaseChange::Taken => taken(tx, fence, project, beside.holder.ok_or_else(fenced)?)?,
            LeaseChange::Ended { error } => at_rest(tx, fence, project, error, beside)?,
        }
    }
    let Some(end) = change.task else { return Ok(false) };
    let (id, task) = beside.task.ok_or_else(fenced)?;
    if end.event == TaskEvent::Release {
        tasks::queue_again(tx, id, task)?;
        return Ok(false);
    }
    tasks::finish(tx, id, task, end, beside.result)?;
    withdraw(tx, id, beside.receipt)
}

/// Writes a change and tells of it.
pub(crate) fn carry_out(
    tx: &mut Tx<'_>,
    id: &ProjectId,
    fence: &Fence,
    briefs: &mut [Brief],
    change: Change<'_>,
    beside: &Beside<'_>,
) -> Result<()> {
    write(tx, fence, briefs, &change, beside)?;
    tx.emit(id, change.events)
}

/// Status and lease stay, and with them all that is indexed; only what its user wants changes now and then.
fn on_the_way(tx: &Tx<'_>, fence: &Fence, project: &ProjectChange<'_>) -> Result<()> {
    tx.sql(
        "UPDATE nexus_projects SET progress = ?2, current_stage = ?3, updated_at = ?4,
             aggregated_metrics = coalesce(?5, aggregated_metrics)
         WHERE project_key = ?1",
    )?
    .execute(params![
        fence.key,
        project.progress,
        project.current_stage,
        tx.now_text(),
        rows::to_json_opt(project.aggregated.as_ref())?
    ])?;
    if project.state != fence.state {
        debug_assert_eq!(project.state.status, fence.state.status, "who keeps the lease keeps the status");
        tx.sql("UPDATE nexus_projects SET control_status = ?2 WHERE project_key = ?1")?
            .execute(params![fence.key, project.state.control.as_str()])?;
    }
    Ok(())
}

fn taken(tx: &Tx<'_>, fence: &Fence, project: &ProjectChange<'_>, (worker, number): (&WorkerId, u32)) -> Result<()> {
    tx.sql(
        "UPDATE nexus_projects SET status = ?2, control_status = ?3, lease_worker = ?4, lease_epoch = ?5,
             current_stage = ?6, updated_at = ?7, started_at = coalesce(started_at, ?7)
         WHERE project_key = ?1",
    )?
    .execute(params![
        fence.key,
        project.state.status.as_str(),
        project.state.control.as_str(),
        worker.as_str(),
        number,
        project.current_stage,
        tx.now_text()
    ])?;
    Ok(())
}

fn at_rest(
    tx: &Tx<'_>,
    fence: &Fence,
    project: &ProjectChange<'_>,
    error: Option<&ErrorInfo>,
    beside: &Beside<'_>,
) -> Result<()> {
    let status = project.state.status;
    let ended = status.is_final().then(|| tx.now_text());
    let spent =
        beside.task.filter(|_| status.is_outcome()).map(|(id, task)| tasks::age(tx, id, task).as_secs_f64() * 1_000.0);
    tx.sql(
        "UPDATE nexus_projects SET status = ?2, control_status = ?3, progress = ?4, current_stage = ?5,
             updated_at = ?6, aggregated_metrics = coalesce(?7, aggregated_metrics), completed_at = ?8,
             error_info = ?9, lease_worker = NULL, spent_ms = ?10, task_id = coalesce(?11, task_id)
         WHERE project_key = ?1",
    )?
    .execute(params![
        fence.key,
        status.as_str(),
        project.state.control.as_str(),
        project.progress,
        project.current_stage,
        tx.now_text(),
        rows::to_json_opt(project.aggregated.as_ref())?,
        ended,
        rows::to_json_opt(error)?,
        spent,
        beside.next_task.map(TaskId::as_str),
    ])?;
    Ok(())
}

/// Deletes the message of a task that ended, and that by which it was received. Whether there was one.
fn withdraw(tx: &mut Tx<'_>, task: &TaskId, receipt: Option<&Receipt>) -> Result<bool> {
    let held = receipt.and_then(|receipt| tx.state.mail.held_by(receipt));
    let own = tx.state.mail.key_of(task);
    let mut deleted = false;
    for key in [held, own.filter(|key| Some(*key) != held)].into_iter().flatten() {
        deleted |= tx.delete_message(key)?;
    }
    Ok(deleted)
}
