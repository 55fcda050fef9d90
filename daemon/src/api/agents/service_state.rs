//! Bringing an agent into service and out of it on behalf of people. What cannot be is refused before anything
//! is written.

use salvo::http::StatusCode;
use serde_json::json;

use super::chat;
use crate::api::{
    http::error::{ApiError, Resource},
    state::AppState,
};
use crate::{
    domain::{
        agent::{Agent, AgentStatus},
        ids::TaskId,
        transition::{self, AgentEvent},
    },
    telemetry::told,
};

/// States that people may put an agent into.
const WORDS: [AgentStatus; 3] = [AgentStatus::Running, AgentStatus::Offline, AgentStatus::Error];

/// Whether people may put an agent that is `now` into this state.
fn possible(now: AgentStatus, wanted: AgentStatus) -> bool {
    let event = match wanted {
        // While it is being deployed, the deployment says how that ends.
        AgentStatus::Running if now == AgentStatus::Deploying => return false,
        AgentStatus::Running => AgentEvent::Run,
        AgentStatus::Offline => AgentEvent::TakeOffline,
        AgentStatus::Error => AgentEvent::Fail,
        AgentStatus::Building | AgentStatus::Deploying => return false,
    };
    transition::agent(now, event).is_ok()
}

/// The conflict of a state that cannot be had from here.
fn illegal(agent: &Agent, wanted: AgentStatus) -> ApiError {
    let allowed: Vec<_> = WORDS.into_iter().filter(|word| possible(agent.status, *word)).collect();
    let details = Some(json!({ "status": agent.status, "allowed": allowed }));
    let message = format!("an agent that is {} cannot be put into {wanted}", agent.status);
    ApiError::Conflict { code: "ILLEGAL_TRANSITION", message, details }
}

/// Refuses what [`put_into`] would refuse.
pub(crate) fn check(state: &AppState, agent: &Agent, wanted: AgentStatus) -> Result<(), ApiError> {
    if !possible(agent.status, wanted) {
        return Err(illegal(agent, wanted));
    }
    if wanted == AgentStatus::Running && agent.status != AgentStatus::Running {
        return check_deploy(state, agent);
    }
    Ok(())
}

/// Refuses what [`deploy`] would refuse.
pub(crate) fn check_deploy(state: &AppState, agent: &Agent) -> Result<(), ApiError> {
    if matches!(agent.status, AgentStatus::Building | AgentStatus::Deploying) {
        return Err(illegal(agent, AgentStatus::Running));
    }
    if !has_target(state, agent) {
        let target = &agent.deployment_type;
        let message =
            format!("no deploy target is named `{target}`: add it to [deploy.targets] with a plugin's handler");
        return Err(ApiError::plain(StatusCode::CONFLICT, "TARGET_NOT_CONFIGURED", message));
    }
    if agent.project_id.is_none() && !is_local(agent) {
        let message = "the agent's project is gone, so it cannot be deployed again".to_owned();
        return Err(ApiError::Conflict { code: "PROJECT_GONE", message, details: None });
    }
    Ok(())
}

fn has_target(state: &AppState, agent: &Agent) -> bool {
    state.config.load().deploy.targets.contains_key(&agent.deployment_type)
}

fn is_local(agent: &Agent) -> bool {
    agent.deployment_type == "local"
}

/// Deploys an agent with what its folder holds now; answers the task that does it. One whose project is gone has
/// no task: its process is ended, and the next question starts it anew.
pub(crate) async fn deploy(state: &AppState, agent: &Agent) -> Result<Option<TaskId>, ApiError> {
    check_deploy(state, agent)?;
    if agent.project_id.is_some() {
        return Ok(state.store.redeploy_agent(&agent.agent_id).await?);
    }
    undeploy(state, agent).await?;
    state.store.set_agent_status(&agent.agent_id, AgentStatus::Running, None).await?;
    told::agent_put(&agent.agent_id, agent.status, AgentStatus::Running);
    Ok(None)
}

async fn undeploy(state: &AppState, agent: &Agent) -> Result<(), ApiError> {
    state.agents.undeploy(agent).await.map_err(|failure| {
        tracing::warn!(agent_id = %agent.agent_id, %failure, "an agent could not be taken out of service");
        chat::error_of(&failure, json!({ "agent_id": agent.agent_id }))
    })
}

/// Puts an agent into a state: `running` deploys it, `offline` takes it out of service, `error` notes why.
pub(crate) async fn put_into(
    state: &AppState,
    agent: Agent,
    wanted: AgentStatus,
    error: Option<String>,
) -> Result<Agent, ApiError> {
    check(state, &agent, wanted)?;
    let id = agent.agent_id.clone();
    let gone = || ApiError::not_found(Resource::Agent, id.as_str());
    if wanted == AgentStatus::Running {
        if agent.status != AgentStatus::Running {
            deploy(state, &agent).await?;
        }
        return state.store.agent(&id).await?.ok_or_else(gone);
    }
    // First the record, so that nobody asks it any more.
    let changed = state.store.set_agent_status(&id, wanted, error).await?.ok_or_else(gone)?;
    told::agent_put(&id, agent.status, changed.status);
    if wanted == AgentStatus::Offline && has_target(state, &agent) {
        undeploy(state, &agent).await?;
    }
    Ok(changed)
}
