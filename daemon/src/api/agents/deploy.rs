//! `/agents/{id}/deploy`: one word says where an agent runs.

use salvo::{Writer as _, oapi::endpoint};

use super::view::AgentView;
use crate::{
    api::{
        http::{
            error::ApiError,
            request::{
                extract::{Body, Id, State},
                rules::fields_of,
            },
            response::{Answer, Reply},
        },
        projects::Deployment,
    },
    domain::{agent::NewPlace, ids::AgentId},
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
