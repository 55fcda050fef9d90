//! Agents: registered by the build that made them, changed by deployments, people and their use.

use super::{
    DynamoStore,
    aggregate::{Held, Plan, TRIES, contended, pause},
    asked,
    codec::{Record as _, Word},
    table::Table,
    tasks,
    unit::{Change, Guard, Refused, Unit},
    value::Item,
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind, fenced, illegal, not_found},
        files::Owner,
        store::{
            AgentChange, Once, Result,
            alike::{agent_event, deploy_payload, key_was_lost, towards},
            naming,
        },
    },
    domain::{
        agent::{Agent, AgentStatus, Invocation, InvocationStatus, NewAgent},
        event::NewEvent,
        ids::{AgentId, TaskId},
        task::TaskType,
        time::Timestamp,
        transition::{self, IllegalTransition},
    },
};

fn fresh(agent: &NewAgent, now: Timestamp) -> Agent {
    Agent {
        agent_id: agent.agent_id.clone(),
        project_id: None,
        agent_name: String::new(),
        display_name: String::new(),
        description: String::new(),
        category: String::new(),
        version: String::new(),
        status: AgentStatus::Building,
        deployment_type: String::new(),
        agentcore_config: None,
        capabilities: Vec::new(),
        tools: Vec::new(),
        prompt_path: None,
        code_path: None,
        created_at: now,
        updated_at: now,
        deployed_at: None,
        agentcore_runtime_arn: None,
        agentcore_runtime_alias: None,
        agentcore_region: None,
        generation: 0,
        total_invocations: 0,
        successful_invocations: 0,
        failed_invocations: 0,
        avg_duration_ms: 0.0,
        last_invoked_at: None,
        error_message: None,
        agent_dir: String::new(),
        deployment_config: None,
        deployment_details: None,
    }
}

/// The state that is asked for, if the machine allows it.
fn allowed(agent: &Agent, wanted: AgentStatus) -> Result<AgentStatus> {
    let next = transition::agent(agent.status, towards(wanted)).map_err(|e| illegal(&e))?;
    if next == wanted {
        return Ok(next);
    }
    let (machine, state, event) = ("agent", agent.status.as_str(), "building");
    Err(illegal(&IllegalTransition { machine, state, event }))
}

/// The `agent` event of what an agent is now.
pub(crate) fn told(agent: &Agent, now: Timestamp, error: Option<&str>) -> NewEvent {
    let mut event = agent_event(now, &agent.agent_id, &agent.agent_name, agent.status);
    if let Some(error) = error {
        event.fields.insert("error".into(), error.into());
    }
    event
}

/// An agent, and what its conditions name as it stands in the row: a row of the original's may have a status that is no
/// word of ours, or a number as text, and a condition on what is understood of it would never hold.
struct AsReadAgent {
    agent: Agent,
    status: Word,
    generation: Word,
}

impl AsReadAgent {
    fn from_item(item: &Item) -> Result<Self> {
        let stands = |name: &str| item.get(name).cloned();
        Ok(Self { agent: Agent::from_item(item)?, status: stands("status"), generation: stands("generation") })
    }
}

impl DynamoStore {
    /// `Store::agent`.
    pub(crate) async fn read_agent(&self, id: &AgentId) -> Result<Option<Agent>> {
        Ok(self.agent_as_read(id).await?.map(|read| read.agent))
    }

    /// An agent that is to be changed.
    async fn agent_as_read(&self, id: &AgentId) -> Result<Option<AsReadAgent>> {
        let item = self.tables.get(Table::Agents, Table::Agents.one(id.as_str())).await?;
        item.as_ref().map(AsReadAgent::from_item).transpose()
    }

    /// Writes what became of an agent.
    fn update_agent_in(&self, unit: &mut Unit, before: &AsReadAgent, after: &Agent) -> Result<()> {
        let change = Change::between(&before.agent.to_item()?, &after.to_item()?);
        // Figures are added by whoever asks the agent, and are no part of this.
        let read = [("status", before.status.clone()), ("generation", before.generation.clone())];
        let key = Table::Agents.one(before.agent.agent_id.as_str());
        unit.update(&self.tables, Table::Agents, key, change, &Guard::AsRead(&read), Refused::Gone)
    }

