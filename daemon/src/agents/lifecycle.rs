//! Bringing an agent into service and out of it on behalf of people, changing and deleting it. What cannot be is refused
//! before anything is written.

use nexus_plugin_api::payload::AgentStatus as Reported;

use super::{AgentError, Agents, Result, lost};
use crate::{
    deletion::AgentGone,
    domain::{
        agent::{Agent, AgentChange, AgentStatus, Deployment, NewPlace},
        allowed_transitions::{self, AgentEvent},
        caller::Caller,
        deletion::DeleteOrders,
        failure::Failure,
        ids::{AgentId, TaskId},
    },
    jobs::targets,
    telemetry::told,
};

/// States that people may put an agent into.
const WORDS: [AgentStatus; 3] = [AgentStatus::Running, AgentStatus::Offline, AgentStatus::Error];

/// Whether people may put an agent that is `now` into this state.
fn possible(now: AgentStatus, wanted: AgentStatus) -> bool {
    let event = match wanted {
        // While it is being deployed, the deployment says how that ends.
        AgentStatus::Running if now == AgentStatus::Deploying => return false,
        AgentStatus::Running => AgentEvent::Run,
        AgentStatus::Offline => AgentEvent::TakeOffline,
        AgentStatus::Error => AgentEvent::Fail,
        AgentStatus::Building | AgentStatus::Deploying => return false,
    };
    allowed_transitions::agent(now, event).is_ok()
}

fn illegal(now: AgentStatus, wanted: AgentStatus) -> AgentError {
    AgentError::Illegal { now, wanted, allowed: WORDS.into_iter().filter(|word| possible(now, *word)).collect() }
}

fn is_local(agent: &Agent) -> bool {
    agent.deployment.target == targets::LOCAL
}

/// Whether others deployed it: then it is asked, and never brought up or taken down.
fn is_adopted(agent: &Agent) -> bool {
    agent.deployment.options.get("adopted").and_then(serde_json::Value::as_bool).unwrap_or(false)
}

impl Agents {
    /// Changes what its record says, then its state. What its state or its deploy target does not allow changes nothing.
    pub async fn update(
        &self,
        caller: &Caller,
        id: &AgentId,
        change: AgentChange,
        status: Option<AgentStatus>,
    ) -> Result<Agent> {
        let mut agent = self.get(caller, id).await?;
        if let Some(status) = status {
            self.check_state(&agent, status)?;
        }
        if change != AgentChange::default() {
            let changed = self.store.update_agent(id, change).await?;
            agent = changed.ok_or_else(|| AgentError::Unknown(id.clone()))?;
        }
        match status {
            Some(status) => self.put_into(caller, agent, status, None).await,
            None => Ok(agent),
        }
    }

    /// Puts an agent into a state: `running` deploys it, `offline` takes it out of service, `error` notes why.
    pub async fn put_into(
        &self,
        caller: &Caller,
        agent: Agent,
        wanted: AgentStatus,
        error: Option<String>,
    ) -> Result<Agent> {
        self.check_state(&agent, wanted)?;
        let id = agent.agent_id.clone();
        if wanted == AgentStatus::Running {
            if agent.status != AgentStatus::Running {
                self.deploy(caller, &agent).await?;
            }
            return self.get(caller, &id).await;
        }
        // First the record, so that nobody asks it any more.
        let changed = self.store.set_agent_status(&id, wanted, error).await?;
        let changed = changed.ok_or_else(|| AgentError::Unknown(id.clone()))?;
        told::agent_put(&id, agent.status, changed.status);
        if wanted == AgentStatus::Offline && self.has_target(&agent) {
            self.undeploy(&agent).await?;
        }
        Ok(changed)
    }

