//! Who is to blame for work that was given up: the stage that ran, or the deployment, and the handler behind it. From
//! the rows and the settings, alike on every backend.

use super::environment::Environment;
use crate::{
    backend::{
        error::BackendError,
        queue::{DIED, DeadLetter},
    },
    domain::{
        failure::{ErrorInfo, FailureKind},
        ids::{ProjectId, TaskId},
        stage::StageStatus,
    },
};

/// Why the task of a dead letter is given up, as its project is told.
pub(crate) async fn reason_of(
    env: &Environment,
    letter: &DeadLetter,
    task: Option<&TaskId>,
    project: &ProjectId,
) -> Result<ErrorInfo, BackendError> {
    let queue = letter.queue;
    let kind = if letter.reason.starts_with(DIED) { FailureKind::Plugin } else { FailureKind::Infrastructure };
    let message = format!("the task was given up and its message is in {queue} (`nexusd dlq list`): {}", letter.reason);
    let mut reason = ErrorInfo::outside(kind, message);
    match deployed_agent(env, task).await? {
        Some(handler) => reason.message.push_str(&format!("; what deployed it is {handler}")),
        None => name_stages(env, project, &mut reason).await?,
    }
    Ok(reason)
}

/// The handler of a deploy task, in words; none for a task of another kind.
async fn deployed_agent(env: &Environment, task: Option<&TaskId>) -> Result<Option<String>, BackendError> {
    let Some(task) = task else { return Ok(None) };
    let Some(task) = env.store.task(task).await? else { return Ok(None) };
    if task.task_type != crate::domain::task::TaskType::DeployAgent {
        return Ok(None);
    }
    let agent = task.payload.get("agent_id").and_then(serde_json::Value::as_str).and_then(|id| id.parse().ok());
    let agent = match agent {
        Some(id) => env.store.agent(&id).await?,
        None => None,
    };
    let config = env.config.load();
    let of = |target: &str| match config.deploy.targets.get(target) {
        Some(handler) => format!("handler {handler} (deploy target {target})"),
        None => format!("deploy target {target}"),
    };
    Ok(Some(agent.map_or_else(|| "not known any more".to_owned(), |agent| of(&agent.deployment.target))))
}

async fn name_stages(env: &Environment, project: &ProjectId, reason: &mut ErrorInfo) -> Result<(), BackendError> {
    let Some(detail) = env.store.project_detail(project).await? else { return Ok(()) };
    let workflows = env.workflows.load();
    let workflow = workflows.get(&detail.project.workflow);
    let mut words = Vec::new();
    for stage in detail.stages.iter().filter(|stage| stage.status == StageStatus::Running) {
        let spec = workflow.and_then(|workflow| workflow.stages().iter().find(|spec| spec.name == stage.stage_name));
        let handler = spec.map_or("a handler that is not configured any more", |spec| spec.handler.as_str());
        words.push(format!("stage {} (attempt {}) of handler {handler}", stage.stage_name, stage.attempt));
        if reason.stage.is_none() {
            (reason.stage, reason.attempt) = (Some(stage.stage_name.clone()), stage.attempt);
        }
    }
    if !words.is_empty() {
        reason.message.push_str(&format!("; it was in {}", words.join(" and ")));
    }
    Ok(())
}
