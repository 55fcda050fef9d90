//! Agents that can be asked. One that is being deployed is waited for, up to a bound: who has just built an agent may ask
//! it at once.

use std::{future::Future, time::Duration};

use tokio::time::Instant;

use super::{AgentError, Conversations, Result};
use crate::{
    domain::{
        agent::{Agent, AgentStatus},
        caller::Caller,
        event::EventType,
        ids::AgentId,
    },
    events::Subscription,
};

/// How long `invoke` waits for an agent that is being deployed.
pub(super) const INVOKE_WAITS: Duration = Duration::from_secs(30);
/// How long a stream does, with signs of life meanwhile.
pub(super) const STREAM_WAITS: Duration = Duration::from_secs(60);
/// Between two looks at the record, where no event tells of it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How an agent is, for who wants to ask it.
pub(super) enum Readiness {
    /// It can be asked.
    Ready(Box<Agent>),
    /// It is being deployed.
    Soon(Box<Agent>),
}

impl Conversations {
    /// The agent, when it can be asked now or soon.
    pub(super) async fn readiness(&self, _caller: &Caller, id: &AgentId) -> Result<Readiness> {
        let found = self.store.agent(id).await?;
        let agent = Box::new(found.ok_or_else(|| AgentError::Unknown(id.clone()))?);
        match agent.status {
            AgentStatus::Running => Ok(Readiness::Ready(agent)),
            AgentStatus::Building | AgentStatus::Deploying => Ok(Readiness::Soon(agent)),
            AgentStatus::Error | AgentStatus::Offline => Err(AgentError::NotRunning(agent.status)),
        }
    }

    /// The agent, once it can be asked: at most after `limit`, and no longer than until `left`.
    pub(super) async fn askable_soon(
        &self,
        caller: &Caller,
        id: &AgentId,
        limit: Duration,
        left: impl Future<Output = ()>,
    ) -> Result<Agent> {
        let (until, mut told) = (Instant::now() + limit, None);
        tokio::pin!(left);
        loop {
            let agent = match self.readiness(caller, id).await? {
                Readiness::Ready(agent) => return Ok(*agent),
                Readiness::Soon(agent) => agent,
            };
            let not_running = || AgentError::NotRunning(agent.status);
            let Some(project) = &agent.project_id else { return Err(not_running()) };
            if told.is_none() {
                // From now on nothing is missed; what was told before this, the next look sees.
                told = Some(self.hub.subscribe(project));
                continue;
            }
            if Instant::now() >= until {
                return Err(not_running());
            }
            tokio::select! {
                () = next_of_agent(&mut told) => {}
                () = tokio::time::sleep_until(until.min(Instant::now() + LOOK_AGAIN)) => {}
                () = self.shutdown.cancelled() => return Err(not_running()),
                () = &mut left => return Err(not_running()),
            }
        }
    }
}

/// Resolves when an agent of the project changes, or events were missed.
async fn next_of_agent(told: &mut Option<Subscription>) {
    let Some(told) = told else { return std::future::pending().await };
    while let Ok(next) = told.recv().await {
        if next.event.kind == EventType::Agent {
            return;
        }
    }
    // The next look comes with the clock.
    std::future::pending().await
}
