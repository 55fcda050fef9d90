//! `/projects`: create, list, detail, stages, tasks of one, delete.

pub(crate) mod control;
pub(crate) mod dashboard;
pub(crate) mod dashboard_graph;
pub(crate) mod deployment;
pub(crate) mod documents;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod tasks;

use std::sync::Arc;

use salvo::{Writer as _, oapi::endpoint};
use serde::Serialize;
use serde_json::{Value, json};

use super::{openapi::describe, state::AppState};
use crate::api::http::{
    error::{ApiError, Resource},
    idempotency::Idempotency,
    request::{
        extract::{Body, Id, Query, State},
        fields::Fields,
        input,
        rules::{Count, Cursor, Flag, Integer, Needed, Place, Search, Text, Texts, Word, fields_of, rule},
    },
    response::{Answer, Created, CreatedAnswer, PageAnswer, Paged, Reply},
};
use crate::{
    backend::store::{AgentFilter, DeletedProject, NewProject, PageRequest, ProjectFilter, ProjectSort, TaskFilter},
    deletion::ProjectGone,
    domain::{
        ids::{AgentId, ProjectId, TaskId},
        project::{Priority, Project, ProjectStatus, ProjectSummary},
        requirement::without_constraint,
        stage::{Stage, StageStatus},
        task::Task,
        text::shorten,
        time::Timestamp,
        workflow::Workflow,
    },
    telemetry::told,
};

/// Most bytes of `deployment`.
const DEPLOYMENT_BYTES: usize = 16 * 1024;

/// The target that deploys nothing.
const NO_DEPLOYMENT: &str = "none";

#[derive(Serialize)]
struct NewlyQueued {
    project_id: ProjectId,
    task_id: Option<TaskId>,
    project_name: String,
    status: ProjectStatus,
    message: &'static str,
}

describe! {
    /// What a project's creation answers.
    NewlyQueued as "NewlyQueued" { project_id, task_id, project_name, status, message }
}

fields_of! {
    /// A requirement that is to become an agent.
    pub(crate) NewProjectBody {
        /// What the agent is to do.
        requirement: Requirement,
        /// Made from the requirement when absent.
        project_name: Text<0, 200>,
        /// Absent: `anonymous`.
        user_id: Text<0, 100>,
        user_name: Text<0, 100>,
        /// 1 (last) to 5 (first), 3 when absent.
        priority: Integer<1, 5>,
        tags: Texts<50, 100>,
        /// A workflow by its name; the default one when absent.
        workflow: Text<0, 100>,
        /// The deployment target, or an object with `target` and what the target understands.
        deployment: Deployment,
    }
}

rule! {
    /// A requirement, and the name that the original's console wrote before it.
    pub(crate) Requirement -> (Option<String>, String),
    |fields, name| requirement(fields, name),
    Needed::<10, 10_000>::schema(Place::Body),
    required true
}

fn requirement(fields: &mut Fields, name: &str) -> (Option<String>, String) {
    let mut constraint = None;
    if let Some(given) = fields.take(name) {
        let bare = given.as_str().map(|text| {
            let (named, rest) = without_constraint(text);
            constraint = named.map(|named| shorten(named, 200));
            Value::from(rest)
        });
        fields.put(name, bare.unwrap_or(given));
    }
    (constraint, fields.required_text(name, 10..=10_000))
}

rule! {
    /// A target's name, or an object that has it.
    pub(crate) Deployment -> Option<Value>,
    |fields, name| deployment(fields, name),
    json!({ "anyOf": [
        { "$ref": "#/components/schemas/DeploymentTarget" },
        { "type": "object", "properties": { "target": { "anyOf": [
            { "$ref": "#/components/schemas/DeploymentTarget" }, { "type": "null" } ] } },
          "x-max-bytes": DEPLOYMENT_BYTES },
    ] })
}

/// `POST /projects`
///
/// Create a project. Its build is queued; everything is durable when the answer comes.
#[endpoint(operation_id = "createProject", tags("projects"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn create(state: State, body: Body<NewProjectBody>, once: Idempotency) -> CreatedAnswer<NewlyQueued> {
    let Body(body) = body;
    if let Some(earlier) = once.earlier(&state).await? {
        return Ok(Created::again(earlier));
    }
    let workflow = workflow(body.workflow, &state)?;
    let deployment = known_target(body.deployment, &state)?;

    let (constraint, requirement) = body.requirement;
    let mut new = NewProject::queued(&workflow, requirement);
    let project = &mut new.project;
    if let Some(name) = body.project_name.or(constraint) {
        project.project_name = name;
    }
    if let Some(user_id) = body.user_id {
        project.user_id = user_id;
    }
    if let Some(priority) = body.priority {
        project.priority = Priority::clamped(priority);
    }
    (project.user_name, project.tags, project.deployment) = (body.user_name, body.tags, deployment);
    let (project_id, project_name) = (project.project_id.clone(), project.project_name.clone());
    let task_id = project.task_id.clone();
    let location = format!("/projects/{project_id}");
    let message = "project created, its build is queued";
    let created = NewlyQueued { project_id, task_id, project_name, status: ProjectStatus::Queued, message };
    new.once = once.keep(&location, message, &created);
    match state.store.create_project(new).await {
        Ok(()) => {
            let NewlyQueued { project_id, task_id, project_name, .. } = &created;
            told::project_created(project_id, project_name, workflow.name(), task_id.as_ref());
            Ok(Reply::new(created).message(message).created(location))
        }
        Err(error) => once.or_earlier(&state, error).await,
    }
}

