//! Removing projects, agents and conversations with all that belongs to them. More than a unit holds goes in steps: first,
//! in one unit, what makes the rest unreachable, with its record and a note; then the rest; the note last. So an end in
//! between is finished by the next clean-up.

use std::collections::BTreeMap;

use super::{
    DynamoStore,
    aged::is_past,
    aggregate::{Held, TRIES, contended, pause},
    answering,
    client::Query,
    codec::{Reader, Record as _, Stated},
    counts::Counted,
    table::Table,
    tasks,
    unit::{Guard, Refused, Unit},
    value::{self, Item},
};
use crate::{
    backend::{
        files::{Owner, kept},
        store::{DeletedAgent, DeletedProject, Result},
    },
    domain::{
        agent::{Agent, AgentStatus},
        deletion::{DeleteOrders, DeletedKind, Deletion, KeptAgent},
        event::{EventType, ProjectEvent},
        ids::{AgentId, ProjectId, SessionId},
        project::ProjectStatus,
        session::Session,
        task::TaskType,
        time::Timestamp,
        transition::TaskEvent,
    },
};

fn is_open(status: ProjectStatus) -> bool {
    matches!(status, ProjectStatus::Pending | ProjectStatus::Queued | ProjectStatus::Building)
}

impl DynamoStore {
    /// `Store::delete_project`.
    pub(crate) async fn remove_project(&self, id: &ProjectId, with_agents: bool) -> Result<Option<DeletedProject>> {
        self.remove_project_if(id, with_agents, None).await
    }