    /// Writes the record of the agent that a build made. A build that runs again finds its own record: what it says is
    /// updated, when it came and how it was used stays.
    pub(crate) async fn register(&self, plan: &mut Plan, new: &NewAgent, deploy: bool) -> Result<NewEvent> {
        let (now, project) = (plan.now, plan.after.stored.project.clone());
        let known = self.agent_as_read(&new.agent_id).await?;
        let status = if deploy { AgentStatus::Deploying } else { AgentStatus::Offline };
        let name = match &known {
            Some(known) => known.agent.display_name.clone(),
            None => self.give_name(&naming::wanted(new), &new.agent_id).await?,
        };
        let agent = Agent {
            project_id: Some(project.project_id.clone()),
            agent_name: new.agent_name.clone(),
            display_name: name,
            description: new.description.clone(),
            category: new.category.clone(),
            version: new.version.clone(),
            status,
            deployment_type: new.deployment_type.clone(),
            capabilities: new.capabilities.clone(),
            tools: new.tools.clone(),
            prompt_path: new.prompt_path.clone(),
            code_path: new.code_path.clone(),
            updated_at: now,
            agent_dir: new.agent_dir.clone(),
            deployment_config: new.deployment_config.clone(),
            error_message: None,
            ..known.as_ref().map_or_else(|| fresh(new, now), |known| known.agent.clone())
        };
        match &known {
            Some(known) => self.update_agent_in(&mut plan.unit, known, &agent)?,
            None => plan.unit.put(&self.tables, Table::Agents, agent.to_item()?, &Guard::Absent, Refused::Gone)?,
        }
        plan.agents.push((known.map(|known| known.agent.status), Some(status)));
        self.put_generated(plan, new).await?;
        if deploy {
            let id = TaskId::generate();
            let (of, config) = (&project.project_id, new.deployment_config.as_ref());
            let body = deploy_payload(of, &new.agent_id, config, &id);
            let agent_id = Some(&new.agent_id);
            let task = tasks::pending(id, TaskType::DeployAgent, of, agent_id, project.priority, &body, now)?;
            plan.unit.put(&self.tables, Table::Tasks, task.to_item()?, &Guard::Absent, Refused::Exists)?;
            plan.send(&task, body);
        }
        Ok(told(&agent, now, None))
    }

