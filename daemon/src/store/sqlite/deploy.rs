//! Deploy tasks: their lease is in the task's own row, since no project stands still for them.

use rusqlite::params;

use super::{
    agents,
    clock::Moment,
    error::{fenced, illegal, not_found},
    lease, rows,
    tasks::{self, Brief},
    tx::Tx,
};
use crate::{
    domain::{
        agent::AgentStatus,
        failure::ErrorInfo,
        ids::{AgentId, TaskId},
        project::Priority,
        task::{Lease, TaskStatus, TaskType},
        transition::{self, AgentEvent, TaskEvent},
    },
    store::{ClaimBuild, DeployClaim, DeployEnd, Result, StoreError, StoreErrorKind},
};

/// `Store::claim_deploy`.
pub(crate) fn claim(tx: &mut Tx<'_>, claim: &ClaimBuild, until: Moment) -> Result<DeployClaim> {
    let Some(task_id) = claim.task_id.clone() else { return Ok(DeployClaim::Obsolete("the message names no task")) };
    let Some(task) = tasks::brief(tx, &task_id)? else {
        return Ok(DeployClaim::Obsolete("the task does not exist"));
    };
    if task.status.is_final() || task.task_type != TaskType::DeployAgent {
        return Ok(DeployClaim::Obsolete("the task has ended"));
    }
    if task.status == TaskStatus::Running && task.worker.as_ref() != Some(&claim.worker_id) {
        let held = tx.state.leases.get(&task_id).copied();
        if let Some(until) = held.filter(|until| *until > Moment::now()) {
            return Ok(DeployClaim::HeldUntil(until.on_the_wall()));
        }
    }
    let agent = match &task.agent_id {
        Some(id) => agents::read(tx.conn(), id)?,
        None => None,
    };
    let Some(mut agent) = agent else {
        tasks::finish(tx, &task_id, &task, TaskEvent::Fail, Some("the agent does not exist any more"), None)?;
        tx.withdraw_message(&task_id)?;
        return Ok(DeployClaim::Obsolete("the agent does not exist"));
    };
    let status = transition::agent(agent.status, AgentEvent::Deploy).map_err(|e| illegal(&e))?;
    let epoch = tasks::claim(tx, &task_id, &task, &claim.worker_id, until)?;
    let changed = agent.status != status;
    agent.status = status;
    // Its own for each claim: a process that was started before is not taken for it.
    agent.generation += 1;
    tx.sql("UPDATE nexus_agents SET generation = generation + 1 WHERE agent_id = ?1")?
        .execute([agent.agent_id.as_str()])?;
    if changed {
        tx.sql("UPDATE nexus_agents SET status = ?2, updated_at = ?3 WHERE agent_id = ?1")?.execute(params![
            agent.agent_id.as_str(),
            status.as_str(),
            tx.now_text()
        ])?;
        agents::tell(tx, &agent, None)?;
    }
    let lease = Lease { task_id, project_id: task.project_id, worker_id: claim.worker_id.clone(), epoch };
    Ok(DeployClaim::Claimed { lease, agent: Box::new(agent) })
}

