//! The steps of a build: the path that runs for every stage of every project.

use async_trait::async_trait;
use serde_json::json;

use super::{
    SqliteStore, agents,
    change::{self, Beside},
    error::fenced,
    projects::{self, Fence},
    stages,
    state::{Effect, Live},
    tasks,
    tx::Tx,
};
use crate::{
    backend::store::{BuildEnd, BuildProgress, BuildStep, Builds, Result, StageRetry},
    domain::{
        allowed_transitions::ProjectState,
        change::{
            LeaseChange, ProjectChange,
            retry::retry as decide_retry,
            step::{Stepped, step as decide_step},
        },
        ids::TaskId,
        task::Lease,
    },
};

/// The project's row, when `lease` may write.
pub(crate) fn admit(tx: &mut Tx<'_>, lease: &Lease) -> Result<Fence> {
    match projects::fence(tx, &lease.project_id)? {
        Some(fence) if fence.admits(lease) => Ok(fence),
        _ => Err(fenced()),
    }
}

pub(crate) fn advance(tx: &mut Tx<'_>, lease: &Lease, step: &BuildStep) -> Result<BuildProgress> {
    let id = &lease.project_id;
    let (mut fence, mut briefs) = match tx.state.take_live(id) {
        Some(live) if live.fence.admits(lease) => (live.fence, live.stages),
        _ => {
            let fence = admit(tx, lease)?;
            let briefs = stages::briefs(tx.conn(), fence.key)?;
            (fence, briefs)
        }
    };
    let Stepped { mut change, begun } = decide_step(&change::view(&fence, &briefs, None), &step.request(), tx.now())?;
    if !step.ended.is_empty() {
        progress_made(tx, &lease.task_id)?;
    }
    let task = match change.task {
        Some(_) => Some(tasks::brief(tx, &lease.task_id)?.ok_or_else(fenced)?),
        None => None,
    };
    let mut result = None;
    if let (Some(BuildEnd::Completed { agent: Some(agent), deploy }), Some(task)) = (&step.end, &task) {
        let told = agents::register(tx, id, task, agent, *deploy)?;
        change.events.push(told);
        result = Some(json!({"agent_id": agent.agent_id}).to_string());
    }
    let beside = Beside {
        task: task.as_ref().map(|task| (&lease.task_id, task)),
        result: result.as_deref(),
        receipt: step.receipt.as_ref(),
        ..Beside::default()
    };
    let message_deleted = change::write(tx, &fence, &mut briefs, &change, &beside)?;
    tx.emit(id, change.events)?;
    let Some(ProjectChange { state, progress, current_stage, lease: left, .. }) = change.project else {
        return Err(fenced());
    };
    if left == LeaseChange::Kept {
        (fence.progress, fence.current_stage) = (progress, current_stage);
        tx.state.set_live(id, Live { fence, stages: briefs });
    }
    let ProjectState { status, control } = state;
    Ok(BuildProgress { begun, status, control, message_deleted })
}

/// Progress resets the receive and crash counters of the message.
fn progress_made(tx: &mut Tx<'_>, task: &TaskId) -> Result<()> {
    prove(tx, task)?;
    if let Some(key) = tx.state.mail.key_of(task)
        && tx.state.mail.get(key).is_some_and(|letter| letter.count > 1)
    {
        // Only the receive that holds it now; a start takes that one back, too.
        tx.sql("UPDATE queue_messages SET receive_count = 1 WHERE message_key = ?1")?.execute([key])?;
    }
    tx.at_commit(Effect::Progress(task.clone()));
    Ok(())
}

/// The stage ended and the daemon is alive: the task is no suspect any more.
fn prove(tx: &mut Tx<'_>, task: &TaskId) -> Result<()> {
    if tx.state.mail.is_suspect(task)
        && let Some(key) = tx.state.mail.key_of(task)
    {
        tx.sql(
            "UPDATE queue_messages SET crash_points = 0, faults = 0, solo_crashes = 0, quarantine = 0
             WHERE message_key = ?1",
        )?
        .execute([key])?;
        tx.at_commit(Effect::Proven(task.clone()));
    }
    Ok(())
}

pub(crate) fn retry(tx: &mut Tx<'_>, lease: &Lease, retry: &StageRetry) -> Result<u32> {
    let fence = admit(tx, lease)?;
    let mut briefs = stages::briefs(tx.conn(), fence.key)?;
    let view = change::view(&fence, &briefs, None);
    let (change, attempt) = decide_retry(&view, &retry.stage_name, retry.failed_attempt, &retry.failure, tx.now())?;
    prove(tx, &lease.task_id)?;
    change::carry_out(tx, &lease.project_id, &fence, &mut briefs, change, &Beside::default())?;
    Ok(attempt)
}

#[async_trait]
impl Builds for SqliteStore {
    async fn advance_build(&self, lease: &Lease, step: BuildStep) -> Result<BuildProgress> {
        let lease = lease.clone();
        self.write(move |tx| advance(tx, &lease, &step)).await
    }

    async fn retry_stage(&self, lease: &Lease, retry: StageRetry) -> Result<u32> {
        let lease = lease.clone();
        self.write(move |tx| self::retry(tx, &lease, &retry)).await
    }
}