/// The named workflow, or the default; an unknown name is a fault that lists the known ones.
fn workflow(name: Option<String>, state: &AppState) -> Result<Arc<Workflow>, ApiError> {
    let name = name.unwrap_or_else(|| state.config.load().workflows.default.clone());
    let workflows = state.workflows.load();
    workflows.get(&name).cloned().ok_or_else(|| {
        let known: Vec<&str> = workflows.all().into_iter().map(|w| w.name()).collect();
        let msg = format!("There is no such workflow; known: {}", known.join(", "));
        ApiError::invalid("body", "workflow", "value_error", msg, name.into())
    })
}

/// `{"target": …}`; a text is taken as the target.
fn deployment(fields: &mut Fields, name: &str) -> Option<Value> {
    match fields.take(name)? {
        Value::String(target) => Some(json!({ "target": target.trim() })),
        other => {
            fields.put(name, other);
            fields.object(name, DEPLOYMENT_BYTES).map(Value::Object)
        }
    }
}

/// A deployment whose target, when it names one, is there.
fn known_target(given: Option<Value>, state: &AppState) -> Result<Option<Value>, ApiError> {
    let config = state.config.load();
    let targets = &config.deploy.targets;
    let known = |name: &str| name == NO_DEPLOYMENT || targets.contains_key(name);
    match given.as_ref().and_then(|given| given.get("target")) {
        None | Some(Value::Null) => Ok(given),
        Some(Value::String(name)) if known(name) => Ok(given),
        Some(other) => {
            let names: Vec<&str> = targets.keys().map(String::as_str).chain([NO_DEPLOYMENT]).collect();
            let msg = format!("There is no such deployment target; known: {}", names.join(", "));
            Err(ApiError::invalid("body", "deployment", "value_error", msg, other.clone()))
        }
    }
}

fields_of! {
    /// Which projects, in which order.
    pub(crate) ProjectsQuery {
        /// Only in this state.
        status: Word<ProjectStatus>,
        /// Only of this user.
        user_id: Search,
        /// Only with this tag.
        tag: Search,
        /// Only with this text in name or requirement, whatever its case.
        q: Search,
        /// The order; newest first when absent.
        sort: Sort,
        page: Count<1, { input::MAX_PAGE }, 1>,
        limit: Count<1, 100, 20>,
        /// `next_cursor` of the page before, in place of `page`.
        cursor: Cursor,
    }
}

rule! {
    /// Field names with `-` for the newest first, and a word each.
    pub(crate) Sort -> ProjectSort,
    |fields, name| sort(fields, name),
    json!({ "type": "string", "enum": SORTS.iter().map(|(word, _)| *word).chain([""]).collect::<Vec<_>>() })
}

const SORTS: [(&str, ProjectSort); 8] = [
    ("-created_at", ProjectSort::Newest),
    ("newest", ProjectSort::Newest),
    ("created_at", ProjectSort::Oldest),
    ("oldest", ProjectSort::Oldest),
    ("-updated_at", ProjectSort::RecentlyUpdated),
    ("updated", ProjectSort::RecentlyUpdated),
    ("project_name", ProjectSort::Name),
    ("name", ProjectSort::Name),
];

fn sort(query: &mut Fields, name: &str) -> ProjectSort {
    let Some(word) = input::free(query, name) else { return ProjectSort::Newest };
    let found = SORTS.iter().find(|(known, _)| *known == word);
    found.map_or_else(
        || {
            let msg = "Input should be '-created_at', 'created_at', '-updated_at' or 'project_name'";
            query.fault(name, "enum", msg, word.clone().into());
            ProjectSort::Newest
        },
        |(_, sort)| *sort,
    )
}

/// `GET /projects`
///
/// List projects. Filters apply before the page; `total` counts what they let through.
#[endpoint(operation_id = "listProjects", tags("projects"))]
pub(crate) async fn list(state: State, query: Query<ProjectsQuery>) -> PageAnswer<ProjectSummary> {
    let Query(query) = query;
    let page = PageRequest { page: query.page, limit: query.limit, cursor: query.cursor };
    let filter =
        ProjectFilter { status: query.status, user_id: query.user_id, tag: query.tag, q: query.q, sort: query.sort };
    let found = state.store.list_projects(&filter, &page).await.map_err(input::cursor_fault)?;
    Ok(Paged::new(found, &page))
}

#[derive(Serialize)]
struct Detail {
    #[serde(flatten)]
    project: Project,
    stages: Vec<Stage>,
    agent_count: u64,
    agent_id: Option<AgentId>,
}

describe! {
    /// A project with its stages.
    Detail as "ProjectDetail" {
        ..project;
        /// In order.
        stages,
        /// Agents that came out of it.
        agent_count,
        /// The agent that came out of it, once there is one; the newest of several.
        agent_id,
    }
}

