//! `/agents/{id}/deploy`: one word says where an agent runs. `POST /agents`: one that others deployed is ours to ask.

use salvo::{Writer as _, oapi::endpoint};

use super::view::AgentView;
use crate::{
    agents::{Adoption, AgentError},
    api::{
        http::{
            error::ApiError,
            request::{
                extract::{Body, Id, State},
                rules::{Needed, Text, fields_of},
            },
            response::{Answer, Reply},
        },
        projects::Deployment,
    },
    domain::{agent::NewPlace, ids::AgentId},
    jobs::targets,
    workers::build::progress::deployment_target,
};

fields_of! {
    /// Where an agent is to run.
    pub(crate) DeployBody {
        /// The deployment target, or an object with `type` (or `target`) and what the target understands. Absent: deploy it
        /// again where it is.
        deployment: Deployment,
    }
}

/// `POST /agents/{id}/deploy`
///
/// Deploy an agent, as its files are now, where the body says. It keeps its id, its sessions and their messages, wherever it
/// goes; what runs at its former place is taken down. The answer says `deploying`.
#[endpoint(operation_id = "deployAgent", tags("agents"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn deploy(state: State, id: Id<AgentId>, body: Body<DeployBody>) -> Answer<AgentView> {
    let to = match body.0.deployment {
        None => None,
        Some(config) => {
            let named = deployment_target(Some(&config)).map(str::to_owned);
            let target = named.unwrap_or_else(|| state.config.load().deploy.default.clone());
            if target == targets::NONE {
                // Out of service is a status, not a place.
                return Err(AgentError::NoTarget(target).into());
            }
            let known = |name: &str| state.config.load().deploy.targets.contains_key(name);
            if !known(&target) {
                let names = state.config.load().deploy.targets.keys().cloned().collect::<Vec<_>>().join(", ");
                let message = format!("There is no such deployment target; known: {names}");
                return Err(ApiError::invalid("body", "deployment", "value_error", message, target.into()));
            }
            Some(NewPlace { target, config })
        }
    };
    let agent = state.agents.deploy_to(state.caller(), &id.0, to).await?;
    Ok(Reply::new(agent.into()).message("the agent is being deployed"))
}

fields_of! {
    /// An agent that others deployed.
    pub(crate) AdoptBody {
        /// ARN of its AgentCore runtime.
        runtime_arn: Needed<20, 2_048>,
        /// Absent: `DEFAULT`.
        runtime_alias: Text<0, 100>,
        /// Absent: the name that the ARN has.
        agent_name: Text<0, 200>,
        description: Text<0, 5_000>,
    }
}

/// `POST /agents`
///
/// Register an AgentCore runtime that others deployed, as an agent that can be asked here. It is looked at, and never changed:
/// deleting the agent leaves the runtime. The same runtime again is the same agent.
#[endpoint(operation_id = "adoptAgent", tags("agents"), responses((status_code = 409, description = "The target is not configured.")))]
pub(crate) async fn adopt(state: State, body: Body<AdoptBody>) -> Answer<AgentView> {
    let AdoptBody { runtime_arn, runtime_alias, agent_name, description } = body.0;
    let adoption = Adoption { runtime_arn, runtime_alias, agent_name, description };
    let agent = state.agents.adopt(state.caller(), adoption).await?;
    Ok(Reply::new(agent.into()).message("the runtime is registered as an agent"))
}
