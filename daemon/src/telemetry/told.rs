//! What the operator is told: one line of the log for each thing that happened to a project or an agent, with its ids, its
//! duration and its reason. A failure is one WARN that says what to do; what leads to it (retries, stages) is DEBUG.
//!
//! No field is called `target`, `level` or `message`: JSON has these already, and of two members of one name readers see one.
//!
//! Called by whoever did it, after it is durable, and so on one daemon only: what another did is in that one's log.

use std::collections::VecDeque;

use nexus_plugin_api::payload::LogLevel;

use crate::domain::deletion::ProjectAgents;
use crate::domain::queue::QueueName;
use crate::domain::{
    agent::{Agent, AgentStatus},
    control::ControlAction,
    failure::{ErrorInfo, Failure, FailureKind},
    ids::{AgentId, ProjectId, TaskId},
    project::{AggregatedMetrics, Project, ProjectStatus},
    stage::{StageEnd, StageOutcome},
    text::shorten,
};

/// Lines of one job of a deploy handler that reach the log; a handler that talks on and on must not fill the disk.
const MAX_LINES: u32 = 100;
/// Of these the last are kept in the agent's record, each so long at most.
const KEPT_LINES: usize = 50;
const KEPT_CHARS: usize = 500;

/// A project was made.
pub fn project_created(project: &ProjectId, name: &str, workflow: &str, task: Option<&TaskId>) {
    let task_id = task.map(TaskId::as_str);
    tracing::info!(project_id = %project, name, workflow, task_id, "project created, its build is queued");
}

/// A project was deleted.
pub fn project_deleted(project: &ProjectId, agents: usize, fate: ProjectAgents) {
    tracing::info!(project_id = %project, agents, ?fate, "project deleted");
}

/// A person's request took effect, or will when the running stage ends.
pub fn controlled(project: &ProjectId, action: ControlAction, status: ProjectStatus, message: &str) {
    tracing::info!(project_id = %project, action = action.as_str(), status = status.as_str(), "{message}");
}

/// A stage's attempt ended.
pub fn stage_ended(project: &ProjectId, end: &StageEnd) {
    let (stage, attempt, seconds) = (end.stage_name.as_str(), end.attempt, rounded(end.figures.duration_seconds));
    let (input_tokens, output_tokens) = (end.figures.input_tokens, end.figures.output_tokens);
    match &end.outcome {
        StageOutcome::Completed(_) => {
            tracing::debug!(project_id = %project, stage, attempt, seconds, input_tokens, output_tokens, "stage completed");
        }
        StageOutcome::Skipped(_) => tracing::debug!(project_id = %project, stage, attempt, seconds, "stage skipped"),
        StageOutcome::Failed(failure) => {
            tracing::debug!(project_id = %project, stage, attempt, seconds, kind = failure.kind.as_str(), error = failure.message, "stage failed");
        }
    }
}

/// A stage is tried again after a pause.
pub fn stage_retried(project: &ProjectId, stage: &str, retry: u32, pause: std::time::Duration, failure: &Failure) {
    let (kind, pause_seconds) = (failure.kind.as_str(), rounded(pause.as_secs_f64()));
    tracing::info!(project_id = %project, stage, retry, kind, error = failure.message, pause_seconds, "stage failed and is tried again");
}

/// How a build went, as far as this daemon knows.
pub struct BuildFigures<'a> {
    /// What was built.
    pub project: &'a Project,
    pub task: &'a TaskId,
    /// Stages that are done.
    pub stages: usize,
    /// Since the task was first begun.
    pub seconds: f64,
    /// Sums over the stages.
    pub sums: AggregatedMetrics,
    /// Why it failed, if it did.
    pub failure: Option<&'a ErrorInfo>,
    /// The agent that came out.
    pub agent: Option<AgentId>,
}

