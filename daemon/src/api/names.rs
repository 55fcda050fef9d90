//! What agents are called in lists. Builds name agents for programs, and many get one name; people need names that
//! tell agents apart: words with spaces, and a number where another agent has the name already. The oldest has none.
//!
//! The names are made from the records in the order in which those came, so every daemon makes the same ones; what
//! was named keeps its name while the daemon runs.

use std::collections::{HashMap, HashSet};

use tokio::sync::Mutex;

use crate::{
    domain::{agent::Agent, ids::AgentId},
    store::{AgentFilter, PageRequest, Result, Store},
};

/// Agents that are read at a time when some have no name yet.
const PAGE: u64 = 100;

/// See the module.
#[derive(Default)]
pub struct Names(Mutex<Given>);

#[derive(Default)]
struct Given {
    /// Name in the record, and name for people.
    of: HashMap<AgentId, (String, String)>,
    taken: HashSet<String>,
}

impl Names {
    /// The names of these agents, in their order.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn of(&self, store: &dyn Store, agents: &[Agent]) -> Result<Vec<String>> {
        let mut given = self.0.lock().await;
        if !agents.iter().all(|agent| given.knows(agent)) {
            let mut new = unnamed(store, &given).await?;
            // One that came while the others were read.
            new.extend(agents.iter().filter(|agent| !given.knows(agent)).cloned());
            new.sort_by(|one, other| (one.created_at, &one.agent_id).cmp(&(other.created_at, &other.agent_id)));
            new.iter().for_each(|agent| given.name(agent));
        }
        let name =
            |agent: &Agent| given.of.get(&agent.agent_id).map_or_else(|| human(&agent.agent_name), |n| n.1.clone());
        Ok(agents.iter().map(name).collect())
    }
}

/// All agents without a name, newest first, up to the first page that brings none.
async fn unnamed(store: &dyn Store, given: &Given) -> Result<Vec<Agent>> {
    let (mut new, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.list_agents(&AgentFilter::default(), &PageRequest { page: 1, limit: PAGE, cursor }).await?;
        let before = new.len();
        new.extend(page.items.into_iter().filter(|agent| !given.of.contains_key(&agent.agent_id)));
        cursor = page.next_cursor.filter(|_| new.len() > before);
        if cursor.is_none() {
            return Ok(new);
        }
    }
}

impl Given {
    fn knows(&self, agent: &Agent) -> bool {
        self.of.get(&agent.agent_id).is_some_and(|(name, _)| *name == agent.agent_name)
    }

    fn name(&mut self, agent: &Agent) {
        if self.knows(agent) {
            return;
        }
        if let Some((_, renamed)) = self.of.remove(&agent.agent_id) {
            self.taken.remove(&renamed);
        }
        let base = human(&agent.agent_name);
        let numbered = (2..).map(|number: u64| format!("{base} {number}"));
        let free = std::iter::once(base.clone()).chain(numbered).find(|name| !self.taken.contains(name));
        let name = free.unwrap_or(base);
        self.taken.insert(name.clone());
        self.of.insert(agent.agent_id.clone(), (agent.agent_name.clone(), name));
    }
}

/// `price_list_agent` as people write it: `Price list agent`.
fn human(name: &str) -> String {
    let words = name.replace('_', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn identifiers_become_words() {
        for (name, wanted) in
            [("price_list_agent", "Price list agent"), ("价格助手", "价格助手"), ("", ""), ("My Bot", "My Bot")]
        {
            assert_eq!(human(name), wanted);
        }
    }
}