    /// Changes an agent and tells its project, if it has one still.
    pub(crate) async fn with_agent<T>(
        &self,
        id: &AgentId,
        mut change: impl FnMut(&mut Agent, &mut AgentPlan) -> Result<T>,
    ) -> Result<Option<T>> {
        for round in 0..TRIES {
            let Some(read) = self.agent_as_read(id).await? else { return Ok(None) };
            let before = &read.agent;
            let mut held: Option<Held<'_>> = match &before.project_id {
                Some(project) => Some(self.slots.hold(project).await),
                None => None,
            };
            let plan = match &mut held {
                Some(held) => self.plan(held).await?,
                None => None,
            };
            let now = self.tables.clock();
            let mut own = AgentPlan { now, plan, tell: None, unit: Unit::default() };
            let mut after = before.clone();
            let answer = change(&mut after, &mut own)?;
            let AgentPlan { plan, tell, mut unit, .. } = own;
            let moved = (Some(before.status), Some(after.status));
            let committed = match (plan, &mut held, tell) {
                (Some(mut plan), Some(held), Some(error)) => {
                    self.update_agent_in(&mut unit, &read, &after)?;
                    plan.unit = unit;
                    plan.events.push(told(&after, now, error.as_deref()));
                    plan.agents.push(moved);
                    self.commit(held, plan).await?
                }
                _ => {
                    self.update_agent_in(&mut unit, &read, &after)?;
                    let committed = unit.commit(&self.tables).await?;
                    if committed.is_ok() {
                        self.counts.agent_moved(moved.0, moved.1);
                    }
                    committed
                }
            };
            match committed {
                Ok(()) => return Ok(Some(answer)),
                // What goes with it is a task, and that is another's by now.
                Err(Refused::Fenced) => return Err(fenced()),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }

    /// `Store::set_agent_status`.
    pub(crate) async fn put_status(
        &self,
        id: &AgentId,
        status: AgentStatus,
        error: Option<&str>,
    ) -> Result<Option<Agent>> {
        let change = |agent: &mut Agent, plan: &mut AgentPlan| {
            agent.status = allowed(agent, status)?;
            agent.error_message = error.filter(|_| status == AgentStatus::Error).map(str::to_owned);
            agent.updated_at = plan.now;
            // Put into service anew: whichever daemon is asked begins with the code of now.
            agent.generation += u64::from(status == AgentStatus::Running);
            plan.tell = Some(agent.error_message.clone());
            Ok(agent.clone())
        };
        self.with_agent(id, change).await
    }

    /// `Store::update_agent`.
    pub(crate) async fn edit_agent(&self, id: &AgentId, wanted: &AgentChange) -> Result<Option<Agent>> {
        // Who gives it another name means the one that is shown.
        let renamed = match &wanted.agent_name {
            Some(name) if self.read_agent(id).await?.is_some_and(|agent| agent.agent_name != *name) => {
                Some(self.give_name(&naming::human(name), id).await?)
            }
            _ => None,
        };
        let change = |agent: &mut Agent, plan: &mut AgentPlan| {
            if let Some(status) = wanted.status.filter(|status| *status != agent.status) {
                agent.status = allowed(agent, status)?;
                agent.error_message = None;
                plan.tell = Some(None);
            }
            let text = |to: &mut String, from: &Option<String>| {
                if let Some(from) = from {
                    to.clone_from(from);
                }
            };
            if let (Some(name), Some(shown)) = (&wanted.agent_name, &renamed)
                && agent.agent_name != *name
            {
                agent.display_name.clone_from(shown);
            }
            text(&mut agent.agent_name, &wanted.agent_name);
            text(&mut agent.description, &wanted.description);
            text(&mut agent.category, &wanted.category);
            text(&mut agent.version, &wanted.version);
            if let Some(capabilities) = &wanted.capabilities {
                agent.capabilities.clone_from(capabilities);
            }
            if let Some(tools) = &wanted.tools {
                agent.tools.clone_from(tools);
            }
            agent.updated_at = plan.now;
            Ok(agent.clone())
        };
        self.with_agent(id, change).await
    }

    /// `Store::record_invocation`.
    pub(crate) async fn record(&self, invocation: &Invocation, mut once: Option<&Once>) -> Result<()> {
        let mut item = invocation.to_item()?;
        self.overflow.shrink(&mut item).await?;
        let key = Table::Agents.one(invocation.agent_id.as_str());
        for round in 0..TRIES {
            let Some(agent) = self.tables.get(Table::Agents, key.clone()).await? else {
                return Err(not_found("agent"));
            };
            let used = self.used_tools(&invocation.agent_id, &invocation.tool_names).await?;
            let good = invocation.status == InvocationStatus::Success;
            let mut unit = Unit::default();
            unit.put(&self.tables, Table::Invocations, item.clone(), &Guard::Absent, Refused::Exists)?;
            let (change, read) = asked::asked(&agent, invocation)?;
            unit.update(&self.tables, Table::Agents, key.clone(), change, &Guard::AsRead(&read), Refused::Gone)?;
            self.count_uses(&mut unit, &used)?;
            #[allow(clippy::cast_precision_loss)] // milliseconds
            self.invocation_figures(&mut unit, good, invocation.duration_ms as f64)?;
            self.end_once(&mut unit, once, &Owner::from(&invocation.agent_id)).await?;
            match unit.commit(&self.tables).await? {
                Ok(()) => return Ok(()),
                Err(Refused::Exists) => return Err(BackendError::new(BackendErrorKind::Conflict, "it exists already")),
                // The agent was asked all the same: what is another's by now is the key.
                Err(Refused::Repeated) if once.is_some_and(|once| once.holder.is_some()) => {
                    key_was_lost();
                    once = None;
                }
                Err(Refused::Repeated) => return Err(super::once::repeated()),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }
}

/// What goes with a change of an agent.
pub(crate) struct AgentPlan {
    pub(crate) now: Timestamp,
    /// Its project, if that is there.
    pub(crate) plan: Option<Plan>,
    /// Whether its project is told, and of which error.
    pub(crate) tell: Option<Option<String>>,
    pub(crate) unit: Unit,
}
