//! `GET /projects/{id}/build`: the dashboard that clients poll, with real figures at every moment.

use schemars::JsonSchema;
use std::collections::BTreeMap;

use nexus_model::Usage;
use salvo::{Writer as _, oapi::endpoint};
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::{
    http::{
        request::extract::{Id, State},
        response::{Answer, Reply},
    },
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
        secret::without_secrets,
        stage::{Stage, StageStatus},
        task::Task,
        time::Timestamp,
    },
    models::price_of_id,
};

/// A build at a glance.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BuildDashboard")]
struct Dashboard {
    project_id: ProjectId,
    project_name: String,
    /// Relative to the data folder.
    local_project_dir: String,
    status: ProjectStatus,
    /// 0 to 100.
    progress: f64,
    /// The same, by the name that the original's dashboard has.
    progress_percentage: f64,
    requirement: String,
    /// In order.
    stages: Vec<StageLine>,
    total_stages: usize,
    /// Completed and skipped ones.
    completed_stages: usize,
    updated_at: Timestamp,
    metrics: Metrics,
    /// Workflow, deployment, priority and tags.
    config_summary: Value,
    error_info: Option<ErrorInfo>,
    /// The newest task of the project: its build, or the deployment after it.
    latest_task: Option<Task>,
    /// What the build made: its agents, each followed by its tools.
    resources: Vec<Made>,
    /// What a reader should see at once: failures, stages that were skipped, a pause.
    alerts: Vec<Alert>,
    /// The workflow's stages as a graph, as they are now.
    workflow_graph_nodes: Vec<GraphNode>,
    workflow_graph_edges: Vec<GraphEdge>,
}

/// A stage at a glance.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BuildStage")]
struct StageLine {
    name: String,
    /// Chinese.
    display_name: String,
    /// English.
    display_name_en: String,
    /// From 1.
    order: u32,
    status: StageStatus,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    /// So far, for a stage that runs.
    duration_seconds: Option<f64>,
    error: Option<String>,
    /// Null when nobody counted them, as `output_tokens`.
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    tool_calls: u64,
    /// None in this version.
    efficiency_rating: Option<String>,
    doc_path: Option<String>,
    artifact_paths: Vec<String>,
}

/// Sums over the stages.
#[derive(Default, Serialize, JsonSchema)]
#[schemars(rename = "BuildMetrics")]
struct Metrics {
    total_duration_seconds: f64,
    /// Null when no stage counted them, as `output_tokens`.
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    tool_calls: u64,
    /// Tools that the project's agents were given.
    total_tools: usize,
    cost_input_usd: f64,
    cost_output_usd: f64,
    cost_total_usd: f64,
    /// The model by whose price the cost was reckoned.
    pricing_model: Option<String>,
    successful_stages: usize,
    failed_stages: usize,
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
            "deployment": project.deployment.as_ref().map(without_secrets),
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
        latest_task: latest_task.map(Task::shown),
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
        if let Some((model, price)) = model(stage).and_then(|id| Some((id, price_of_id(pricing, id)?))) {
            sums.cost_input_usd += price.of(&Usage { input, ..Usage::default() }).dollars();
            sums.cost_output_usd += price.of(&Usage { output, ..Usage::default() }).dollars();
            sums.pricing_model.get_or_insert_with(|| model.to_owned());
        }
    }
    sums.cost_total_usd = sums.cost_input_usd + sums.cost_output_usd;
    sums
}
