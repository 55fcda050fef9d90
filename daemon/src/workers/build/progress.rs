//! The bookkeeping of one build: where its stages are, what they made, what comes next. No I/O.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use nexus_plugin_api::payload::{AgentManifest, StageRequest};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::attempt::AttemptEnd;
use crate::{
    backend::store::{BuildEnd, BuildStep, ClaimedBuild},
    config::DeployConfig,
    domain::{
        agent::NewAgent,
        assessment::Assessment,
        bounds,
        failure::{ErrorInfo, Failure, FailureKind},
        ids::AgentId,
        plan::{self, Next},
        project::{AggregatedMetrics, Project, StageFigures},
        requirement::without_constraint,
        stage::{Stage, StageEnd, StageOutcome, StageProduct, StageStatus},
        task::Lease,
        time::Timestamp,
        workflow::{StageSpec, Workflow},
    },
    telemetry::told::BuildFigures,
};

/// Where a stage keeps the agent's manifest in its output, so that a build which goes on after a crash
/// still knows it.
const MANIFEST_KEY: &str = "agent_manifest";

/// A build that is ours.
pub struct Work {
    /// The right to write.
    pub lease: Lease,
    /// As claimed; its status words are the store's business.
    pub project: Project,
    /// How it is to be built.
    pub workflow: Arc<Workflow>,
    /// Set once the project's folder is there.
    pub folder: Arc<OnceCell<()>>,
    statuses: Vec<StageStatus>,
    attempts: Vec<u32>,
    retries: Vec<u32>,
    outputs: HashMap<usize, Value>,
    aggregated: AggregatedMetrics,
    /// When the limit of the whole build is reached.
    deadline: Timestamp,
    manifest: Option<AgentManifest>,
    /// Said by a stage that ended since the last step.
    assessment: Option<Assessment>,
    failure: Option<ErrorInfo>,
    ended: Vec<StageEnd>,
    /// When the task was first begun.
    begun: Timestamp,
}

/// What is to be done about a stage that ended.
#[derive(Debug)]
pub enum Verdict {
    /// It is noted and goes into the next step.
    Noted,
    /// It is to be tried again: the number of the retry, from 1.
    Retry {
        /// Which, from 1.
        retry: u32,
        failure: Failure,
    },
}

impl Work {
    /// From a claim. `None` when the workflow no longer fits the stored stages.
    pub fn new(claimed: ClaimedBuild, workflow: Arc<Workflow>) -> Option<Self> {
        let ClaimedBuild { lease, project, stages, task_begun } = claimed;
        let find = |spec: &StageSpec| stages.iter().find(|stage| stage.stage_name == spec.name);
        let rows: Vec<&Stage> = workflow.stages().iter().map(find).collect::<Option<_>>()?;
        let mut aggregated = AggregatedMetrics::default();
        let mut outputs = HashMap::new();
        let mut manifest = None;
        for (index, row) in rows.iter().enumerate().filter(|(_, row)| row.status.is_satisfied()) {
            aggregated.add(&figures_of(row));
            if let Some(output) = &row.output_data {
                manifest = manifest_in(output).or(manifest);
                outputs.insert(index, output.clone());
            }
        }
        let statuses = rows.iter().map(|row| row.status).collect();
        let attempts = rows.iter().map(|row| row.attempt).collect();
        let retries = vec![0; rows.len()];
        let deadline = task_begun.plus(workflow.spec().total_timeout);
        let (failure, ended) = (None, Vec::new());
        Some(Self {
            lease,
            project,
            workflow,
            folder: Arc::default(),
            statuses,
            attempts,
            retries,
            outputs,
            aggregated,
            deadline,
            manifest,
            assessment: None,
            failure,
            ended,
            begun: task_begun,
        })
    }

    /// Stages that the store says are running: those to start after a claim.
    pub fn running(&self) -> Vec<usize> {
        let running = |(i, s): (usize, &StageStatus)| (*s == StageStatus::Running).then_some(i);
        self.statuses.iter().enumerate().filter_map(running).collect()
    }

    /// The stage's definition.
    pub fn spec(&self, index: usize) -> Option<&StageSpec> {
        self.workflow.stages().get(index)
    }

    /// Time left of the whole build's limit.
    pub fn time_left(&self) -> Duration {
        self.deadline.since(Timestamp::now())
    }

