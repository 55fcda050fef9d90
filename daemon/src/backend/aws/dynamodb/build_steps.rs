//! The steps of a build: the path that runs for every stage of every project.

use async_trait::async_trait;
use serde_json::json;

use super::{
    DynamoStore,
    aggregate::{Aggregate, Plan, TRIES, contended, pause},
};
use crate::{
    backend::{
        error::fenced,
        store::{BuildEnd, BuildProgress, BuildStep, Builds, Result, StageRetry},
    },
    domain::{
        allowed_transitions::ProjectState,
        change::{
            retry::retry as decide_retry,
            step::{begun_before, step as decide_step},
        },
        task::Lease,
    },
};

/// What tells a step from every other of the project.
fn name_of(lease: &Lease, step: &BuildStep) -> String {
    let ended = step.ended.iter().map(|end| format!("{}@{}", end.stage_name, end.attempt));
    let ended: Vec<String> = ended.collect();
    let end = if step.end.is_some() { "!" } else { "" };
    format!("{}:{}:{}{end}", lease.epoch, ended.join(","), step.begin.join(","))
}

/// The answer to a step that was written, though its writer did not hear of it.
fn told_again(known: &Aggregate, step: &BuildStep) -> BuildProgress {
    let ProjectState { status, control } = known.state();
    BuildProgress { begun: begun_before(&known.stages, &step.begin), status, control, message_deleted: false }
}

impl DynamoStore {
    async fn take_step(&self, plan: &mut Plan, step: &BuildStep) -> Result<Vec<(String, u32)>> {
        let decided = decide_step(&plan.view(), &step.request(), plan.now)?;
        if !step.ended.is_empty()
            && let Some(task) = &mut plan.after.task
        {
            (task.fruitless, task.spared) = (0, 0);
            task.tried_by.clear();
        }
        let is_over = decided.change.task.is_some();
        let agent = match &step.end {
            Some(BuildEnd::Completed { agent: Some(agent), deploy }) => Some((agent, *deploy)),
            _ => None,
        };
        let result = agent.map(|(agent, _)| json!({"agent_id": agent.agent_id}));
        plan.carry_out(decided.change, result)?;
        if let Some((agent, deploy)) = agent {
            self.register(plan, agent, deploy).await?;
        }
        if is_over {
            self.build_figures(plan)?;
        }
        Ok(decided.begun)
    }
}

#[async_trait]
impl Builds for DynamoStore {
    async fn advance_build(&self, lease: &Lease, step: BuildStep) -> Result<BuildProgress> {
        let step = &step;
        let id = &lease.project_id;
        let name = name_of(lease, step);
        let mut held = self.slots.hold(id).await;
        for round in 0..TRIES {
            let Some(mut plan) = self.plan(&mut held).await? else { return Err(fenced()) };
            if plan.after.stored.last_step.as_ref() == Some(&name) {
                return Ok(told_again(&plan.after, step));
            }
            if !plan.after.admits(lease) {
                *held.known = None;
                return Err(fenced());
            }
            let begun = self.take_step(&mut plan, step).await?;
            plan.after.stored.last_step = Some(name.clone());
            let ProjectState { status, control } = plan.after.state();
            match self.commit(&mut held, plan).await? {
                Ok(()) => return Ok(BuildProgress { begun, status, control, message_deleted: false }),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }

    async fn retry_stage(&self, lease: &Lease, retry: StageRetry) -> Result<u32> {
        let retry = &retry;
        let mut held = self.slots.hold(&lease.project_id).await;
        for round in 0..TRIES {
            let Some(mut plan) = self.plan(&mut held).await? else { return Err(fenced()) };
            if !plan.after.admits(lease) {
                *held.known = None;
                return Err(fenced());
            }
            let attempt = if plan.settle_stop()? {
                None
            } else {
                let (name, failed) = (&retry.stage_name, retry.failed_attempt);
                let (again, attempt) = decide_retry(&plan.view(), name, failed, &retry.failure, plan.now)?;
                plan.carry_out(again, None)?;
                Some(attempt)
            };
            match self.commit(&mut held, plan).await? {
                Ok(()) => return attempt.ok_or_else(fenced),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }
}
