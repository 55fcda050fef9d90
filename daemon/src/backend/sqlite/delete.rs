//! Removing projects and agents with all that belongs to them.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};

use super::{
    SqliteStore, aged, agents, books, deletions, projects, rows, sessions, stages, state::Effect, sweep, tx::Tx,
};
use crate::domain::deletion::ProjectAgents;
use crate::{
    backend::store::{DeletedAgent, DeletedProject, Removal, Result, agent_account, project_account},
    domain::{
        change::delete::{self as change, GoneProject, ProjectView},
        deletion::{DeleteOrders, Deletion, KeptAgent},
        ids::{AgentId, ProjectId, SessionId, TaskId},
        time::Timestamp,
    },
};

pub(crate) fn project(tx: &mut Tx<'_>, id: &ProjectId, fate: ProjectAgents) -> Result<Option<DeletedProject>> {
    let Some(fence) = projects::fence(tx, id)? else { return Ok(None) };
    let Some(hot) = tx.hot(id)? else { return Ok(None) };
    let tasks: Vec<TaskId> = {
        let mut find = tx.sql("SELECT task_id FROM nexus_tasks WHERE project_key = ?1")?;
        let found = find.query_map([fence.key], |row| rows::word(row, 0))?;
        found.collect::<rusqlite::Result<_>>()?
    };
    let agents: Vec<KeptAgent> = {
        let mut find = tx.sql("SELECT agent_id, agent_dir FROM nexus_agents WHERE project_id = ?1")?;
        let found = find
            .query_map([id.as_str()], |row| Ok(KeptAgent { agent_id: rows::word(row, 0)?, agent_dir: row.get(1)? }))?;
        found.collect::<rusqlite::Result<_>>()?
    };
    let name: String = tx
        .sql("SELECT project_name FROM nexus_projects WHERE project_key = ?1")?
        .query_row([fence.key], |row| row.get(0))?;
    let (status, task_id) = (fence.state.status, fence.task_id.as_ref());
    let view = ProjectView { id, name: &name, status, task_id, seq: hot.seq };
    let GoneProject { record, open_task, end } = change::project(view, &agents, fate, tx.now());
    deletions::record(tx, &record)?;
    for task in tasks {
        tx.withdraw_message(&task)?;
        // Its dead letters: they speak of nothing any more.
        for key in tx.state.mail.dead_of(&task) {
            tx.delete_message(key)?;
        }
        tx.at_commit(Effect::Unleased(task));
    }
    tx.sql("DELETE FROM nexus_tasks WHERE project_key = ?1")?.execute([fence.key])?;
    let (low, high) = stages::key_range(fence.key);
    tx.sql("DELETE FROM nexus_stages WHERE stage_key BETWEEN ?1 AND ?2")?.execute([low, high])?;
    sweep::doom_events(tx, fence.key)?;
    tx.sql(
        "DELETE FROM project_tags WHERE project_key = ?1 AND tag IN
             (SELECT value FROM nexus_projects p, json_each(CASE WHEN json_valid(p.tags) THEN p.tags ELSE '[]' END)
              WHERE p.project_key = ?1)
             AND created_at = (SELECT created_at FROM nexus_projects WHERE project_key = ?1)",
    )?
    .execute([fence.key])?;
    tx.sql("DELETE FROM project_texts WHERE project_key = ?1")?.execute([fence.key])?;
    tx.sql("DELETE FROM nexus_projects WHERE project_key = ?1")?.execute([fence.key])?;
    books::forget(tx, &project_account(id.as_str()))?;
    tx.state.forget_hot(id);
    tx.announce(end);
    let mut deleted = DeletedProject { open_task, agents: Vec::new() };
    for KeptAgent { agent_id: agent, .. } in agents {
        if fate == ProjectAgents::Delete {
            deleted.agents.extend(self::agent(tx, &agent, DeleteOrders::default())?.map(|gone| gone.deleted.agent));
        } else if let Some(mut outlives) = agents::read(tx.conn(), &agent)? {
            change::outlive(&mut outlives, tx.now());
            agents::put(tx, &outlives)?;
            tx.sql("UPDATE nexus_tools SET project_id = NULL WHERE agent_id = ?1")?.execute([agent.as_str()])?;
        }
    }
    Ok(Some(deleted))
}

/// An agent that is gone.
pub(crate) struct Gone {
    /// What went with it; the counts are still to be taken when it is `doomed`.
    pub(crate) deleted: DeletedAgent,
    /// Its rows are only marked: `sweep` removes them.
    pub(crate) doomed: bool,
    pub(crate) mark: (i64, i64),
}