    /// The request of the stage's current attempt.
    pub fn request(&self, index: usize, workspace: PathBuf) -> Option<StageRequest> {
        let spec = self.spec(index)?;
        let name = |i: usize| self.workflow.stages().get(i).map(|s| s.name.clone());
        let input = |i: usize| Some((name(i)?, self.outputs.get(&i)?.clone()));
        let inputs: BTreeMap<String, Value> = self.workflow.ancestors(index).into_iter().filter_map(input).collect();
        Some(StageRequest {
            project_id: self.project.project_id.to_string(),
            project_name: self.project.project_name.clone(),
            // One that the original's API stored begins with its console's sentence.
            requirement: without_constraint(&self.project.requirement).1.to_owned(),
            user_id: self.project.user_id.clone(),
            tags: self.project.tags.clone(),
            stage: spec.name.clone(),
            stage_number: u32::try_from(index + 1).unwrap_or(u32::MAX),
            attempt: self.attempts.get(index).copied().unwrap_or(1),
            workspace,
            inputs,
            options: spec.options.clone(),
            deployment: self.project.deployment.clone().unwrap_or(Value::Null),
            models: None,
        })
    }

    /// Takes the end of an attempt.
    pub fn note(&mut self, index: usize, end: AttemptEnd, no_retry: bool) -> Verdict {
        let AttemptEnd { mut end, agent, assessment, .. } = end;
        let Some(spec) = self.workflow.stages().get(index).cloned() else { return Verdict::Noted };
        let retries = self.retries.get(index).copied().unwrap_or(0);
        if let StageOutcome::Failed(failure) = &end.outcome {
            if failure.kind.retryable() && retries < spec.max_retries && !no_retry {
                let retry = retries + 1;
                if let Some(count) = self.retries.get_mut(index) {
                    *count = retry;
                }
                return Verdict::Retry { retry, failure: failure.clone() };
            }
            if spec.optional && failure.kind != FailureKind::Cancelled && !failure.kind.holds() {
                // An optional stage does not hold the build up; its failure stays readable.
                let output = json!({"skipped": true, "reason": failure.message, "details": failure.details});
                end.outcome = StageOutcome::Skipped(Box::new(StageProduct { output, ..StageProduct::default() }));
            }
        }
        let status = match &mut end.outcome {
            StageOutcome::Completed(product) => {
                self.keep(index, product, agent);
                StageStatus::Completed
            }
            StageOutcome::Skipped(product) => {
                self.keep(index, product, agent);
                StageStatus::Skipped
            }
            StageOutcome::Failed(failure) => {
                self.failure.get_or_insert_with(|| ErrorInfo {
                    stage: Some(end.stage_name.clone()),
                    kind: failure.kind,
                    message: failure.message.clone(),
                    details: failure.details.clone(),
                    attempt: end.attempt,
                });
                StageStatus::Failed
            }
        };
        if let Some(assessment) = assessment {
            self.project.assessment = assessment.clone();
            self.assessment = Some(assessment);
        }
        self.aggregated.add(&end.figures);
        self.set_status(index, status);
        self.ended.push(end);
        Verdict::Noted
    }

    fn keep(&mut self, index: usize, product: &mut StageProduct, agent: Option<AgentManifest>) {
        if let Some(agent) = agent {
            if let (Value::Object(output), Ok(manifest)) = (&mut product.output, serde_json::to_value(&agent)) {
                output.insert(MANIFEST_KEY.to_owned(), manifest);
            }
            self.manifest = Some(agent);
        }
        self.outputs.insert(index, product.output.clone());
    }

    /// The stage's attempt began with this number.
    pub fn begun(&mut self, name: &str, attempt: u32) -> Option<usize> {
        let index = self.workflow.index_of(name)?;
        self.set_status(index, StageStatus::Running);
        self.set_attempt(index, attempt);
        Some(index)
    }

    /// The stage's current attempt has this number.
    pub fn set_attempt(&mut self, index: usize, attempt: u32) {
        if let Some(slot) = self.attempts.get_mut(index) {
            *slot = attempt;
        }
    }

    /// The stage's current attempt.
    pub fn attempt(&self, index: usize) -> u32 {
        self.attempts.get(index).copied().unwrap_or_default()
    }

    fn set_status(&mut self, index: usize, status: StageStatus) {
        if let Some(slot) = self.statuses.get_mut(index) {
            *slot = status;
        }
    }

