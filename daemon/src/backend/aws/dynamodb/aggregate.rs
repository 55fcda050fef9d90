//! A project with its stages and its task: read together, changed as pure data, written as one unit.
//!
//! The project's `revision` is the token: every unit names the one it read, so of two writers one is refused and reads
//! again. Within the daemon the writers of a project stand in line, and a build that is ours stays in memory between
//! its steps. The original's services move no revision: their words (`status`, `control_status`) are conditions too.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

use super::{
    DynamoStore,
    client::Query,
    codec::{Record as _, Stated, StoredProject, StoredTask},
    oversize::Ahead,
    table::Table,
    unit::{Change, Guard, Refused, Unit},
    value,
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        store::Result,
    },
    domain::{
        agent::AgentStatus,
        allowed_transitions::ProjectState,
        change::task as rules,
        event::NewEvent,
        foreign,
        ids::{ProjectId, TaskId},
        queue::QueueName,
        stage::Stage,
        task::{Holder, Lease, is_built_by_us},
        time::Timestamp,
    },
};

/// Tries of a change that meets other writers.
pub(crate) const TRIES: u32 = 20;

#[derive(Clone, Debug)]
pub(crate) struct Aggregate {
    pub(crate) stored: StoredProject,
    pub(crate) stages: Vec<Stage>,
    /// The project's current one.
    pub(crate) task: Option<StoredTask>,
    /// Stages of which attributes lie in the artifact store.
    pub(super) spilled: HashMap<String, Vec<String>>,
}

/// A message to be sent when the unit is written.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) queue: QueueName,
    pub(crate) body: String,
    pub(crate) priority: u8,
    pub(crate) task: TaskId,
}

/// A change on its way.
pub(crate) struct Plan {
    before: Aggregate,
    pub(crate) after: Aggregate,
    pub(crate) events: Vec<NewEvent>,
    pub(crate) unit: Unit,
    /// What is more than the unit holds.
    pub(crate) ahead: Vec<Ahead>,
    pub(crate) send: Vec<Outgoing>,
    /// Agents that came, went or changed their state.
    pub(crate) agents: Vec<(Option<AgentStatus>, Option<AgentStatus>)>,
    /// What a task that is left for another says.
    pub(crate) withdrawal: Option<String>,
    pub(crate) now: Timestamp,
}

impl Aggregate {
    pub(crate) fn state(&self) -> ProjectState {
        ProjectState { status: self.stored.project.status, control: self.stored.project.control_status }
    }

    pub(crate) fn set_state(&mut self, state: ProjectState) {
        self.stored.project.status = state.status;
        self.stored.project.control_status = state.control;
    }

    /// Whether `lease` is the one that may write.
    pub(crate) fn admits(&self, lease: &Lease) -> bool {
        let StoredProject { project, lease_worker, lease_epoch, .. } = &self.stored;
        let (task_id, worker) = (project.task_id.as_ref(), lease_worker.as_ref());
        lease.holds_build(project.status, Holder { task_id, worker, epoch: *lease_epoch })
    }

    /// Whether it is to be built under this task.
    pub(crate) fn is_current(&self, task: &StoredTask) -> bool {
        foreign::is_current(self.task.as_ref().map(|own| &own.task), &task.task)
    }

    /// The task, when it has not ended.
    pub(crate) fn open_task(&mut self) -> Option<&mut StoredTask> {
        self.task.as_mut().filter(|task| !task.task.status.is_final())
    }
}

type Slot = Arc<tokio::sync::Mutex<Option<Aggregate>>>;

/// Projects that are being written, or whose builds are ours.
#[derive(Default)]
pub(crate) struct Slots(Mutex<HashMap<ProjectId, Slot>>);

/// The right to write a project, among the writers of this daemon.
pub(crate) struct Held<'s> {
    slots: &'s Slots,
    id: ProjectId,
    pub(crate) known: OwnedMutexGuard<Option<Aggregate>>,
}

impl Slots {
    pub(crate) async fn hold(&self, id: &ProjectId) -> Held<'_> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(id.clone()).or_default())
        };
        Held { slots: self, id: id.clone(), known: slot.lock_owned().await }
    }

    /// Forgets what is known of a project, unless it is being written just now.
    pub(crate) fn forget(&self, id: &ProjectId) {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some(mut known) = slot.as_ref().and_then(|slot| slot.try_lock().ok()) {
            *known = None;
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.known.is_some() {
            return;
        }
        let mut slots = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and ours: nobody else waits.
        if slots.get(&self.id).is_some_and(|slot| Arc::strong_count(slot) <= 2) {
            slots.remove(&self.id);
        }
    }
}

