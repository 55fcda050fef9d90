//! Leases of tasks: extending, giving back, and finding those that ended without a word.

use std::{collections::HashMap, time::Duration};

use futures::{StreamExt as _, stream};

use super::{
    DynamoStore,
    aggregate::{Outgoing, TRIES, contended, pause},
    client::Query,
    codec::{Record as _, StoredProject, StoredTask},
    stages,
    table::Table,
    tasks,
    unit::{Change, Guard, Refused, Unit},
    value,
};
use crate::{
    domain::{
        control::ControlStatus,
        failure::ErrorInfo,
        ids::{ProjectId, TaskId},
        project::ProjectStatus,
        task::{Lease, TaskStatus, TaskType},
        time::Timestamp,
        transition::{self, ProjectEvent, TaskEvent},
    },
    store::{
        GivenUp, LeaseState, Result, StoreErrorKind, StrandedTask,
        error::{fenced, not_found},
    },
};

/// A task younger than this may have its message on the way.
const PENDING_FOR: Duration = Duration::from_secs(20);
/// Dead letters of a build that are overruled while no stage of it ends.
const MOST_SPARED: u32 = 5;
/// Leases that are extended side by side.
const SIDE_BY_SIDE: usize = 16;

impl DynamoStore {
    /// `Store::extend_leases`.
    pub(crate) async fn extend(&self, leases: &[Lease], until: Timestamp) -> Result<Vec<LeaseState>> {
        let until = self.tables.shared(until);
        let keys = leases.iter().map(|lease| Table::Projects.one(lease.project_id.as_str()));
        let mut keys: Vec<_> = keys.collect();
        keys.sort_by_key(|key| format!("{key:?}"));
        keys.dedup();
        let projects = self.tables.get_many(Table::Projects, keys).await?;
        let controls: HashMap<ProjectId, ControlStatus> = projects
            .iter()
            .filter_map(|item| StoredProject::from_item(item).ok())
            .map(|stored| (stored.project.project_id.clone(), stored.project.control_status))
            .collect();
        let extensions = leases.iter().cloned().map(|lease| async move { self.extend_one(&lease, until).await });
        let held: Vec<Result<bool>> = stream::iter(extensions).buffered(SIDE_BY_SIDE).collect().await;
        let mut states = Vec::with_capacity(leases.len());
        for (lease, held) in leases.iter().zip(held) {
            let held = held?;
            if !held {
                self.slots.forget(&lease.project_id);
            }
            let control = controls.get(&lease.project_id).copied().unwrap_or(ControlStatus::Cancelled);
            states.push(LeaseState { held, control });
        }
        Ok(states)
    }

    async fn extend_one(&self, lease: &Lease, until: Timestamp) -> Result<bool> {
        let mut unit = Unit::default();
        let change =
            Change { set: vec![("lease_expires_at".into(), value::text(until.to_string()))], ..Change::default() };
        let read = [
            ("status", Some(value::text(TaskStatus::Running.as_str()))),
            ("worker_id", Some(value::text(lease.worker_id.as_str()))),
            ("lease_epoch", Some(value::whole(lease.epoch))),
        ];
        let key = Table::Tasks.one(lease.task_id.as_str());
        unit.update(&self.tables, Table::Tasks, key, change, &Guard::AsRead(&read), Refused::Stale)?;
        Ok(unit.commit(&self.tables).await?.is_ok())
    }

