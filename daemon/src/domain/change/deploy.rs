//! What a deployment does to an agent's record.

use serde_json::Value;

use super::{Refusal, TaskChange, agent::told};
use crate::domain::{
    agent::{Agent, AgentStatus, Deployment, NewPlace},
    allowed_transitions::{self, AgentEvent, IllegalTransition, TaskEvent},
    event::NewEvent,
    failure::Failure,
    task::{TaskStatus, TaskType},
    time::Timestamp,
};

/// Why a message is not for a deployment now, whoever asks; its message may go.
#[must_use]
pub fn obsolete(status: TaskStatus, task_type: TaskType) -> Option<&'static str> {
    (status.is_final() || task_type != TaskType::DeployAgent).then_some("the task has ended")
}

/// A worker begins; what is told if the agent was not being deployed already.
///
/// # Errors
/// [`Refusal::Illegal`]: the agent is not to be deployed now.
pub fn begin(agent: &mut Agent, now: Timestamp) -> Result<Option<NewEvent>, Refusal> {
    let status = allowed_transitions::agent(agent.status, AgentEvent::Deploy)?;
    // Its own for each claim: a process that a former owner started, or another daemon before, is not taken for it.
    agent.generation += 1;
    if agent.status == status {
        return Ok(None);
    }
    agent.status = status;
    agent.updated_at = now;
    Ok(Some(told(agent, None, now)))
}

/// The agent runs. `details` is what the deployer says; its own part is in `details.details`.
///
/// # Errors
/// [`Refusal::Illegal`]: the agent was not being deployed.
pub fn deployed(agent: &mut Agent, details: &Value, now: Timestamp) -> Result<NewEvent, Refusal> {
    agent.status = allowed_transitions::agent(agent.status, AgentEvent::Run)?;
    if let Some(options) = details.get("details").and_then(Value::as_object) {
        agent.deployment.options.extend(options.clone());
    }
    agent.deployed_at = Some(now);
    agent.updated_at = now;
    agent.error_message = None;
    agent.deployment_details = Some(details.clone());
    Ok(told(agent, None, now))
}

/// The deployment failed. `None`: an agent that was taken out of service in between stays so.
#[must_use]
pub fn failed(agent: &mut Agent, why: &str, now: Timestamp) -> Option<NewEvent> {
    agent.status = allowed_transitions::agent(agent.status, AgentEvent::Fail).ok()?;
    agent.error_message = Some(why.to_owned());
    agent.updated_at = now;
    Some(told(agent, Some(why), now))
}

/// A deployment ended: what is told of the agent, and how the task ends.
///
/// # Errors
/// [`Refusal::Illegal`], as [`deployed`] says.
pub fn ended<'r>(
    agent: &mut Agent,
    result: &'r Result<Value, Failure>,
    now: Timestamp,
) -> Result<(Option<NewEvent>, TaskChange<'r>), Refusal> {
    match result {
        Ok(details) => {
            let told = deployed(agent, details, now)?;
            Ok((Some(told), TaskChange { event: TaskEvent::Complete, error: None }))
        }
        Err(failure) => {
            let end = TaskChange { event: TaskEvent::Fail, error: Some(&failure.message) };
            Ok((failed(agent, &failure.message, now), end))
        }
    }
}

/// The agent is to be deployed once more; a task of its project follows.
///
/// # Errors
/// [`Refusal::Illegal`]: it is being deployed already; [`Refusal::Conflict`]: its project is gone.
pub fn again(agent: &mut Agent, to: Option<&NewPlace>, has_project: bool, now: Timestamp) -> Result<NewEvent, Refusal> {
    if is_under_way(agent.status) {
        let (machine, state, event) = ("agent", agent.status.as_str(), "deploying again");
        return Err(IllegalTransition { machine, state, event }.into());
    }
    if !has_project {
        return Err(Refusal::Conflict("the agent's project is gone, so it cannot be deployed again"));
    }
    if let Some(to) = to {
        // What was known of the former place says nothing of the new one.
        if agent.deployment.target != to.target {
            agent.deployment = Deployment::to(&to.target);
            agent.deployment_details = None;
        }
        agent.deployment_config = Some(to.config.clone());
    }
    agent.status = AgentStatus::Deploying;
    agent.error_message = None;
    agent.updated_at = now;
    Ok(told(agent, None, now))
}

