//! What an agent may spend on language models in a day, and what it has spent today. Kept in the books of models, where it
//! holds (`models/ledger.rs`).

use schemars::JsonSchema;
use serde::Serialize;

use super::{AgentError, Agents, Result};
use crate::{
    backend::store::{Limits, agent_account, agent_day_account},
    domain::{caller::Caller, ids::AgentId, time::Timestamp},
    models::{from_dollars, to_dollars},
};

/// An agent's own limits for a day (UTC); `None` is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DayBudget {
    pub usd: Option<f64>,
    pub tokens: Option<u64>,
}

/// An agent's budget, and what of it is used. What is set aside for calls under way counts as used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "AgentBudget")]
pub struct DayBudgetUse {
    /// The most that may be spent in a day (UTC), in dollars; null: the settings' limits alone hold.
    pub usd_per_day: Option<f64>,
    /// The most tokens of a day, sent and received; null: the settings' limits alone hold.
    pub tokens_per_day: Option<u64>,
    pub used_usd_today: f64,
    pub used_tokens_today: u64,
}

impl Agents {
    /// The agent's budget and what of it is used today.
    pub async fn budget(&self, _caller: &Caller, id: &AgentId) -> Result<DayBudgetUse> {
        let (own, day) = (agent_account(id.as_str()), agent_day_account(id.as_str(), Timestamp::now()));
        let (own, day) = tokio::try_join!(self.store.account(&own), self.store.account(&day))?;
        Ok(DayBudgetUse {
            usd_per_day: own.limits.cost.map(to_dollars),
            tokens_per_day: own.limits.tokens,
            used_usd_today: to_dollars(day.used.cost),
            used_tokens_today: day.used.tokens,
        })
    }

    /// Replaces the agent's budget. It holds from the next call of a model on.
    pub async fn set_budget(&self, caller: &Caller, id: &AgentId, budget: DayBudget) -> Result<DayBudgetUse> {
        self.store.agent(id).await?.ok_or_else(|| AgentError::Unknown(id.clone()))?;
        let limits = Limits { cost: budget.usd.map(from_dollars), tokens: budget.tokens };
        self.store.limit_account(&agent_account(id.as_str()), limits).await?;
        self.budget(caller, id).await
    }
}
