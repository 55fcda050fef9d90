//! Agents and their deployments.

use async_trait::async_trait;

use super::{ClaimBuild, DeployClaim, DeployEnd, KeptAnswer, Result};
use crate::domain::{
    agent::{Agent, AgentChange, AgentStatus, Invocation, NewPlace},
    ids::{AgentId, TaskId},
    task::Lease,
};

/// Agents and their use.
#[async_trait]
pub trait Agents: Send + Sync + 'static {
    async fn agent(&self, id: &AgentId) -> Result<Option<Agent>>;

    /// Changes an agent's state by the agent machine.
    async fn set_agent_status(&self, id: &AgentId, status: AgentStatus, error: Option<String>)
    -> Result<Option<Agent>>;

    /// Changes what people may change of an agent, its state by the agent machine, in one unit.
    ///
    /// # Errors
    /// `BackendErrorKind::Illegal` when the machine does not allow the state.
    async fn update_agent(&self, id: &AgentId, change: AgentChange) -> Result<Option<Agent>>;

    /// Registers an agent that was deployed by others and gives it a name that no other is called by; one that is known stays
    /// as it is.
    async fn adopt_agent(&self, agent: Agent) -> Result<Agent>;

    /// Writes an invocation, moves the agent's figures and those of the tools it called, and ends what
    /// `take_key` began, in one unit. When the key is another's by now, or answered, that stays, and only the
    /// invocation is written.
    async fn record_invocation(&self, invocation: Invocation, idempotency: Option<KeptAnswer>) -> Result<()>;
}

/// An agent is put into service by a task.
#[async_trait]
pub trait Deployments: Send + Sync + 'static {
    /// Takes the lease of a deploy task; the agent becomes `deploying`.
    async fn claim_deploy(&self, claim: ClaimBuild) -> Result<DeployClaim>;

    /// Ends a deploy task under its lease: the agent becomes `running` or `error`.
    async fn finish_deploy(&self, lease: &Lease, end: DeployEnd) -> Result<()>;

    /// Queues a deployment of an agent that is known, in one unit, to another place if one is given; the agent becomes
    /// `deploying`. `None` when unknown.
    ///
    /// # Errors
    /// `BackendErrorKind::Illegal` while a deployment is under way; `BackendErrorKind::Conflict` when the agent's
    /// project is gone: deploy tasks belong to one.
    async fn redeploy_agent(&self, id: &AgentId, to: Option<NewPlace>) -> Result<Option<TaskId>>;
}