    /// `Store::release_lease`. The message is the caller's to let go.
    pub(crate) async fn release(&self, lease: &Lease) -> Result<()> {
        let Some(task) = self.stored_task(&lease.task_id).await? else { return Err(fenced()) };
        if task.task.task_type == TaskType::DeployAgent {
            if !holds(&task, lease) {
                return Err(fenced());
            }
            let hand_back = |task: &mut StoredTask, now| {
                // Handed back, not failed.
                task.fruitless = task.fruitless.saturating_sub(1);
                tasks::queue_again(task, now)
            };
            return if self.change_task(&task, hand_back).await? { Ok(()) } else { Err(fenced()) };
        }
        let mut held = self.slots.hold(&lease.project_id).await;
        for round in 0..TRIES {
            let Some(mut plan) = self.plan(&mut held).await? else { return Err(fenced()) };
            if !plan.after.admits(lease) {
                *held.known = None;
                return Err(fenced());
            }
            let now = plan.now;
            if transition::project(plan.after.state(), ProjectEvent::PauseReached).is_ok() {
                // Nobody would reach the pause any more.
                plan.settle_pause()?;
            } else {
                let events = stages::let_go(&mut plan.after.stages, now)?;
                plan.events.extend(events);
                plan.after.stored.lease_worker = None;
                plan.after.stored.project.updated_at = now;
                if let Some(task) = plan.after.open_task() {
                    tasks::queue_again(task, now)?;
                    // Handed back, not failed.
                    task.fruitless = task.fruitless.saturating_sub(1);
                }
            }
            match self.commit(&mut held, plan).await? {
                Ok(()) => return Ok(()),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }

    /// Changes a task that no project stands still for; `false`: it is not as it was read any more.
    async fn change_task(
        &self,
        task: &StoredTask,
        change: impl FnOnce(&mut StoredTask, Timestamp) -> Result<()>,
    ) -> Result<bool> {
        let mut after = task.clone();
        change(&mut after, self.tables.clock())?;
        let mut unit = Unit::default();
        self.update_task(&mut unit, task, &after)?;
        Ok(unit.commit(&self.tables).await?.is_ok())
    }

    /// `Store::stranded_tasks`.
    pub(crate) async fn stranded(&self, now: Timestamp, limit: usize) -> Result<Vec<StrandedTask>> {
        let now = self.tables.shared(now);
        let mut found = Vec::new();
        let old = Timestamp::from_micros(now.as_micros() - i64::try_from(PENDING_FOR.as_micros()).unwrap_or(0));
        for status in [TaskStatus::Pending, TaskStatus::Running] {
            let mut query = Query::by(Table::Tasks, "StatusIndex", "status", value::text(status.as_str()));
            if status == TaskStatus::Pending {
                query.sort = Some(("created_at", "<", value::text(old.to_string())));
            }
            let items = self.tables.all(query, 10_000).await?;
            let tasks = items.iter().filter_map(|item| StoredTask::from_item(item).ok());
            let lapsed = |task: &StoredTask| match status {
                TaskStatus::Running => task.lease_until.is_some_and(|until| until < now),
                _ => true,
            };
            found.extend(tasks.filter(lapsed).map(|StoredTask { task, .. }| StrandedTask {
                task_id: task.task_id,
                project_id: task.project_id,
                task_type: task.task_type,
                status,
            }));
        }
        found.truncate(limit);
        Ok(found)
    }

    /// `Store::requeue_task`: the message is written again, so of two one finds nothing to do.
    pub(crate) async fn requeue(&self, id: &TaskId) -> Result<()> {
        self.requeue_after(id, 0).await
    }

    async fn requeue_after(&self, id: &TaskId, letters: u32) -> Result<()> {
        let Some(task) = self.stored_task(id).await? else { return Err(not_found("task")) };
        if task.task.status.is_final() {
            return Ok(());
        }
        let body = serde_json::to_string(&task.task.payload)?;
        if task.task.task_type != TaskType::BuildAgent {
            // Another daemon was quicker, and somebody works on it already.
            if task.lease_until.is_some_and(|until| until > self.tables.clock()) {
                return Ok(());
            }
            let again = |task: &mut StoredTask, now| {
                task.spared += letters;
                tasks::unsent(task, now)
            };
            // Who claimed, ended or queued it in between has seen to it.
            let changes = task.task.status != TaskStatus::Pending || letters > 0;
            if changes && !self.change_task(&task, again).await? {
                return Ok(());
            }
            let (queue, priority) = (tasks::queue_of(task.task.task_type), task.task.priority.get());
            self.deliver(Outgoing { queue, body, priority, task: id.clone() }).await;
            return Ok(());
        }
        let mut held = self.slots.hold(&task.task.project_id).await;
        for round in 0..TRIES {
            *held.known = None;
            let Some(mut plan) = self.plan(&mut held).await? else {
                // Its project is gone: nobody would ever come for it.
                let end = |task: &mut StoredTask, now| tasks::finish(task, TaskEvent::Cancel, None, None, now);
                return self.change_task(&task, end).await.map(drop);
            };
            let now = plan.now;
            let current = plan.after.stored.project.task_id.as_ref() == Some(id);
            let Some(task) = plan.after.open_task().filter(|task| task.task.task_id == *id) else {
                if !current && plan.after.task.as_ref().is_some_and(|task| !task.task.status.is_final()) {
                    // Another has taken its place: nobody would ever come for this one.
                    let end = |task: &mut StoredTask, now| tasks::finish(task, TaskEvent::Cancel, None, None, now);
                    return self.change_task(&task, end).await.map(drop);
                }
                return Ok(());
            };
            // Another daemon was quicker, and somebody works on it already.
            if task.lease_until.is_some_and(|until| until > now) {
                return Ok(());
            }
            tasks::unsent(task, now)?;
            task.spared += letters;
            let task = task.clone();
            // Whoever held the lease is fenced off.
            plan.after.stored.lease_worker = None;
            plan.send(&task, body.clone());
            match self.commit(&mut held, plan).await? {
                Ok(()) => return Ok(()),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }

    /// `Store::fail_waiting`.
    pub(crate) async fn fail_unnamed(&self, id: &ProjectId, info: &ErrorInfo) -> Result<GivenUp> {
        let mut held = self.slots.hold(id).await;
        for round in 0..TRIES {
            *held.known = None;
            let Some(mut plan) = self.plan(&mut held).await? else { return Err(not_found("project")) };
            if let Some(task) = plan.after.open_task().map(|task| task.task.task_id.clone()) {
                drop(held);
                return self.fail_one(&task, info).await;
            }
            if !matches!(plan.after.stored.project.status, ProjectStatus::Pending | ProjectStatus::Queued) {
                return Ok(GivenUp::Ended);
            }
            plan.fail(self, info)?;
            match self.commit(&mut held, plan).await? {
                Ok(()) => return Ok(GivenUp::Ended),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }

    /// `Store::fail_task`. SQS counts receives, not what came of them: in a time of trouble a message is received again and
    /// again before anybody could claim its task. So who works on the task keeps it, and a build or deployment is queued
    /// again, a few times without progress. (What ends its daemon is given up by the claims that it counts.)
    pub(crate) async fn fail_one(&self, id: &TaskId, info: &ErrorInfo) -> Result<GivenUp> {
        let Some(task) = self.stored_task(id).await? else { return Err(not_found("task")) };
        if task.task.status.is_final() {
            // What ended well, or was withdrawn, leaves a letter that means nothing.
            let failed = task.task.status == TaskStatus::Failed;
            return Ok(if failed { GivenUp::Ended } else { GivenUp::Spared });
        }
        if task.lease_until.is_some_and(|until| until > self.tables.clock()) {
            return Ok(GivenUp::Spared);
        }
        if task.spared < MOST_SPARED {
            return self.requeue_after(id, 1).await.map(|()| GivenUp::Spared);
        }
        if task.task.task_type == TaskType::DeployAgent {
            return match self.fail_deploy(&task, info).await {
                // Somebody claimed it meanwhile.
                Err(error) if error.kind() == StoreErrorKind::Fenced => Ok(GivenUp::Spared),
                ended => ended.map(|()| GivenUp::Ended),
            };
        }
        let mut held = self.slots.hold(&task.task.project_id).await;
        for round in 0..TRIES {
            *held.known = None;
            let plan = self.plan(&mut held).await?;
            let current = plan.as_ref().is_some_and(|plan| {
                plan.after.stored.project.task_id.as_ref() == Some(id) && !plan.after.stored.project.status.is_final()
            });
            let Some(mut plan) = plan.filter(|_| current) else {
                // Stale: only the task itself is left to end.
                let end =
                    |task: &mut StoredTask, now| tasks::finish(task, TaskEvent::Fail, Some(&info.message), None, now);
                let ended = self.change_task(&task, end).await?;
                return Ok(if ended { GivenUp::Ended } else { GivenUp::Spared });
            };
            plan.fail(self, info)?;
            match self.commit(&mut held, plan).await? {
                Ok(()) => return Ok(GivenUp::Ended),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }
}

/// Whether `lease` is that of a running task.
pub(crate) fn holds(task: &StoredTask, lease: &Lease) -> bool {
    task.task.status == TaskStatus::Running
        && task.epoch == lease.epoch
        && task.task.worker_id.as_ref() == Some(&lease.worker_id)
}
