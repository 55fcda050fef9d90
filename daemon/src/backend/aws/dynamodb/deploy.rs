//! Deploy tasks: their lease is in the task's own item, since no project stands still for them.

use async_trait::async_trait;

use super::{
    DynamoStore,
    agents::AgentPlan,
    aggregate::{TRIES, contended, pause},
    claim::MOST_FRUITLESS,
    codec::StoredTask,
    tasks,
    unit::Unit,
};
use crate::{
    backend::{
        error::{BackendErrorKind, fenced, invalid, not_found},
        store::{ClaimBuild, DeployClaim, DeployEnd, Deployments, Result},
    },
    domain::{
        agent::{Agent, NewPlace},
        allowed_transitions::TaskEvent,
        change::{TaskChange, deploy},
        failure::{ErrorInfo, FailureKind},
        ids::{AgentId, TaskId},
        project::Priority,
        task::Lease,
    },
};

impl DynamoStore {
    async fn try_deploy(&self, claim: &ClaimBuild, task_id: &TaskId) -> Result<DeployClaim> {
        let no = |why| Ok(DeployClaim::Obsolete(why));
        let Some(task) = self.stored_task(task_id).await? else { return no("the task does not exist") };
        if let Some(why) = deploy::obsolete(task.task.status, task.task.task_type) {
            return no(why);
        }
        let now = self.tables.clock();
        if let Some(until) = task.held_by_another(&claim.worker_id, now) {
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
            plan.tell = deploy::begin(agent, plan.now)?;
            let mut taken = task.clone();
            tasks::claim(&mut taken, 0, &claim.worker_id, self.tables.shared(claim.lease_until), plan.now)?;
            self.update_task(plan.unit(), &task, &taken)?;
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
        let end = TaskChange { event: TaskEvent::Fail, error: Some("the agent does not exist any more") };
        tasks::finish(&mut ended, end, None, now)?;
        let mut unit = Unit::default();
        self.update_task(&mut unit, &task, &ended)?;
        unit.commit(&self.tables).await?.map_err(|_| fenced())?;
        no("the agent does not exist")
    }

    /// Ends a deploy task as failed, whoever held its lease when it was read. [`BackendErrorKind::Fenced`]: another has it now.
    pub(crate) async fn fail_deploy(&self, task: &StoredTask, info: &ErrorInfo) -> Result<()> {
        let ended = |now| {
            let mut ended = task.clone();
            let end = TaskChange { event: TaskEvent::Fail, error: Some(&info.message) };
            tasks::finish(&mut ended, end, None, now).map(|()| ended)
        };
        if let Some(agent) = &task.agent_id {
            let change = |agent: &mut Agent, plan: &mut AgentPlan| {
                plan.tell = deploy::failed(agent, &info.message, plan.now);
                let ended = ended(plan.now)?;
                self.update_task(plan.unit(), task, &ended)
            };
            if self.with_agent(agent, change).await?.is_some() {
                return Ok(());
            }
        }
        let mut unit = Unit::default();
        self.update_task(&mut unit, task, &ended(self.tables.clock())?)?;
        unit.commit(&self.tables).await?.map_err(|_| fenced())
    }
}

#[async_trait]
impl Deployments for DynamoStore {
    async fn claim_deploy(&self, claim: ClaimBuild) -> Result<DeployClaim> {
        let claim = &claim;
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

    async fn finish_deploy(&self, lease: &Lease, end: DeployEnd) -> Result<()> {
        let end = &end;
        let Some(task) = self.stored_task(&lease.task_id).await?.filter(|task| task.is_held(lease)) else {
            return Err(fenced());
        };
        if task.agent_id.as_ref() != Some(&end.agent_id) {
            return Err(invalid("the task deploys another agent"));
        }
        let change = |agent: &mut Agent, plan: &mut AgentPlan| {
            let mut ended = task.clone();
            let (told, how) = deploy::ended(agent, &end.result, plan.now)?;
            plan.tell = told;
            tasks::finish(&mut ended, how, None, plan.now)?;
            self.update_task(plan.unit(), &task, &ended)
        };
        self.with_agent(&end.agent_id, change).await?.ok_or_else(|| not_found("agent"))
    }

    async fn redeploy_agent(&self, id: &AgentId, to: Option<NewPlace>) -> Result<Option<TaskId>> {
        let change = |agent: &mut Agent, plan: &mut AgentPlan| {
            let has_project = agent.project_id.is_some() && plan.plan.is_some();
            plan.tell = Some(deploy::again(agent, to.as_ref(), has_project, plan.now)?);
            let (Some(project), Some(of_project)) = (agent.project_id.clone(), &mut plan.plan) else {
                return Err(not_found("project"));
            };
            self.queue_deployment(agent, &project, Priority::DEFAULT, of_project)
        };
        self.with_agent(id, change).await
    }
}