/// A build ended, or rests.
pub fn build_ended(status: ProjectStatus, build: &BuildFigures<'_>) {
    let BuildFigures { project, task, stages, seconds, sums, failure, agent } = build;
    let (project_id, task_id, seconds) = (project.project_id.as_str(), task.as_str(), rounded(*seconds));
    let name = project.project_name.as_str();
    match status {
        ProjectStatus::Completed => {
            let (input_tokens, output_tokens) = (sums.total_input_tokens, sums.total_output_tokens);
            let agent_id = agent.as_ref().map(AgentId::as_str);
            tracing::info!(
                project_id,
                name,
                task_id,
                stages,
                seconds,
                input_tokens,
                output_tokens,
                agent_id,
                "build completed"
            );
        }
        ProjectStatus::Failed => {
            let stage = failure.and_then(|failure| failure.stage.as_deref());
            let (kind, attempt) = (failure.map(|f| f.kind), failure.map(|f| f.attempt));
            let error = failure.map(|failure| failure.message.as_str());
            let remedy = build_remedy(project_id, stage, kind.unwrap_or(FailureKind::Infrastructure));
            let kind = kind.map(FailureKind::as_str);
            tracing::warn!(project_id, name, task_id, stage, attempt, kind, error, seconds, remedy, "build failed");
        }
        ProjectStatus::Paused => {
            let held = failure.filter(|failure| failure.kind.holds());
            if let Some(failure) = held {
                let (stage, kind, error) = (failure.stage.as_deref(), failure.kind.as_str(), &failure.message);
                let remedy = build_remedy(project_id, stage, failure.kind);
                tracing::warn!(project_id, name, task_id, stage, kind, error, seconds, remedy, "build paused");
            } else {
                tracing::info!(project_id, name, task_id, stages, seconds, "build paused");
            }
        }
        // Whoever asked for it has logged it.
        other => tracing::debug!(project_id, name, task_id, stages, seconds, status = other.as_str(), "build ended"),
    }
}

/// A build cannot be worked on at all.
pub fn build_refused(project: &ProjectId, error: &ErrorInfo) {
    let remedy = build_remedy(project.as_str(), error.stage.as_deref(), error.kind);
    let (stage, kind) = (error.stage.as_deref(), error.kind.as_str());
    tracing::warn!(project_id = %project, stage, kind, error = error.message, remedy, "build failed");
}

/// A task was given up: its message is a dead letter.
pub fn given_up(queue: QueueName, project: Option<&ProjectId>, task: Option<&TaskId>, error: &ErrorInfo) {
    let (project_id, task_id) = (project.map(ProjectId::as_str), task.map(TaskId::as_str));
    let (stage, kind) = (error.stage.as_deref(), error.kind.as_str());
    let remedy =
        "mend what the error names; `nexusd dlq list` shows the message, `nexusd dlq redrive` works on it again";
    tracing::warn!(project_id, task_id, %queue, stage, kind, error = error.message, remedy, "task given up: its message is a dead letter");
}

/// What an operator does about a build that failed.
fn build_remedy(project: &str, stage: Option<&str>, kind: FailureKind) -> String {
    let again = match stage {
        Some(stage) => format!("`nexusd restart {project} --from {stage}`"),
        None => format!("`nexusd restart {project}`"),
    };
    match kind {
        FailureKind::Transient => {
            format!("the cause may have passed: {again}; it fails again: `nexusd logs {project}` and the service that the error names")
        }
        FailureKind::Timeout => {
            format!("look at what took so long (`nexusd logs {project}`), raise the limit in the workflow file if it is too small, then {again}")
        }
        FailureKind::Infrastructure => {
            format!("mend what the error names (disk, store, permissions of the data folder), then {again}")
        }
        FailureKind::InvalidInput => {
            "the requirement or a stage's options are at fault: make a project with other words, or mend the workflow file".to_owned()
        }
        FailureKind::Panic | FailureKind::Plugin => {
            format!("a fault of the plugin: mend or replace it (`nexusd plugins list`), reload, then {again}")
        }
        FailureKind::BudgetExhausted => {
            format!("raise the budget that the error names ([models.budget], or the project's own), then `nexusd resume {project}`")
        }
        FailureKind::Cancelled => format!("it was cancelled: {again} to go on"),
        FailureKind::Permanent => {
            format!("it will fail again as it is: read `nexusd logs {project}`, mend the cause, then {again}")
        }
    }
}

/// An agent was brought into service.
pub fn agent_deployed(agent: &Agent, endpoint: Option<&str>, seconds: f64, tries: u32) {
    let (agent_id, name, deploy_target) =
        (agent.agent_id.as_str(), agent.agent_name.as_str(), agent.deployment.target.as_str());
    let project_id = agent.project_id.as_ref().map(ProjectId::as_str);
    tracing::info!(
        agent_id,
        name,
        project_id,
        deploy_target,
        endpoint,
        seconds = rounded(seconds),
        tries,
        "agent deployed"
    );
}

