//! `/projects`: create, list, detail, stages, tasks of one, delete.

use std::sync::Arc;

use salvo::{Depot, Request, handler, http::StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    error::{ApiError, Resource},
    fields::Fields,
    files, input,
    reply::{Answer, Reply},
    state::AppState,
};
use crate::{
    domain::{
        ids::{ProjectId, TaskId},
        project::{Priority, Project, ProjectStatus, ProjectSummary},
        stage::{Stage, StageStatus},
        task::Task,
        time::Timestamp,
        workflow::Workflow,
    },
    store::{DeletedProject, NewProject, PageRequest, ProjectFilter, ProjectSort, TaskFilter},
};

/// Most tags of a project, and most characters of one.
const TAGS: (usize, usize) = (50, 100);

/// Most bytes of `deployment`.
const DEPLOYMENT_BYTES: usize = 16 * 1024;

/// The target that deploys nothing.
const NO_DEPLOYMENT: &str = "none";

#[derive(Serialize)]
struct Created {
    project_id: ProjectId,
    task_id: Option<TaskId>,
    project_name: String,
    status: ProjectStatus,
    message: &'static str,
}

/// `POST /projects`
#[handler]
pub(super) async fn create(req: &mut Request, depot: &mut Depot) -> Answer<Created> {
    let state = AppState::of(depot)?;
    let mut fields = input::body(req, state.body_limit()).await?;
    let requirement = fields.required_text("requirement", 10..=10_000);
    let name = fields.text("project_name", 0..=200);
    let user_id = fields.text("user_id", 0..=100);
    let user_name = fields.text("user_name", 0..=100);
    let priority = fields.integer("priority", 1..=5);
    let tags = fields.texts("tags", TAGS.0, TAGS.1);
    let workflow = workflow(&mut fields, &state);
    let deployment = deployment(&mut fields, &state);
    fields.finish()?;
    let workflow = workflow.ok_or_else(|| ApiError::internal("a workflow that passed the check is gone"))?;

    let mut new = NewProject::queued(&workflow, requirement);
    let project = &mut new.project;
    if let Some(name) = name {
        project.project_name = name;
    }
    if let Some(user_id) = user_id {
        project.user_id = user_id;
    }
    if let Some(priority) = priority {
        project.priority = Priority::clamped(priority);
    }
    (project.user_name, project.tags, project.deployment) = (user_name, tags, deployment);
    let (project_id, project_name) = (project.project_id.clone(), project.project_name.clone());
    let task_id = project.task_id.clone();
    state.store.create_project(new).await?;

    let location = format!("/projects/{project_id}");
    let message = "project created, its build is queued";
    let created = Created { project_id, task_id, project_name, status: ProjectStatus::Queued, message };
    Ok(Reply::new(created).message(message).created(&location))
}

/// The named workflow, or the default; an unknown name is a fault that lists the known ones.
fn workflow(fields: &mut Fields, state: &AppState) -> Option<Arc<Workflow>> {
    let name = fields.text("workflow", 0..=100).unwrap_or_else(|| state.config.load().workflows.default.clone());
    let workflows = state.workflows.load();
    let found = workflows.get(&name).cloned();
    if found.is_none() {
        let known: Vec<&str> = workflows.all().into_iter().map(|w| w.name()).collect();
        let msg = format!("There is no such workflow; known: {}", known.join(", "));
        fields.fault("workflow", "value_error", msg, name.into());
    }
    found
}

/// `{"target": …}`; a text is taken as the target.
fn deployment(fields: &mut Fields, state: &AppState) -> Option<Value> {
    let given = match fields.take("deployment")? {
        Value::String(target) => json!({ "target": target.trim() }),
        other => {
            fields.put("deployment", other);
            Value::Object(fields.object("deployment", DEPLOYMENT_BYTES)?)
        }
    };
    let config = state.config.load();
    let targets = &config.deploy.targets;
    let known = |name: &str| name == NO_DEPLOYMENT || targets.contains_key(name);
    match given.get("target") {
        None | Some(Value::Null) => Some(given),
        Some(Value::String(name)) if known(name) => Some(given),
        Some(other) => {
            let names: Vec<&str> = targets.keys().map(String::as_str).chain([NO_DEPLOYMENT]).collect();
            let msg = format!("There is no such deployment target; known: {}", names.join(", "));
            fields.fault("deployment", "value_error", msg, other.clone());
            None
        }
    }
}

/// `GET /projects`
#[handler]
pub(super) async fn list(req: &mut Request, depot: &mut Depot) -> Answer<Vec<ProjectSummary>> {
    let state = AppState::of(depot)?;
    let mut query = input::query(req);
    let page = input::page(&mut query);
    let filter = ProjectFilter {
        status: query.word("status", ProjectStatus::ALL),
        user_id: input::free(&mut query, "user_id"),
        tag: input::free(&mut query, "tag"),
        q: input::free(&mut query, "q"),
        sort: sort(&mut query),
    };
    query.finish()?;
    let found = state.store.list_projects(&filter, &page).await.map_err(input::cursor_fault)?;
    Ok(Reply::page(found, &page))
}