/// `GET /projects/{id}`
///
/// Read a project.
#[endpoint(operation_id = "getProject", tags("projects"))]
pub(crate) async fn detail(state: State, id: Id<ProjectId>) -> Answer<Detail> {
    let Id(id) = id;
    let found = state.store.project_detail(&id).await?;
    let found = found.ok_or_else(|| ApiError::not_found(Resource::Project, id.as_str()))?;
    let stages = running_times(found.stages);
    let agent_id = if found.agent_count > 0 { newest_agent(&state, &id).await? } else { None };
    Ok(Reply::new(Detail { project: found.project, stages, agent_count: found.agent_count, agent_id }))
}

async fn newest_agent(state: &AppState, id: &ProjectId) -> Result<Option<AgentId>, ApiError> {
    let filter = AgentFilter { project_id: Some(id.clone()), ..AgentFilter::default() };
    let found = state.store.list_agents(&filter, &PageRequest { page: 1, limit: 1, cursor: None }).await?;
    Ok(found.items.into_iter().next().map(|agent| agent.agent_id))
}

/// `GET /projects/{id}/stages`
///
/// List the stages of a project, in order.
#[endpoint(operation_id = "listStages", tags("projects"))]
pub(crate) async fn list_stages(state: State, id: Id<ProjectId>) -> Answer<Vec<Stage>> {
    let Id(id) = id;
    let stages = state.store.stages(&id).await?;
    if stages.is_empty() {
        known(&state, &id).await?;
    }
    Ok(Reply::new(running_times(stages)))
}

/// A running stage has run until now; the store writes its duration only when it ends.
pub(crate) fn running_times(mut stages: Vec<Stage>) -> Vec<Stage> {
    let now = Timestamp::now();
    for stage in &mut stages {
        if let (StageStatus::Running, Some(start)) = (stage.status, stage.started_at) {
            stage.duration_seconds = Some(now.since(start).as_secs_f64());
        }
    }
    stages
}

/// The project, or 404.
pub(crate) async fn known(state: &AppState, id: &ProjectId) -> Result<Project, ApiError> {
    let found = state.store.project(id).await?;
    found.ok_or_else(|| ApiError::not_found(Resource::Project, id.as_str()))
}

fields_of! {
    /// How many.
    pub(crate) ProjectTasksQuery {
        limit: Count<1, 100, 100>,
    }
}

/// `GET /projects/{id}/tasks`
///
/// List the tasks of a project, newest first.
#[endpoint(operation_id = "listProjectTasks", tags("projects"))]
pub(crate) async fn list_tasks(state: State, id: Id<ProjectId>, query: Query<ProjectTasksQuery>) -> Answer<Vec<Task>> {
    let (Id(id), Query(ProjectTasksQuery { limit })) = (id, query);
    let filter = TaskFilter { project_id: Some(id.clone()), ..TaskFilter::default() };
    let found = state.store.list_tasks(&filter, &PageRequest { page: 1, limit, cursor: None }).await?;
    if found.items.is_empty() {
        known(&state, &id).await?;
    }
    Ok(Reply::new(found.items))
}

fields_of! {
    /// What goes along.
    pub(crate) DeleteProjectQuery {
        /// Also the agents that came out of it, with their sessions and tools. False: they stay, and keep running.
        delete_agents: Flag<true>,
    }
}

#[derive(Serialize)]
struct Deleted {
    project_id: ProjectId,
    status: &'static str,
    deleted_agents: Vec<AgentId>,
    errors: Vec<String>,
}

describe! {
    /// What a project's deletion did.
    Deleted as "ProjectDeleted" {
        project_id,
        /// `deleted`.
        status,
        deleted_agents,
        /// What could not be cleaned up now.
        errors,
    }
}

/// `DELETE /projects/{id}`
///
/// Delete a project. Its running build is cancelled; stages, tasks, events and files go with it, and so do the agents that
/// came out of it, unless `delete_agents` is false. Runs to its end even when the client goes away; what cannot be
/// removed now is removed later.
#[endpoint(operation_id = "deleteProject", tags("projects"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn delete(state: State, id: Id<ProjectId>, query: Query<DeleteProjectQuery>) -> Answer<Deleted> {
    let (State(state), Id(id), Query(query)) = (state, id, query);
    let tasks = state.tasks.clone();
    // Half a deletion helps nobody.
    let whole = tasks.spawn(async move {
        let told = |_: &DeletedProject| state.conductor.deleted(&id);
        let gone = state.deletions().project(&id, query.delete_agents, told).await?;
        let gone = gone.ok_or_else(|| ApiError::not_found(Resource::Project, id.as_str()))?;
        Ok::<_, ApiError>((gone, id))
    });
    let (ProjectGone { deleted, errors }, project_id) = whole.await.map_err(ApiError::internal)??;
    let deleted_agents = deleted.agents.iter().map(|a| a.agent_id.clone()).collect();
    Ok(Reply::new(Deleted { project_id, status: "deleted", deleted_agents, errors }).message("project deleted"))
}
