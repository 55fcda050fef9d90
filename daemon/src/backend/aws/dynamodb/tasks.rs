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
    backend::{error::illegal, store::Result},
    domain::{
        ids::{AgentId, ProjectId, TaskId, WorkerId},
        project::Priority,
        queue::QueueName,
        task::{Task, TaskStatus, TaskType},
        time::Timestamp,
        transition::{self, TaskEvent},
    },
};

/// Where messages of such tasks go.
pub(crate) const fn queue_of(task_type: TaskType) -> QueueName {
    match task_type {
        TaskType::DeployAgent => QueueName::Deploy,
        TaskType::BuildAgent | TaskType::InvokeAgent => QueueName::Build,
    }
}

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
        status: TaskStatus::Pending,
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

/// Gives the lease to a worker.
pub(crate) fn claim(stored: &mut StoredTask, worker: &WorkerId, until: Timestamp, now: Timestamp) -> Result<()> {
    let task = &mut stored.task;
    task.status = transition::task(task.status, TaskEvent::Claim).map_err(|e| illegal(&e))?;
    stored.epoch += 1;
    if !stored.tried_by.contains(worker) {
        stored.fruitless += 1;
        stored.tried_by.push(worker.clone());
    }
    task.retry_count = stored.epoch - 1;
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
    event: TaskEvent,
    error: Option<&str>,
    result: Option<Value>,
    now: Timestamp,
) -> Result<()> {
    let task = &mut stored.task;
    task.status = transition::task(task.status, event).map_err(|e| illegal(&e))?;
    task.completed_at = Some(now);
    task.updated_at = now;
    // What the original left there stays readable where there is nothing new to say.
    if error.is_some() || task.status == TaskStatus::Completed {
        task.error_message = error.map(str::to_owned);
    }
    task.result = result.or_else(|| task.result.take());
    stored.lease_until = None;
    Ok(())
}

/// Sets a task that was worked on back to waiting for its message.
pub(crate) fn queue_again(stored: &mut StoredTask, now: Timestamp) -> Result<()> {
    let task = &mut stored.task;
    let event = match task.status {
        TaskStatus::Running => TaskEvent::Release,
        TaskStatus::Pending => TaskEvent::Queue,
        _ => return Ok(()),
    };
    task.status = transition::task(task.status, event).map_err(|e| illegal(&e))?;
    task.updated_at = now;
    stored.lease_until = None;
    Ok(())
}

/// Sets a task back to where its message is not sent yet: until it is, the reconciler finds it.
pub(crate) fn unsent(stored: &mut StoredTask, now: Timestamp) -> Result<()> {
    if stored.task.status == TaskStatus::Running {
        stored.task.status = transition::task(stored.task.status, TaskEvent::Release).map_err(|e| illegal(&e))?;
    }
    if stored.task.status == TaskStatus::Queued {
        stored.task.status = TaskStatus::Pending;
    }
    stored.task.updated_at = now;
    stored.lease_until = None;
    Ok(())
}

/// The task as it is when another takes its place.
pub(crate) fn withdrawn(stored: &StoredTask, reason: Option<&str>, now: Timestamp) -> Result<StoredTask> {
    let mut ended = stored.clone();
    if !ended.task.status.is_final() {
        finish(&mut ended, TaskEvent::Cancel, reason, None, now)?;
    }
    Ok(ended)
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
