//! Writing and reading projects.

use async_trait::async_trait;
use serde_json::Map;

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
        error::{BackendError, BackendErrorKind},
        files::Owner,
        store::{NewProject, ProjectDetail, Projects, Result, alike},
    },
    domain::{
        change::create::{self as change, Created},
        ids::ProjectId,
        project::Project,
        queue::QueueName,
        stage::Stage,
        task::TaskType,
    },
};

/// A unit holds a hundred writes: the project, its task, its event and its key take some.
const MOST_STAGES: usize = 90;

#[async_trait]
impl Projects for DynamoStore {
    async fn create_project(&self, new: NewProject) -> Result<()> {
        let new = &new;
        let now = self.tables.clock();
        let Created { status, task_id, event } = change::create(&new.project, new.stages.len(), MOST_STAGES, now)?;
        let project = Project { status, ..new.project.clone() };
        let id = project.project_id.clone();
        let mut unit = Unit::default();
        self.keep_key(&mut unit, new.idempotency.as_ref(), &Owner::from(&id)).await?;
        let body = alike::build_payload(&project, &task_id);
        let task = tasks::pending(task_id.clone(), TaskType::BuildAgent, &id, None, project.priority, &body, now)?;
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
        let told = super::events::write(self, &mut unit, &id, 1, now, vec![event])?;
        match unit.commit(&self.tables).await? {
            Ok(()) => {}
            Err(Refused::Repeated) => return Err(super::idempotency::repeated()),
            Err(_) => return Err(BackendError::new(BackendErrorKind::Conflict, "it exists already")),
        }
        self.counts.project_moved(None, Some(status));
        self.counts.moved(&Counted::new(Table::Projects, "UserIndex", "user_id", &stored.project.user_id), 1);
        self.tell(&id, told).await;
        let priority = stored.project.priority.get();
        self.deliver(Outgoing { queue: QueueName::Build, body, priority, task: task_id }).await;
        Ok(())
    }

    async fn project(&self, id: &ProjectId) -> Result<Option<Project>> {
        let Some(mut item) = self.tables.get(Table::Projects, Table::Projects.one(id.as_str())).await? else {
            return Ok(None);
        };
        self.overflow.restore(&mut item).await?;
        Ok(Some(StoredProject::from_item(&item)?.project))
    }

    async fn project_detail(&self, id: &ProjectId) -> Result<Option<ProjectDetail>> {
        let agents = Query::by(Table::Agents, "ProjectIndex", "project_id", value::text(id.as_str()));
        let (project, stages, agent_count) =
            tokio::try_join!(self.project(id), self.stages(id), self.tables.count(&agents))?;
        Ok(project.map(|project| ProjectDetail { project, stages, agent_count }))
    }

    async fn stages(&self, id: &ProjectId) -> Result<Vec<Stage>> {
        let query = Query::of(Table::Stages, "project_id", value::text(id.as_str()));
        let mut items = self.tables.all(query, usize::MAX).await?;
        self.overflow.restore_all(&mut items).await?;
        let mut stages: Vec<Stage> = items.iter().map(Stage::from_item).collect::<Result<_>>()?;
        stages.sort_by_key(|stage| stage.stage_number);
        Ok(stages)
    }
}
