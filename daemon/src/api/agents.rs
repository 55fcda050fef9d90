//! `/agents`: list, detail, delete. Asking one is `invoke`, talking to one is `sessions`.

use salvo::{Depot, Request, handler};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    error::{ApiError, Resource},
    input,
    reply::{Answer, Reply},
    state::AppState,
};
use crate::{
    domain::{
        agent::{Agent, AgentStatus},
        ids::{AgentId, ProjectId},
        time::Timestamp,
    },
    store::{AgentFilter, Page},
};

/// What lists show.
#[derive(Serialize)]
struct Summary {
    agent_id: AgentId,
    agent_name: String,
    status: AgentStatus,
    category: String,
    version: String,
    deployment_type: String,
    total_invocations: u64,
    created_at: Timestamp,
    description: String,
    project_id: Option<ProjectId>,
}

impl From<Agent> for Summary {
    fn from(agent: Agent) -> Self {
        Self {
            agent_id: agent.agent_id,
            agent_name: agent.agent_name,
            status: agent.status,
            category: agent.category,
            version: agent.version,
            deployment_type: agent.deployment_type,
            total_invocations: agent.total_invocations,
            created_at: agent.created_at,
            description: agent.description,
            project_id: agent.project_id,
        }
    }
}

/// `GET /agents`
#[handler]
pub(super) async fn list(req: &mut Request, depot: &mut Depot) -> Answer<Vec<Summary>> {
    let state = AppState::of(depot)?;
    let mut query = input::query(req);
    let page = input::page(&mut query);
    let filter = AgentFilter {
        status: query.word("status", AgentStatus::ALL),
        category: input::free(&mut query, "category"),
        project_id: input::project_filter(&mut query),
    };
    query.finish()?;
    let found = state.store.list_agents(&filter, &page).await.map_err(input::cursor_fault)?;
    let items = found.items.into_iter().map(Summary::from).collect();
    Ok(Reply::page(Page { items, total: found.total, next_cursor: found.next_cursor }, &page))
}

/// `GET /agents/{id}`
#[handler]
pub(super) async fn detail(req: &mut Request, depot: &mut Depot) -> Answer<Agent> {
    let state = AppState::of(depot)?;
    let id: AgentId = input::id(req, Resource::Agent)?;
    known(&state, &id).await.map(Reply::new)
}

/// The agent, or 404.
pub(super) async fn known(state: &AppState, id: &AgentId) -> Result<Agent, ApiError> {
    let found = state.store.agent(id).await?;
    found.ok_or_else(|| ApiError::not_found(Resource::Agent, id.as_str()))
}

/// The agent, when it can be asked.
pub(super) async fn askable(state: &AppState, id: &AgentId) -> Result<Agent, ApiError> {
    let agent = known(state, id).await?;
    if agent.status == AgentStatus::Running {
        return Ok(agent);
    }
    let message = match agent.status {
        AgentStatus::Building | AgentStatus::Deploying => "the agent is not ready yet",
        AgentStatus::Error => "the agent's deployment failed",
        AgentStatus::Offline | AgentStatus::Running => "the agent is offline",
    };
    let details = Some(json!({ "status": agent.status }));
    Err(ApiError::Conflict { code: "AGENT_NOT_RUNNING", message: message.to_owned(), details })
}

/// `DELETE /agents/{id}`
///
/// The agent is taken out of service first, unless it runs in the cloud and
/// `delete_cloud_resources=false`. A failure to do so does not keep the record: it is told in `errors`.
#[handler]
pub(super) async fn delete(req: &mut Request, depot: &mut Depot) -> Answer<Value> {
    let state = AppState::of(depot)?;
    let id: AgentId = input::id(req, Resource::Agent)?;
    let mut query = input::query(req);
    let files = query.flag("delete_local_files").unwrap_or(false);
    let cloud = query.flag("delete_cloud_resources").unwrap_or(true);
    query.finish()?;
    let tasks = state.tasks.clone();
    let whole = tasks.spawn(async move { delete_all(&state, &id, files, cloud).await });
    let data = whole.await.map_err(ApiError::internal)??;
    Ok(Reply::new(data).message("agent deleted"))
}

async fn delete_all(state: &AppState, id: &AgentId, files: bool, cloud: bool) -> Result<Value, ApiError> {
    let agent = known(state, id).await?;
    let (mut gone, mut errors) = (Vec::new(), Vec::new());
    let local = agent.deployment_type == "local";
    let deployed = state.config.load().deploy.targets.contains_key(&agent.deployment_type);
    if deployed && (local || cloud) {
        match state.agents.undeploy(&agent).await {
            Ok(()) => gone.push("deployment".to_owned()),
            Err(failure) => {
                tracing::warn!(agent_id = %id, %failure, "an agent could not be undeployed");
                errors.push(format!("deployment: {}", super::chat::public_message(&failure)));
            }
        }
    }
    let deleted = state.store.delete_agent(id).await?;
    let deleted = deleted.ok_or_else(|| ApiError::not_found(Resource::Agent, id.as_str()))?;
    gone.push("agent_record".to_owned());
    for (what, count) in
        [("sessions", deleted.sessions), ("messages", deleted.messages), ("invocations", deleted.invocations)]
    {
        if count > 0 {
            gone.push(format!("{what}:{count}"));
        }
    }
    if files && state.agents.remove_files(&agent).await {
        gone.push("local_files".to_owned());
    }
    state.agents.remove_state(&agent).await;
    Ok(json!({ "agent_id": id, "deleted_resources": gone, "errors": errors }))
}
