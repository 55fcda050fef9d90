//! What a project may spend on language models, and what it has spent. Kept in the books of models, where it holds
//! (`models/ledger.rs`).

use schemars::JsonSchema;
use serde::Serialize;

use super::{ProjectError, Projects, Result};
use crate::{
    backend::store::{Limits, Statement},
    domain::{caller::Caller, ids::ProjectId},
    models::{from_dollars, project_account, to_dollars},
};

/// Limits of a project; `None` is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    pub usd: Option<f64>,
    pub tokens: Option<u64>,
}

/// A project's budget, and what of it is used. What is set aside for calls under way counts as used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ProjectBudget")]
pub struct BudgetUse {
    /// The most that may be spent, in dollars; null: the settings' limits alone hold.
    pub usd: Option<f64>,
    /// The most tokens, sent and received; null: the settings' limits alone hold.
    pub tokens: Option<u64>,
    pub used_usd: f64,
    pub used_tokens: u64,
}

impl Budget {
    pub(super) fn limits(self) -> Limits {
        Limits { cost: self.usd.map(from_dollars), tokens: self.tokens }
    }
}

impl From<Statement> for BudgetUse {
    fn from(Statement { used, limits }: Statement) -> Self {
        Self {
            usd: limits.cost.map(to_dollars),
            tokens: limits.tokens,
            used_usd: to_dollars(used.cost),
            used_tokens: used.tokens,
        }
    }
}

impl Projects {
    /// The project's budget and what of it is used.
    pub async fn budget(&self, _caller: &Caller, id: &ProjectId) -> Result<BudgetUse> {
        Ok(self.store.account(&project_account(id.as_str())).await?.into())
    }

    /// Replaces the project's budget. It holds from the next call of a model on; a build that waits for it goes on when it is
    /// resumed.
    pub async fn set_budget(&self, caller: &Caller, id: &ProjectId, budget: Budget) -> Result<BudgetUse> {
        self.store.project(id).await?.ok_or_else(|| ProjectError::Unknown(id.clone()))?;
        self.store.limit_account(&project_account(id.as_str()), budget.limits()).await?;
        self.budget(caller, id).await
    }
}
