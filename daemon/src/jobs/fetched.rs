//! Which deployment's files of an agent this process has seen brought here. Of this process only: after a restart they
//! are looked at once more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

use crate::domain::{agent::Agent, ids::AgentId};

/// Agents that are remembered.
const KEPT: usize = 10_000;

type Number = Arc<tokio::sync::Mutex<u64>>;

#[derive(Default)]
pub(super) struct Brought(Mutex<HashMap<AgentId, Number>>);

impl Brought {
    /// The number of an agent's deployment whose files are here, held while they are brought: who asks meanwhile waits.
    pub(super) async fn of(&self, agent: &Agent) -> OwnedMutexGuard<u64> {
        let number = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= KEPT {
                all.clear();
            }
            Arc::clone(all.entry(agent.agent_id.clone()).or_default())
        };
        number.lock_owned().await
    }
}
