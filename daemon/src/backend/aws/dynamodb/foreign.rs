//! What others leave in the tables, found by the reconciler: tasks that nobody comes for, ends under a late word, builds
//! that no figures have counted. Each look goes on where the last one ended, so that much of one thing hides no other.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;

use super::{
    DynamoStore,
    client::Query,
    codec::{Reader, Record as _, StoredProject, StoredTask},
    table::Table,
    value::{self, Item},
};
use crate::backend::store::Repair;
use crate::{
    backend::store::{ProjectDetail, Projects as _, Reconciliation, Result, StrandedTask},
    domain::{
        change::task as rules,
        foreign::{self, SETTLED},
        ids::ProjectId,
        project::ProjectStatus,
        stage::StageStatus,
        task::{TaskType, is_built_by_us},
        time::Timestamp,
    },
};

/// Items of a page of a look.
const PAGE: usize = 256;
/// Pages of a look at projects that wait.
const PAGES: usize = 4;
/// How old a project may be whose end is looked for again: messages live for so long.
const RECENT: std::time::Duration = std::time::Duration::from_secs(8 * 86_400);

#[derive(Default)]
pub(crate) struct Looks {
    pending: Mutex<Option<Item>>,
    queued: Mutex<Option<Item>>,
    counted_all: AtomicBool,
}

fn take(place: &Mutex<Option<Item>>) -> Option<Item> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn keep(place: &Mutex<Option<Item>>, next: Option<Item>) {
    *place.lock().unwrap_or_else(PoisonError::into_inner) = next;
}

