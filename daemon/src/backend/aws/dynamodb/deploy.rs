//! Deploy tasks: their lease is in the task's own item, since no project stands still for them.

use super::{
    DynamoStore,
    agents::AgentPlan,
    aggregate::{TRIES, contended, pause},
    claim::MOST_FRUITLESS,
    codec::{Record as _, StoredTask},
    lease::holds,
    table::Table,
    tasks,
    unit::{Guard, Refused, Unit},
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind, fenced, invalid, not_found},
        store::{ClaimBuild, DeployClaim, DeployEnd, Result, alike::deploy_payload},
    },
    domain::{
        agent::Agent,
        change::deploy,
        failure::{ErrorInfo, FailureKind},
        ids::{AgentId, TaskId},
        project::Priority,
        task::{Lease, TaskStatus, TaskType},
        transition::TaskEvent,
    },
};

impl DynamoStore {
    /// `Store::claim_deploy`.
    pub(crate) async fn take_deploy(&self, claim: &ClaimBuild) -> Result<DeployClaim> {
        let no = |why| Ok(DeployClaim::Obsolete(why));
        let Some(task_id) = &claim.task_id else { return no("the message names no task") };
        for round in 0..TRIES {
            match self.try_deploy(claim, task_id).await {
                // Another was quicker: what the task is now says what that means.
                Err(error) if error.kind() == BackendErrorKind::Fenced => pause(round).await,
                answer => return answer,
            }
        }
        Err(contended())
    }

    async fn try_deploy(&self, claim: &ClaimBuild, task_id: &TaskId) -> Result<DeployClaim> {
        let no = |why| Ok(DeployClaim::Obsolete(why));
        let Some(task) = self.stored_task(task_id).await? else { return no("the task does not exist") };
        if let Some(why) = deploy::obsolete(task.task.status, task.task.task_type) {
            return no(why);
        }
        let now = self.tables.clock();
        if task.task.status == TaskStatus::Running
            && task.task.worker_id.as_ref() != Some(&claim.worker_id)
            && let Some(until) = task.lease_until.filter(|until| *until > now)
        {
            return Ok(DeployClaim::HeldUntil(self.tables.local(until)));
        }
        let Some(agent_id) = &task.agent_id else { return no("the task names no agent") };
        if task.fruitless >= MOST_FRUITLESS {
            let message = format!(
                "given up: {MOST_FRUITLESS} daemons began this deployment and ended before it did; see their logs"
            );
            let info = ErrorInfo::outside(FailureKind::Infrastructure, message);
            return self.fail_deploy(&task, &info).await.and_then(|()| no("the deployment was given up"));
        }
        let change = |agent: &mut Agent, plan: &mut AgentPlan| {
            if deploy::begin(agent, plan.now)? {
                plan.tell = Some(None);
            }
            let mut taken = task.clone();
            tasks::claim(&mut taken, &claim.worker_id, self.tables.shared(claim.lease_until), plan.now)?;
            self.update_task(&mut plan.unit, &task, &taken)?;
            let lease = Lease {
                task_id: task_id.clone(),
                project_id: task.task.project_id.clone(),
                worker_id: claim.worker_id.clone(),
                epoch: taken.epoch,
            };
            Ok(DeployClaim::Claimed { lease, agent: Box::new(agent.clone()) })
        };
        if let Some(claimed) = self.with_agent(agent_id, change).await? {
            return Ok(claimed);
        }
        let mut ended = task.clone();
        tasks::finish(&mut ended, TaskEvent::Fail, Some("the agent does not exist any more"), None, now)?;
        let mut unit = Unit::default();
        self.update_task(&mut unit, &task, &ended)?;
        unit.commit(&self.tables).await?.map_err(|_| fenced())?;
        no("the agent does not exist")
    }

    /// `Store::finish_deploy`.
    pub(crate) async fn end_deploy(&self, lease: &Lease, end: &DeployEnd) -> Result<()> {
        let Some(task) = self.stored_task(&lease.task_id).await?.filter(|task| holds(task, lease)) else {
            return Err(fenced());
        };
        if task.agent_id.as_ref() != Some(&end.agent_id) {
            return Err(invalid("the task deploys another agent"));
        }
        let change = |agent: &mut Agent, plan: &mut AgentPlan| {
            let mut ended = task.clone();
            match &end.result {
                Ok(details) => {
                    deploy::deployed(agent, details, plan.now)?;
                    plan.tell = Some(None);
                    tasks::finish(&mut ended, TaskEvent::Complete, None, None, plan.now)?;
                }
                Err(failure) => {
                    mark_failed(agent, plan, &failure.message);
                    tasks::finish(&mut ended, TaskEvent::Fail, Some(&failure.message), None, plan.now)?;
                }
            }
            self.update_task(&mut plan.unit, &task, &ended)
        };
        self.with_agent(&end.agent_id, change).await?.ok_or_else(|| not_found("agent"))
    }

    /// Ends a deploy task as failed, whoever held its lease when it was read. [`BackendErrorKind::Fenced`]: another has it now.
    pub(crate) async fn fail_deploy(&self, task: &StoredTask, info: &ErrorInfo) -> Result<()> {
        let ended = |now| {
            let mut ended = task.clone();
            tasks::finish(&mut ended, TaskEvent::Fail, Some(&info.message), None, now).map(|()| ended)
        };
        if let Some(agent) = &task.agent_id {
            let change = |agent: &mut Agent, plan: &mut AgentPlan| {
                mark_failed(agent, plan, &info.message);
                self.update_task(&mut plan.unit, task, &ended(plan.now)?)
            };
            if self.with_agent(agent, change).await?.is_some() {
                return Ok(());
            }
        }
        let mut unit = Unit::default();
        self.update_task(&mut unit, task, &ended(self.tables.clock())?)?;
        unit.commit(&self.tables).await?.map_err(|_| fenced())
    }

    /// `Store::redeploy_agent`.
    pub(crate) async fn deploy_again(&self, id: &AgentId) -> Result<Option<TaskId>> {
        let change = |agent: &mut Agent, plan: &mut AgentPlan| {
            deploy::again(agent, plan.now)?;
            let (Some(project), Some(of_project)) = (agent.project_id.clone(), &mut plan.plan) else {
                let text = "the agent's project is gone, so it cannot be deployed again";
                return Err(BackendError::new(BackendErrorKind::Conflict, text));
            };
            plan.tell = Some(None);
            let task_id = TaskId::generate();
            let body = deploy_payload(&project, id, agent.deployment_config.as_ref(), &task_id);
            let of = TaskType::DeployAgent;
            let task = tasks::pending(task_id.clone(), of, &project, Some(id), Priority::DEFAULT, &body, plan.now)?;
            plan.unit.put(&self.tables, Table::Tasks, task.to_item()?, &Guard::Absent, Refused::Exists)?;
            of_project.send(&task, body);
            Ok(task_id)
        };
        self.with_agent(id, change).await
    }
}

fn mark_failed(agent: &mut Agent, plan: &mut AgentPlan, why: &str) {
    if deploy::failed(agent, why, plan.now) {
        plan.tell = Some(Some(why.to_owned()));
    }
}
