//! Agents that others deployed: registered, so that they can be asked here, and never changed.

use nexus_plugin_api::payload::AgentState;

use super::{AgentError, Agents, Result};
use crate::{
    domain::{
        agent::{Agent, AgentStatus, Deployment},
        caller::Caller,
        ids::AgentId,
        time::Timestamp,
    },
    telemetry::told,
};

/// The target whose handler knows AgentCore.
const TARGET: &str = "agentcore";
const DEFAULT_ALIAS: &str = "DEFAULT";

/// A runtime that is to be an agent here.
#[derive(Clone, Debug)]
pub struct Adoption {
    pub runtime_arn: String,
    /// The endpoint to ask.
    pub runtime_alias: Option<String>,
    pub agent_name: Option<String>,
    pub description: Option<String>,
}

impl Agents {
    /// Registers a runtime, when its deploy handler says that it is there. The same runtime again is the same agent.
    pub async fn adopt(&self, caller: &Caller, adoption: Adoption) -> Result<Agent> {
        if !self.config.load().deploy.targets.contains_key(TARGET) {
            return Err(AgentError::NoTarget(TARGET.to_owned()));
        }
        let agent = of_runtime(adoption);
        let id = agent.agent_id.clone();
        let said = self.reported(caller, &agent).await;
        let said = said.map_err(|failure| AgentError::Handler(failure, id.clone()))?;
        if !matches!(said.state, AgentState::Running | AgentState::Idle | AgentState::Starting) {
            self.deployed.remove_passing(&agent).await;
            return Err(AgentError::NotThere(format!("the runtime cannot be adopted: {}", said.message)));
        }
        let adopted = self.store.adopt_agent(agent).await?;
        told::agent_put(&id, AgentStatus::Building, adopted.status);
        Ok(adopted)
    }
}

fn of_runtime(adoption: Adoption) -> Agent {
    let Adoption { runtime_arn, runtime_alias, agent_name, description } = adoption;
    // `NAME-1a2b3c4d5e` behind the last slash.
    let id = runtime_arn.rsplit('/').next().unwrap_or_default();
    let own = id.rsplit_once('-').map_or(id, |(name, _)| name).to_owned();
    let some = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let mut deployment = Deployment::to(TARGET);
    let region = runtime_arn.split(':').nth(3).unwrap_or_default().to_owned();
    for (name, value) in [
        ("agentcore_runtime_alias", some(runtime_alias).unwrap_or_else(|| DEFAULT_ALIAS.to_owned())),
        ("agentcore_region", region),
        ("agentcore_runtime_arn", runtime_arn.clone()),
    ] {
        deployment.options.insert(name.to_owned(), value.into());
    }
    deployment.options.insert("adopted".to_owned(), true.into());
    Agent {
        agent_name: some(agent_name).unwrap_or(own),
        description: description.unwrap_or_default(),
        status: AgentStatus::Running,
        deployment,
        ..Agent::unused(AgentId::of_deployment(TARGET, &runtime_arn), Timestamp::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_one_agent_however_often_it_is_adopted() {
        let arn = "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/prices-1a2b3c4d5e";
        let adoption = |name: Option<&str>| Adoption {
            runtime_arn: arn.to_owned(),
            runtime_alias: None,
            agent_name: name.map(str::to_owned),
            description: None,
        };
        let (one, two) = (of_runtime(adoption(None)), of_runtime(adoption(Some("Fruit"))));
        assert_eq!(
            (&one.agent_id, one.agent_name.as_str(), two.agent_name.as_str()),
            (&two.agent_id, "prices", "Fruit")
        );
        assert_eq!(one.deployment.text("agentcore_region").as_deref(), Some("eu-west-1"));
        assert_eq!(one.agent_id.as_str().len(), "agent_".len() + 12);
    }
}
