//! Rows of tasks, and the messages that go with them.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    clock::Moment,
    rows,
    state::Effect,
    tx::{Outgoing, Tx},
};
use crate::{
    backend::store::Result,
    domain::{
        allowed_transitions,
        change::{
            TaskChange,
            task::{self as rules, Claimable, ClaimedTask},
        },
        ids::{AgentId, ProjectId, TaskId, WorkerId},
        project::Priority,
        task::{Holder, Lease, Task, TaskStatus, TaskType},
        time::Timestamp,
    },
};

/// A task to be written and queued.
pub(crate) struct NewTask<'a> {
    pub(crate) task_id: &'a TaskId,
    pub(crate) task_type: TaskType,
    pub(crate) project_id: &'a ProjectId,
    pub(crate) project_key: i64,
    pub(crate) agent_id: Option<&'a AgentId>,
    pub(crate) priority: Priority,
    pub(crate) payload: String,
}

/// Writes a task with its message, in state `queued`.
pub(crate) fn insert(tx: &mut Tx<'_>, new: &NewTask<'_>) -> Result<()> {
    tx.sql(
        "INSERT INTO nexus_tasks (task_id, task_type, project_id, project_key, agent_id, status, priority,
             created_at, updated_at, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9)",
    )?
    .execute(params![
        new.task_id.as_str(),
        new.task_type.as_str(),
        new.project_id.as_str(),
        new.project_key,
        new.agent_id.map(AgentId::as_str),
        rules::SENT.as_str(),
        new.priority.get(),
        tx.now_text(),
        new.payload,
    ])?;
    let task_key = tx.conn().last_insert_rowid();
    let priority = new.priority.get();
    let queue = new.task_type.queue();
    tx.send(&Outgoing { queue, priority, task: Some((new.task_id, task_key)), body: None })
}

/// What decisions need of a task.
pub(crate) struct Brief {
    pub(crate) key: i64,
    pub(crate) task_type: TaskType,
    pub(crate) project_id: ProjectId,
    pub(crate) project_key: i64,
    pub(crate) status: TaskStatus,
    pub(crate) worker: Option<WorkerId>,
    pub(crate) epoch: u32,
    pub(crate) retry_count: u32,
    pub(crate) priority: Priority,
    pub(crate) agent_id: Option<AgentId>,
    pub(crate) started_at: Option<Timestamp>,
}

fn brief_row(row: &Row<'_>) -> rusqlite::Result<Brief> {
    Ok(Brief {
        key: row.get(0)?,
        task_type: rows::word(row, 1)?,
        project_id: rows::word(row, 2)?,
        status: rows::word(row, 3)?,
        worker: rows::word_opt(row, 4)?,
        epoch: row.get(5)?,
        priority: Priority::clamped(row.get(6)?),
        agent_id: rows::word_opt(row, 7)?,
        project_key: row.get(8)?,
        started_at: rows::word_opt(row, 9)?,
        retry_count: row.get(10)?,
    })
}

impl Brief {
    /// Whether `lease` is that of this task, while it runs.
    pub(crate) fn is_held(&self, id: &TaskId, lease: &Lease) -> bool {
        let holder = Holder { task_id: Some(id), worker: self.worker.as_ref(), epoch: self.epoch };
        lease.holds_task(self.status, holder)
    }
}

/// A task in brief.
pub(crate) fn brief(tx: &Tx<'_>, id: &TaskId) -> Result<Option<Brief>> {
    let mut find = tx.sql(
        "SELECT task_key, task_type, project_id, status, worker_id, lease_epoch, priority, agent_id, project_key,
             started_at, retry_count
         FROM nexus_tasks WHERE task_id = ?1",
    )?;
    Ok(find.query_row([id.as_str()], brief_row).optional()?)
}

/// Until when another worker holds the task's lease.
pub(crate) fn held_by_another(tx: &Tx<'_>, id: &TaskId, task: &Brief, worker: &WorkerId) -> Option<Moment> {
    let until = tx.state.leases.get(id).copied();
    rules::held_by_another(task.status, task.worker.as_ref(), until, worker, &Moment::now())
}

/// Gives the task's lease to a worker; answers its number. `given`: see [`Claimable::given`].
pub(crate) fn claim(
    tx: &mut Tx<'_>,
    id: &TaskId,
    task: &Brief,
    given: u32,
    worker: &WorkerId,
    until: Moment,
) -> Result<u32> {
    let Brief { status, epoch, retry_count, .. } = *task;
    let ClaimedTask { status, epoch, retry_count } = rules::claim(Claimable { status, epoch, retry_count, given })?;
    tx.sql(
        "UPDATE nexus_tasks SET status = ?2, worker_id = ?3, lease_epoch = ?4, retry_count = ?6,
             claimed_at = ?5, started_at = coalesce(started_at, ?5), updated_at = ?5
         WHERE task_key = ?1",
    )?
    .execute(params![task.key, status.as_str(), worker.as_str(), epoch, tx.now_text(), retry_count])?;
    if task.started_at.is_none() {
        tx.at_commit(Effect::Begun(id.clone(), Instant::now()));
    }
    tx.at_commit(Effect::Leased(id.clone(), until));
    Ok(epoch)
}

/// How long a task has been worked on since its first claim: by this process's own clock where it began it, and by the
/// wall clock, which may have been set, otherwise.
pub(crate) fn age(tx: &Tx<'_>, id: &TaskId, task: &Brief) -> Duration {
    match tx.state.begun.get(id) {
        Some(begun) => begun.elapsed(),
        None => task.started_at.map_or(Duration::ZERO, |begun| tx.now().since(begun)),
    }
}

/// Ends a task; its lease goes with it.
pub(crate) fn finish(
    tx: &mut Tx<'_>,
    id: &TaskId,
    task: &Brief,
    end: TaskChange<'_>,
    result: Option<&str>,
) -> Result<()> {
    let status = allowed_transitions::task(task.status, end.event)?;
    tx.sql(
        "UPDATE nexus_tasks SET status = ?2, completed_at = ?3, updated_at = ?3, error_message = ?4, result = ?5
         WHERE task_key = ?1",
    )?
    .execute(params![task.key, status.as_str(), tx.now_text(), end.error, result])?;
    tx.at_commit(Effect::Ended(id.clone()));
    Ok(())
}

/// Queues a task whose lease ended: its message comes again at once.
pub(crate) fn queue_again(tx: &mut Tx<'_>, id: &TaskId, task: &Brief) -> Result<()> {
    if let Some(status) = rules::queued_again(task.status) {
        tx.sql("UPDATE nexus_tasks SET status = ?2, updated_at = ?3 WHERE task_key = ?1")?.execute(params![
            task.key,
            status.as_str(),
            tx.now_text()
        ])?;
        tx.at_commit(Effect::Unleased(id.clone()));
    }
    match tx.state.mail.key_of(id) {
        Some(key) => {
            tx.sql("UPDATE queue_messages SET in_flight = 0 WHERE message_key = ?1")?.execute([key])?;
            tx.at_commit(Effect::Show(key));
            Ok(())
        }
        None => {
            let (queue, priority) = (task.task_type.queue(), task.priority.get());
            tx.send(&Outgoing { queue, priority, task: Some((id, task.key)), body: None })
        }
    }
}

pub(crate) fn read(conn: &Connection, id: &TaskId) -> Result<Option<Task>> {
    let mut find = conn.prepare_cached(&format!("SELECT {} FROM nexus_tasks WHERE task_id = ?1", rows::TASK))?;
    Ok(find.query_row([id.as_str()], rows::task).optional()?)
}
