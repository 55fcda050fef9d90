//! Leases of tasks: extending, giving back, and finding those that ended without a word.

use async_trait::async_trait;
use rusqlite::params;

use super::{
    SqliteStore, build_steps,
    change::{self, Beside},
    claim,
    clock::Moment,
    error::{fenced, not_found},
    projects, rows, stages,
    state::Effect,
    tasks,
    tx::Tx,
    writer::Mode,
};
use crate::{
    backend::{
        queue::Receipt,
        store::{GivenUp, LeaseState, Leases, Projects as _, Reconciliation, Result, StrandedTask},
    },
    domain::{
        change::{ownerless, task as rules},
        control::ControlStatus,
        failure::ErrorInfo,
        ids::{ProjectId, TaskId},
        task::{Lease, Task, TaskType},
        time::Timestamp,
    },
};

/// Their ends live in memory: no row changes.
pub(crate) fn extend(tx: &mut Tx<'_>, leases: &[Lease], until: Moment) -> Result<Vec<LeaseState>> {
    let mut states = Vec::with_capacity(leases.len());
    for lease in leases {
        let fence = projects::fence(tx, &lease.project_id)?;
        let control = fence.as_ref().map_or(ControlStatus::Cancelled, |fence| fence.state.control);
        let held = match fence {
            Some(fence) if fence.admits(lease) => true,
            // A deploy task's lease is in its own row.
            _ => holds_task(tx, lease)?,
        };
        if held {
            tx.state.leases.insert(lease.task_id.clone(), until);
        }
        states.push(LeaseState { held, control });
    }
    Ok(states)
}

/// Whether `lease` is that of a running deploy task.
pub(crate) fn holds_task(tx: &Tx<'_>, lease: &Lease) -> Result<bool> {
    let task = tasks::brief(tx, &lease.task_id)?;
    Ok(task.is_some_and(|task| task.task_type == TaskType::DeployAgent && task.is_held(&lease.task_id, lease)))
}

pub(crate) fn release(tx: &mut Tx<'_>, lease: &Lease, receipt: Option<&Receipt>) -> Result<()> {
    let Some(task) = tasks::brief(tx, &lease.task_id)? else { return Err(fenced()) };
    if task.task_type == TaskType::DeployAgent {
        if !task.is_held(&lease.task_id, lease) {
            return Err(fenced());
        }
        tasks::queue_again(tx, &lease.task_id, &task)?;
    } else {
        let fence = build_steps::admit(tx, lease)?;
        let mut briefs = stages::briefs(tx.conn(), fence.key)?;
        let released = ownerless::release(&change::view(&fence, &briefs, Some(task.status)), tx.now())?;
        let waits_again = released.waits_again();
        let beside = Beside { task: Some((&lease.task_id, &task)), ..Beside::default() };
        change::carry_out(tx, &lease.project_id, &fence, &mut briefs, released, &beside)?;
        if !waits_again {
            return Ok(());
        }
    }
    // Handed back, not failed: the receive does not count. A message without a task's name (the
    // original's) is known by its receipt only.
    let held = receipt.and_then(|receipt| tx.state.mail.held_by(receipt));
    if let Some(key) = tx.state.mail.key_of(&lease.task_id).or(held) {
        let count = tx.state.mail.get(key).map_or(0, |letter| letter.count.saturating_sub(1));
        tx.sql("UPDATE queue_messages SET in_flight = 0, receive_count = ?2 WHERE message_key = ?1")?
            .execute(params![key, count])?;
        tx.at_commit(Effect::HandedBack(key));
    }
    Ok(())
}

pub(crate) fn stranded(tx: &mut Tx<'_>, now: Moment, limit: usize) -> Result<Vec<StrandedTask>> {
    let mut found = Vec::new();
    {
        let mut find = tx.sql(
            "SELECT task_id, project_id, task_type FROM nexus_tasks WHERE status = 'pending' ORDER BY task_key LIMIT ?1",
        )?;
        let mut pending = find.query([rows::integer(limit as u64)])?;
        while let Some(row) = pending.next()? {
            found.push(StrandedTask {
                task_id: rows::word(row, 0)?,
                project_id: rows::word(row, 1)?,
                task_type: rows::word(row, 2)?,
                status: rules::UNSENT,
            });
        }
    }
    let mut ended: Vec<(Moment, TaskId)> =
        tx.state.leases.iter().filter(|(_, until)| **until < now).map(|(task, until)| (*until, task.clone())).collect();
    ended.sort_unstable();
    for (_, task_id) in ended {
        if found.len() >= limit {
            break;
        }
        match tasks::brief(tx, &task_id)? {
            Some(task) if rules::is_worked_on(task.status) => {
                let (project_id, task_type) = (task.project_id, task.task_type);
                found.push(StrandedTask { task_id, project_id, task_type, status: task.status });
            }
            _ => {
                tx.state.leases.remove(&task_id);
            }
        }
    }
    Ok(found)
}

pub(crate) fn requeue(tx: &mut Tx<'_>, id: &TaskId) -> Result<()> {
    let Some(task) = tasks::brief(tx, id)? else { return Err(not_found("task")) };
    if task.status.is_final() {
        return Ok(());
    }
    if task.task_type != TaskType::DeployAgent
        && let Some(fence) = projects::fence(tx, &task.project_id)?
        && fence.task_id.as_ref() == Some(id)
    {
        // Whoever held the lease is fenced off.
        tx.sql("UPDATE nexus_projects SET lease_worker = NULL WHERE project_key = ?1")?.execute([fence.key])?;
    }
    tasks::queue_again(tx, id, &task)
}

#[async_trait]
impl Leases for SqliteStore {
    async fn task(&self, id: &TaskId) -> Result<Option<Task>> {
        let id = id.clone();
        self.ask(move |conn| tasks::read(conn, &id)).await
    }

    async fn extend_leases(&self, leases: &[Lease], until: Timestamp) -> Result<Vec<LeaseState>> {
        let (leases, until) = (leases.to_vec(), Moment::meant_by(until));
        self.write_as(Mode::Peek, move |tx| extend(tx, &leases, until)).await
    }

    async fn release_lease(&self, lease: &Lease, receipt: Option<&Receipt>) -> Result<()> {
        let (lease, receipt) = (lease.clone(), receipt.cloned());
        self.write(move |tx| release(tx, &lease, receipt.as_ref())).await
    }

    async fn fail_task(&self, task: &TaskId, reason: ErrorInfo) -> Result<GivenUp> {
        let task = task.clone();
        self.write(move |tx| claim::fail_task(tx, &task, &reason).map(|()| GivenUp::Ended)).await
    }

    async fn fail_waiting(&self, project: &ProjectId, reason: ErrorInfo) -> Result<GivenUp> {
        // Every project that waits here has its task.
        let task = self.project(project).await?.and_then(|project| project.task_id);
        match task {
            Some(task) => self.fail_task(&task, reason).await,
            None => Ok(GivenUp::Ended),
        }
    }

    async fn requeue_task(&self, task: &TaskId) -> Result<()> {
        let task = task.clone();
        self.write(move |tx| requeue(tx, &task)).await
    }
}

#[async_trait]
impl Reconciliation for SqliteStore {
    async fn stranded_tasks(&self, now: Timestamp, limit: usize) -> Result<Vec<StrandedTask>> {
        let now = Moment::meant_by(now);
        self.write_as(Mode::Peek, move |tx| stranded(tx, now, limit)).await
    }
}
