//! Agents: registered by the build that made them, changed by deployments, people and their use.

use async_trait::async_trait;

use super::{
    DynamoStore,
    aggregate::{Held, Plan, TRIES, contended, pause},
    codec::{Record as _, Word},
    invocation_counters,
    table::Table,
    tasks,
    unit::{Change, Guard, Refused, Unit},
    value::Item,
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind, fenced, not_found},
        files::Owner,
        store::{
            Agents, KeptAnswer, Result,
            alike::{deploy_payload, key_was_lost},
            naming,
        },
    },
    domain::{
        agent::{Agent, AgentChange, AgentStatus, Invocation, InvocationStatus, NewAgent},
        change::agent as change,
        event::NewEvent,
        ids::{AgentId, ProjectId, TaskId},
        project::Priority,
        task::TaskType,
        time::Timestamp,
    },
};

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

    /// Registers the agent that a build made, and queues its deployment if that is asked for.
    pub(crate) async fn register(&self, plan: &mut Plan, new: &NewAgent, deploy: bool) -> Result<()> {
        let (now, project) = (plan.now, &plan.after.stored.project);
        let (of, priority) = (project.project_id.clone(), project.priority);
        let known = self.agent_as_read(&new.agent_id).await?;
        let shown = match &known {
            Some(known) => known.agent.display_name.clone(),
            None => self.give_name(&naming::wanted(new), &new.agent_id).await?,
        };
        let agent = change::registered(new, known.as_ref().map(|known| &known.agent), &of, shown, deploy, now);
        match &known {
            Some(known) => self.update_agent_in(&mut plan.unit, known, &agent)?,
            None => plan.unit.put(&self.tables, Table::Agents, agent.to_item()?, &Guard::Absent, Refused::Gone)?,
        }
        plan.agents.push((known.map(|known| known.agent.status), Some(agent.status)));
        plan.events.push(change::told(&agent, None, now));
        self.put_generated(plan, new).await?;
        if deploy {
            self.queue_deployment(&agent, &of, priority, plan)?;
        }
        Ok(())
    }

    /// Writes a task that deploys an agent, into the unit of its project; its message follows.
    pub(crate) fn queue_deployment(
        &self,
        agent: &Agent,
        project: &ProjectId,
        priority: Priority,
        plan: &mut Plan,
    ) -> Result<TaskId> {
        let id = TaskId::generate();
        let body = deploy_payload(project, &agent.agent_id, agent.deployment_config.as_ref(), &id);
        let (of, agent) = (TaskType::DeployAgent, Some(&agent.agent_id));
        let task = tasks::pending(id.clone(), of, project, agent, priority, &body, plan.now)?;
        plan.unit.put(&self.tables, Table::Tasks, task.to_item()?, &Guard::Absent, Refused::Exists)?;
        plan.send(&task, body);
        Ok(id)
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
            let AgentPlan { plan, tell, unit, .. } = own;
            let moved = (Some(before.status), Some(after.status));
            let committed = match (plan, &mut held, tell) {
                (Some(mut plan), Some(held), Some(told)) => {
                    self.update_agent_in(&mut plan.unit, &read, &after)?;
                    plan.events.push(told);
                    plan.agents.push(moved);
                    self.commit(held, plan).await?
                }
                (plan, ..) => {
                    let mut unit = plan.map_or(unit, |plan| plan.unit);
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
}

/// What goes with a change of an agent.
pub(crate) struct AgentPlan {
    pub(crate) now: Timestamp,
    /// Its project, if that is there.
    pub(crate) plan: Option<Plan>,
    /// What its project is told.
    pub(crate) tell: Option<NewEvent>,
    unit: Unit,
}

impl AgentPlan {
    /// What is written with the agent.
    pub(crate) fn unit(&mut self) -> &mut Unit {
        self.plan.as_mut().map_or(&mut self.unit, |plan| &mut plan.unit)
    }
}

#[async_trait]
impl Agents for DynamoStore {
    async fn agent(&self, id: &AgentId) -> Result<Option<Agent>> {
        Ok(self.agent_as_read(id).await?.map(|read| read.agent))
    }

    async fn set_agent_status(
        &self,
        id: &AgentId,
        status: AgentStatus,
        error: Option<String>,
    ) -> Result<Option<Agent>> {
        let error = error.as_deref();
        let change = |agent: &mut Agent, plan: &mut AgentPlan| {
            plan.tell = Some(change::set_status(agent, status, error, plan.now)?);
            Ok(agent.clone())
        };
        self.with_agent(id, change).await
    }

    async fn update_agent(&self, id: &AgentId, change: AgentChange) -> Result<Option<Agent>> {
        let wanted = &change;
        // Who gives it another name means the one that is shown.
        let known = self.agent(id).await?;
        let shown = match known.as_ref().and_then(|known| change::renamed(known, wanted)) {
            Some(name) => Some(self.give_name(&naming::human(name), id).await?),
            None => None,
        };
        let change = |agent: &mut Agent, plan: &mut AgentPlan| {
            plan.tell = change::update(agent, wanted, shown.as_deref(), plan.now)?;
            Ok(agent.clone())
        };
        self.with_agent(id, change).await
    }

    async fn adopt_agent(&self, agent: Agent) -> Result<Agent> {
        if let Some(known) = self.agent(&agent.agent_id).await? {
            return Ok(known);
        }
        let display_name = self.give_name(&naming::human(&agent.agent_name), &agent.agent_id).await?;
        let now = self.tables.clock();
        let adopted = Agent { display_name, created_at: now, updated_at: now, ..agent };
        let mut unit = Unit::default();
        unit.put(&self.tables, Table::Agents, adopted.to_item()?, &Guard::Absent, Refused::Exists)?;
        match unit.commit(&self.tables).await? {
            Ok(()) => {
                self.counts.agent_moved(None, Some(adopted.status));
                Ok(adopted)
            }
            // Another was quicker.
            Err(Refused::Exists) => self.agent(&adopted.agent_id).await?.ok_or_else(|| not_found("agent")),
            Err(_) => Err(contended()),
        }
    }

    async fn record_invocation(&self, invocation: Invocation, idempotency: Option<KeptAnswer>) -> Result<()> {
        let invocation = &invocation;
        let mut idempotency = idempotency.as_ref();
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
            let (change, read) = invocation_counters::asked(&agent, invocation)?;
            unit.update(&self.tables, Table::Agents, key.clone(), change, &Guard::AsRead(&read), Refused::Gone)?;
            self.count_uses(&mut unit, &used)?;
            #[allow(clippy::cast_precision_loss)] // milliseconds
            self.invocation_figures(&mut unit, good, invocation.duration_ms as f64)?;
            self.end_key(&mut unit, idempotency, &Owner::from(&invocation.agent_id)).await?;
            match unit.commit(&self.tables).await? {
                Ok(()) => return Ok(()),
                Err(Refused::Exists) => return Err(BackendError::new(BackendErrorKind::Conflict, "it exists already")),
                // The agent was asked all the same: what is another's by now is the key.
                Err(Refused::Repeated) if idempotency.is_some_and(|idempotency| idempotency.holder.is_some()) => {
                    key_was_lost();
                    idempotency = None;
                }
                Err(Refused::Repeated) => return Err(super::idempotency::repeated()),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }
}
