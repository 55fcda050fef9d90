//! `GET /projects/{id}/build`: the dashboard that clients poll, with real figures at every moment.

use std::collections::BTreeMap;

use salvo::{Writer as _, oapi::endpoint};
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::{
    http::{
        request::extract::{Id, State},
        response::{Answer, Reply},
    },
    openapi::describe,
    projects::dashboard_graph::{Alert, Graph, GraphEdge, GraphNode, Made, alerts, made},
};
use crate::{
    backend::store::ProjectDetail,
    config::Price,
    domain::{
        agent::Agent,
        failure::ErrorInfo,
        ids::ProjectId,
        project::{Project, ProjectStatus},
        stage::{Stage, StageStatus},
        task::Task,
        time::Timestamp,
    },
};

#[derive(Serialize)]
struct Dashboard {
    project_id: ProjectId,
    project_name: String,
    local_project_dir: String,
    status: ProjectStatus,
    progress: f64,
    progress_percentage: f64,
    requirement: String,
    stages: Vec<StageLine>,
    total_stages: usize,
    completed_stages: usize,
    updated_at: Timestamp,
    metrics: Metrics,
    config_summary: Value,
    error_info: Option<ErrorInfo>,
    latest_task: Option<Task>,
    resources: Vec<Made>,
    alerts: Vec<Alert>,
    workflow_graph_nodes: Vec<GraphNode>,
    workflow_graph_edges: Vec<GraphEdge>,
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
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    tool_calls: u64,
    /// There is no rule yet by which one stage is more efficient than another.
    efficiency_rating: Option<String>,
    doc_path: Option<String>,
    artifact_paths: Vec<String>,
}

#[derive(Default, Serialize)]
struct Metrics {
    total_duration_seconds: f64,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
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
        /// The same, by the name that the original's dashboard has.
        progress_percentage,
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
        /// The newest task of the project: its build, or the deployment after it.
        latest_task,
        /// What the build made: its agents, each followed by its tools.
        resources,
        /// What a reader should see at once: failures, stages that were skipped, a pause.
        alerts,
        /// The workflow's stages as a graph, as they are now.
        workflow_graph_nodes,
        workflow_graph_edges,
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
        error,
        /// Null when nobody counted them, as `output_tokens`.
        input_tokens, output_tokens, tool_calls,
        /// None in this version.
        efficiency_rating,
        doc_path, artifact_paths,
    }
}

describe! {
    /// Sums over the stages.
    Metrics as "BuildMetrics" {
        total_duration_seconds,
        /// Null when no stage counted them, as `output_tokens`.
        input_tokens, output_tokens, tool_calls,
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
pub(crate) async fn dashboard(state: State, id: Id<ProjectId>) -> Answer<Dashboard> {
    let ProjectDetail { project, stages, agent_count, .. } = state.projects.detail(state.caller(), &id.0).await?;
    let agents = if agent_count > 0 { state.projects.agents(state.caller(), &id.0, 20).await? } else { Vec::new() };
    let latest = state.projects.tasks_of(state.caller(), &id.0, 1).await?.into_iter().next();
    let workflow = state.workflows.load().get(&project.workflow).cloned();
    let graph = Graph::of(workflow.as_deref(), &stages);
    Ok(Reply::new(assemble(project, stages, &agents, latest, graph, &state.config.load().pricing)))
}

fn assemble(
    project: Project,
    stages: Vec<Stage>,
    agents: &[Agent],
    latest_task: Option<Task>,
    graph: Graph,
    pricing: &BTreeMap<String, Price>,
) -> Dashboard {
    let alerts = alerts(&project, &stages, latest_task.as_ref());
    let metrics = sum(&stages, agents.iter().map(|agent| agent.tools.len()).sum(), pricing);
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
        progress_percentage: project.progress,
        requirement: project.requirement,
        updated_at: project.updated_at,
        error_info: project.error_info,
        latest_task,
        resources: made(agents),
        alerts,
        workflow_graph_nodes: graph.nodes,
        workflow_graph_edges: graph.edges,
    }
}

fn line(stage: Stage) -> StageLine {
    let counted = tokens(&stage);
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
        input_tokens: counted.map(|(input, _)| input),
        output_tokens: counted.map(|(_, output)| output),
        tool_calls: stage.tool_calls.unwrap_or(0),
        efficiency_rating: None,
        doc_path: stage.doc_path,
        artifact_paths: stage.generated_files.into_iter().map(|f| f.path).collect(),
    }
}

/// Read and written tokens of a stage that counted them. A stage without a model leaves zeros in its row.
fn tokens(stage: &Stage) -> Option<(u64, u64)> {
    let (input, output) = (stage.input_tokens.unwrap_or(0), stage.output_tokens.unwrap_or(0));
    (input > 0 || output > 0 || model(stage).is_some()).then_some((input, output))
}

fn model(stage: &Stage) -> Option<&str> {
    stage.metrics.as_ref()?.get("model_id")?.as_str()
}

fn sum(stages: &[Stage], tools: usize, pricing: &BTreeMap<String, Price>) -> Metrics {
    let mut sums = Metrics { total_tools: tools, ..Metrics::default() };
    for stage in stages {
        let counted = tokens(stage);
        let (input, output) = counted.unwrap_or_default();
        sums.total_duration_seconds += stage.duration_seconds.unwrap_or(0.0);
        if counted.is_some() {
            sums.input_tokens = Some(sums.input_tokens.unwrap_or(0).saturating_add(input));
            sums.output_tokens = Some(sums.output_tokens.unwrap_or(0).saturating_add(output));
        }
        sums.tool_calls += stage.tool_calls.unwrap_or(0);
        sums.successful_stages += usize::from(stage.status == StageStatus::Completed);
        sums.failed_stages += usize::from(stage.status == StageStatus::Failed);
        if let Some((model, price)) = model(stage).and_then(|m| pricing.get_key_value(m)) {
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
