//! Writing and reading projects.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    SqliteStore, rows, stages,
    state::Hot,
    tasks::{self, NewTask},
    tx::Tx,
};
use crate::{
    backend::store::{NewProject, ProjectDetail, Projects, Result},
    domain::{
        allowed_transitions::ProjectState,
        change::create::{self as change, Created},
        ids::{ProjectId, TaskId, WorkerId},
        project::Project,
        stage::Stage,
        task::{Holder, Lease, TaskType},
    },
};

pub(crate) use crate::backend::store::alike::build_payload;

/// What decisions need of a project.
pub(crate) struct Fence {
    pub(crate) key: i64,
    pub(crate) state: ProjectState,
    pub(crate) task_id: Option<TaskId>,
    pub(crate) worker: Option<WorkerId>,
    pub(crate) epoch: u32,
    pub(crate) current_stage: Option<String>,
    pub(crate) progress: f64,
}

impl Fence {
    /// Whether `lease` is the one that may write.
    pub(crate) fn admits(&self, lease: &Lease) -> bool {
        let (task_id, worker) = (self.task_id.as_ref(), self.worker.as_ref());
        lease.holds_build(self.state.status, Holder { task_id, worker, epoch: self.epoch })
    }
}

fn fence_row(row: &Row<'_>) -> rusqlite::Result<Fence> {
    Ok(Fence {
        key: row.get(0)?,
        state: ProjectState { status: rows::word(row, 1)?, control: rows::word(row, 2)? },
        task_id: rows::word_opt(row, 3)?,
        worker: rows::word_opt(row, 4)?,
        epoch: row.get(5)?,
        current_stage: row.get(6)?,
        progress: row.get(7)?,
    })
}

/// State and lease of a project, by one look at its row: who changes a project begins with this.
pub(crate) fn fence(tx: &mut Tx<'_>, id: &ProjectId) -> Result<Option<Fence>> {
    tx.state.take_live(id);
    let Some(Hot { key, .. }) = tx.hot(id)? else { return Ok(None) };
    let mut find = tx.sql(
        "SELECT project_key, status, control_status, task_id, lease_worker, lease_epoch, current_stage, progress
         FROM nexus_projects WHERE project_key = ?1",
    )?;
    Ok(find.query_row([key], fence_row).optional()?)
}

/// Whether `lease` is the one that may write. What is known of a build that is under way stays known.
pub(crate) fn holds(tx: &mut Tx<'_>, lease: &Lease) -> Result<bool> {
    let id = &lease.project_id;
    if let Some(live) = tx.state.take_live(id) {
        let held = live.fence.admits(lease);
        tx.state.set_live(id, live);
        return Ok(held);
    }
    Ok(fence(tx, id)?.is_some_and(|fence| fence.admits(lease)))
}

/// Key of a new project: above every key whose rows a deletion under way still removes.
pub(crate) const NEXT_KEY: &str = "1 + max((SELECT coalesce(max(project_key), 0) FROM nexus_projects),
    (SELECT coalesce(max(project_key), 0) FROM doomed_projects))";

pub(crate) fn create(tx: &mut Tx<'_>, new: &NewProject) -> Result<()> {
    let p = &new.project;
    let Created { status, task_id, event } = change::create(p, new.stages.len(), stages::MOST, tx.now())?;
    let task_id = &task_id;
    super::idempotency::check(tx, new.idempotency.as_ref())?;
    let (project_id, created_at) = (&p.project_id, p.created_at.to_string());
    tx.sql(&format!(
        "INSERT INTO nexus_projects (project_key, project_id, status, control_status, task_id, progress, current_stage,
             updated_at, aggregated_metrics, project_name, user_id, user_name, priority, tags, created_at, metrics,
             workflow)
         VALUES ({NEXT_KEY}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
    ))?
    .execute(params![
        project_id.as_str(),
        status.as_str(),
        p.control_status.as_str(),
        task_id.as_str(),
        p.progress,
        p.current_stage,
        p.updated_at.to_string(),
        rows::to_json(&p.aggregated_metrics)?,
        p.project_name,
        p.user_id,
        p.user_name,
        p.priority.get(),
        rows::list_json(&p.tags)?,
        created_at,
        rows::to_json_opt(p.metrics.as_ref())?,
        p.workflow,
    ])?;
    let key = tx.conn().last_insert_rowid();
    insert_texts(tx, key, p)?;
    super::idempotency::keep(tx, new.idempotency.as_ref())?;
    stages::insert(tx, key, &new.stages)?;
    tx.state.set_hot(project_id, Hot { key, seq: 0 });
    let payload = build_payload(p, task_id);
    let (task_type, priority) = (TaskType::BuildAgent, p.priority);
    tasks::insert(
        tx,
        &NewTask { task_id, task_type, project_id, project_key: key, agent_id: None, priority, payload },
    )?;
    tx.emit(project_id, vec![event])
}

