//! What there is to know of projects, their stages and their tasks.

use super::{ProjectError, Projects, Result};
use crate::{
    backend::store::{AgentFilter, Page, PageRequest, ProjectDetail, ProjectFilter, Result as Stored, TaskFilter},
    domain::{
        agent::Agent,
        caller::Caller,
        ids::{ProjectId, TaskId},
        project::{Project, ProjectSummary},
        stage::{Stage, StageStatus},
        task::Task,
        time::Timestamp,
    },
};

impl Projects {
    /// A page of the projects that are the caller's to see.
    pub async fn list(
        &self,
        caller: &Caller,
        filter: &ProjectFilter,
        page: &PageRequest,
    ) -> Stored<Page<ProjectSummary>> {
        match caller.sees_only() {
            None => self.store.list_projects(filter, page).await,
            Some(user) => {
                let own = ProjectFilter { user_id: Some(user.to_owned()), ..filter.clone() };
                self.store.list_projects(&own, page).await
            }
        }
    }

    pub async fn get(&self, _caller: &Caller, id: &ProjectId) -> Result<Project> {
        self.store.project(id).await?.ok_or_else(|| ProjectError::Unknown(id.clone()))
    }

    pub async fn detail(&self, _caller: &Caller, id: &ProjectId) -> Result<ProjectDetail> {
        let found = self.store.project_detail(id).await?;
        let mut found = found.ok_or_else(|| ProjectError::Unknown(id.clone()))?;
        running_times(&mut found.stages);
        Ok(found)
    }

    /// The stages of a project, in order.
    pub async fn stages(&self, caller: &Caller, id: &ProjectId) -> Result<Vec<Stage>> {
        let mut stages = self.store.stages(id).await?;
        if stages.is_empty() {
            self.get(caller, id).await?;
        }
        running_times(&mut stages);
        Ok(stages)
    }

    /// A project, and one of its stages by this name or an old one.
    pub async fn stage(&self, caller: &Caller, id: &ProjectId, asked: &str) -> Result<(Project, Stage)> {
        let ProjectDetail { project, stages, .. } = self.detail(caller, id).await?;
        let workflow = self.workflows.load().get(&project.workflow).cloned();
        let spec = workflow.as_ref().and_then(|workflow| workflow.stages().get(workflow.index_of(asked)?));
        let name = spec.map_or(asked, |spec| spec.name.as_str());
        let stage = stages.into_iter().find(|stage| stage.stage_name == name);
        Ok((project, stage.ok_or_else(|| ProjectError::UnknownStage(asked.to_owned()))?))
    }

    /// The newest agents that came out of a project.
    pub async fn agents(&self, _caller: &Caller, id: &ProjectId, limit: u64) -> Result<Vec<Agent>> {
        let filter = AgentFilter { project_id: Some(id.clone()), ..AgentFilter::default() };
        Ok(self.store.list_agents(&filter, &PageRequest { page: 1, limit, cursor: None }).await?.items)
    }

    /// The newest tasks of a project. An id that is unknown has none.
    pub async fn tasks_of(&self, caller: &Caller, id: &ProjectId, limit: u64) -> Result<Vec<Task>> {
        let filter = TaskFilter { project_id: Some(id.clone()), ..TaskFilter::default() };
        Ok(self.tasks(caller, &filter, &PageRequest { page: 1, limit, cursor: None }).await?.items)
    }

    pub async fn tasks(&self, _caller: &Caller, filter: &TaskFilter, page: &PageRequest) -> Stored<Page<Task>> {
        self.store.list_tasks(filter, page).await
    }

    pub async fn task(&self, _caller: &Caller, id: &TaskId) -> Result<Task> {
        self.store.task(id).await?.ok_or_else(|| ProjectError::UnknownTask(id.clone()))
    }
}

/// A running stage has run until now; the store writes its duration only when it ends.
fn running_times(stages: &mut [Stage]) {
    let now = Timestamp::now();
    for stage in stages {
        if let (StageStatus::Running, Some(start)) = (stage.status, stage.started_at) {
            stage.duration_seconds = Some(now.since(start).as_secs_f64());
        }
    }
}
