//! What every backend writes alike: bodies of messages, names.

use serde_json::Value;

use crate::{
    backend::queue::{BuildMessage, DeployMessage},
    domain::{
        ids::{AgentId, ProjectId, TaskId},
        project::Project,
    },
};

/// Characters of the first message that name a session.
const NAME_CHARS: usize = 30;

/// Bytes above which a message's body is made smaller: a queue takes 256 KB, and would refuse more for ever.
const BODY: usize = 200_000;
/// Characters of a requirement that such a message has; the whole one stands in the project.
const SHOWN: usize = 20_000;

/// The message of a build task.
pub(crate) fn build_payload(project: &Project, task: &TaskId) -> String {
    let mut message = BuildMessage {
        task_id: Some(task.clone()),
        project_id: project.project_id.clone(),
        requirement: project.requirement.clone(),
        user_id: project.user_id.clone(),
        priority: project.priority.get().into(),
        action: None,
        target_stage: None,
    };
    let body = message.to_body();
    if body.len() <= BODY {
        return body;
    }
    for text in [&mut message.requirement, &mut message.user_id] {
        *text = crate::domain::text::shorten(text, SHOWN);
    }
    message.to_body()
}

/// The message of a deploy task.
pub(crate) fn deploy_payload(project: &ProjectId, agent: &AgentId, config: Option<&Value>, task: &TaskId) -> String {
    let message = DeployMessage {
        task_id: Some(task.clone()),
        project_id: project.clone(),
        agent_id: agent.clone(),
        deployment_config: config.cloned().unwrap_or(Value::Null),
    };
    let body = message.to_body();
    if body.len() <= BODY {
        return body;
    }
    // The agent's own record has it, too.
    DeployMessage { deployment_config: Value::Null, ..message }.to_body()
}

/// The name that a session gets from its first message.
pub(crate) fn name_from(content: &str) -> String {
    let content = content.trim();
    if content.chars().count() <= NAME_CHARS {
        return content.to_owned();
    }
    content.chars().take(NAME_CHARS).chain("...".chars()).collect()
}

/// Whoever began a request was stopped for longer than its key lasted.
pub(crate) fn key_was_lost() {
    tracing::warn!("another request took over the idempotency key before this answer was stored; its answer stays");
}

/// The refusal of a booking on a call that was never reserved or is settled.
pub(crate) fn unknown_call(id: &str) -> crate::backend::error::BackendError {
    use crate::backend::error::{BackendError, BackendErrorKind};
    BackendError::new(BackendErrorKind::Illegal, format!("the call `{id}` has no open reservation"))
}
