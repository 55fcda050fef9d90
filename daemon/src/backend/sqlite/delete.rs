//! Removing projects and agents with all that belongs to them.

use rusqlite::{OptionalExtension, params};

use super::{agents, control, deletions, projects, rows, sessions, stages, state::Effect, sweep, tx::Tx};
use crate::{
    backend::store::{DeletedAgent, DeletedProject, Result},
    domain::{
        deletion::{DeleteOrders, Deletion, KeptAgent},
        ids::{AgentId, ProjectId, TaskId},
    },
};

/// `Store::delete_project`.
pub(crate) fn project(tx: &mut Tx<'_>, id: &ProjectId, with_agents: bool) -> Result<Option<DeletedProject>> {
    let Some(fence) = projects::fence(tx, id)? else { return Ok(None) };
    let Some(hot) = tx.hot(id)? else { return Ok(None) };
    let mut deleted = DeletedProject::default();
    if control::is_open(fence.state.status) {
        deleted.open_task = fence.task_id.clone();
    }
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
    let kept = if with_agents { Vec::new() } else { agents.clone() };
    deletions::record(tx, &Deletion::project(id, &name, kept, tx.now()))?;
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
    tx.state.forget_hot(id);
    tx.announce_end(id, hot.seq + 1, "deleted");
    for KeptAgent { agent_id: agent, .. } in agents {
        if with_agents {
            deleted.agents.extend(self::agent(tx, &agent, DeleteOrders::default())?.map(|gone| gone.deleted.agent));
        } else {
            // Its deploy task went above, so nobody would end a deployment that is under way.
            tx.sql(
                "UPDATE nexus_agents SET project_id = NULL, updated_at = ?2,
                     error_message = CASE WHEN status IN ('building', 'deploying')
                         THEN 'its project was deleted before it was deployed' ELSE error_message END,
                     status = CASE WHEN status IN ('building', 'deploying') THEN 'error' ELSE status END
                 WHERE agent_id = ?1",
            )?
            .execute(params![agent.as_str(), tx.now_text()])?;
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
    /// See `sweep::mark_of`.
    pub(crate) mark: (i64, i64),
}

/// `Store::delete_agent`.
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
            let cancel = crate::domain::transition::TaskEvent::Cancel;
            super::tasks::finish(tx, &id, &task, cancel, Some("the agent was deleted"), None)?;
        }
        tx.withdraw_message(&id)?;
    }
    Ok(())
}