pub(crate) fn agent(tx: &mut Tx<'_>, id: &AgentId, orders: DeleteOrders) -> Result<Option<Gone>> {
    let Some(agent) = agents::read(tx.conn(), id)? else { return Ok(None) };
    deletions::record(tx, &Deletion::agent(&agent, orders, tx.now()))?;
    let mut gone = DeletedAgent { agent, sessions: 0, messages: 0, invocations: 0 };
    let (doomed, mark) = (!sweep::is_small(tx, id)?, sweep::mark_of(tx, id)?);
    if doomed {
        sweep::doom_agent(tx, id)?;
    } else {
        let keys: Vec<i64> = {
            let mut find = tx.sql("SELECT session_key FROM nexus_sessions WHERE agent_id = ?1")?;
            let found = find.query_map([id.as_str()], |row| row.get(0))?;
            found.collect::<rusqlite::Result<_>>()?
        };
        for key in keys {
            let messages = sessions::delete_by_key(tx, key)?;
            if key > mark.0 {
                gone.sessions += 1;
                gone.messages += messages;
            }
        }
        tx.sql("DELETE FROM nexus_invocations WHERE agent_id = ?1 AND invocation_key <= ?2")?
            .execute(params![id.as_str(), mark.1])?;
        gone.invocations = tx.sql("DELETE FROM nexus_invocations WHERE agent_id = ?1")?.execute([id.as_str()])? as u64;
    }
    super::tools::delete_of(tx, id)?;
    books::forget(tx, &agent_account(id.as_str()))?;
    tx.sql("DELETE FROM nexus_agents WHERE agent_id = ?1")?.execute([id.as_str()])?;
    end_deployments(tx, &gone.agent.project_id, id)?;
    Ok(Some(Gone { deleted: gone, doomed, mark }))
}

/// Deploy tasks of an agent that is gone have nothing to do.
fn end_deployments(tx: &mut Tx<'_>, project: &Option<ProjectId>, agent: &AgentId) -> Result<()> {
    let Some(project) = project else { return Ok(()) };
    let mut find = tx.sql("SELECT project_key FROM nexus_projects WHERE project_id = ?1")?;
    let Some(key) = find.query_row([project.as_str()], |row| row.get::<_, i64>(0)).optional()? else {
        return Ok(());
    };
    let open: Vec<TaskId> = {
        let mut find = tx.sql(
            "SELECT task_id FROM nexus_tasks
             WHERE project_key = ?1 AND agent_id = ?2 AND status IN ('pending', 'queued', 'running')",
        )?;
        let found = find.query_map(params![key, agent.as_str()], |row| rows::word(row, 0))?;
        found.collect::<rusqlite::Result<_>>()?
    };
    for id in open {
        if let Some(task) = super::tasks::brief(tx, &id)? {
            super::tasks::finish(tx, &id, &task, change::AGENT_GONE, None)?;
        }
        tx.withdraw_message(&id)?;
    }
    Ok(())
}

#[async_trait]
impl Removal for SqliteStore {
    async fn delete_project(&self, id: &ProjectId, fate: ProjectAgents) -> Result<Option<DeletedProject>> {
        let id = id.clone();
        let gone = self.write(move |tx| project(tx, &id, fate)).await?;
        sweep::start(&self.inner);
        Ok(gone)
    }

    async fn expire_project(&self, id: &ProjectId, before: Timestamp) -> Result<Option<DeletedProject>> {
        let id = id.clone();
        let gone = self
            .write(move |tx| {
                if aged::is_past(tx.conn(), &id, before)? { project(tx, &id, ProjectAgents::Keep) } else { Ok(None) }
            })
            .await?;
        sweep::start(&self.inner);
        Ok(gone)
    }

    async fn delete_agent(&self, id: &AgentId, orders: DeleteOrders) -> Result<Option<DeletedAgent>> {
        let id = id.clone();
        let of = id.clone();
        let Some(mut gone) = self.write(move |tx| agent(tx, &id, orders)).await? else { return Ok(None) };
        if gone.doomed {
            // Counted beside the writer, and before the first of them goes.
            let mark = gone.mark;
            let counted = self.ask(move |conn| sweep::rows_of(conn, &of, mark)).await;
            sweep::start(&self.inner);
            (gone.deleted.sessions, gone.deleted.messages, gone.deleted.invocations) = counted?;
        }
        Ok(Some(gone.deleted))
    }

    async fn delete_session(&self, id: &SessionId) -> Result<Option<u64>> {
        let id = id.clone();
        let gone = self.write(move |tx| sweep::doom_session(tx, &id)).await?;
        if gone.is_some_and(|messages| messages > sweep::FEW) {
            sweep::start(&self.inner);
        }
        Ok(gone)
    }

    async fn expire_session(&self, id: &SessionId, before: Timestamp) -> Result<Option<u64>> {
        let (id, held) = (id.clone(), Arc::clone(&self.inner.held));
        let gone = self
            .write(move |tx| {
                if held.is_answering(&id) || !aged::is_unused(tx.conn(), &id, before)? {
                    return Ok(None);
                }
                sweep::doom_session(tx, &id)
            })
            .await?;
        if gone.is_some_and(|messages| messages > sweep::FEW) {
            sweep::start(&self.inner);
        }
        Ok(gone)
    }

    async fn delete_invocations(&self, ids: &[String]) -> Result<u64> {
        let ids = ids.to_owned();
        self.write(move |tx| aged::delete_invocations(tx, &ids)).await
    }
}
