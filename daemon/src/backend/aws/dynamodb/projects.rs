//! Writing and reading projects.

use serde_json::{Map, json};

use super::{
    DynamoStore,
    aggregate::Outgoing,
    client::Query,
    codec::{Record as _, StoredProject},
    counts::Counted,
    table::Table,
    tasks,
    unit::{Guard, Refused, Unit},
    value,
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind, invalid},
        files::Owner,
        store::{NewProject, ProjectDetail, Result, alike},
    },
    domain::{
        event::{EventType, NewEvent},
        ids::ProjectId,
        project::{Project, ProjectStatus},
        queue::QueueName,
        stage::Stage,
        task::TaskType,
    },
};

/// A unit holds a hundred writes: the project, its task, its event and its key take some.
const MOST_STAGES: usize = 90;

impl DynamoStore {
    /// `Store::create_project`.
    pub(crate) async fn create(&self, new: &NewProject) -> Result<()> {
        let Some(task_id) = new.project.task_id.clone() else { return Err(invalid("a new project needs a task")) };
        if new.stages.is_empty() || new.stages.len() > MOST_STAGES {
            return Err(invalid(format!("a project has 1 to {MOST_STAGES} stages on this backend")));
        }
        let now = self.tables.clock();
        let project = Project { status: ProjectStatus::Queued, ..new.project.clone() };
        let id = project.project_id.clone();
        let mut unit = Unit::default();
        self.keep_once(&mut unit, new.once.as_ref(), &Owner::from(&id)).await?;
        let body = alike::build_payload(&project, &task_id);
        let task = tasks::pending(task_id.clone(), TaskType::BuildAgent, &id, None, project.priority, &body, now)?;
        let mut fields = Map::new();
        fields.insert("status".into(), project.status.as_str().into());
        fields.insert("progress".into(), project.progress.into());
        fields.insert("current_stage".into(), json!(project.current_stage));
        let event = NewEvent { kind: EventType::Project, at: now, fields };
        let stored = StoredProject {
            revision: 1,
            event_seq: 1,
            lease_worker: None,
            lease_epoch: 0,
            last_step: None,
            stated: None,
            stated_revision: None,
            counted: None,
            other_sums: Map::new(),
            project,
        };
        let mut item = stored.to_item()?;
        self.overflow.shrink(&mut item).await?;
        unit.put(&self.tables, Table::Projects, item, &Guard::Absent, Refused::Exists)?;
        for stage in &new.stages {
            unit.put(&self.tables, Table::Stages, stage.to_item()?, &Guard::Open, Refused::Exists)?;
        }
        unit.put(&self.tables, Table::Tasks, task.to_item()?, &Guard::Absent, Refused::Exists)?;
        let told = super::events::write(self, &mut unit, &id, 1, now, &[event])?;
        match unit.commit(&self.tables).await? {
            Ok(()) => {}
            Err(Refused::Repeated) => return Err(super::once::repeated()),
            Err(_) => return Err(BackendError::new(BackendErrorKind::Conflict, "it exists already")),
        }
        self.counts.project_moved(None, Some(ProjectStatus::Queued));
        self.counts.moved(&Counted::new(Table::Projects, "UserIndex", "user_id", &stored.project.user_id), 1);
        self.tell(&id, told).await;
        let priority = stored.project.priority.get();
        self.deliver(Outgoing { queue: QueueName::Build, body, priority, task: task_id }).await;
        Ok(())
    }

    /// `Store::project`.
    pub(crate) async fn read_project(&self, id: &ProjectId) -> Result<Option<Project>> {
        let Some(mut item) = self.tables.get(Table::Projects, Table::Projects.one(id.as_str())).await? else {
            return Ok(None);
        };
        self.overflow.restore(&mut item).await?;
        Ok(Some(StoredProject::from_item(&item)?.project))
    }

    /// `Store::stages`.
    pub(crate) async fn read_stages(&self, id: &ProjectId) -> Result<Vec<Stage>> {
        let query = Query::of(Table::Stages, "project_id", value::text(id.as_str()));
        let mut items = self.tables.all(query, usize::MAX).await?;
        self.overflow.restore_all(&mut items).await?;
        let mut stages: Vec<Stage> = items.iter().map(Stage::from_item).collect::<Result<_>>()?;
        stages.sort_by_key(|stage| stage.stage_number);
        Ok(stages)
    }

    /// `Store::project_detail`.
    pub(crate) async fn detail(&self, id: &ProjectId) -> Result<Option<ProjectDetail>> {
        let agents = Query::by(Table::Agents, "ProjectIndex", "project_id", value::text(id.as_str()));
        let (project, stages, agent_count) =
            tokio::try_join!(self.read_project(id), self.read_stages(id), self.tables.count(&agents))?;
        Ok(project.map(|project| ProjectDetail { project, stages, agent_count }))
    }
}
