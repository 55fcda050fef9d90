//! Tasks: made with what asks for them, claimed, ended.

use serde_json::Value;

use super::{
    DynamoStore,
    client::Query,
    codec::{Record as _, StoredTask},
    table::Table,
    value,
};
use crate::{
    backend::store::Result,
    domain::{
        allowed_transitions::{self, TaskEvent},
        change::{TaskChange, task as rules},
        ids::{AgentId, ProjectId, TaskId, WorkerId},
        project::Priority,
        task::{Holder, Lease, Task, TaskType},
        time::Timestamp,
    },
};

/// A task whose message is not sent yet.
pub(crate) fn pending(
    task_id: TaskId,
    task_type: TaskType,
    project: &ProjectId,
    agent: Option<&AgentId>,
    priority: Priority,
    payload: &str,
    now: Timestamp,
) -> Result<StoredTask> {
    let task = Task {
        task_id,
        task_type,
        project_id: project.clone(),
        status: rules::UNSENT,
        priority,
        payload: serde_json::from_str(payload)?,
        result: None,
        error_message: None,
        retry_count: 0,
        created_at: now,
        started_at: None,
        completed_at: None,
        worker_id: None,
        updated_at: now,
    };
    Ok(StoredTask::of(task, agent.cloned(), 0))
}

/// Gives the lease to a worker. `given`: see [`rules::Claimable::given`].
pub(crate) fn claim(
    stored: &mut StoredTask,
    given: u32,
    worker: &WorkerId,
    until: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let (task, epoch) = (&mut stored.task, stored.epoch);
    let (status, retry_count) = (task.status, task.retry_count);
    let claimed = rules::claim(rules::Claimable { status, epoch, retry_count, given })?;
    (task.status, stored.epoch, task.retry_count) = (claimed.status, claimed.epoch, claimed.retry_count);
    if !stored.tried_by.contains(worker) {
        stored.fruitless += 1;
        stored.tried_by.push(worker.clone());
    }
    task.worker_id = Some(worker.clone());
    stored.lease_until = Some(until);
    task.started_at = task.started_at.or(Some(now));
    task.updated_at = now;
    Ok(())
}

/// Takes a worker's claim back from those that led to nothing.
pub(crate) fn uncount(stored: &mut StoredTask, worker: &WorkerId) {
    stored.tried_by.retain(|tried| tried != worker);
    stored.fruitless = stored.fruitless.saturating_sub(1);
}

/// Ends a task; its lease goes with it.
pub(crate) fn finish(
    stored: &mut StoredTask,
    end: TaskChange<'_>,
    result: Option<Value>,
    now: Timestamp,
) -> Result<()> {
    let task = &mut stored.task;
    task.status = allowed_transitions::task(task.status, end.event)?;
    task.completed_at = Some(now);
    task.updated_at = now;
    // What the original left there stays readable where there is nothing new to say.
    if end.error.is_some() || end.event == TaskEvent::Complete {
        task.error_message = end.error.map(str::to_owned);
    }
    task.result = result.or_else(|| task.result.take());
    stored.lease_until = None;
    Ok(())
}

/// Sets a task that was worked on back to waiting for its message.
pub(crate) fn queue_again(stored: &mut StoredTask, now: Timestamp) {
    if let Some(status) = rules::queued_again(stored.task.status) {
        stored.task.status = status;
        stored.task.updated_at = now;
        stored.lease_until = None;
    }
}

/// Sets a task back to where its message is not sent yet: until it is, the reconciler finds it.
pub(crate) fn unsent(stored: &mut StoredTask, now: Timestamp) {
    stored.task.status = rules::unsent(stored.task.status);
    stored.task.updated_at = now;
    stored.lease_until = None;
}

/// The task as it is when another takes its place.
pub(crate) fn withdrawn(stored: &StoredTask, error: Option<&str>, now: Timestamp) -> Result<StoredTask> {
    let mut ended = stored.clone();
    if !ended.task.status.is_final() {
        finish(&mut ended, TaskChange { event: TaskEvent::Cancel, error }, None, now)?;
    }
    Ok(ended)
}

impl StoredTask {
    /// Whether `lease` is that of this task, while it runs.
    pub(crate) fn is_held(&self, lease: &Lease) -> bool {
        let (task_id, worker) = (Some(&self.task.task_id), self.task.worker_id.as_ref());
        lease.holds_task(self.task.status, Holder { task_id, worker, epoch: self.epoch })
    }

    /// Until when somebody holds it.
    pub(crate) fn leased_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.lease_until.filter(|until| *until > now)
    }

    /// Until when another worker holds it.
    pub(crate) fn held_by_another(&self, worker: &WorkerId, now: Timestamp) -> Option<Timestamp> {
        rules::held_by_another(self.task.status, self.task.worker_id.as_ref(), self.lease_until, worker, &now)
    }
}

impl DynamoStore {
    pub(crate) async fn stored_task(&self, id: &TaskId) -> Result<Option<StoredTask>> {
        let item = self.tables.get(Table::Tasks, Table::Tasks.one(id.as_str())).await?;
        item.as_ref().map(StoredTask::from_item).transpose()
    }

    /// Tasks of a project, newest first.
    pub(crate) async fn tasks_of(&self, project: &ProjectId) -> Result<Vec<StoredTask>> {
        let query = Query {
            forward: false,
            ..Query::by(Table::Tasks, "ProjectIndex", "project_id", value::text(project.as_str()))
        };
        Ok(self.tables.all(query, 10_000).await?.iter().filter_map(|item| StoredTask::from_item(item).ok()).collect())
    }
}