/// Field names with `-` for the newest first, and a word each.
fn sort(query: &mut Fields) -> ProjectSort {
    let Some(word) = input::free(query, "sort") else { return ProjectSort::Newest };
    match word.as_str() {
        "-created_at" | "newest" => ProjectSort::Newest,
        "created_at" | "oldest" => ProjectSort::Oldest,
        "-updated_at" | "updated" => ProjectSort::RecentlyUpdated,
        "project_name" | "name" => ProjectSort::Name,
        _ => {
            let msg = "Input should be '-created_at', 'created_at', '-updated_at' or 'project_name'";
            query.fault("sort", "enum", msg, word.into());
            ProjectSort::Newest
        }
    }
}

#[derive(Serialize)]
struct Detail {
    #[serde(flatten)]
    project: Project,
    stages: Vec<Stage>,
    agent_count: u64,
}

/// `GET /projects/{id}`
#[handler]
pub(super) async fn detail(req: &mut Request, depot: &mut Depot) -> Answer<Detail> {
    let state = AppState::of(depot)?;
    let id: ProjectId = input::id(req, Resource::Project)?;
    let found = state.store.project_detail(&id).await?;
    let found = found.ok_or_else(|| ApiError::not_found(Resource::Project, id.as_str()))?;
    let stages = running_times(found.stages);
    Ok(Reply::new(Detail { project: found.project, stages, agent_count: found.agent_count }))
}

/// `GET /projects/{id}/stages`
#[handler]
pub(super) async fn list_stages(req: &mut Request, depot: &mut Depot) -> Answer<Vec<Stage>> {
    let state = AppState::of(depot)?;
    let id: ProjectId = input::id(req, Resource::Project)?;
    let stages = state.store.stages(&id).await?;
    if stages.is_empty() {
        known(&state, &id).await?;
    }
    Ok(Reply::new(running_times(stages)))
}

/// A running stage has run until now; the store writes its duration only when it ends.
pub(super) fn running_times(mut stages: Vec<Stage>) -> Vec<Stage> {
    let now = Timestamp::now();
    for stage in &mut stages {
        if let (StageStatus::Running, Some(start)) = (stage.status, stage.started_at) {
            stage.duration_seconds = Some(now.since(start).as_secs_f64());
        }
    }
    stages
}

/// The project, or 404.
pub(super) async fn known(state: &AppState, id: &ProjectId) -> Result<Project, ApiError> {
    let found = state.store.project(id).await?;
    found.ok_or_else(|| ApiError::not_found(Resource::Project, id.as_str()))
}

/// `GET /projects/{id}/tasks`
#[handler]
pub(super) async fn list_tasks(req: &mut Request, depot: &mut Depot) -> Answer<Vec<Task>> {
    let state = AppState::of(depot)?;
    let id: ProjectId = input::id(req, Resource::Project)?;
    let mut query = input::query(req);
    let limit = query.integer("limit", 1..=100).and_then(|n| u64::try_from(n).ok()).unwrap_or(100);
    query.finish()?;
    let filter = TaskFilter { project_id: Some(id.clone()), ..TaskFilter::default() };
    let found = state.store.list_tasks(&filter, &PageRequest { page: 1, limit, cursor: None }).await?;
    if found.items.is_empty() {
        known(&state, &id).await?;
    }
    Ok(Reply::new(found.items))
}

/// `DELETE /projects/{id}`
///
/// Runs to its end even when the client goes away: half a deletion helps nobody.
#[handler]
pub(super) async fn delete(req: &mut Request, depot: &mut Depot) -> Answer<Value> {
    let state = AppState::of(depot)?;
    let id: ProjectId = input::id(req, Resource::Project)?;
    let mut query = input::query(req);
    let with_agents = query.flag("delete_agents").unwrap_or(false);
    query.finish()?;
    let tasks = state.tasks.clone();
    let whole = tasks.spawn(async move { delete_all(&state, id, with_agents).await });
    let (gone, errors, id) = whole.await.map_err(ApiError::internal)??;
    let agents: Vec<_> = gone.agents.iter().map(|a| a.agent_id.clone()).collect();
    let data = json!({ "project_id": id, "status": "deleted", "deleted_agents": agents, "errors": errors });
    Ok(Reply::new(data).message("project deleted"))
}

async fn delete_all(
    state: &AppState,
    id: ProjectId,
    with_agents: bool,
) -> Result<(DeletedProject, Vec<String>, ProjectId), ApiError> {
    let mut errors = Vec::new();
    if !with_agents {
        // The folder goes; the agents that stay take theirs along. Without that nothing is deleted.
        let lost = state.agents.keep_of_project(state.store.as_ref(), &id).await?;
        if !lost.is_empty() {
            let message = format!(
                "nothing was deleted, since the files of the project's agents could not be set aside ({}); \
                 try again, or delete the agents too with delete_agents=true",
                lost.join("; ")
            );
            return Err(ApiError::plain(StatusCode::CONFLICT, "AGENTS_NOT_KEPT", message));
        }
    }
    let gone = state.store.delete_project(&id, with_agents).await?;
    let gone = gone.ok_or_else(|| ApiError::not_found(Resource::Project, id.as_str()))?;
    state.conductor.deleted(&id);
    errors.extend(state.agents.undeploy_all(&gone.agents).await);
    if !files::remove_folder(&state.project_root, &id).await {
        errors.push("the project's folder could not be removed now; it will be later".to_owned());
    }
    Ok((gone, errors, id))
}