    /// The same, and `Store::expire_project`: only when it has ended before then, and has no agent.
    pub(crate) async fn remove_project_if(
        &self,
        id: &ProjectId,
        with_agents: bool,
        ended_before: Option<Timestamp>,
    ) -> Result<Option<DeletedProject>> {
        let mut held = self.slots.hold(id).await;
        for round in 0..TRIES {
            *held.known = None;
            let Some(plan) = self.plan(&mut held).await? else { return Ok(None) };
            *held.known = None;
            let stored = &plan.after.stored;
            let mut read = vec![("revision", stored.read_revision())];
            if let Some(before) = ended_before {
                if !is_past(&stored.project, before) || self.has_agents(id).await? {
                    return Ok(None);
                }
                // Others move no revision when they begin it anew, but its words.
                let stated = stored.stated.clone().unwrap_or_else(|| Stated::of(&stored.project));
                read.extend([("status", stated.status), ("control_status", stated.control)]);
            }
            let kept = if with_agents { Vec::new() } else { kept_of(&self.agents_of(id).await?) };
            let mut unit = Unit::default();
            let key = Table::Projects.one(id.as_str());
            unit.delete(&self.tables, Table::Projects, key, &Guard::AsRead(&read), Refused::Stale)?;
            let record = Deletion::project(id, &stored.project.project_name, kept, plan.now);
            self.record_deletion(&mut unit, &record, with_agents)?;
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

    /// The agents of a project. The index may lag behind, but a build's own agent is known by its name.
    async fn agents_of(&self, id: &ProjectId) -> Result<Vec<Agent>> {
        let by = Query::by(Table::Agents, "ProjectIndex", "project_id", value::text(id.as_str()));
        let found = self.tables.all(by, 1_000).await?;
        let mut agents: BTreeMap<AgentId, Agent> = BTreeMap::new();
        for agent in found.iter().filter_map(|item| Agent::from_item(item).ok()) {
            agents.insert(agent.agent_id.clone(), agent);
        }
        let own = self.read_agent(&AgentId::of_project(id)).await?;
        if let Some(own) = own.filter(|own| own.project_id.as_ref() == Some(id)) {
            agents.insert(own.agent_id.clone(), own);
        }
        Ok(agents.into_values().collect())
    }

    /// What is left of a project that is gone, and the note.
    async fn remove_rest(&self, id: &ProjectId, with_agents: bool) -> Result<Vec<Agent>> {
        let of = |table| Query::of(table, "project_id", value::text(id.as_str()));
        let by = |table| Query::by(table, "ProjectIndex", "project_id", value::text(id.as_str()));
        self.delete_all(by(Table::Tasks)).await?;
        self.delete_all(of(Table::Stages)).await?;
        self.delete_all(of(Table::Events)).await?;
        let mut gone = Vec::new();
        let agents = self.agents_of(id).await?;
        let recorded = self.read_deletion(DeletedKind::Project, id.as_str()).await?;
        let mut stay = recorded.map(|record| record.owned.kept).unwrap_or_default();
        for agent in agents {
            if with_agents {
                let deleted = self.remove_agent(&agent.agent_id, DeleteOrders::default()).await?;
                gone.extend(deleted.map(|deleted| deleted.agent));
                continue;
            }
            // Registered between the look at them and the deletion.
            if !stay.iter().any(|known| known.agent_id == agent.agent_id) {
                stay.extend(kept_of(std::slice::from_ref(&agent)));
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
        for agent in &stay {
            // One that was deleted since has no files to keep.
            if self.read_agent(&agent.agent_id).await?.is_some() {
                kept::keep(&self.overflow.0, id, agent).await?;
            }
        }
        self.overflow.forget(&Owner::Project(id.clone())).await?;
        self.remove_note(DeletedKind::Project, id.as_str()).await?;
        Ok(gone)
    }

    /// `Store::delete_agent`.
    pub(crate) async fn remove_agent(&self, id: &AgentId, orders: DeleteOrders) -> Result<Option<DeletedAgent>> {
        let Some(agent) = self.read_agent(id).await? else { return Ok(None) };
        // What an earlier one of this id had, and is still being removed, is not counted as this one's.
        let earlier = match self.has_note(DeletedKind::Agent, id.as_str()).await? {
            true => self.read_deletion(DeletedKind::Agent, id.as_str()).await?.map(|record| record.deleted_at),
            false => None,
        };
        let mut unit = Unit::default();
        let key = Table::Agents.one(id.as_str());
        unit.delete(&self.tables, Table::Agents, key, &Guard::Present, Refused::Gone)?;
        let at = self.tables.clock();
        self.record_deletion(&mut unit, &Deletion::agent(&agent, orders, at), false)?;
        if unit.commit(&self.tables).await?.is_err() {
            return Ok(None);
        }
        self.counts.agent_moved(Some(agent.status), None);
        self.end_deployments(&agent).await?;
        let mut gone = DeletedAgent { agent, sessions: 0, messages: 0, invocations: 0 };
        (gone.sessions, gone.messages, gone.invocations) = self.remove_rest_of_agent(id, at, earlier).await?;
        Ok(Some(gone))
    }

    /// What is left of an agent that is gone. Its note stays until it is out of service.
    ///
    /// A further build of its project may make an agent of the same id meanwhile: what that has stays.
    async fn remove_rest_of_agent(
        &self,
        id: &AgentId,
        deleted_at: Timestamp,
        earlier: Option<Timestamp>,
    ) -> Result<(u64, u64, u64)> {
        if !self.lives_again(Table::Agents, id.as_str()).await? {
            self.remove_tools_of(id).await?;
        }
        let counted = self.remove_conversations(id, deleted_at, earlier).await?;
        if !self.lives_again(Table::Agents, id.as_str()).await? {
            self.overflow.forget(&Owner::Agent(id.clone())).await?;
        }
        Ok(counted)
    }

    /// Sessions, messages and invocations that an agent had when it was deleted; answers how many those were, without what
    /// is as old as the deletion of an earlier one.
    async fn remove_conversations(
        &self,
        id: &AgentId,
        deleted_at: Timestamp,
        earlier: Option<Timestamp>,
    ) -> Result<(u64, u64, u64)> {
        let is_its_own =
            |item: &Item| earlier.is_none_or(|earlier| Reader(item).time("created_at").is_none_or(|at| at > earlier));
        let by = |table| Query::by(table, "AgentIndex", "agent_id", value::text(id.as_str()));
        let (mut sessions, mut messages, mut invocations) = (0, 0, 0);
        for item in self.left_of(id, deleted_at, self.tables.all(by(Table::Sessions), usize::MAX).await?).await? {
            let Ok(session) = Session::from_item(&item) else { continue };
            let removed = self.remove_session(&session.session_id).await?.unwrap_or(0);
            if is_its_own(&item) {
                messages += removed;
                sessions += 1;
            }
        }
        let mut query = by(Table::Invocations);
        loop {
            let page = self.tables.query(&query).await?;
            let items = self.left_of(id, deleted_at, page.items).await?;
            invocations += items.iter().filter(|item| is_its_own(item)).count() as u64;
            self.overflow.forget_of(&items).await?;
            self.tables.delete_many(query.table, items.iter().map(|item| query.table.key_of(item)).collect()).await?;
            match page.next {
                Some(next) => query.from = Some(next),
                None => return Ok((sessions, messages, invocations)),
            }
        }
    }

    /// Of an agent's items those that it had when it was deleted: all, unless there is one of its id again. (Clocks are
    /// only trusted where they must be.)
    async fn left_of(&self, id: &AgentId, deleted_at: Timestamp, mut items: Vec<Item>) -> Result<Vec<Item>> {
        if !items.is_empty() && self.lives_again(Table::Agents, id.as_str()).await? {
            items.retain(|item| Reader(item).time("created_at").is_none_or(|at| at <= deleted_at));
        }
        Ok(items)
    }

    /// `Store::delete_session`.
    pub(crate) async fn remove_session(&self, id: &SessionId) -> Result<Option<u64>> {
        self.remove_session_if(id, None).await
    }

    /// The same, and `Store::expire_session`: only when it was used last before then.
    pub(crate) async fn remove_session_if(
        &self,
        id: &SessionId,
        used_before: Option<Timestamp>,
    ) -> Result<Option<u64>> {
        let key = Table::Sessions.one(id.as_str());
        let Some(item) = self.tables.get(Table::Sessions, key.clone()).await? else { return Ok(None) };
        let name = Reader(&item).text("display_name").unwrap_or_default();
        let read = ["last_active_at", answering::HOLDER, answering::UNTIL].map(|name| (name, item.get(name).cloned()));
        let guard = match used_before {
            None => Guard::Present,
            Some(before) => {
                let used = Reader(&item).word::<Timestamp>("last_active_at");
                let used = used.or_else(|| Reader(&item).word("created_at"));
                if used.is_none_or(|at| at >= before) || self.is_answered_now(&item) {
                    return Ok(None);
                }
                Guard::AsRead(&read)
            }
        };
        let mut unit = Unit::default();
        unit.delete(&self.tables, Table::Sessions, key, &guard, Refused::Gone)?;
        self.record_deletion(&mut unit, &Deletion::session(id.as_str(), &name, self.tables.clock()), false)?;
        if unit.commit(&self.tables).await?.is_err() {
            return Ok(None);
        }
        self.overflow.forget_of(std::slice::from_ref(&item)).await?;
        self.remove_rest_of_session(id).await.map(Some)
    }

    async fn remove_rest_of_session(&self, id: &SessionId) -> Result<u64> {
        let count = self.delete_all(Query::of(Table::Messages, "session_id", value::text(id.as_str()))).await?;
        self.overflow.forget(&Owner::Session(id.clone())).await?;
        self.remove_note(DeletedKind::Session, id.as_str()).await?;
        Ok(count)
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
            tasks::finish(&mut ended, TaskEvent::Cancel, Some("the agent was deleted"), None, self.tables.clock())?;
            let mut unit = Unit::default();
            self.update_task(&mut unit, &task, &ended)?;
            let _it_ended_meanwhile = unit.commit(&self.tables).await?;
        }
        Ok(())
    }

    /// Whether what a note is about is there: row and note change in one unit, so an import has brought it back since, and
    /// what there is of it is the new one's.
    pub(super) async fn lives_again(&self, table: Table, id: &str) -> Result<bool> {
        Ok(self.tables.get(table, table.one(id)).await?.is_some())
    }

    /// `Store::clean`: finishes deletions that were cut off. What is past its time DynamoDB removes by itself.
    pub(crate) async fn finish_deletions(&self) -> Result<u64> {
        let mut finished = 0;
        for note in self.notes().await? {
            match note.kind {
                DeletedKind::Project => {
                    let Ok(id) = note.id.parse::<ProjectId>() else { continue };
                    if self.lives_again(Table::Projects, id.as_str()).await? {
                        self.remove_note(note.kind, &note.id).await?;
                        continue;
                    }
                    self.remove_rest(&id, note.with_agents).await?;
                }
                DeletedKind::Session => {
                    let Ok(id) = note.id.parse::<SessionId>() else { continue };
                    if self.lives_again(Table::Sessions, id.as_str()).await? {
                        self.remove_note(note.kind, &note.id).await?;
                        continue;
                    }
                    self.remove_rest_of_session(&id).await?;
                }
                DeletedKind::Agent => {
                    let Ok(id) = note.id.parse::<AgentId>() else { continue };
                    let Some(record) = self.read_deletion(DeletedKind::Agent, id.as_str()).await? else {
                        // Its time is up, and nobody can act by it any more.
                        self.remove_note(DeletedKind::Agent, id.as_str()).await?;
                        continue;
                    };
                    self.remove_rest_of_agent(&id, record.deleted_at, None).await?;
                }
            }
            finished += 1;
        }
        Ok(finished)
    }
}

fn kept_of(agents: &[Agent]) -> Vec<KeptAgent> {
    let kept = |agent: &Agent| KeptAgent { agent_id: agent.agent_id.clone(), agent_dir: agent.agent_dir.clone() };
    agents.iter().map(kept).collect()
}
