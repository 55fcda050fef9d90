//! Agents that can be asked. One that is being deployed is waited for, up to a bound: who has just built an agent may ask
//! it at once.

use std::{future::Future, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use crate::api::{agents, http::error::ApiError, state::AppState};
use crate::{
    domain::{
        agent::{Agent, AgentStatus},
        event::EventType,
        ids::AgentId,
    },
    events::Subscription,
};

/// How long `invoke` waits for an agent that is being deployed.
pub(crate) const INVOKE_WAITS: Duration = Duration::from_secs(30);
/// How long a stream does, with signs of life meanwhile.
pub(crate) const STREAM_WAITS: Duration = Duration::from_secs(60);
/// Between two looks at the record, where no event tells of it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How an agent is, for who wants to ask it.
pub(crate) enum Readiness {
    /// It can be asked.
    Ready(Box<Agent>),
    /// It is being deployed.
    Soon(Box<Agent>),
}

/// The agent, when it can be asked now or soon.
pub(crate) async fn readiness(state: &AppState, id: &AgentId) -> Result<Readiness, ApiError> {
    let agent = Box::new(agents::known(state, id).await?);
    match agent.status {
        AgentStatus::Running => Ok(Readiness::Ready(agent)),
        AgentStatus::Building | AgentStatus::Deploying => Ok(Readiness::Soon(agent)),
        AgentStatus::Error | AgentStatus::Offline => Err(not_running(agent.status)),
    }
}

/// The agent, once it can be asked: at most after `limit`, and no longer than until `left`.
pub(crate) async fn askable_soon(
    state: &AppState,
    id: &AgentId,
    limit: Duration,
    left: impl Future<Output = ()>,
) -> Result<Agent, ApiError> {
    let (until, mut told) = (Instant::now() + limit, None);
    tokio::pin!(left);
    loop {
        let agent = match readiness(state, id).await? {
            Readiness::Ready(agent) => return Ok(*agent),
            Readiness::Soon(agent) => agent,
        };
        let Some(project) = &agent.project_id else { return Err(not_running(agent.status)) };
        if told.is_none() {
            // From now on nothing is missed; what was told before this, the next look sees.
            told = Some(state.hub.subscribe(project));
            continue;
        }
        if Instant::now() >= until {
            return Err(not_running(agent.status));
        }
        tokio::select! {
            () = next_of_agent(&mut told) => {}
            () = tokio::time::sleep_until(until.min(Instant::now() + LOOK_AGAIN)) => {}
            () = state.shutdown.cancelled() => return Err(not_running(agent.status)),
            () = &mut left => return Err(not_running(agent.status)),
        }
    }
}

/// Resolves when an agent of the project changes, or events were missed.
async fn next_of_agent(told: &mut Option<Subscription>) {
    let Some(told) = told else { return std::future::pending().await };
    while let Ok(next) = told.recv().await {
        if next.event.kind == EventType::Agent {
            return;
        }
    }
    // The next look comes with the clock.
    std::future::pending().await
}

fn not_running(status: AgentStatus) -> ApiError {
    let message = match status {
        AgentStatus::Building | AgentStatus::Deploying => "the agent is still being deployed; ask again",
        AgentStatus::Error => "the agent's deployment failed; see its error_message, and deploy it again",
        AgentStatus::Offline | AgentStatus::Running => "the agent is offline",
    };
    let details = Some(json!({ "status": status }));
    ApiError::Conflict { code: "AGENT_NOT_RUNNING", message: message.to_owned(), details }
}
