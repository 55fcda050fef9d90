//! Deploy tasks: their lease is in the task's own row, since no project stands still for them.

use super::{
    agents,
    clock::Moment,
    error::{fenced, not_found},
    lease,
    tasks::{self, Brief},
    tx::Tx,
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        store::{ClaimBuild, DeployClaim, DeployEnd, Result},
    },
    domain::{
        agent::Agent,
        change::deploy,
        failure::ErrorInfo,
        ids::{AgentId, TaskId},
        project::Priority,
        task::Lease,
        transition::TaskEvent,
    },
};

/// `Store::claim_deploy`.
pub(crate) fn claim(tx: &mut Tx<'_>, claim: &ClaimBuild, until: Moment) -> Result<DeployClaim> {
    let Some(task_id) = claim.task_id.clone() else { return Ok(DeployClaim::Obsolete("the message names no task")) };
    let Some(task) = tasks::brief(tx, &task_id)? else {
        return Ok(DeployClaim::Obsolete("the task does not exist"));
    };
    if let Some(why) = deploy::obsolete(task.status, task.task_type) {
        return Ok(DeployClaim::Obsolete(why));
    }
    if let Some(until) = tasks::held_by_another(tx, &task_id, &task, &claim.worker_id) {
        return Ok(DeployClaim::HeldUntil(until.on_the_wall()));
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
    let is_new = deploy::begin(&mut agent, tx.now())?;
    let epoch = tasks::claim(tx, &task_id, &task, &claim.worker_id, until)?;
    agents::write_deployment(tx, &agent)?;
    if is_new {
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
    let Some(mut agent) = agents::read(tx.conn(), &end.agent_id)? else { return Err(not_found("agent")) };
    if task.agent_id.as_ref() != Some(&end.agent_id) {
        return Err(super::error::invalid("the task deploys another agent"));
    }
    match &end.result {
        Ok(details) => {
            deploy::deployed(&mut agent, details, tx.now())?;
            agents::write_deployment(tx, &agent)?;
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

fn mark_failed(tx: &mut Tx<'_>, mut agent: Agent, why: &str) -> Result<()> {
    if !deploy::failed(&mut agent, why, tx.now()) {
        return Ok(());
    }
    agents::write_deployment(tx, &agent)?;
    agents::tell(tx, &agent, Some(why))
}

/// `Store::redeploy_agent`.
pub(crate) fn again(tx: &mut Tx<'_>, id: &AgentId) -> Result<Option<TaskId>> {
    let Some(mut agent) = agents::read(tx.conn(), id)? else { return Ok(None) };
    deploy::again(&mut agent, tx.now())?;
    let hot = match &agent.project_id {
        Some(project) => tx.hot(project)?,
        None => None,
    };
    let (Some(project_id), Some(hot)) = (agent.project_id.clone(), hot) else {
        let text = "the agent's project is gone, so it cannot be deployed again";
        return Err(BackendError::new(BackendErrorKind::Conflict, text));
    };
    agents::write_deployment(tx, &agent)?;
    agents::queue_deployment(tx, &agent, &project_id, hot.key, Priority::DEFAULT).map(|task| {
        agents::tell(tx, &agent, None)?;
        Ok(Some(task))
    })?
}