/// Writes what lies beside a new project's row.
pub(crate) fn insert_texts(tx: &Tx<'_>, key: i64, p: &Project) -> Result<()> {
    let search = format!("{}\n{}", p.project_name, p.requirement).to_lowercase();
    tx.sql(
        "INSERT INTO project_texts (project_key, requirement, deployment, search_text, assessment)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        key,
        p.requirement,
        rows::to_json_opt(p.deployment.as_ref())?,
        search,
        rows::to_json(&p.assessment)?
    ])?;
    for tag in &p.tags {
        tx.sql("INSERT OR IGNORE INTO project_tags (tag, created_at, project_key) VALUES (?1, ?2, ?3)")?
            .execute(params![tag, p.created_at.to_string(), key])?;
    }
    Ok(())
}

/// The project and its key.
pub(crate) fn read_keyed(conn: &Connection, id: &ProjectId) -> Result<Option<(Project, i64)>> {
    let mut find = conn.prepare_cached(&format!(
        "SELECT {} FROM nexus_projects p JOIN project_texts x USING (project_key) WHERE p.project_id = ?1",
        rows::PROJECT
    ))?;
    Ok(find.query_row([id.as_str()], |row| Ok((rows::project(row)?, row.get(26)?))).optional()?)
}

pub(crate) fn read(conn: &Connection, id: &ProjectId) -> Result<Option<Project>> {
    Ok(read_keyed(conn, id)?.map(|(project, _)| project))
}

pub(crate) fn detail(conn: &Connection, id: &ProjectId) -> Result<Option<ProjectDetail>> {
    let Some((project, key)) = read_keyed(conn, id)? else { return Ok(None) };
    let stages = stages::all(conn, id, key)?;
    let mut count = conn.prepare_cached("SELECT count(*) FROM nexus_agents WHERE project_id = ?1")?;
    let agents: i64 = count.query_row([id.as_str()], |row| row.get(0))?;
    Ok(Some(ProjectDetail { project, stages, agent_count: agents.unsigned_abs() }))
}

pub(crate) fn read_stages(conn: &Connection, id: &ProjectId) -> Result<Vec<crate::domain::stage::Stage>> {
    let mut find = conn.prepare_cached("SELECT project_key FROM nexus_projects WHERE project_id = ?1")?;
    match find.query_row([id.as_str()], |row| row.get::<_, i64>(0)).optional()? {
        Some(key) => stages::all(conn, id, key),
        None => Ok(Vec::new()),
    }
}

#[async_trait]
impl Projects for SqliteStore {
    async fn create_project(&self, new: NewProject) -> Result<()> {
        self.write(move |tx| create(tx, &new)).await
    }

    async fn project(&self, id: &ProjectId) -> Result<Option<Project>> {
        let id = id.clone();
        self.ask(move |conn| read(conn, &id)).await
    }

    async fn project_detail(&self, id: &ProjectId) -> Result<Option<ProjectDetail>> {
        let id = id.clone();
        self.ask(move |conn| detail(conn, &id)).await
    }

    async fn stages(&self, id: &ProjectId) -> Result<Vec<Stage>> {
        let id = id.clone();
        self.ask(move |conn| read_stages(conn, &id)).await
    }
}
