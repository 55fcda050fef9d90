//! Deploy tasks: their lease is in the task's own row, since no project stands still for them.

use async_trait::async_trait;

use super::{
    SqliteStore, agents,
    clock::Moment,
    error::{fenced, not_found},
    tasks::{self, Brief},
    tx::Tx,
};
use crate::{
    backend::store::{ClaimBuild, DeployClaim, DeployEnd, Deployments, Result},
    domain::{
        agent::NewPlace,
        allowed_transitions::TaskEvent,
        change::{TaskChange, deploy},
        failure::ErrorInfo,
        ids::{AgentId, TaskId},
        project::Priority,
        task::Lease,
    },
};

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
        let end = TaskChange { event: TaskEvent::Fail, error: Some("the agent does not exist any more") };
        tasks::finish(tx, &task_id, &task, end, None)?;
        tx.withdraw_message(&task_id)?;
        return Ok(DeployClaim::Obsolete("the agent does not exist"));
    };
    let told = deploy::begin(&mut agent, tx.now())?;
    let epoch = tasks::claim(tx, &task_id, &task, 0, &claim.worker_id, until)?;
    agents::write(tx, &agent, told)?;
    let lease = Lease { task_id, project_id: task.project_id, worker_id: claim.worker_id.clone(), epoch };
    Ok(DeployClaim::Claimed { lease, agent: Box::new(agent) })
}

pub(crate) fn finish(tx: &mut Tx<'_>, lease: &Lease, end: &DeployEnd) -> Result<()> {
    let task = tasks::brief(tx, &lease.task_id)?.filter(|task| task.is_held(&lease.task_id, lease));
    let Some(task) = task else { return Err(fenced()) };
    let Some(mut agent) = agents::read(tx.conn(), &end.agent_id)? else { return Err(not_found("agent")) };
    if task.agent_id.as_ref() != Some(&end.agent_id) {
        return Err(super::error::invalid("the task deploys another agent"));
    }
    let (told, ended) = deploy::ended(&mut agent, &end.result, tx.now())?;
    agents::write(tx, &agent, told)?;
    tasks::finish(tx, &lease.task_id, &task, ended, None)?;
    if let Some(key) = end.receipt.as_ref().and_then(|receipt| tx.state.mail.held_by(receipt)) {
        tx.delete_message(key)?;
    }
    tx.withdraw_message(&lease.task_id)?;
    Ok(())
}

/// Ends a deploy task as failed, whoever holds its lease.
pub(crate) fn fail(tx: &mut Tx<'_>, id: &TaskId, task: &Brief, info: &ErrorInfo) -> Result<()> {
    if let Some(mut agent) = task.agent_id.as_ref().map(|id| agents::read(tx.conn(), id)).transpose()?.flatten() {
        let told = deploy::failed(&mut agent, &info.message, tx.now());
        agents::write(tx, &agent, told)?;
    }
    tasks::finish(tx, id, task, TaskChange { event: TaskEvent::Fail, error: Some(&info.message) }, None)?;
    tx.withdraw_message(id).map(drop)
}

pub(crate) fn again(tx: &mut Tx<'_>, id: &AgentId, to: Option<&NewPlace>) -> Result<Option<TaskId>> {
    let Some(mut agent) = agents::read(tx.conn(), id)? else { return Ok(None) };
    let hot = match &agent.project_id {
        Some(project) => tx.hot(project)?,
        None => None,
    };
    let told = deploy::again(&mut agent, to, hot.is_some(), tx.now())?;
    let (Some(project), Some(hot)) = (agent.project_id.clone(), hot) else { return Err(not_found("project")) };
    let task = agents::queue_deployment(tx, &agent, &project, hot.key, Priority::DEFAULT)?;
    agents::write(tx, &agent, Some(told))?;
    Ok(Some(task))
}

#[async_trait]
impl Deployments for SqliteStore {
    async fn claim_deploy(&self, claim: ClaimBuild) -> Result<DeployClaim> {
        let until = Moment::meant_by(claim.lease_until);
        self.write(move |tx| self::claim(tx, &claim, until)).await
    }

    async fn finish_deploy(&self, lease: &Lease, end: DeployEnd) -> Result<()> {
        let lease = lease.clone();
        self.write(move |tx| finish(tx, &lease, &end)).await
    }

    async fn redeploy_agent(&self, id: &AgentId, to: Option<NewPlace>) -> Result<Option<TaskId>> {
        let id = id.clone();
        self.write(move |tx| again(tx, &id, to.as_ref())).await
    }
}
