//! Removing projects, agents and conversations with all that belongs to them. More than a unit holds goes in steps: first,
//! in one unit, what makes the rest unreachable, with its record and a note; then the rest; the note last. So an end in
//! between is finished by the next clean-up.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{
    DynamoStore,
    aggregate::{Held, TRIES, contended, pause},
    client::Query,
    codec::{Reader, Record as _, Stated},
    counts::Counted,
    session_leases,
    table::Table,
    tasks,
    unit::{Guard, Refused, Unit},
    value::{self, Item},
};
use crate::domain::deletion::ProjectAgents;
use crate::{
    backend::{
        files::{Owner, kept},
        store::{
            Agents as _, DeletedAgent, DeletedProject, Deletions as _, Removal, Result, agent_account, project_account,
        },
    },
    domain::{
        agent::Agent,
        change::delete::{self as change, GoneProject, ProjectView},
        deletion::{DeleteOrders, DeletedKind, Deletion, KeptAgent},
        ids::{AgentId, ProjectId, SessionId},
        session::Session,
        task::TaskType,
        time::Timestamp,
    },
};

impl DynamoStore {
    /// The same, and only when it has ended before then, and has no agent.
    pub(crate) async fn remove_project_if(
        &self,
        id: &ProjectId,
        fate: ProjectAgents,
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
                if !stored.project.is_past(before) || self.has_agents(id).await? {
                    return Ok(None);
                }
                // Others move no revision when they begin it anew, but its words.
                let stated = stored.stated.clone().unwrap_or_else(|| Stated::of(&stored.project));
                read.extend([("status", stated.status), ("control_status", stated.control)]);
            }
            let agents = if fate == ProjectAgents::Delete { Vec::new() } else { kept_of(&self.agents_of(id).await?) };
            let (name, task_id) = (&stored.project.project_name, stored.project.task_id.as_ref());
            let view = ProjectView { id, name, status: stored.project.status, task_id, seq: stored.event_seq };
            let GoneProject { record, open_task, end } = change::project(view, &agents, fate, plan.now);
            let mut unit = Unit::default();
            let key = Table::Projects.one(id.as_str());
            unit.delete(&self.tables, Table::Projects, key, &Guard::AsRead(&read), Refused::Stale)?;
            self.record_deletion(&mut unit, &record, fate)?;
            if unit.commit(&self.tables).await?.is_err() {
                pause(round).await;
                continue;
            }
            let project = &stored.project;
            self.counts.project_moved(Some(project.status), None);
            self.counts.moved(&Counted::new(Table::Projects, "UserIndex", "user_id", &project.user_id), -1);
            self.tell(id, vec![end]).await;
            drop::<Held<'_>>(held);
            let agents = self.remove_rest(id, fate).await?;
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
        let own = self.agent(&AgentId::of_project(id)).await?;
        if let Some(own) = own.filter(|own| own.project_id.as_ref() == Some(id)) {
            agents.insert(own.agent_id.clone(), own);
        }
        Ok(agents.into_values().collect())
    }

    /// What is left of a project that is gone, and the note.
    async fn remove_rest(&self, id: &ProjectId, fate: ProjectAgents) -> Result<Vec<Agent>> {
        let of = |table| Query::of(table, "project_id", value::text(id.as_str()));
        let by = |table| Query::by(table, "ProjectIndex", "project_id", value::text(id.as_str()));
        self.delete_all(by(Table::Tasks)).await?;
        self.delete_all(of(Table::Stages)).await?;
        self.delete_all(of(Table::Events)).await?;
        self.forget_account(&project_account(id.as_str())).await?;
        let mut gone = Vec::new();
        let agents = self.agents_of(id).await?;
        let recorded = self.deletion(DeletedKind::Project, id.as_str()).await?;
        let mut stay = recorded.map(|record| record.owned.kept).unwrap_or_default();
        for agent in agents {
            if fate == ProjectAgents::Delete {
                let deleted = self.delete_agent(&agent.agent_id, DeleteOrders::default()).await?;
                gone.extend(deleted.map(|deleted| deleted.agent));
                continue;
            }
            // Registered between the look at them and the deletion.
            if !stay.iter().any(|known| known.agent_id == agent.agent_id) {
                stay.extend(kept_of(std::slice::from_ref(&agent)));
            }
            let change = |agent: &mut Agent, plan: &mut super::agents::AgentPlan| {
                change::outlive(agent, plan.now);
                Ok(())
            };
            self.with_agent(&agent.agent_id, change).await?;
        }
        for agent in &stay {
            // One that was deleted since has no files to keep.
            if self.agent(&agent.agent_id).await?.is_some() {
                kept::keep(&self.overflow.0, id, agent).await?;
            }
        }
        self.overflow.forget(&Owner::Project(id.clone())).await?;
        self.remove_note(DeletedKind::Project, id.as_str()).await?;
        Ok(gone)
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
            self.forget_account(&agent_account(id.as_str())).await?;
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
            let removed = self.delete_session(&session.session_id).await?.unwrap_or(0);
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

    /// The same, and only when it was used last before then.
    pub(crate) async fn remove_session_if(
        &self,
        id: &SessionId,
        used_before: Option<Timestamp>,
    ) -> Result<Option<u64>> {
        let key = Table::Sessions.one(id.as_str());
        let Some(item) = self.tables.get(Table::Sessions, key.clone()).await? else { return Ok(None) };
        let name = Reader(&item).text("display_name").unwrap_or_default();
        let read = ["last_active_at", session_leases::HOLDER, session_leases::UNTIL]
            .map(|name| (name, item.get(name).cloned()));
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
        self.record_deletion(
            &mut unit,
            &Deletion::session(id.as_str(), &name, self.tables.clock()),
            ProjectAgents::Keep,
        )?;
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
            tasks::finish(&mut ended, change::AGENT_GONE, None, self.tables.clock())?;
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

    /// Finishes deletions that were cut off. What is past its time DynamoDB removes by itself.
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
                    self.remove_rest(&id, note.fate).await?;
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
                    let Some(record) = self.deletion(DeletedKind::Agent, id.as_str()).await? else {
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

#[async_trait]
impl Removal for DynamoStore {
    async fn delete_project(&self, id: &ProjectId, fate: ProjectAgents) -> Result<Option<DeletedProject>> {
        self.remove_project_if(id, fate, None).await
    }

    async fn expire_project(&self, id: &ProjectId, before: Timestamp) -> Result<Option<DeletedProject>> {
        self.remove_project_if(id, ProjectAgents::Keep, Some(before)).await
    }

    async fn delete_agent(&self, id: &AgentId, orders: DeleteOrders) -> Result<Option<DeletedAgent>> {
        let Some(agent) = self.agent(id).await? else { return Ok(None) };
        // What an earlier one of this id had, and is still being removed, is not counted as this one's.
        let earlier = match self.has_note(DeletedKind::Agent, id.as_str()).await? {
            true => self.deletion(DeletedKind::Agent, id.as_str()).await?.map(|record| record.deleted_at),
            false => None,
        };
        let mut unit = Unit::default();
        let key = Table::Agents.one(id.as_str());
        unit.delete(&self.tables, Table::Agents, key, &Guard::Present, Refused::Gone)?;
        let at = self.tables.clock();
        self.record_deletion(&mut unit, &Deletion::agent(&agent, orders, at), ProjectAgents::Keep)?;
        if unit.commit(&self.tables).await?.is_err() {
            return Ok(None);
        }
        self.counts.agent_moved(Some(agent.status), None);
        self.end_deployments(&agent).await?;
        let mut gone = DeletedAgent { agent, sessions: 0, messages: 0, invocations: 0 };
        (gone.sessions, gone.messages, gone.invocations) = self.remove_rest_of_agent(id, at, earlier).await?;
        Ok(Some(gone))
    }

    async fn delete_session(&self, id: &SessionId) -> Result<Option<u64>> {
        self.remove_session_if(id, None).await
    }

    async fn expire_session(&self, id: &SessionId, before: Timestamp) -> Result<Option<u64>> {
        self.remove_session_if(id, Some(before)).await
    }

    async fn delete_invocations(&self, ids: &[String]) -> Result<u64> {
        let keys = ids.iter().map(|id| Table::Invocations.one(id)).collect();
        let items = self.tables.get_many(Table::Invocations, keys).await?;
        self.overflow.forget_of(&items).await?;
        let keys: Vec<Item> = items.iter().map(|item| Table::Invocations.key_of(item)).collect();
        let count = keys.len() as u64;
        self.tables.delete_many(Table::Invocations, keys).await?;
        Ok(count)
    }
}
