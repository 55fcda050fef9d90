//! Leases of tasks: extending, giving back, and finding those that ended without a word.

use std::collections::HashMap;

use async_trait::async_trait;
use futures::{StreamExt as _, stream};

use super::{
    DynamoStore,
    aggregate::{Outgoing, Plan, TRIES, contended, pause},
    codec::{Record as _, StoredProject, StoredTask},
    table::Table,
    tasks,
    unit::{Change, Guard, Refused, Unit},
    value,
};
use crate::{
    backend::{
        error::{BackendErrorKind, fenced, not_found},
        queue::Receipt,
        store::{GivenUp, LeaseState, Leases, Result, alike},
    },
    domain::{
        allowed_transitions::{ProjectState, TaskEvent},
        change::{TaskChange, ownerless, task as rules},
        control::ControlStatus,
        failure::ErrorInfo,
        foreign,
        ids::{ProjectId, TaskId},
        queue::QueueName,
        task::{Lease, Task, TaskType},
        time::Timestamp,
    },
};

/// Dead letters of a build that are overruled while no stage of it ends.
const MOST_SPARED: u32 = 5;
/// Leases that are extended side by side.
const SIDE_BY_SIDE: usize = 16;

impl DynamoStore {
    async fn extend_one(&self, lease: &Lease, until: Timestamp) -> Result<bool> {
        let mut unit = Unit::default();
        let change =
            Change { set: vec![("lease_expires_at".into(), value::text(until.to_string()))], ..Change::default() };
        let read = [
            ("status", Some(value::text(rules::HELD.as_str()))),
            ("worker_id", Some(value::text(lease.worker_id.as_str()))),
            ("lease_epoch", Some(value::whole(lease.epoch))),
        ];
        let key = Table::Tasks.one(lease.task_id.as_str());
        unit.update(&self.tables, Table::Tasks, key.clone(), change.clone(), &Guard::AsRead(&read), Refused::Stale)?;
        if unit.commit(&self.tables).await?.is_ok() {
            return Ok(true);
        }
        // The original's API writes `queued` when it has sent the message, which may be after the claim.
        let Some(task) = self.stored_task(&lease.task_id).await?.filter(|task| task.is_held(lease)) else {
            return Ok(false);
        };
        let Some(word) = task.stated else { return Ok(false) };
        let mut change = change;
        change.set.push(("status".into(), value::text(rules::HELD.as_str())));
        let [_, worker, epoch] = read;
        let read = [("status", word), worker, epoch];
        let mut unit = Unit::default();
        unit.update(&self.tables, Table::Tasks, key, change, &Guard::AsRead(&read), Refused::Stale)?;
        Ok(unit.commit(&self.tables).await?.is_ok())
    }