impl Plan {
    /// A task that the project has without saying so: the original's services do not.
    pub(crate) fn adopt(&mut self, task: StoredTask) {
        self.before.task = Some(task.clone());
        self.after.task = Some(task);
    }

    /// A message for a task.
    pub(crate) fn send(&mut self, task: &StoredTask, body: String) {
        let queue = task.task.task_type.queue();
        let (priority, task) = (task.task.priority.get(), task.task.task_id.clone());
        self.send.push(Outgoing { queue, body, priority, task });
    }
}

impl DynamoStore {
    /// Reads a project with what belongs to it.
    pub(crate) async fn load(&self, id: &ProjectId) -> Result<Option<Aggregate>> {
        // First the project: a change names the revision that is read here, so what comes after it is seen or refused.
        // Read side by side, stages of before a commit could come with the revision of after it.
        let project = self.tables.get(Table::Projects, Table::Projects.one(id.as_str())).await?;
        let Some(mut project) = project else { return Ok(None) };
        self.overflow.restore(&mut project).await?;
        let words = Stated { status: project.get("status").cloned(), control: project.get("control_status").cloned() };
        let mut stored = StoredProject::from_item(&project)?;
        let stages = Query::of(Table::Stages, "project_id", value::text(id.as_str()));
        let task = async {
            match &stored.project.task_id {
                Some(task) => self.stored_task(task).await,
                None => Ok(None),
            }
        };
        let (mut items, task) = tokio::try_join!(self.tables.all(stages, usize::MAX), task)?;
        let (mut stages, mut spilled) = (Vec::new(), HashMap::new());
        for item in &mut items {
            // A stage whose output is gone runs again where that is needed; a project must not be lost with it.
            let names = match self.overflow.restore(item).await {
                Err(error) if error.kind() == BackendErrorKind::Corrupt => {
                    tracing::warn!(project_id = %id, %error, "a stage is read without its large part, which the artifact store has lost");
                    Vec::new()
                }
                restored => restored?,
            };
            let stage = Stage::from_item(item)?;
            if !names.is_empty() {
                spilled.insert(stage.stage_name.clone(), names);
            }
            stages.push(stage);
        }
        stages.sort_by_key(|stage| stage.stage_number);
        let leased = |task: &StoredTask| {
            rules::is_worked_on(task.task.status)
                && task.epoch == stored.lease_epoch
                && task.task.worker_id == stored.lease_worker
                && task.lease_until.is_some_and(|until| until > self.tables.clock())
        };
        if task.as_ref().is_some_and(leased) {
            let project = &mut stored.project;
            let stated = ProjectState { status: project.status, control: project.control_status };
            if let Some(state) = foreign::under_lease(stated).filter(|state| *state != stated) {
                (project.status, project.control_status) = (state.status, state.control);
                stored.stated = Some(words);
            }
        }
        Ok(Some(Aggregate { stored, stages, task, spilled }))
    }

    /// Begins a change from what is known, or read. `None`: there is no such project.
    pub(crate) async fn plan(&self, held: &mut Held<'_>) -> Result<Option<Plan>> {
        if held.known.is_none() {
            *held.known = self.load(&held.id).await?;
        }
        let Some(before) = held.known.clone() else { return Ok(None) };
        let (after, now) = (before.clone(), self.tables.clock());
        let (events, unit, ahead) = (Vec::new(), Unit::default(), Vec::new());
        let (send, agents) = (Vec::new(), Vec::new());
        Ok(Some(Plan { before, after, events, unit, ahead, send, agents, withdrawal: None, now }))
    }