    /// How it went so far, for the operator.
    pub fn figures(&self) -> BuildFigures<'_> {
        BuildFigures {
            project: &self.project,
            task: &self.lease.task_id,
            stages: self.statuses.iter().filter(|status| status.is_satisfied()).count(),
            seconds: Timestamp::now().since(self.begun).as_secs_f64(),
            sums: self.aggregated,
            failure: self.failure.as_ref(),
            agent: self.manifest.is_some().then(|| AgentId::of_project(&self.project.project_id)),
        }
    }

    /// Whether something ended that the store does not know yet.
    pub fn has_news(&self) -> bool {
        !self.ended.is_empty()
    }

    /// The next step, with everything that ended since the last. `None` when there is nothing to say.
    pub fn step(&mut self, parallel: usize, hold: bool, deploy: &DeployConfig) -> Option<BuildStep> {
        let next = plan::next(&self.workflow, &self.statuses, parallel);
        let (mut begin, mut end) = (Vec::new(), None);
        match next {
            Next::Begin(_) if hold => {}
            Next::Begin(indices) => {
                begin = indices.into_iter().filter_map(|i| self.spec(i).map(|s| s.name.clone())).collect();
            }
            Next::Wait => {}
            Next::Finished => end = Some(self.completed(deploy)),
            Next::Failed(index) => {
                let stage = self.spec(index).map(|s| s.name.clone());
                let attempt = self.attempt(index);
                let failure = self.failure.get_or_insert_with(|| ErrorInfo::failed_earlier(stage, Some(attempt)));
                let end_so = if failure.kind.holds() { BuildEnd::Held } else { BuildEnd::Failed };
                end = Some(end_so(failure.clone()));
            }
        }
        if self.ended.is_empty() && begin.is_empty() && end.is_none() {
            return None;
        }
        Some(BuildStep {
            ended: std::mem::take(&mut self.ended),
            begin,
            still_running: self.running().len(),
            progress: plan::progress(&self.statuses),
            aggregated: self.aggregated,
            assessment: self.assessment.take(),
            end,
            receipt: None,
            events: Vec::new(),
        })
    }

    fn completed(&self, deploy: &DeployConfig) -> BuildEnd {
        let Some(manifest) = self.manifest.clone() else { return BuildEnd::Completed { agent: None, deploy: false } };
        let target = deployment_target(self.project.deployment.as_ref()).unwrap_or(&deploy.default);
        let some = |text: String| (!text.is_empty()).then_some(text);
        let generated_tools = crate::tools::catalogue::generated(&manifest);
        let agent = NewAgent {
            agent_id: AgentId::of_project(&self.project.project_id),
            agent_name: manifest.agent_name,
            display_name: manifest.display_name,
            description: manifest.description,
            category: manifest.category,
            version: manifest.version,
            deployment_type: target.to_owned(),
            capabilities: manifest.capabilities,
            assessment: self.project.assessment.clone(),
            tools: manifest.tools,
            prompt_path: some(manifest.prompt_path),
            code_path: some(manifest.code_path),
            agent_dir: manifest.agent_dir,
            deployment_config: self.project.deployment.clone(),
            generated_tools,
            // Looked at when the step is stored.
            files: Default::default(),
        };
        BuildEnd::Completed { agent: Some(Box::new(bounds::agent(agent))), deploy: target != "none" }
    }
}

/// The target a user's `deployment` names: the text itself, or its `target` (or `type`).
#[must_use]
pub fn deployment_target(deployment: Option<&Value>) -> Option<&str> {
    match deployment? {
        Value::String(target) => Some(target),
        Value::Object(map) => map.get("target").or_else(|| map.get("type"))?.as_str(),
        _ => None,
    }
}

fn manifest_in(output: &Value) -> Option<AgentManifest> {
    serde_json::from_value(output.get(MANIFEST_KEY)?.clone()).ok()
}

fn figures_of(stage: &Stage) -> StageFigures {
    StageFigures {
        input_tokens: stage.input_tokens.unwrap_or(0),
        output_tokens: stage.output_tokens.unwrap_or(0),
        tool_calls: stage.tool_calls.unwrap_or(0),
        duration_seconds: stage.duration_seconds.unwrap_or(0.0),
        cost_usd: stage.metrics.as_ref().and_then(|m| m.get("cost_usd")?.as_f64()).unwrap_or(0.0),
    }
}