/// `Store::finish_deploy`.
pub(crate) fn finish(tx: &mut Tx<'_>, lease: &Lease, end: &DeployEnd) -> Result<()> {
    if !lease::holds_task(tx, lease)? {
        return Err(fenced());
    }
    let Some(task) = tasks::brief(tx, &lease.task_id)? else { return Err(fenced()) };
    let Some(agent) = agents::read(tx.conn(), &end.agent_id)? else { return Err(not_found("agent")) };
    if task.agent_id.as_ref() != Some(&end.agent_id) {
        return Err(super::error::invalid("the task deploys another agent"));
    }
    match &end.result {
        Ok(details) => {
            let mut agent = agent;
            agent.status = transition::agent(agent.status, AgentEvent::Run).map_err(|e| illegal(&e))?;
            // The plugin's own part of its result.
            let own = |name: &str| details.get("details").and_then(|own| own.get(name));
            let text = |name: &str| own(name).and_then(serde_json::Value::as_str);
            tx.sql(
                "UPDATE nexus_agents SET status = ?2, deployed_at = ?3, updated_at = ?3, error_message = NULL,
                     deployment_details = ?4,
                     agentcore_runtime_arn = coalesce(?5, agentcore_runtime_arn),
                     agentcore_runtime_alias = coalesce(?6, agentcore_runtime_alias),
                     agentcore_region = coalesce(?7, agentcore_region),
                     agentcore_config = coalesce(?8, agentcore_config)
                 WHERE agent_id = ?1",
            )?
            .execute(params![
                end.agent_id.as_str(),
                agent.status.as_str(),
                tx.now_text(),
                rows::to_json(details)?,
                text("agentcore_runtime_arn"),
                text("agentcore_runtime_alias"),
                text("agentcore_region"),
                rows::to_json_opt(own("agentcore_config"))?,
            ])?;
            agents::tell(tx, &agent, None)?;
            tasks::finish(tx, &lease.task_id, &task, TaskEvent::Complete, None, None)?;
        }
        Err(failure) => {
            mark_failed(tx, agent, &failure.message)?;
            tasks::finish(tx, &lease.task_id, &task, TaskEvent::Fail, Some(&failure.message), None)?;
        }
    }
    if let Some(key) = end.receipt.as_ref().and_then(|receipt| tx.state.mail.held_by(receipt)) {
        tx.delete_message(key)?;
    }
    tx.withdraw_message(&lease.task_id)?;
    Ok(())
}

/// Ends a deploy task as failed, whoever holds its lease.
pub(crate) fn fail(tx: &mut Tx<'_>, id: &TaskId, task: &Brief, info: &ErrorInfo) -> Result<()> {
    if let Some(agent) = task.agent_id.as_ref().map(|id| agents::read(tx.conn(), id)).transpose()?.flatten() {
        mark_failed(tx, agent, &info.message)?;
    }
    tasks::finish(tx, id, task, TaskEvent::Fail, Some(&info.message), None)?;
    tx.withdraw_message(id).map(drop)
}

fn mark_failed(tx: &mut Tx<'_>, mut agent: crate::domain::agent::Agent, why: &str) -> Result<()> {
    // An agent that was taken out of service in between stays so.
    let Ok(status) = transition::agent(agent.status, AgentEvent::Fail) else { return Ok(()) };
    debug_assert_eq!(status, AgentStatus::Error);
    agent.status = status;
    tx.sql("UPDATE nexus_agents SET status = ?2, error_message = ?3, updated_at = ?4 WHERE agent_id = ?1")?
        .execute(params![agent.agent_id.as_str(), status.as_str(), why, tx.now_text()])?;
    agents::tell(tx, &agent, Some(why))
}

/// `Store::redeploy_agent`.
pub(crate) fn again(tx: &mut Tx<'_>, id: &AgentId) -> Result<Option<TaskId>> {
    let Some(mut agent) = agents::read(tx.conn(), id)? else { return Ok(None) };
    if matches!(agent.status, AgentStatus::Building | AgentStatus::Deploying) {
        let (machine, state, event) = ("agent", agent.status.as_str(), "deploying again");
        return Err(illegal(&transition::IllegalTransition { machine, state, event }));
    }
    let hot = match &agent.project_id {
        Some(project) => tx.hot(project)?,
        None => None,
    };
    let (Some(project_id), Some(hot)) = (agent.project_id.clone(), hot) else {
        let text = "the agent's project is gone, so it cannot be deployed again";
        return Err(StoreError::new(StoreErrorKind::Conflict, text));
    };
    agent.status = AgentStatus::Deploying;
    tx.sql("UPDATE nexus_agents SET status = ?2, error_message = NULL, updated_at = ?3 WHERE agent_id = ?1")?
        .execute(params![id.as_str(), agent.status.as_str(), tx.now_text()])?;
    agents::queue_deployment(tx, &agent, &project_id, hot.key, Priority::DEFAULT).map(|task| {
        agents::tell(tx, &agent, None)?;
        Ok(Some(task))
    })?
}