    /// Writes a change and tells of it. The inner error: read again.
    pub(crate) async fn commit(&self, held: &mut Held<'_>, plan: Plan) -> Result<std::result::Result<(), Refused>> {
        let Plan { before, mut after, events, mut unit, ahead, send, agents, withdrawal, .. } = plan;
        let id = held.id.clone();
        let first = before.stored.event_seq + 1;
        after.stored.revision = before.stored.revision + 1;
        after.stored.event_seq += events.len() as u64;
        // What is written is not known until it is answered.
        *held.known = None;
        let project = &before.stored.project;
        let stated = before.stored.stated.clone().unwrap_or_else(|| Stated::of(project));
        (after.stored.stated, after.stored.stated_revision) = (None, None);
        let read = [
            ("revision", before.stored.read_revision()),
            ("status", stated.status),
            ("control_status", stated.control),
        ];
        let mut change = Change::between(&before.stored.to_item()?, &after.stored.to_item()?);
        if before.stored.stated.is_some() {
            let Stated { status, control } = Stated::of(&after.stored.project);
            change.set.retain(|(name, _)| name != "status" && name != "control_status");
            change.set.extend(status.map(|word| ("status".to_owned(), word)));
            change.set.extend(control.map(|word| ("control_status".to_owned(), word)));
        }
        let key = Table::Projects.one(id.as_str());
        if let Err(refused) = self.write_ahead(ahead, &key, &read).await? {
            return Ok(Err(refused));
        }
        unit.update(&self.tables, Table::Projects, key, change, &Guard::AsRead(&read), Refused::Stale)?;
        self.write_stages(&mut unit, &before, &mut after).await?;
        self.write_task(&mut unit, before.task.as_ref(), after.task.as_ref(), withdrawal.as_deref())?;
        if before.task != after.task
            && let Some(task) = &mut after.task
        {
            task.stated = None;
        }
        // The feed has the moment at which the commit begins, not that at which the plan was made.
        let committed = super::events::write(self, &mut unit, &id, first, self.tables.clock(), events)?;
        match unit.commit(&self.tables).await? {
            Ok(()) => {}
            Err(refused) => return Ok(Err(refused)),
        }
        self.counts.project_moved(Some(project.status), Some(after.stored.project.status));
        for (from, to) in agents {
            self.counts.agent_moved(from, to);
        }
        let ours = is_built_by_us(after.stored.project.status, after.stored.lease_worker.as_ref());
        if ours {
            *held.known = Some(after);
        }
        self.tell(&id, committed).await;
        for message in send {
            self.deliver(message).await;
        }
        Ok(Ok(()))
    }

    fn write_task(
        &self,
        unit: &mut Unit,
        before: Option<&StoredTask>,
        after: Option<&StoredTask>,
        withdrawal: Option<&str>,
    ) -> Result<()> {
        match (before, after) {
            (before, after) if before == after => Ok(()),
            (Some(before), Some(after)) if before.task.task_id == after.task.task_id => {
                self.update_task(unit, before, after)
            }
            (before, Some(after)) => {
                if let Some(before) = before {
                    // The one that is left ends here.
                    let ended = super::tasks::withdrawn(before, withdrawal, self.tables.clock())?;
                    self.update_task(unit, before, &ended)?;
                }
                unit.put(&self.tables, Table::Tasks, after.to_item()?, &Guard::Absent, Refused::Exists)
            }
            (_, None) => Ok(()),
        }
    }

    /// Changes a task, as it was read: under the same claim, so that a write that was held up in the network does nothing
    /// to what another has claimed since.
    pub(crate) fn update_task(&self, unit: &mut Unit, before: &StoredTask, after: &StoredTask) -> Result<()> {
        if before == after {
            return Ok(());
        }
        let mut change = Change::between(&before.to_item()?, &after.to_item()?);
        if before.stated.is_some() && !change.set.iter().any(|(name, _)| name == "status") {
            change.set.push(("status".into(), value::text(after.task.status.as_str())));
        }
        let key = Table::Tasks.one(before.task.task_id.as_str());
        unit.update(&self.tables, Table::Tasks, key, change, &Guard::SameLease(before), Refused::Fenced)
    }

    /// Sends a task's message and says so; what does not get through is sent by the reconciler.
    pub(crate) async fn deliver(&self, message: Outgoing) {
        let Outgoing { queue, body, priority, task } = message;
        if let Err(error) = self.queue.send(queue, body, priority).await {
            tracing::warn!(task_id = %task, %error, "a message was not sent; the reconciler sends it");
            return;
        }
        let mut unit = Unit::default();
        let change = Change { set: vec![("status".into(), value::text(rules::SENT.as_str()))], ..Change::default() };
        let read = [("status", Some(value::text(rules::UNSENT.as_str())))];
        let key = Table::Tasks.one(task.as_str());
        let marked = unit
            .update(&self.tables, Table::Tasks, key, change, &Guard::AsRead(&read), Refused::Stale)
            .map(|()| unit.commit(&self.tables));
        if let Ok(commit) = marked
            && let Err(error) = commit.await
        {
            // It is sent once more, which does no harm.
            tracing::warn!(task_id = %task, %error, "a task's message was sent, but the task could not be marked as queued");
        }
    }
}

/// Others wrote the same all the time.
pub(crate) fn contended() -> BackendError {
    BackendError::new(BackendErrorKind::Unavailable, "too many write the same thing at once: try again")
}

/// Pause before a change is tried again.
pub(crate) async fn pause(round: u32) {
    let most = 10_u64 << round.min(6);
    tokio::time::sleep(std::time::Duration::from_millis(rand::random_range(0..=most))).await;
}
