//! What a user asks of a project, written in one unit with its new state.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::params;

use super::{
    SqliteStore,
    change::{self, Beside},
    error::not_found,
    projects::{self, Fence},
    rows, stages,
    tasks::{self, NewTask},
    tx::Tx,
};
use crate::{
    backend::{
        error::not_allowed,
        store::{Control, Result},
    },
    domain::{
        change::{
            control::{Controlled, Note, control as decide},
            fits,
        },
        control::{ControlApplied, ControlRequest},
        ids::{ProjectId, TaskId},
        project::{AggregatedMetrics, StageFigures},
        task::TaskType,
        workflow::Workflows,
    },
};

pub(crate) fn apply(
    tx: &mut Tx<'_>,
    id: &ProjectId,
    request: &ControlRequest,
    workflows: &Workflows,
) -> Result<ControlApplied> {
    let Some(fence) = projects::fence(tx, id)? else { return Err(not_found("project")) };
    let mut briefs = stages::briefs(tx.conn(), fence.key)?;
    let name: String = tx
        .sql("SELECT workflow FROM nexus_projects WHERE project_key = ?1")?
        .query_row([fence.key], |row| row.get(0))?;
    let workflow = workflows.get(&name).map(|workflow| &**workflow).filter(|workflow| fits(workflow, &briefs));
    let task = match &fence.task_id {
        Some(id) => tasks::brief(tx, id)?.filter(|task| !task.status.is_final()).map(|task| (id.clone(), task)),
        None => None,
    };
    let view = change::view(&fence, &briefs, task.as_ref().map(|(_, task)| task.status));
    let Controlled { mut change, note, queue, notify } =
        decide(&view, request, workflow, tx.now()).map_err(|refusal| not_allowed(fence.state, refusal))?;
    write_note(tx, &fence, request, &note)?;
    let next_task = if queue { Some(queue_task(tx, id, &fence)?) } else { None };
    let beside =
        Beside { task: task.as_ref().map(|(id, task)| (id, task)), next_task: next_task.as_ref(), ..Beside::default() };
    change::write(tx, &fence, &mut briefs, &change, &beside)?;
    if queue {
        let sums = rows::to_json(&sums(tx, fence.key)?)?;
        tx.sql("UPDATE nexus_projects SET aggregated_metrics = ?2 WHERE project_key = ?1")?
            .execute(params![fence.key, sums])?;
    }
    let events = std::mem::take(&mut change.events);
    tx.emit(id, events)?;
    let state = change.project.as_ref().map_or(fence.state, |project| project.state);
    let notify = if notify { task.map(|(id, _)| id) } else { None };
    Ok(ControlApplied { status: state.status, control_status: state.control, task_id: next_task, notify })
}

fn write_note(tx: &Tx<'_>, fence: &Fence, request: &ControlRequest, note: &Note) -> Result<()> {
    let at = |is: bool| is.then(|| tx.now_text());
    tx.sql(
        "UPDATE nexus_projects SET last_control_action = ?2, control_action_by = ?3,
             pause_requested_at = coalesce(?4, pause_requested_at),
             stop_requested_at = coalesce(?5, stop_requested_at),
             resume_from_stage = CASE WHEN ?6 THEN ?7 ELSE resume_from_stage END
         WHERE project_key = ?1",
    )?
    .execute(params![
        fence.key,
        note.action.as_str(),
        request.requested_by,
        at(note.is_pause()),
        at(note.is_stop()),
        note.goes_on(),
        note.from
    ])?;
    Ok(())
}

/// A new build task for the project, queued.
fn queue_task(tx: &mut Tx<'_>, id: &ProjectId, fence: &Fence) -> Result<TaskId> {
    let Some((project, _)) = projects::read_keyed(tx.conn(), id)? else { return Err(not_found("project")) };
    let task_id = TaskId::generate();
    let new = NewTask {
        task_id: &task_id,
        task_type: TaskType::BuildAgent,
        project_id: id,
        project_key: fence.key,
        agent_id: None,
        priority: project.priority,
        payload: projects::build_payload(&project, &task_id),
    };
    tasks::insert(tx, &new)?;
    Ok(task_id)
}

/// The sums over the stages that stay.
fn sums(tx: &Tx<'_>, project_key: i64) -> Result<AggregatedMetrics> {
    let (low, high) = stages::key_range(project_key);
    let mut find = tx.sql(
        "SELECT coalesce(input_tokens, 0), coalesce(output_tokens, 0), coalesce(tool_calls, 0),
             coalesce(duration_seconds, 0.0), coalesce(json_extract(metrics, '$.cost_usd'), 0.0)
         FROM nexus_stages WHERE stage_key BETWEEN ?1 AND ?2 AND status IN ('completed', 'skipped')",
    )?;
    let mut found = find.query([low, high])?;
    let mut sums = AggregatedMetrics::default();
    while let Some(row) = found.next()? {
        sums.add(&StageFigures {
            input_tokens: row.get::<_, i64>(0)?.max(0).unsigned_abs(),
            output_tokens: row.get::<_, i64>(1)?.max(0).unsigned_abs(),
            tool_calls: row.get::<_, i64>(2)?.max(0).unsigned_abs(),
            duration_seconds: row.get(3)?,
            cost_usd: row.get(4)?,
        });
    }
    Ok(sums)
}

#[async_trait]
impl Control for SqliteStore {
    async fn control(
        &self,
        id: &ProjectId,
        request: ControlRequest,
        workflows: Arc<Workflows>,
    ) -> Result<ControlApplied> {
        let id = id.clone();
        self.write(move |tx| apply(tx, &id, &request, &workflows)).await
    }
}
