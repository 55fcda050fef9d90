//! `/agents/{id}/budget`: what an agent may spend on language models in a day.

use salvo::{Writer as _, oapi::endpoint};

use crate::api::http::{
    request::{
        extract::{Body, Id, State},
        rules::{Integer, fields_of},
    },
    response::{Answer, Reply},
};
use crate::api::projects::budget::{Dollars, MOST_TOKENS};
use crate::{
    agents::{DayBudget, DayBudgetUse},
    domain::ids::AgentId,
};

fields_of! {
    /// The limits of an agent's day. What is absent or null is not limited, but by `[models.budget]`.
    pub(crate) AgentBudgetBody {
        /// The most that may be spent in a day (UTC), in dollars.
        usd_per_day: Dollars,
        /// The most tokens of a day, sent and received.
        tokens_per_day: Integer<0, MOST_TOKENS>,
    }
}

/// `GET /agents/{id}/budget`
///
/// Read what an agent may spend on language models in a day, and what it has spent today.
#[endpoint(operation_id = "getAgentBudget", tags("agents"))]
pub(crate) async fn read(state: State, id: Id<AgentId>) -> Answer<DayBudgetUse> {
    state.agents.get(state.caller(), &id.0).await?;
    Ok(Reply::new(state.agents.budget(state.caller(), &id.0).await?))
}

/// `PUT /agents/{id}/budget`
///
/// Replace what an agent may spend on language models in a day. It holds from the next call of a model on; an agent that may
/// spend no more says so in its answers.
#[endpoint(operation_id = "setAgentBudget", tags("agents"))]
pub(crate) async fn set(state: State, id: Id<AgentId>, body: Body<AgentBudgetBody>) -> Answer<DayBudgetUse> {
    let Body(AgentBudgetBody { usd_per_day, tokens_per_day }) = body;
    let budget = DayBudget { usd: usd_per_day, tokens: tokens_per_day.map(i64::unsigned_abs) };
    Ok(Reply::new(state.agents.set_budget(state.caller(), &id.0, budget).await?))
}