    /// Deploys an agent with what its folder holds now; answers the task that does it. One whose project is gone has no
    /// task: its process is ended, and the next question starts it anew.
    pub async fn deploy(&self, _caller: &Caller, agent: &Agent) -> Result<Option<TaskId>> {
        self.check_deploy(agent)?;
        if agent.project_id.is_some() {
            return Ok(self.store.redeploy_agent(&agent.agent_id, None).await?);
        }
        self.undeploy(agent).await?;
        self.store.set_agent_status(&agent.agent_id, AgentStatus::Running, None).await?;
        told::agent_put(&agent.agent_id, agent.status, AgentStatus::Running);
        Ok(None)
    }

    /// Deploys an agent where `to` says, from now on; with none, where it is. It keeps its id, its files, its sessions. What
    /// runs at its former place is taken down first: whatever cuts this off, nothing runs on that no record knows of.
    pub async fn deploy_to(&self, caller: &Caller, id: &AgentId, to: Option<NewPlace>) -> Result<Agent> {
        let (this, caller, id) = (self.clone(), caller.clone(), id.clone());
        // Runs to its end even when the caller goes away.
        let whole = self.tasks.spawn(async move {
            let agent = this.get(&caller, &id).await?;
            let Some(to) = to else {
                this.deploy(&caller, &agent).await?;
                return this.get(&caller, &id).await;
            };
            let place = Agent { deployment: Deployment::to(&to.target), ..agent.clone() };
            this.check_deploy(&place)?;
            if agent.project_id.is_none() {
                return Err(AgentError::ProjectGone);
            }
            if agent.deployment.target != to.target && this.has_target(&agent) {
                this.undeploy(&agent).await?;
            }
            this.store.redeploy_agent(&id, Some(to)).await?;
            this.get(&caller, &id).await
        });
        whole.await.map_err(lost)?
    }

    /// How its deploy handler says it is.
    pub async fn reported(&self, _caller: &Caller, agent: &Agent) -> std::result::Result<Reported, Failure> {
        self.deployed.status(agent).await
    }

    /// Deletes an agent with its sessions and their messages. Runs to its end even when the caller goes away. It is taken
    /// out of service, unless it runs in the cloud and `cloud` is false; `files` says whether its files go, too.
    pub async fn delete(&self, caller: &Caller, id: AgentId, files: bool, cloud: bool) -> Result<AgentGone> {
        let (this, caller) = (self.clone(), caller.clone());
        let whole = self.tasks.spawn(async move {
            let agent = this.get(&caller, &id).await?;
            let orders = DeleteOrders { undeploy: cloud || is_local(&agent), files };
            this.deletions.agent(&id, orders).await?.ok_or(AgentError::Unknown(id))
        });
        whole.await.map_err(lost)?
    }

    /// Refuses what [`Agents::put_into`] would refuse.
    fn check_state(&self, agent: &Agent, wanted: AgentStatus) -> Result<()> {
        if !possible(agent.status, wanted) {
            return Err(illegal(agent.status, wanted));
        }
        if wanted == AgentStatus::Running && agent.status != AgentStatus::Running {
            return self.check_deploy(agent);
        }
        Ok(())
    }

    /// Refuses what [`Agents::deploy`] would refuse.
    pub(super) fn check_deploy(&self, agent: &Agent) -> Result<()> {
        if matches!(agent.status, AgentStatus::Building | AgentStatus::Deploying) {
            return Err(illegal(agent.status, AgentStatus::Running));
        }
        if !self.has_target(agent) {
            return Err(AgentError::NoTarget(agent.deployment.target.clone()));
        }
        if agent.project_id.is_none() && !is_local(agent) && !is_adopted(agent) {
            return Err(AgentError::ProjectGone);
        }
        Ok(())
    }

    fn has_target(&self, agent: &Agent) -> bool {
        self.config.load().deploy.targets.contains_key(&agent.deployment.target)
    }

    async fn undeploy(&self, agent: &Agent) -> Result<()> {
        self.deployed.undeploy(agent).await.map_err(|failure| {
            tracing::warn!(agent_id = %agent.agent_id, %failure, "an agent could not be taken out of service");
            AgentError::Handler(failure, agent.agent_id.clone())
        })
    }
}
