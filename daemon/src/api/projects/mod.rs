//! `/projects`: create, list, detail, stages, tasks of one, delete.

mod budget;
pub(crate) mod control;
pub(crate) mod dashboard;
pub(crate) mod dashboard_graph;
pub(crate) mod deployment;
pub(crate) mod documents;
mod error;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod tasks;

use salvo::{Router, Writer as _, oapi::endpoint};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::at;
use crate::api::http::{
    idempotency::{Idempotency, kept},
    request::{
        extract::{Body, Id, Query, State},
        fields::Fields,
        input,
        rules::{Count, Cursor, Flag, Integer, Needed, Place, Search, Text, Texts, Word, fields_of, rule},
    },
    response::{Answer, Created, CreatedAnswer, PageAnswer, Paged, Reply},
};
use crate::domain::deletion::ProjectAgents;
use crate::{
    backend::store::{PageRequest, ProjectDetail, ProjectFilter, ProjectSort},
    deletion::ProjectGone,
    domain::{
        ids::{AgentId, ProjectId, TaskId},
        project::{Project, ProjectStatus, ProjectSummary},
        requirement::without_constraint,
        stage::Stage,
        task::Task,
        text::shorten,
    },
    projects::{BudgetUse, NewBuild, Queued},
};

pub(crate) fn paths() -> Router {
    let one = at("{id}", || detail)
        .delete(delete)
        .push(at("stages", || list_stages))
        .push(at("tasks", || list_tasks))
        .push(at("build", || dashboard::dashboard))
        .push(at("events", || events::stream_events))
        .push(Router::with_path("control").post(control::control))
        .push(at("budget", || budget::read).put(budget::set))
        .push(at("files", || files::list).push(at("{**path}", || files::show_file)))
        .push(at("workflow-report", || documents::workflow_report))
        .push(at("stage-docs/{stage}", || documents::stage_document));
    at("projects", || list).post(create).push(one)
}

/// Most bytes of `deployment`.
const DEPLOYMENT_BYTES: usize = 16 * 1024;

/// What a project's creation answers.
#[derive(Serialize, JsonSchema)]
struct NewlyQueued {
    project_id: ProjectId,
    task_id: Option<TaskId>,
    project_name: String,
    status: ProjectStatus,
    message: &'static str,
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
        /// What the build may spend on language models; within the limits of `[models.budget]`.
        budget: budget::BudgetRule,
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
            { "$ref": "#/components/schemas/DeploymentTarget" }, { "type": "null" } ] }, "type": { "anyOf": [
            { "$ref": "#/components/schemas/DeploymentTarget" }, { "type": "null" } ] } },
          "x-max-bytes": DEPLOYMENT_BYTES },
    ] })
}

/// `POST /projects`
///
/// Create a project. Its build is queued; everything is durable when the answer comes.
#[endpoint(operation_id = "createProject", tags("projects"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn create(
    state: State,
    body: Body<NewProjectBody>,
    idempotency: Idempotency,
) -> CreatedAnswer<NewlyQueued> {
    let NewProjectBody { requirement, project_name, user_id, user_name, priority, tags, workflow, deployment, budget } =
        body.0;
    let (constraint, requirement) = requirement;
    let asked = NewBuild {
        requirement,
        project_name: project_name.or(constraint),
        user_id,
        user_name,
        priority,
        tags,
        workflow,
        deployment,
        budget,
    };
    let keyed = idempotency.answered_by(|queued: &Queued| {
        let queued = NewlyQueued::from(queued.clone());
        kept(&queued.path(), QUEUED, &queued)
    });
    let queued = state.projects.create(state.caller(), asked, keyed).await?;
    Ok(Created::of(queued, |queued| {
        let queued = NewlyQueued::from(queued);
        let path = queued.path();
        Reply::new(queued).message(QUEUED).created(path)
    }))
}

const QUEUED: &str = "project created, its build is queued";

impl From<Queued> for NewlyQueued {
    fn from(Queued { project_id, task_id, project_name }: Queued) -> Self {
        Self { project_id, task_id, project_name, status: ProjectStatus::Queued, message: QUEUED }
    }
}

impl NewlyQueued {
    fn path(&self) -> String {
        format!("/projects/{}", self.project_id)
    }
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
    let found = state.projects.list(state.caller(), &filter, &page).await.map_err(input::cursor_fault)?;
    Ok(Paged::new(found, &page))
}

/// A project with its stages.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ProjectDetail")]
struct Detail {
    #[serde(flatten)]
    project: Project,
    /// In order.
    stages: Vec<Stage>,
    /// Agents that came out of it.
    agent_count: u64,
    /// The agent that came out of it, once there is one; the newest of several.
    agent_id: Option<AgentId>,
    /// What it may spend on language models, and what it has spent.
    budget: BudgetUse,
}

/// `GET /projects/{id}`
///
/// Read a project.
#[endpoint(operation_id = "getProject", tags("projects"))]
pub(crate) async fn detail(state: State, id: Id<ProjectId>) -> Answer<Detail> {
    let (found, budget) =
        tokio::join!(state.projects.detail(state.caller(), &id.0), state.projects.budget(state.caller(), &id.0));
    let ProjectDetail { project, stages, agent_count, .. } = found?;
    let budget = budget?;
    let newest = if agent_count > 0 { state.projects.agents(state.caller(), &id.0, 1).await? } else { Vec::new() };
    let agent_id = newest.into_iter().next().map(|agent| agent.agent_id);
    Ok(Reply::new(Detail { project, stages, agent_count, agent_id, budget }))
}

/// `GET /projects/{id}/stages`
///
/// List the stages of a project, in order.
#[endpoint(operation_id = "listStages", tags("projects"))]
pub(crate) async fn list_stages(state: State, id: Id<ProjectId>) -> Answer<Vec<Stage>> {
    Ok(Reply::new(state.projects.stages(state.caller(), &id.0).await?))
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
    let tasks = state.projects.tasks_of(state.caller(), &id, limit).await?;
    if tasks.is_empty() {
        state.projects.get(state.caller(), &id).await?;
    }
    Ok(Reply::new(tasks))
}

fields_of! {
    /// What goes along.
    pub(crate) DeleteProjectQuery {
        /// Also the agents that came out of it, with their sessions and tools. False: they stay, and keep running.
        delete_agents: Flag<true>,
    }
}

/// What a project's deletion did.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ProjectDeleted")]
struct Deleted {
    project_id: ProjectId,
    /// `deleted`.
    status: &'static str,
    deleted_agents: Vec<AgentId>,
    /// What could not be cleaned up now.
    errors: Vec<String>,
}

/// `DELETE /projects/{id}`
///
/// Delete a project. Its running build is cancelled; stages, tasks, events and files go with it, and so do the agents that
/// came out of it, unless `delete_agents` is false. Runs to its end even when the client goes away; what cannot be
/// removed now is removed later.
#[endpoint(operation_id = "deleteProject", tags("projects"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn delete(state: State, id: Id<ProjectId>, query: Query<DeleteProjectQuery>) -> Answer<Deleted> {
    let Id(project_id) = id;
    let fate = if query.0.delete_agents { ProjectAgents::Delete } else { ProjectAgents::Keep };
    let gone = state.projects.delete(state.caller(), project_id.clone(), fate).await?;
    let ProjectGone { deleted, errors } = gone;
    let deleted_agents = deleted.agents.into_iter().map(|agent| agent.agent_id).collect();
    Ok(Reply::new(Deleted { project_id, status: "deleted", deleted_agents, errors }).message("project deleted"))
}