    /// Carries out a stop that another wrote over a build of ours. Answers whether there was one.
    async fn stop_leased(&self, lease: &Lease) -> Result<bool> {
        let mut held = self.slots.hold(&lease.project_id).await;
        for round in 0..TRIES {
            *held.known = None;
            let Some(mut plan) = self.plan(&mut held).await? else { return Ok(false) };
            if !plan.after.admits(lease) || !plan.settle_stop()? {
                return Ok(false);
            }
            match self.commit(&mut held, plan).await? {
                Ok(()) => return Ok(true),
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

    async fn requeue_after(&self, id: &TaskId, dead_letters: u32) -> Result<()> {
        let Some(task) = self.stored_task(id).await? else { return Err(not_found("task")) };
        // Or another daemon was quicker, and somebody works on it already.
        let held = task.leased_until(self.tables.clock()).is_some();
        if task.task.status.is_final() || held {
            return Ok(());
        }
        match task.task.task_type {
            TaskType::BuildAgent => self.requeue_build(&task, dead_letters).await,
            TaskType::DeployAgent => self.requeue_deploy(&task, dead_letters).await,
            // The original's: no message is known for it.
            TaskType::InvokeAgent => Ok(()),
        }
    }

    /// The message is made of what the row names: the payload is whatever the writer of the task found useful.
    async fn requeue_deploy(&self, task: &StoredTask, dead_letters: u32) -> Result<()> {
        let id = &task.task.task_id;
        let Some(agent) = &task.agent_id else {
            let end = |task: &mut StoredTask, now| {
                let end = TaskChange { event: TaskEvent::Fail, error: Some("the task names no agent") };
                tasks::finish(task, end, None, now)
            };
            return self.change_task(task, end).await.map(drop);
        };
        let again = |task: &mut StoredTask, now| {
            task.spared += dead_letters;
            tasks::unsent(task, now);
            Ok(())
        };
        // Who claimed, ended or queued it in between has seen to it.
        let changes = rules::is_set_back(task.task.status, dead_letters);
        if changes && !self.change_task(task, again).await? {
            return Ok(());
        }
        let config = task.task.payload.get("deployment_config");
        let body = alike::deploy_payload(&task.task.project_id, agent, config, id);
        let priority = task.task.priority.get();
        self.deliver(Outgoing { queue: QueueName::Deploy, body, priority, task: id.clone() }).await;
        Ok(())
    }

    async fn requeue_build(&self, task: &StoredTask, dead_letters: u32) -> Result<()> {
        let id = &task.task.task_id;
        let mut held = self.slots.hold(&task.task.project_id).await;
        for round in 0..TRIES {
            *held.known = None;
            let mut plan = self.plan(&mut held).await?;
            let fate = plan.as_ref().map(|plan| (plan.after.state().status, plan.after.is_current(task)));
            let Some((mut plan, _)) =
                plan.take().zip(fate.filter(|(status, current)| ownerless::is_needed(*status, *current)))
            else {
                // Its project is gone, rests, has ended or is built under another: nobody would ever come for this one.
                let why = fate.map_or_else(
                    || "its project is gone".to_owned(),
                    |(status, current)| match current {
                        true => format!("its project is {status}: nothing is left to do"),
                        false => foreign::REPLACED.to_owned(),
                    },
                );
                drop(held);
                let end = TaskChange { event: TaskEvent::Cancel, error: Some(&why) };
                let end = |task: &mut StoredTask, now| tasks::finish(task, end, None, now);
                return self.change_task(task, end).await.map(drop);
            };
            let (now, body) = (plan.now, alike::build_payload(&plan.after.stored.project, id));
            let Some(open) = plan.after.open_task().filter(|open| open.task.task_id == *id) else {
                // One that the project does not know yet: whoever claims it takes it over.
                drop(held);
                let unsent = |task: &mut StoredTask, now| {
                    task.spared += dead_letters;
                    tasks::unsent(task, now);
                    Ok(())
                };
                if !self.change_task(task, unsent).await? {
                    return Ok(());
                }
                let priority = task.task.priority.get();
                self.deliver(Outgoing { queue: QueueName::Build, body, priority, task: id.clone() }).await;
                return Ok(());
            };
            // Another daemon was quicker, and somebody works on it already.
            if open.leased_until(now).is_some() {
                return Ok(());
            }
            tasks::unsent(open, now);
            open.spared += dead_letters;
            let open = open.clone();
            // Whoever held the lease is fenced off.
            plan.after.stored.lease_worker = None;
            plan.send(&open, body);
            match self.commit(&mut held, plan).await? {
                Ok(()) => return Ok(()),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }
}

#[async_trait]
impl Leases for DynamoStore {
    async fn task(&self, id: &TaskId) -> Result<Option<Task>> {
        Ok(self.stored_task(id).await?.map(|stored| stored.task))
    }

    async fn extend_leases(&self, leases: &[Lease], until: Timestamp) -> Result<Vec<LeaseState>> {
        let until = self.tables.shared(until);
        let keys = leases.iter().map(|lease| Table::Projects.one(lease.project_id.as_str()));
        let mut keys: Vec<_> = keys.collect();
        keys.sort_by_key(|key| format!("{key:?}"));
        keys.dedup();
        let projects = self.tables.get_many(Table::Projects, keys).await?;
        // Words that another wrote over ours are wishes, as long as the lease is ours.
        let wish = |stored: StoredProject| {
            let project = stored.project;
            let stated = ProjectState { status: project.status, control: project.control_status };
            let control = foreign::under_lease(stated).map_or(stated.control, |state| state.control);
            (project.project_id, control)
        };
        let controls: HashMap<ProjectId, ControlStatus> =
            projects.iter().filter_map(|item| StoredProject::from_item(item).ok()).map(wish).collect();
        let extensions = leases.iter().cloned().map(|lease| async move { self.extend_one(&lease, until).await });
        let held: Vec<Result<bool>> = stream::iter(extensions).buffered(SIDE_BY_SIDE).collect().await;
        let mut states = Vec::with_capacity(leases.len());
        for (lease, held) in leases.iter().zip(held) {
            let mut held = held?;
            let control = controls.get(&lease.project_id).copied().unwrap_or(ControlStatus::Cancelled);
            if held && control.is_end() {
                held = !self.stop_leased(lease).await?;
            }
            if !held {
                self.slots.forget(&lease.project_id);
            }
            states.push(LeaseState { held, control });
        }
        Ok(states)
    }

    /// The message is the caller's to let go.
    async fn release_lease(&self, lease: &Lease, _receipt: Option<&Receipt>) -> Result<()> {
        let Some(task) = self.stored_task(&lease.task_id).await? else { return Err(fenced()) };
        if task.task.task_type == TaskType::DeployAgent {
            if !task.is_held(lease) {
                return Err(fenced());
            }
            let hand_back = |task: &mut StoredTask, now| {
                // Handed back, not failed.
                tasks::uncount(task, &lease.worker_id);
                tasks::queue_again(task, now);
                Ok(())
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
            let released = ownerless::release(&plan.view(), plan.now)?;
            let waits_again = released.waits_again();
            plan.carry_out(released, None)?;
            if waits_again && let Some(task) = plan.after.open_task() {
                // Handed back, not failed.
                tasks::uncount(task, &lease.worker_id);
            }
            match self.commit(&mut held, plan).await? {
                Ok(()) => return Ok(()),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }

    /// SQS counts receives, not what came of them: in a time of trouble a message is received again and
    /// again before anybody could claim its task. So who works on the task keeps it, and a build or deployment is queued
    /// again, a few times without progress. (What ends its daemon is given up by the claims that it counts.)
    async fn fail_task(&self, task: &TaskId, reason: ErrorInfo) -> Result<GivenUp> {
        let id = task;
        let info = &reason;
        let Some(task) = self.stored_task(id).await? else { return Err(not_found("task")) };
        if task.task.status.is_final() {
            let told = rules::is_told_by_its_letter(task.task.status);
            return Ok(if told { GivenUp::Ended } else { GivenUp::Spared });
        }
        if task.leased_until(self.tables.clock()).is_some() {
            return Ok(GivenUp::Spared);
        }
        if task.spared < MOST_SPARED {
            return self.requeue_after(id, 1).await.map(|()| GivenUp::Spared);
        }
        if task.task.task_type == TaskType::DeployAgent {
            return match self.fail_deploy(&task, info).await {
                // Somebody claimed it meanwhile.
                Err(error) if error.kind() == BackendErrorKind::Fenced => Ok(GivenUp::Spared),
                ended => ended.map(|()| GivenUp::Ended),
            };
        }
        let mut held = self.slots.hold(&task.task.project_id).await;
        for round in 0..TRIES {
            *held.known = None;
            let plan = self.plan(&mut held).await?;
            let is_needed = |plan: &Plan| ownerless::is_needed(plan.after.state().status, plan.after.is_current(&task));
            let Some(mut plan) = plan.filter(is_needed) else {
                // Stale: only the task itself is left to end.
                let end = TaskChange { event: TaskEvent::Fail, error: Some(&info.message) };
                let end = |task: &mut StoredTask, now| tasks::finish(task, end, None, now);
                let ended = self.change_task(&task, end).await?;
                return Ok(if ended { GivenUp::Ended } else { GivenUp::Spared });
            };
            if plan.after.stored.project.task_id.as_ref() != Some(id) {
                plan.after.stored.project.task_id = Some(id.clone());
                plan.adopt(task.clone());
            }
            plan.fail(self, info)?;
            match self.commit(&mut held, plan).await? {
                Ok(()) => return Ok(GivenUp::Ended),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }

    async fn fail_waiting(&self, project: &ProjectId, reason: ErrorInfo) -> Result<GivenUp> {
        let id = project;
        let info = &reason;
        let mut held = self.slots.hold(id).await;
        for round in 0..TRIES {
            *held.known = None;
            let Some(mut plan) = self.plan(&mut held).await? else { return Err(not_found("project")) };
            if let Some(task) = plan.after.open_task().map(|task| task.task.task_id.clone()) {
                drop(held);
                return self.fail_task(&task, info.clone()).await;
            }
            if !plan.after.state().status.waits() {
                return Ok(GivenUp::Ended);
            }
            // The original's projects name none.
            let tasks = self.tasks_of(id).await?;
            if let Some(task) = tasks.into_iter().find(|task| foreign::may_build(&task.task)) {
                drop(held);
                return self.fail_task(&task.task.task_id, info.clone()).await;
            }
            plan.fail(self, info)?;
            match self.commit(&mut held, plan).await? {
                Ok(()) => return Ok(GivenUp::Ended),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }

    /// The message is written again, so of two one finds nothing to do.
    async fn requeue_task(&self, task: &TaskId) -> Result<()> {
        let id = task;
        self.requeue_after(id, 0).await
    }
}
