//! What there is to know of agents.

use super::{AgentError, Agents, Result};
use crate::{
    backend::store::{AgentFilter, Page, PageRequest, ProjectFilter, Result as Stored},
    domain::{agent::Agent, caller::Caller, ids::AgentId},
};

/// Projects that are looked at together.
const PROJECTS: u64 = 100;
/// Most agents that a user's list is made of.
const MOST_AGENTS: usize = 10_000;

impl Agents {
    /// A page of the agents that are the caller's to see, newest first.
    pub async fn list(&self, caller: &Caller, filter: &AgentFilter, page: &PageRequest) -> Stored<Page<Agent>> {
        match caller.sees_only() {
            None => self.store.list_agents(filter, page).await,
            Some(user) => self.list_of(caller, user, filter, page).await,
        }
    }

    /// Those of the user's projects, and those that are shared with him. A user has few; they are gathered and then paged.
    async fn list_of(
        &self,
        caller: &Caller,
        user: &str,
        filter: &AgentFilter,
        page: &PageRequest,
    ) -> Stored<Page<Agent>> {
        let wanted = |agent: &Agent| {
            filter.status.is_none_or(|status| agent.status == status)
                && filter.category.as_ref().is_none_or(|category| agent.category == *category)
                && filter.project_id.as_ref().is_none_or(|project| agent.project_id.as_ref() == Some(project))
        };
        let own = ProjectFilter { user_id: Some(user.to_owned()), ..ProjectFilter::default() };
        let (mut found, mut number): (Vec<Agent>, u64) = (Vec::new(), 1);
        loop {
            let asked = PageRequest { page: number, limit: PROJECTS, cursor: None };
            let projects = self.store.list_projects(&own, &asked).await?;
            let last = projects.items.len() < usize::try_from(PROJECTS).unwrap_or(usize::MAX);
            for project in projects.items {
                let of_project = AgentFilter { project_id: Some(project.project_id), ..AgentFilter::default() };
                let all = PageRequest { page: 1, limit: PROJECTS, cursor: None };
                found.extend(self.store.list_agents(&of_project, &all).await?.items);
            }
            if last || found.len() >= MOST_AGENTS {
                break;
            }
            number += 1;
        }
        for shared in &caller.scopes.shared {
            found.extend(self.store.agent(shared).await?);
        }
        found.retain(wanted);
        found.sort_by(|a, b| (b.created_at, &b.agent_id).cmp(&(a.created_at, &a.agent_id)));
        found.dedup_by(|a, b| a.agent_id == b.agent_id);
        // The cursor of such a list is the number of the next page.
        let number = page.cursor.as_deref().and_then(|cursor| cursor.parse().ok()).unwrap_or(page.page).max(1);
        let skipped = usize::try_from((number - 1).saturating_mul(page.limit)).unwrap_or(usize::MAX);
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let total = found.len() as u64;
        let more = found.len() > skipped.saturating_add(limit);
        let items = found.into_iter().skip(skipped).take(limit).collect();
        Ok(Page { items, total, next_cursor: more.then(|| (number + 1).to_string()) })
    }

    pub async fn get(&self, _caller: &Caller, id: &AgentId) -> Result<Agent> {
        self.store.agent(id).await?.ok_or_else(|| AgentError::Unknown(id.clone()))
    }
}
