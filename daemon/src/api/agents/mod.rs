//! `/agents`: list, detail, delete. Asking one is `invoke`, talking to one is `sessions`.

pub(crate) mod attachments;
mod budget;
pub(crate) mod deploy;
pub(crate) mod edit;
mod error;
pub(crate) mod files;
pub(crate) mod invoke;
pub(crate) mod messages;
pub(crate) mod runtime;
pub(crate) mod sessions;
pub(crate) mod stream;
pub(crate) mod upload;
pub(crate) mod view;

use salvo::{Router, Writer as _, oapi::endpoint};
use schemars::JsonSchema;
use serde::Serialize;

use self::view::AgentView;
use super::at;
use crate::api::http::{
    request::{
        extract::{Id, Query, State},
        input,
        rules::{Count, Cursor, Flag, OfProject, Search, Word, fields_of},
    },
    response::{Answer, PageAnswer, Paged, Reply},
};
use crate::{
    agents::DayBudgetUse,
    backend::store::{AgentFilter, Page, PageRequest},
    deletion::AgentGone,
    domain::{
        agent::{Agent, AgentStatus},
        ids::{AgentId, ProjectId},
        text::pathless,
        time::Timestamp,
    },
};

pub(crate) fn paths() -> Router {
    let files = at("files", || files::show_list)
        .push(at("code", || files::show_code).put(files::put_code))
        .push(at("prompt", || files::show_prompt).put(files::put_prompt))
        .push(at("tools", || files::show_tools).push(Router::with_path("{name}").put(files::put_tool)));
    let one = at("{id}", || detail)
        .delete(delete)
        .put(edit::update)
        .push(Router::with_path("status").put(edit::put_status))
        .push(Router::with_path("deploy").post(deploy::deploy))
        .push(at("context", || edit::context))
        .push(at("budget", || budget::read).put(budget::set))
        .push(at("runtime/health", || edit::runtime_health))
        .push(files)
        .push(Router::with_path("invoke").post(invoke::invoke))
        .push(at("sessions", || sessions::list).post(sessions::create));
    at("agents", || list).post(deploy::adopt).push(one)
}

/// What lists of agents show.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AgentSummary")]
struct Summary {
    agent_id: AgentId,
    /// By which programs know it; several may have one.
    agent_name: String,
    /// For people: no other agent is called so.
    display_name: String,
    status: AgentStatus,
    category: String,
    version: String,
    /// The deployment target, such as `local`.
    deployment_type: String,
    total_invocations: u64,
    created_at: Timestamp,
    description: String,
    project_id: Option<ProjectId>,
}

impl Summary {
    fn of(agent: Agent) -> Self {
        Self {
            display_name: agent.display_name,
            agent_id: agent.agent_id,
            agent_name: agent.agent_name,
            status: agent.status,
            category: agent.category,
            version: agent.version,
            deployment_type: agent.deployment.target,
            total_invocations: agent.total_invocations,
            created_at: agent.created_at,
            description: agent.description,
            project_id: agent.project_id,
        }
    }
}

fields_of! {
    /// Which agents.
    pub(crate) AgentsQuery {
        /// Only in this state.
        status: Word<AgentStatus>,
        /// Only of this category.
        category: Search,
        /// Only out of this project.
        project_id: OfProject,
        page: Count<1, { input::MAX_PAGE }, 1>,
        limit: Count<1, 100, 20>,
        /// `next_cursor` of the page before, in place of `page`.
        cursor: Cursor,
    }
}

/// `GET /agents`
///
/// List agents, newest first.
#[endpoint(operation_id = "listAgents", tags("agents"))]
pub(crate) async fn list(state: State, query: Query<AgentsQuery>) -> PageAnswer<Summary> {
    let Query(query) = query;
    let page = PageRequest { page: query.page, limit: query.limit, cursor: query.cursor };
    let filter = AgentFilter { status: query.status, category: query.category, project_id: query.project_id };
    let found = state.agents.list(state.caller(), &filter, &page).await.map_err(input::cursor_fault)?;
    let items = found.items.into_iter().map(Summary::of).collect();
    Ok(Paged::new(Page { items, total: found.total, next_cursor: found.next_cursor }, &page))
}

/// `GET /agents/{id}`
///
/// Read an agent.
#[endpoint(operation_id = "getAgent", tags("agents"))]
pub(crate) async fn detail(state: State, id: Id<AgentId>) -> Answer<Detail> {
    let (caller, id) = (state.caller(), &id.0);
    let record = state.agents.get(caller, id).await?;
    let told = |name: &str| record.deployment_details.as_ref()?.pointer(&format!("/details/{name}"))?.as_str();
    let (model, degraded) = (told("model").map(str::to_owned), told("degraded").map(pathless));
    let budget = state.agents.budget(caller, id).await?;
    Ok(Reply::new(Detail { agent: record.into(), model, degraded, budget }))
}

/// An agent, and what it may spend on language models.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AgentDetail")]
struct Detail {
    #[serde(flatten)]
    agent: AgentView,
    /// The name of the language model that it was deployed with; null: it answers without one.
    model: Option<String>,
    /// Why it answers without the language model that it was made for.
    degraded: Option<String>,
    budget: DayBudgetUse,
}

fields_of! {
    /// What goes along.
    pub(crate) DeleteAgentQuery {
        /// Also its files in its project's folder.
        delete_local_files: Flag<false>,
        /// Also what runs in the cloud.
        delete_cloud_resources: Flag<true>,
    }
}

/// What an agent's deletion did.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AgentDeleted")]
struct Deleted {
    agent_id: AgentId,
    deleted_resources: Vec<String>,
    /// What could not be cleaned up.
    errors: Vec<String>,
}

/// `DELETE /agents/{id}`
///
/// Delete an agent with its sessions and their messages. It is taken out of service, unless it runs in the cloud and
/// `delete_cloud_resources=false`; a failure to do so is told in `errors` and tried again later.
#[endpoint(operation_id = "deleteAgent", tags("agents"))]
pub(crate) async fn delete(state: State, id: Id<AgentId>, query: Query<DeleteAgentQuery>) -> Answer<Deleted> {
    let (Id(id), Query(DeleteAgentQuery { delete_local_files, delete_cloud_resources })) = (id, query);
    let gone = state.agents.delete(state.caller(), id.clone(), delete_local_files, delete_cloud_resources).await?;
    let AgentGone { deleted, acted } = gone;
    let mut resources = Vec::new();
    if acted.undeployed {
        resources.push("deployment".to_owned());
    }
    resources.push("agent_record".to_owned());
    for (what, count) in
        [("sessions", deleted.sessions), ("messages", deleted.messages), ("invocations", deleted.invocations)]
    {
        if count > 0 {
            resources.push(format!("{what}:{count}"));
        }
    }
    if acted.files {
        resources.push("local_files".to_owned());
    }
    let data = Deleted { agent_id: id, deleted_resources: resources, errors: acted.errors };
    Ok(Reply::new(data).message("agent deleted"))
}
