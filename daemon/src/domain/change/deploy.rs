//! What a deployment does to an agent's record.

use serde_json::Value;

use super::Refusal;
use crate::domain::{
    agent::{Agent, AgentStatus},
    task::{TaskStatus, TaskType},
    time::Timestamp,
    transition::{self, AgentEvent, IllegalTransition},
};

/// Why a message is not for a deployment now, whoever asks; its message may go.
#[must_use]
pub fn obsolete(status: TaskStatus, task_type: TaskType) -> Option<&'static str> {
    (status.is_final() || task_type != TaskType::DeployAgent).then_some("the task has ended")
}

/// A worker begins. Whether the agent's status is new.
///
/// # Errors
/// [`Refusal::Illegal`]: the agent is not to be deployed now.
pub fn begin(agent: &mut Agent, now: Timestamp) -> Result<bool, Refusal> {
    let status = transition::agent(agent.status, AgentEvent::Deploy)?;
    // Its own for each claim: a process that a former owner started, or another daemon before, is not taken for it.
    agent.generation += 1;
    let is_new = agent.status != status;
    if is_new {
        agent.status = status;
        agent.updated_at = now;
    }
    Ok(is_new)
}

/// The agent runs. `details` is what the deployer says; its own part is in `details.details`.
///
/// # Errors
/// [`Refusal::Illegal`]: the agent was not being deployed.
pub fn deployed(agent: &mut Agent, details: &Value, now: Timestamp) -> Result<(), Refusal> {
    agent.status = transition::agent(agent.status, AgentEvent::Run)?;
    let own = |name: &str| details.get("details").and_then(|own| own.get(name));
    let keep = |field: &mut Option<String>, name: &str| {
        if let Some(text) = own(name).and_then(Value::as_str) {
            *field = Some(text.to_owned());
        }
    };
    keep(&mut agent.agentcore_runtime_arn, "agentcore_runtime_arn");
    keep(&mut agent.agentcore_runtime_alias, "agentcore_runtime_alias");
    keep(&mut agent.agentcore_region, "agentcore_region");
    if let Some(config) = own("agentcore_config") {
        agent.agentcore_config = Some(config.clone());
    }
    agent.deployed_at = Some(now);
    agent.updated_at = now;
    agent.error_message = None;
    agent.deployment_details = Some(details.clone());
    Ok(())
}

/// The deployment failed. `false`: an agent that was taken out of service in between stays so.
#[must_use]
pub fn failed(agent: &mut Agent, why: &str, now: Timestamp) -> bool {
    let Ok(status) = transition::agent(agent.status, AgentEvent::Fail) else { return false };
    agent.status = status;
    agent.error_message = Some(why.to_owned());
    agent.updated_at = now;
    true
}

/// It is to be deployed once more; a task follows.
///
/// # Errors
/// [`Refusal::Illegal`]: it is being deployed already.
pub fn again(agent: &mut Agent, now: Timestamp) -> Result<(), Refusal> {
    if matches!(agent.status, AgentStatus::Building | AgentStatus::Deploying) {
        let (machine, state, event) = ("agent", agent.status.as_str(), "deploying again");
        return Err(IllegalTransition { machine, state, event }.into());
    }
    agent.status = AgentStatus::Deploying;
    agent.error_message = None;
    agent.updated_at = now;
    Ok(())
}
