//! Removing projects and agents with all that belongs to them. More than a unit holds goes in steps: first what makes
//! the rest unreachable, with a note of it, and the note last; so an end in between is finished by the next clean-up.

use super::{
    DynamoStore,
    aggregate::{Held, contended, pause},
    client::Query,
    codec::{Reader, Record as _},
    counts::Counted,
    table::Table,
    tasks,
    unit::{Guard, Refused, Unit},
    value,
};
use crate::{
    domain::{
        agent::{Agent, AgentStatus},
        event::{EventType, ProjectEvent},
        ids::{AgentId, ProjectId},
        project::ProjectStatus,
        session::Session,
        task::TaskType,
        time::Timestamp,
        transition::TaskEvent,
    },
    store::{DeletedAgent, DeletedProject, Result},
};

/// Partition of the notes of what is being deleted.
const NOTES: &str = "deleting";

fn is_open(status: ProjectStatus) -> bool {
    matches!(status, ProjectStatus::Pending | ProjectStatus::Queued | ProjectStatus::Building)
}

impl DynamoStore {
    /// `Store::delete_project`.
    pub(crate) async fn remove_project(&self, id: &ProjectId, with_agents: bool) -> Result<Option<DeletedProject>> {
        let mut held = self.slots.hold(id).await;
        for round in 0..super::aggregate::TRIES {
            *held.known = None;
            let Some(plan) = self.plan(&mut held).await? else { return Ok(None) };
            *held.known = None;
            let stored = &plan.after.stored;
            let mut unit = Unit::default();
            let read = [("revision", stored.read_revision())];
            let key = Table::Projects.one(id.as_str());
            unit.delete(&self.tables, Table::Projects, key, &Guard::AsRead(&read), Refused::Stale)?;
            let mut note = Table::State.two(NOTES, id.as_str());
            note.insert("with_agents".into(), value::whole(u64::from(with_agents)));
            unit.put(&self.tables, Table::State, note, &Guard::Open, Refused::Stale)?;
            if unit.commit(&self.tables).await?.is_err() {
                pause(round).await;
                continue;
            }
            let project = &stored.project;
            self.counts.project_moved(Some(project.status), None);
            self.counts.moved(&Counted::new(Table::Projects, "UserIndex", "user_id", &project.user_id), -1);
            let fields = serde_json::Map::from_iter([("reason".to_owned(), "deleted".into())]);
            let (seq, kind, at) = (stored.event_seq + 1, EventType::End, plan.now);
            self.tell(id, vec![ProjectEvent { seq, project_id: id.clone(), kind, at, fields }]).await;
            let open_task = is_open(project.status).then(|| project.task_id.clone()).flatten();
            drop::<Held<'_>>(held);
            let agents = self.remove_rest(id, with_agents).await?;
            return Ok(Some(DeletedProject { open_task, agents }));
        }
        Err(contended())
    }

    /// What is left of a project that is gone, and the note.
    async fn remove_rest(&self, id: &ProjectId, with_agents: bool) -> Result<Vec<Agent>> {
        let of = |table| Query::of(table, "project_id", value::text(id.as_str()));
        let by = |table| Query::by(table, "ProjectIndex", "project_id", value::text(id.as_str()));
        self.delete_all(by(Table::Tasks)).await?;
        self.delete_all(of(Table::Stages)).await?;
        self.delete_all(of(Table::Events)).await?;
        self.overflow.forget(id.as_str()).await?;
        let mut gone = Vec::new();
        for item in self.tables.all(by(Table::Agents), 1_000).await? {
            let Ok(agent) = Agent::from_item(&item) else { continue };
            if with_agents {
                gone.extend(self.remove_agent(&agent.agent_id).await?.map(|deleted| deleted.agent));
                continue;
            }
            let change = |agent: &mut Agent, plan: &mut super::agents::AgentPlan| {
                agent.project_id = None;
                agent.updated_at = plan.now;
                // Its deploy task went above, so nobody would end a deployment that is under way.
                if matches!(agent.status, AgentStatus::Building | AgentStatus::Deploying) {
                    agent.status = AgentStatus::Error;
                    agent.error_message = Some("its project was deleted before it was deployed".to_owned());
                }
                Ok(())
            };
            self.with_agent(&agent.agent_id, change).await?;
        }
        self.tables.delete_many(Table::State, vec![Table::State.two(NOTES, id.as_str())]).await?;
        Ok(gone)
    }

    /// `Store::delete_agent`.
    pub(crate) async fn remove_agent(&self, id: &AgentId) -> Result<Option<DeletedAgent>> {
        let Some(agent) = self.read_agent(id).await? else { return Ok(None) };
        let mut gone = DeletedAgent { agent, sessions: 0, messages: 0, invocations: 0 };
        let by = |table| Query::by(table, "AgentIndex", "agent_id", value::text(id.as_str()));
        for item in self.tables.all(by(Table::Sessions), usize::MAX).await? {
            let Ok(session) = Session::from_item(&item) else { continue };
            gone.messages += self.remove_session(&session.session_id).await?.unwrap_or(0);
            gone.sessions += 1;
        }
        gone.invocations = self.delete_all(by(Table::Invocations)).await?;
        self.remove_tools_of(id).await?;
        self.end_deployments(&gone.agent).await?;
        let mut unit = Unit::default();
        let key = Table::Agents.one(id.as_str());
        unit.delete(&self.tables, Table::Agents, key, &Guard::Present, Refused::Gone)?;
        if unit.commit(&self.tables).await?.is_ok() {
            self.counts.agent_moved(Some(gone.agent.status), None);
        }
        Ok(Some(gone))
    }

    /// Deploy tasks of an agent that is gone have nothing to do.
    async fn end_deployments(&self, agent: &Agent) -> Result<()> {
        let Some(project) = &agent.project_id else { return Ok(()) };
        for task in self.tasks_of(project).await? {
            let own = task.agent_id.as_ref() == Some(&agent.agent_id) && task.task.task_type == TaskType::DeployAgent;
            if !own || task.task.status.is_final() {
                continue;
            }
            let mut ended = task.clone();
            tasks::finish(&mut ended, TaskEvent::Cancel, Some("the agent was deleted"), None, Timestamp::now())?;
            let mut unit = Unit::default();
            self.update_task(&mut unit, &task, &ended)?;
            let _it_ended_meanwhile = unit.commit(&self.tables).await?;
        }
        Ok(())
    }

    /// `Store::clean`: finishes deletions that were cut off. What is past its time DynamoDB removes by itself.
    pub(crate) async fn finish_deletions(&self) -> Result<u64> {
        let notes = self.tables.all(Query::of(Table::State, "pk", value::text(NOTES)), 1_000).await?;
        let mut finished = 0;
        for note in notes {
            let read = Reader(&note);
            let Some(id) = read.word::<ProjectId>("sk") else { continue };
            self.remove_rest(&id, read.count("with_agents") == Some(1)).await?;
            finished += 1;
        }
        Ok(finished)
    }
}
