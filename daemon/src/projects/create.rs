//! A requirement becomes a project whose build is queued.

use std::sync::Arc;

use serde_json::Value;

use super::{Budget, ProjectError, Projects, Result};
use crate::{
    backend::store::NewProject,
    domain::{
        caller::Caller,
        ids::{ProjectId, TaskId},
        project::Priority,
        workflow::Workflow,
    },
    idempotency::{self, Keyed, Repeatable},
    jobs::targets,
    models::project_account,
    telemetry::told,
};

pub struct NewBuild {
    pub requirement: String,
    /// Made from the requirement when absent.
    pub project_name: Option<String>,
    /// For whom, when it is not the caller himself.
    pub user_id: Option<String>,
    pub user_name: Option<String>,
    /// 1 (last) to 5 (first).
    pub priority: Option<i64>,
    pub tags: Vec<String>,
    /// The default one when absent.
    pub workflow: Option<String>,
    /// The target, and what the target understands.
    pub deployment: Option<Value>,
    /// What its build may spend on language models.
    pub budget: Option<Budget>,
}

/// A project whose build is queued.
#[derive(Clone, Debug)]
pub struct Queued {
    pub project_id: ProjectId,
    pub task_id: Option<TaskId>,
    pub project_name: String,
}

impl Projects {
    /// Creates a project and queues its build. Everything is durable when this answers.
    pub async fn create(
        &self,
        caller: &Caller,
        asked: NewBuild,
        keyed: Option<Keyed<Queued>>,
    ) -> Result<Repeatable<Queued>> {
        let (store, keyed) = (self.store.as_ref(), keyed.as_ref());
        if let Some(answer) = idempotency::earlier(store, keyed).await? {
            return Ok(Repeatable::Again(answer));
        }
        let workflow = self.workflow(asked.workflow)?;
        let deployment = self.known_target(asked.deployment)?;

        let mut new = NewProject::queued(&workflow, asked.requirement);
        let project = &mut new.project;
        if let Some(name) = asked.project_name {
            project.project_name = name;
        }
        project.user_id = caller.acting_for(asked.user_id);
        if let Some(priority) = asked.priority {
            project.priority = Priority::clamped(priority);
        }
        (project.user_name, project.tags, project.deployment) = (asked.user_name, asked.tags, deployment);
        let (project_id, project_name) = (project.project_id.clone(), project.project_name.clone());
        let queued = Queued { project_id, task_id: project.task_id.clone(), project_name };
        new.idempotency = keyed.map(|keyed| keyed.kept(&queued));
        // Before anybody can work on it. A project that is not created after all leaves a limit that nobody meets.
        if let Some(budget) = asked.budget {
            store.limit_account(&project_account(queued.project_id.as_str()), budget.limits()).await?;
        }
        match store.create_project(new).await {
            Ok(()) => {
                told::project_created(
                    &queued.project_id,
                    &queued.project_name,
                    workflow.name(),
                    queued.task_id.as_ref(),
                );
                Ok(Repeatable::New(queued))
            }
            Err(error) => Ok(Repeatable::Again(idempotency::or_earlier(store, keyed, error).await?)),
        }
    }

    /// The named workflow, or the default; the error for an unknown name lists the known ones.
    fn workflow(&self, name: Option<String>) -> Result<Arc<Workflow>> {
        let name = name.unwrap_or_else(|| self.config.load().workflows.default.clone());
        let workflows = self.workflows.load();
        workflows.get(&name).cloned().ok_or_else(|| {
            let known: Vec<&str> = workflows.all().into_iter().map(|workflow| workflow.name()).collect();
            ProjectError::NoWorkflow { name, known: known.join(", ") }
        })
    }

    /// A deployment whose target, when it names one, is there.
    fn known_target(&self, given: Option<Value>) -> Result<Option<Value>> {
        let config = self.config.load();
        let deploy = &config.deploy;
        let known = |name: &str| name == targets::NONE || deploy.targets.contains_key(name);
        match given.as_ref().and_then(|given| given.get("target").or_else(|| given.get("type"))) {
            None | Some(Value::Null) => Ok(given),
            Some(Value::String(name)) if known(name) => Ok(given),
            Some(other) => {
                let names: Vec<&str> = deploy.targets.keys().map(String::as_str).chain([targets::NONE]).collect();
                Err(ProjectError::NoTarget { given: other.clone(), known: names.join(", ") })
            }
        }
    }
}