fn before(now: Timestamp, by: std::time::Duration) -> Timestamp {
    Timestamp::from_micros(now.as_micros().saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}

fn stranded(StoredTask { task, .. }: StoredTask) -> StrandedTask {
    let (status, task_type) = (task.status, task.task_type);
    StrandedTask { task_id: task.task_id, project_id: task.project_id, task_type, status }
}

impl DynamoStore {
    /// Tasks written but never queued, from where the last look ended; `ours` leaves out what others wrote.
    async fn unsent(&self, now: Timestamp, limit: usize, ours: bool) -> Result<Vec<StrandedTask>> {
        let old = before(now, SETTLED);
        let mut query = Query {
            limit: PAGE.min(limit.max(1)),
            from: take(&self.looks.pending),
            sort: Some(("created_at", "<", value::text(old.to_string()))),
            ..Query::by(Table::Tasks, "StatusIndex", "status", value::text(rules::UNSENT.as_str()))
        };
        let mut found = Vec::new();
        while found.len() < limit {
            let page = self.tables.query(&query).await?;
            let tasks = page.items.iter().filter_map(|item| StoredTask::from_item(item).ok());
            let wanted = |task: &StoredTask| {
                !task.task.status.is_final()
                    && task.task.task_type != TaskType::InvokeAgent
                    && (!ours || task.ours && task.epoch == 0)
            };
            found.extend(tasks.filter(wanted).map(stranded));
            query.from = page.next;
            if query.from.is_none() {
                break;
            }
        }
        keep(&self.looks.pending, query.from);
        Ok(found)
    }

    /// Projects that wait although they have ended.
    async fn close_late_words(&self, now: Timestamp) -> Result<u64> {
        let mut query = Query {
            limit: PAGE,
            from: take(&self.looks.queued),
            sort: Some(("created_at", "<", value::text(before(now, SETTLED).to_string()))),
            ..Query::by(Table::Projects, "StatusIndex", "status", value::text(ProjectStatus::Queued.as_str()))
        };
        let mut closed = 0;
        for _ in 0..PAGES {
            let page = self.tables.query(&query).await?;
            for stored in page.items.iter().filter_map(|item| StoredProject::from_item(item).ok()) {
                let project = &stored.project;
                if foreign::may_have_ended(project) && project.updated_at < before(now, SETTLED) {
                    closed += u64::from(self.close_one(&project.project_id).await?);
                }
            }
            query.from = page.next;
            if query.from.is_none() {
                break;
            }
        }
        keep(&self.looks.queued, query.from);
        Ok(closed)
    }

    async fn close_one(&self, id: &ProjectId) -> Result<bool> {
        let mut held = self.slots.hold(id).await;
        *held.known = None;
        let Some(mut plan) = self.plan(&mut held).await? else { return Ok(false) };
        let statuses: Vec<StageStatus> = plan.after.stages.iter().map(|stage| stage.status).collect();
        let own = plan.after.task.clone();
        let tasks = self.tasks_of(id).await?;
        let another = |task: &StoredTask| {
            foreign::may_build(&task.task) && own.as_ref().is_none_or(|own| own.task.task_id != task.task.task_id)
        };
        // The original's projects name no task: their newest one is theirs.
        let last = own.as_ref().map(|own| own.task.status).or_else(|| Some(tasks.first()?.task.status));
        let others = own.is_some() && tasks.iter().any(another);
        let Some(status) = foreign::ended(plan.after.state().status, &statuses, last, others) else {
            *held.known = None;
            return Ok(false);
        };
        if let Some(own) = &own
            && own.stated.is_some()
        {
            // Its row says that it waits, too.
            let mut ended = own.clone();
            ended.task.updated_at = plan.now;
            self.update_task(&mut plan.unit, own, &ended)?;
        }
        let event = foreign::close(&mut plan.after.stored.project, &statuses, status, plan.now);
        plan.events.push(event);
        let closed = self.commit(&mut held, plan).await?.is_ok();
        if closed {
            tracing::info!(project_id = %id, %status, "a late write of another service had marked a project that has ended as waiting; its end is restored");
        }
        Ok(closed)
    }

    /// Builds that others ended: all of them once, then those of projects that are not old.
    async fn count_builds(&self, now: Timestamp) -> Result<u64> {
        let all = !self.looks.counted_all.load(Ordering::Relaxed);
        let mut counted = 0;
        for status in ProjectStatus::ALL.iter().filter(|status| status.is_outcome()) {
            let mut query = Query::by(Table::Projects, "StatusIndex", "status", value::text(status.as_str()));
            if !all {
                query.sort = Some(("created_at", ">", value::text(before(now, RECENT).to_string())));
            }
            loop {
                let page = self.tables.query(&query).await?;
                for stored in page.items.iter().filter_map(|item| StoredProject::from_item(item).ok()) {
                    if stored.counted != stored.project.completed_at {
                        counted += u64::from(self.count_build(&stored).await?);
                    }
                }
                query.from = page.next;
                if query.from.is_none() {
                    break;
                }
            }
        }
        self.looks.counted_all.store(true, Ordering::Relaxed);
        Ok(counted)
    }
}

#[async_trait]
impl Reconciliation for DynamoStore {
    /// Leases that ended first, then tasks whose message was not sent.
    async fn stranded_tasks(&self, now: Timestamp, limit: usize) -> Result<Vec<StrandedTask>> {
        let now = self.tables.shared(now);
        let running = value::text(rules::HELD.as_str());
        let items = self.tables.all(Query::by(Table::Tasks, "StatusIndex", "status", running), 10_000).await?;
        let tasks = items.iter().filter_map(|item| StoredTask::from_item(item).ok());
        let lapsed =
            |task: &StoredTask| task.lease_until.is_some_and(|until| rules::has_lapsed(task.task.status, &until, &now));
        let mut found: Vec<StrandedTask> = tasks.filter(lapsed).map(stranded).collect();
        found.truncate(limit);
        if found.len() < limit {
            found.extend(self.unsent(now, limit - found.len(), false).await?);
        }
        Ok(found)
    }

    async fn unsent_tasks(&self, now: Timestamp, limit: usize) -> Result<Vec<StrandedTask>> {
        self.unsent(self.tables.shared(now), limit, true).await
    }

    async fn repair(&self, now: Timestamp, extent: Repair) -> Result<u64> {
        let now = self.tables.shared(now);
        let mut changed = self.close_late_words(now).await?;
        if extent == Repair::ProjectsAndFigures {
            changed += self.count_builds(now).await?;
        }
        Ok(changed)
    }

    async fn untold(&self, id: &ProjectId, last: u64) -> Result<Option<ProjectDetail>> {
        let Some(item) = self.tables.get(Table::Projects, Table::Projects.one(id.as_str())).await? else {
            return Ok(None);
        };
        let stored = StoredProject::from_item(&item)?;
        // What changed with these events is told by them.
        if stored.event_seq > last {
            return Ok(None);
        }
        if is_built_by_us(stored.project.status, stored.lease_worker.as_ref())
            && let Some(task) = &stored.project.task_id
        {
            let task = self.stored_task(task).await?;
            let now = self.tables.clock();
            if task.is_some_and(|task| task.lease_until.is_some_and(|until| until > now)) {
                return Ok(None);
            }
        }
        let stages = self.stages(id).await?;
        // A commit of ours in between is told by its events; what others write moves no number.
        let after = self.tables.get(Table::Projects, Table::Projects.one(id.as_str())).await?;
        if after.as_ref().and_then(|item| Reader(item).count("event_seq")) != Reader(&item).count("event_seq") {
            return Ok(None);
        }
        Ok(Some(ProjectDetail { project: stored.project, stages, agent_count: 0 }))
    }
}
