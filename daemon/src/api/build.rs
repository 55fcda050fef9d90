//! `GET /projects/{id}/build`: the dashboard that clients poll, with real figures at every moment.

use std::collections::BTreeMap;

use salvo::{Writer as _, oapi::endpoint};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    error::{ApiError, Resource},
    extract::{Id, State},
    openapi::describe,
    projects,
    reply::{Answer, Reply},
    state::AppState,
};
use crate::{
    config::Price,
    domain::{
        failure::ErrorInfo,
        ids::ProjectId,
        project::{Project, ProjectStatus},
        stage::{Stage, StageStatus},
        time::Timestamp,
    },
    store::{AgentFilter, PageRequest},
};

#[derive(Serialize)]
struct Dashboard {
    project_id: ProjectId,
    project_name: String,
    local_project_dir: String,
    status: ProjectStatus,
    progress: f64,
    requirement: String,
    stages: Vec<StageLine>,
    total_stages: usize,
    completed_stages: usize,
    updated_at: Timestamp,
    metrics: Metrics,
    config_summary: Value,
    error_info: Option<ErrorInfo>,
}

#[derive(Serialize)]
struct StageLine {
    name: String,
    display_name: String,
    display_name_en: String,
    order: u32,
    status: StageStatus,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    duration_seconds: Option<f64>,
    error: Option<String>,
    input_tokens: u64,
    output_tokens: u64,
    tool_calls: u64,
    /// There is no rule yet by which one stage is more efficient than another.
    efficiency_rating: Option<String>,
    doc_path: Option<String>,
    artifact_paths: Vec<String>,
}

#[derive(Default, Serialize)]
struct Metrics {
    total_duration_seconds: f64,
    input_tokens: u64,
    output_tokens: u64,
    tool_calls: u64,
    total_tools: usize,
    cost_input_usd: f64,
    cost_output_usd: f64,
    cost_total_usd: f64,
    pricing_model: Option<String>,
    successful_stages: usize,
    failed_stages: usize,
}

describe! {
    /// A build at a glance.
    Dashboard as "BuildDashboard" {
        project_id, project_name,
        /// Relative to the data folder.
        local_project_dir,
        status,
        /// 0 to 100.
        progress,
        requirement,
        /// In order.
        stages,
        total_stages,
        /// Completed and skipped ones.
        completed_stages,
        updated_at, metrics,
        /// Workflow, deployment, priority and tags.
        config_summary,
        error_info,
    }
}

describe! {
    /// A stage at a glance.
    StageLine as "BuildStage" {
        name,
        /// Chinese.
        display_name,
        /// English.
        display_name_en,
        /// From 1.
        order,
        status, started_at, completed_at,
        /// So far, for a stage that runs.
        duration_seconds,
        error, input_tokens, output_tokens, tool_calls,
        /// None in this version.
        efficiency_rating,
        doc_path, artifact_paths,
    }
}

describe! {
    /// Sums over the stages.
    Metrics as "BuildMetrics" {
        total_duration_seconds, input_tokens, output_tokens, tool_calls,
        /// Tools that the project's agents were given.
        total_tools,
        cost_input_usd, cost_output_usd, cost_total_usd,
        /// The model by whose price the cost was reckoned.
        pricing_model,
        successful_stages, failed_stages,
    }
}

/// `GET /projects/{id}/build`
///
/// Read the dashboard of a build. It is made for polling.
#[endpoint(operation_id = "getBuild", tags("projects"))]
pub(super) async fn dashboard(state: State, id: Id<ProjectId>) -> Answer<Dashboard> {
    let Id(id) = id;
    let found = state.store.project_detail(&id).await?;
    let found = found.ok_or_else(|| ApiError::not_found(Resource::Project, id.as_str()))?;
    let tools = if found.agent_count > 0 { tools_of(&state, &id).await? } else { 0 };
    let stages = projects::running_times(found.stages);
    Ok(Reply::new(assemble(found.project, stages, tools, &state.config.load().pricing)))
}

/// Tools that the project's agents were given.
async fn tools_of(state: &AppState, id: &ProjectId) -> Result<usize, ApiError> {
    let filter = AgentFilter { project_id: Some(id.clone()), ..AgentFilter::default() };
    let page = PageRequest { page: 1, limit: 20, cursor: None };
    let agents = state.store.list_agents(&filter, &page).await?;
    Ok(agents.items.iter().map(|agent| agent.tools.len()).sum())
}

fn assemble(project: Project, stages: Vec<Stage>, tools: usize, pricing: &BTreeMap<String, Price>) -> Dashboard {
    let metrics = sum(&stages, tools, pricing);
    let completed = stages.iter().filter(|s| s.status.is_satisfied()).count();
    Dashboard {
        local_project_dir: format!("projects/{}", project.project_id),
        total_stages: stages.len(),
        completed_stages: completed,
        stages: stages.into_iter().map(line).collect(),
        metrics,
        config_summary: json!({
            "workflow": project.workflow,
            "deployment": project.deployment,
            "priority": project.priority,
            "tags": project.tags,
        }),
        project_id: project.project_id,
        project_name: project.project_name,
        status: project.status,
        progress: project.progress,
        requirement: project.requirement,
        updated_at: project.updated_at,
        error_info: project.error_info,
    }
}

fn line(stage: Stage) -> StageLine {
    StageLine {
        name: stage.stage_name,
        display_name: stage.display_name,
        display_name_en: stage.display_name_en,
        order: stage.stage_number,
        status: stage.status,
        started_at: stage.started_at,
        completed_at: stage.completed_at,
        duration_seconds: stage.duration_seconds,
        error: stage.error_message,
        input_tokens: stage.input_tokens.unwrap_or(0),
        output_tokens: stage.output_tokens.unwrap_or(0),
        tool_calls: stage.tool_calls.unwrap_or(0),
        efficiency_rating: None,
        doc_path: stage.doc_path,
        artifact_paths: stage.generated_files.into_iter().map(|f| f.path).collect(),
    }
}

fn sum(stages: &[Stage], tools: usize, pricing: &BTreeMap<String, Price>) -> Metrics {
    let mut sums = Metrics { total_tools: tools, ..Metrics::default() };
    for stage in stages {
        let (input, output) = (stage.input_tokens.unwrap_or(0), stage.output_tokens.unwrap_or(0));
        sums.total_duration_seconds += stage.duration_seconds.unwrap_or(0.0);
        sums.input_tokens += input;
        sums.output_tokens += output;
        sums.tool_calls += stage.tool_calls.unwrap_or(0);
        sums.successful_stages += usize::from(stage.status == StageStatus::Completed);
        sums.failed_stages += usize::from(stage.status == StageStatus::Failed);
        let model = stage.metrics.as_ref().and_then(|m| m.get("model_id")).and_then(Value::as_str);
        if let Some((model, price)) = model.and_then(|m| pricing.get_key_value(m)) {
            sums.cost_input_usd += dollars(input, price.input_usd_per_million);
            sums.cost_output_usd += dollars(output, price.output_usd_per_million);
            sums.pricing_model.get_or_insert_with(|| model.clone());
        }
    }
    sums.cost_total_usd = sums.cost_input_usd + sums.cost_output_usd;
    sums
}

#[allow(clippy::cast_precision_loss)] // no model reads 2^53 tokens
fn dollars(tokens: u64, per_million: f64) -> f64 {
    tokens as f64 * per_million / 1e6
}