/// Whether a task is on its way that puts the agent into service.
pub(super) const fn is_under_way(status: AgentStatus) -> bool {
    matches!(status, AgentStatus::Building | AgentStatus::Deploying)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::change::agent::tests::agent;

    fn now() -> Timestamp {
        Timestamp::from_micros(2)
    }

    #[test]
    fn a_message_is_for_a_deployment_that_has_not_ended() {
        for (status, of, wanted) in [
            (TaskStatus::Pending, TaskType::DeployAgent, true),
            (TaskStatus::Running, TaskType::DeployAgent, true),
            (TaskStatus::Queued, TaskType::BuildAgent, false),
            (TaskStatus::Completed, TaskType::DeployAgent, false),
            (TaskStatus::Cancelled, TaskType::DeployAgent, false),
        ] {
            assert_eq!(obsolete(status, of).is_none(), wanted, "{status} {of}");
        }
    }

    #[test]
    fn each_claim_of_a_deployment_has_a_generation_and_only_the_first_is_told() {
        let mut deployed = agent(AgentStatus::Offline);
        assert!(begin(&mut deployed, now()).unwrap().is_some());
        assert!(begin(&mut deployed, now()).unwrap().is_none());
        assert_eq!((deployed.status, deployed.generation), (AgentStatus::Deploying, 2));
    }

    #[test]
    fn a_deployment_ends_in_service_or_in_error() {
        let mut one = agent(AgentStatus::Deploying);
        one.error_message = Some("before".into());
        one.deployment.options.insert("arn".into(), json!("kept"));
        let details = json!({"details": {"region": "eu-west-1"}, "process": 7});
        deployed(&mut one, &details, now()).unwrap();
        assert_eq!((one.status, one.error_message.clone()), (AgentStatus::Running, None));
        assert_eq!((one.deployed_at, one.deployment_details.clone()), (Some(now()), Some(details)));
        assert_eq!(json!(one.deployment.options), json!({"arn": "kept", "region": "eu-west-1"}));
        assert!(deployed(&mut agent(AgentStatus::Building), &json!({}), now()).is_err());
        assert!(failed(&mut one, "why", now()).is_some());
        assert_eq!((one.status, one.error_message.as_deref()), (AgentStatus::Error, Some("why")));
        let mut offline = agent(AgentStatus::Offline);
        assert!(failed(&mut offline, "why", now()).is_none(), "taken out of service in between");
        assert_eq!((offline.status, offline.error_message), (AgentStatus::Offline, None));
    }

    #[test]
    fn an_agent_is_deployed_again_when_nothing_is_under_way_and_it_has_a_project() {
        for status in AgentStatus::ALL {
            let mut one = agent(*status);
            let under_way = matches!(status, AgentStatus::Building | AgentStatus::Deploying);
            assert!(matches!(
                (again(&mut one, None, false, now()), under_way),
                (Err(Refusal::Conflict(_)), false) | (Err(Refusal::Illegal(_)), true)
            ));
            assert_eq!(one.status, *status);
            assert_eq!(again(&mut one, None, true, now()).is_ok(), !under_way);
            assert_eq!(one.status, if under_way { *status } else { AgentStatus::Deploying });
        }
    }

    #[test]
    fn an_agent_that_moves_keeps_itself_and_forgets_its_former_place() {
        let mut one = agent(AgentStatus::Running);
        one.deployment.options.insert("agentcore_runtime_arn".into(), "arn".into());
        one.deployment_details = Some(json!({"details": {}}));
        let before = one.clone();
        let place = |target: &str| NewPlace { target: target.to_owned(), config: json!({"type": target}) };
        let same = place(&before.deployment.target);
        again(&mut one, Some(&same), true, now()).unwrap();
        assert_eq!((&one.deployment, &one.deployment_details), (&before.deployment, &before.deployment_details));
        one.status = AgentStatus::Running;
        again(&mut one, Some(&place("elsewhere")), true, now()).unwrap();
        assert_eq!((one.deployment, one.deployment_details), (Deployment::to("elsewhere"), None));
        assert_eq!(one.deployment_config.unwrap()["type"], "elsewhere");
        assert_eq!((one.agent_id, one.files, one.generation), (before.agent_id, before.files, before.generation));
    }
}