/// A try of a deployment failed and there will be another.
pub fn deploy_retried(agent: &Agent, tries: u32, failure: &Failure) {
    let (agent_id, deploy_target) = (agent.agent_id.as_str(), agent.deployment.target.as_str());
    tracing::info!(
        agent_id,
        deploy_target,
        tries,
        kind = failure.kind.as_str(),
        error = failure.message,
        "deployment failed and is tried again"
    );
}

/// An agent could not be brought into service.
pub fn deploy_failed(agent: &Agent, failure: &Failure, seconds: f64) {
    let (agent_id, name, deploy_target) =
        (agent.agent_id.as_str(), agent.agent_name.as_str(), agent.deployment.target.as_str());
    let project_id = agent.project_id.as_ref().map(ProjectId::as_str);
    let again = format!("PUT /api/v2/agents/{agent_id}/status?status=running (or restart its project)");
    let remedy = match failure.kind {
        FailureKind::Transient | FailureKind::Timeout | FailureKind::Infrastructure => {
            format!("mend what the error names, then {again}")
        }
        FailureKind::Panic | FailureKind::Plugin => {
            format!(
                "a fault of the plugin behind the target `{deploy_target}` ([deploy.targets]): mend it, reload, then {again}"
            )
        }
        FailureKind::Cancelled => format!("it was cancelled: {again}"),
        FailureKind::BudgetExhausted => format!("raise the budget that the error names, then {again}"),
        FailureKind::InvalidInput | FailureKind::Permanent => {
            format!(
                "it will fail again as it is: mend the agent's files, its `deployment` or [deploy.targets], then {again}"
            )
        }
    };
    let (kind, seconds) = (failure.kind.as_str(), rounded(seconds));
    tracing::warn!(
        agent_id,
        name,
        project_id,
        deploy_target,
        kind,
        error = failure.message,
        details = failure.details,
        seconds,
        remedy,
        "deployment failed"
    );
}

/// A person put an agent into a state.
pub fn agent_put(agent: &AgentId, before: AgentStatus, status: AgentStatus) {
    tracing::info!(agent_id = %agent, before = before.as_str(), status = status.as_str(), "agent put into another state");
}

/// An agent was deleted.
pub fn agent_deleted(agent: &AgentId, sessions: u64) {
    tracing::info!(agent_id = %agent, sessions, "agent deleted");
}

/// The lines that a deploy handler writes during one job.
pub struct HandlerLines {
    agent: String,
    operation: &'static str,
    told: u32,
    last: VecDeque<String>,
}

impl HandlerLines {
    /// Of a job for this agent.
    #[must_use]
    pub fn new(agent: &AgentId, operation: &'static str) -> Self {
        Self { agent: agent.to_string(), operation, told: 0, last: VecDeque::new() }
    }

    /// Passes a line on, with its own level.
    pub fn tell(&mut self, level: LogLevel, said: &str) {
        self.told = self.told.saturating_add(1);
        if self.last.len() == KEPT_LINES {
            self.last.pop_front();
        }
        self.last.push_back(format!("{} {}", level.word(), shorten(said, KEPT_CHARS)));
        let (agent_id, operation) = (self.agent.as_str(), self.operation);
        // A field and not the message: there the format escapes what could pass for a line of its own.
        match level {
            _ if self.told == MAX_LINES => {
                tracing::warn!(
                    agent_id,
                    operation,
                    lines = MAX_LINES,
                    "the deploy handler says more than is logged of one job"
                );
            }
            _ if self.told > MAX_LINES => {}
            LogLevel::Debug => tracing::debug!(agent_id, operation, said, "the deploy handler says"),
            LogLevel::Info => tracing::info!(agent_id, operation, said, "the deploy handler says"),
            LogLevel::Warn => tracing::warn!(agent_id, operation, said, "the deploy handler says"),
            LogLevel::Error => tracing::error!(agent_id, operation, said, "the deploy handler says"),
        }
    }
}

impl HandlerLines {
    /// The last lines, for the record of what it did.
    #[must_use]
    pub fn into_last(self) -> Vec<String> {
        self.last.into()
    }
}

/// Milliseconds are enough for a reader.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
