//! What every backend writes alike: events, bodies of messages, names.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    domain::{
        agent::AgentStatus,
        control::ControlStatus,
        deletion::DeletedKind,
        event::{EventType, NewEvent},
        failure::{ErrorInfo, FailureKind},
        ids::{AgentId, ProjectId, TaskId},
        project::Project,
        stage::StageStatus,
        time::Timestamp,
        transition::{AgentEvent, ProjectState},
        workflow::{Workflow, Workflows},
    },
    queue::{BuildMessage, DeployMessage},
    store::{StoreError, StoreErrorKind},
};

/// Characters of the first message that name a session.
const NAME_CHARS: usize = 30;

/// Lines about failed attempts that a stage's log keeps.
const MOST_ATTEMPTS: usize = 20;
/// Characters of such a line.
const ATTEMPT_CHARS: usize = 1_000;
const ATTEMPT: &str = "attempt ";

/// What a stage's log says of an attempt that failed and is tried again.
pub(crate) fn attempt_line(attempt: u32, failure: &crate::domain::failure::Failure) -> String {
    let line = format!("{ATTEMPT}{attempt} failed ({}): {}", failure.kind, failure.message);
    crate::domain::text::shorten(&line, ATTEMPT_CHARS)
}

/// A stage's log at the end of an attempt: what earlier attempts left of themselves, then its own lines.
pub(crate) fn log_at_end(before: &[String], own: &[String]) -> Vec<String> {
    let about = |line: &&String| line.starts_with(ATTEMPT) && line.contains(" failed (");
    let kept: Vec<&String> = before.iter().filter(about).collect();
    let skipped = kept.len().saturating_sub(MOST_ATTEMPTS);
    kept.into_iter().skip(skipped).chain(own).cloned().collect()
}

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

/// The `project` event of a step.
pub(crate) fn project_event(at: Timestamp, state: ProjectState, progress: f64, stage: Option<&str>) -> NewEvent {
    let mut fields = Map::new();
    fields.insert("status".into(), state.status.as_str().into());
    fields.insert("progress".into(), progress.into());
    fields.insert("current_stage".into(), stage.map_or(Value::Null, Into::into));
    if state.control != ControlStatus::Running {
        fields.insert("control_status".into(), state.control.as_str().into());
    }
    NewEvent { kind: EventType::Project, at, fields }
}

/// The `agent` event of a change.
pub(crate) fn agent_event(at: Timestamp, id: &AgentId, name: &str, status: AgentStatus) -> NewEvent {
    let mut fields = Map::new();
    fields.insert("agent_id".into(), id.as_str().into());
    fields.insert("agent_name".into(), name.into());
    fields.insert("status".into(), status.as_str().into());
    NewEvent { kind: EventType::Agent, at, fields }
}

/// The event of the agent machine that leads to a status.
pub(crate) const fn towards(status: AgentStatus) -> AgentEvent {
    match status {
        AgentStatus::Building | AgentStatus::Deploying => AgentEvent::Deploy,
        AgentStatus::Running => AgentEvent::Run,
        AgentStatus::Offline => AgentEvent::TakeOffline,
        AgentStatus::Error => AgentEvent::Fail,
    }
}

/// The `metrics` of a stage.
#[derive(Serialize)]
pub(crate) struct EndMetrics<'a> {
    pub(crate) model_id: &'a Option<String>,
    pub(crate) cost_usd: f64,
    pub(crate) attempts: u32,
}

/// The name that a session gets from its first message.
pub(crate) fn name_from(content: &str) -> String {
    let content = content.trim();
    if content.chars().count() <= NAME_CHARS {
        return content.to_owned();
    }
    content.chars().take(NAME_CHARS).chain("...".chars()).collect()
}

/// Whether the stages that are stored are those of the project's workflow.
pub(crate) enum Fit<'w> {
    /// They are.
    Same(&'w Workflow),
    /// None has begun, and there are none yet or by their old names, as the original's API has them: the workflow's take
    /// their place.
    Anew(&'w Workflow),
}

/// The workflow of a project, when it has the stages that are stored (name, status, attempt).
pub(crate) fn fitting<'w>(
    name: &str,
    stored: &[(&str, StageStatus, u32)],
    workflows: &'w Workflows,
) -> std::result::Result<Fit<'w>, ErrorInfo> {
    let info = |message: String| ErrorInfo::outside(FailureKind::InvalidInput, message);
    let Some(workflow) = workflows.get(name) else {
        return Err(info(format!("there is no workflow {name:?}: add its file, then restart the project")));
    };
    if workflow.stages().iter().map(|stage| stage.name.as_str()).eq(stored.iter().map(|stage| stage.0)) {
        return Ok(Fit::Same(workflow));
    }
    let untouched = |(name, status, attempt): &(&str, StageStatus, u32)| {
        *status == StageStatus::Pending && *attempt == 0 && workflow.index_of(name).is_some()
    };
    if stored.iter().all(untouched) {
        return Ok(Fit::Anew(workflow));
    }
    Err(info(format!(
        "the stages of workflow {name:?} are no longer those that this project was made with: \
         put the former workflow back, or post the requirement again"
    )))
}

/// Why a thing is not written under the id of one that was deleted and is not all gone: what is still to be removed of
/// that one, and what comes, would be taken for each other.
pub(crate) fn being_deleted(kind: DeletedKind, id: &str) -> StoreError {
    let text = format!(
        "the {kind} {id} was deleted, and not all that belonged to it is removed yet: let a daemon run until that is done \
         (`nexusd doctor` lists what is left), then import again"
    );
    StoreError::new(StoreErrorKind::Conflict, text)
}

/// Whoever began a request was stopped for longer than its key lasted.
pub(crate) fn key_was_lost() {
    tracing::warn!("an idempotency key was another's by the time of this answer: the other's answer stays");
}
