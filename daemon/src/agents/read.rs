//! What there is to know of agents.

use super::{AgentError, Agents, Result};
use crate::{
    backend::store::{AgentFilter, Page, PageRequest, Result as Stored},
    domain::{agent::Agent, caller::Caller, ids::AgentId},
};

impl Agents {
    pub async fn list(&self, _caller: &Caller, filter: &AgentFilter, page: &PageRequest) -> Stored<Page<Agent>> {
        self.store.list_agents(filter, page).await
    }

    pub async fn get(&self, _caller: &Caller, id: &AgentId) -> Result<Agent> {
        self.store.agent(id).await?.ok_or_else(|| AgentError::Unknown(id.clone()))
    }
}
