//! `/workflow/{id}`: the original's flat paths for control and for the results of a build. Control is that
//! of `control`: there is one state machine.

use schemars::JsonSchema;
use std::collections::BTreeMap;

use salvo::{Router, Writer as _, oapi::endpoint};
use serde::Serialize;
use serde_json::Value;

use crate::api::{
    admin::plugins::NoFields,
    at,
    http::{
        error::{ApiError, Resource},
        request::{
            extract::{FilePath, Id, OptionalBody, Part, Query, StageName, State},
            rules::{Flag, Place, Rule, StageRef, Text, fields_of},
        },
        response::{Flat, FlatAnswer},
    },
    projects::files,
};
use crate::{
    backend::store::ProjectDetail,
    domain::{
        control::{ControlAction, ControlRequest, ControlStatus},
        ids::ProjectId,
        project::{AggregatedMetrics, ProjectStatus},
        stage::{GeneratedFile, Stage, StageStatus},
        time::Timestamp,
    },
    projects::told,
};

pub(crate) fn paths() -> Router {
    let stage = at("stages/{stage}", || stage_of).push(at("output", || output_of));
    Router::with_path("workflow/{id}")
        .push(Router::with_path("pause").post(pause_of))
        .push(Router::with_path("resume").post(resume_of))
        .push(Router::with_path("stop").post(stop_of))
        .push(Router::with_path("restart").post(restart_of))
        .push(at("status", || status_of))
        .push(stage)
        .push(at("metrics", || metrics_of))
        .push(at("files", || list_files).push(at("{**path}", || show_file)))
}

/// What became of a request to a build.
#[derive(Serialize, JsonSchema)]
struct Steered {
    success: bool,
    message: &'static str,
    project_id: ProjectId,
    control_status: ControlStatus,
    timestamp: Timestamp,
}

fields_of! {
    /// Why a build is paused.
    pub(crate) PauseBody {
        reason: Text<0, 500>,
    }
}

fields_of! {
    /// Where a build goes on.
    pub(crate) ResumeBody {
        /// Absent: the first stage that is not complete.
        from_stage: StageRef,
    }
}

fields_of! {
    /// Where a build begins again.
    pub(crate) RestartBody {
        /// Absent: the first stage that failed, else the first.
        from_stage: StageRef,
        /// What depends on the stage is always done again: its input changes. Anything but true is refused.
        clear_subsequent: AlwaysTrue,
    }
}

/// True, or absent.
pub(crate) struct AlwaysTrue;

impl Rule for AlwaysTrue {
    type Value = ();
    fn read(fields: &mut crate::api::http::request::fields::Fields, name: &str) {
        if !Flag::<true>::read(fields, name) {
            let msg = "Input should be true: what depends on a stage is always done again";
            fields.fault(name, "value_error", msg, false.into());
        }
    }
    fn schema(_place: Place) -> Value {
        serde_json::json!({ "type": "boolean", "default": true })
    }
}

async fn steer(state: &State, id: &ProjectId, request: ControlRequest) -> FlatAnswer<Steered> {
    let action = request.action;
    let applied = state.projects.control(state.caller(), id, request).await?;
    Ok(Flat::ok(Steered {
        success: true,
        message: told(action, &applied),
        project_id: id.clone(),
        control_status: applied.control_status,
        timestamp: Timestamp::now(),
    }))
}

fn request(action: ControlAction) -> ControlRequest {
    ControlRequest { action, reason: None, from_stage: None, requested_by: None }
}

/// `POST /workflow/{id}/pause`
///
/// Pause a build after its running stage.
#[endpoint(operation_id = "pauseWorkflow", tags("workflow"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn pause_of(state: State, id: Id<ProjectId>, body: OptionalBody<PauseBody>) -> FlatAnswer<Steered> {
    let request = ControlRequest { reason: body.0.reason, ..request(ControlAction::Pause) };
    steer(&state, &id.0, request).await
}

/// `POST /workflow/{id}/resume`
///
/// Go on with a paused build.
#[endpoint(operation_id = "resumeWorkflow", tags("workflow"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn resume_of(state: State, id: Id<ProjectId>, body: OptionalBody<ResumeBody>) -> FlatAnswer<Steered> {
    let request = ControlRequest { from_stage: body.0.from_stage, ..request(ControlAction::Resume) };
    steer(&state, &id.0, request).await
}

/// `POST /workflow/{id}/stop`
///
/// Stop a build. Its running stage is cancelled.
#[endpoint(operation_id = "stopWorkflow", tags("workflow"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn stop_of(state: State, id: Id<ProjectId>, body: OptionalBody<NoFields>) -> FlatAnswer<Steered> {
    let OptionalBody(NoFields {}) = body;
    steer(&state, &id.0, request(ControlAction::Stop)).await
}

/// `POST /workflow/{id}/restart`
///
/// Build again from a stage. It and all that depend on it go back to pending.
#[endpoint(operation_id = "restartWorkflow", tags("workflow"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn restart_of(
    state: State,
    id: Id<ProjectId>,
    body: OptionalBody<RestartBody>,
) -> FlatAnswer<Steered> {
    let RestartBody { from_stage, clear_subsequent: () } = body.0;
    let request = ControlRequest { from_stage, ..request(ControlAction::Restart) };
    steer(&state, &id.0, request).await
}

/// Where a build is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WorkflowStatus")]
struct Status {
    project_id: ProjectId,
    project_name: String,
    status: ProjectStatus,
    control_status: ControlStatus,
    current_stage: Option<String>,
    /// Completed and skipped ones.
    completed_stages: Vec<String>,
    /// What is not done yet, what runs included.
    pending_stages: Vec<String>,
    failed_stages: Vec<String>,
    aggregated_metrics: AggregatedMetrics,
}

/// `GET /workflow/{id}/status`
///
/// Read where a build is.
#[endpoint(operation_id = "getWorkflowStatus", tags("workflow"))]
pub(crate) async fn status_of(state: State, id: Id<ProjectId>) -> FlatAnswer<Status> {
    let ProjectDetail { project, stages, .. } = state.projects.detail(state.caller(), &id.0).await?;
    let those = |which: fn(StageStatus) -> bool| -> Vec<String> {
        stages.iter().filter(|stage| which(stage.status)).map(|stage| stage.stage_name.clone()).collect()
    };
    Ok(Flat::ok(Status {
        completed_stages: those(StageStatus::is_satisfied),
        pending_stages: those(|status| matches!(status, StageStatus::Pending | StageStatus::Running)),
        failed_stages: those(|status| status == StageStatus::Failed),
        project_id: project.project_id,
        project_name: project.project_name,
        status: project.status,
        control_status: project.control_status,
        current_stage: project.current_stage,
        aggregated_metrics: project.aggregated_metrics,
    }))
}

/// Where a stage is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WorkflowStage")]
struct StageState {
    project_id: ProjectId,
    stage_name: String,
    status: StageStatus,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    error_message: Option<String>,
    metrics: StageMetrics,
}

/// What a stage took.
#[derive(Serialize, JsonSchema)]
struct StageMetrics {
    input_tokens: u64,
    output_tokens: u64,
    /// So far, for a stage that runs.
    execution_time_seconds: f64,
    tool_calls_count: u64,
    model_id: Option<String>,
    total_tokens: u64,
}

impl From<&Stage> for StageMetrics {
    fn from(stage: &Stage) -> Self {
        let (input_tokens, output_tokens) = (stage.input_tokens.unwrap_or(0), stage.output_tokens.unwrap_or(0));
        let model = stage.metrics.as_ref().and_then(|metrics| metrics.get("model_id")?.as_str());
        Self {
            input_tokens,
            output_tokens,
            execution_time_seconds: stage.duration_seconds.unwrap_or(0.0),
            tool_calls_count: stage.tool_calls.unwrap_or(0),
            model_id: model.map(str::to_owned),
            total_tokens: input_tokens.saturating_add(output_tokens),
        }
    }
}

/// `GET /workflow/{id}/stages/{stage}`
///
/// Read where a stage is.
#[endpoint(operation_id = "getWorkflowStage", tags("workflow"))]
pub(crate) async fn stage_of(state: State, id: Id<ProjectId>, stage: Part<StageName>) -> FlatAnswer<StageState> {
    let (project, stage) = state.projects.stage(state.caller(), &id.0, &stage.text).await?;
    Ok(Flat::ok(StageState {
        metrics: StageMetrics::from(&stage),
        project_id: project.project_id,
        stage_name: stage.stage_name,
        status: stage.status,
        started_at: stage.started_at,
        completed_at: stage.completed_at,
        error_message: stage.error_message,
    }))
}

/// What a stage made.
#[derive(Serialize, JsonSchema)]
struct StageOutput {
    project_id: ProjectId,
    stage_name: String,
    /// What it said.
    content: Option<String>,
    /// The document that it wrote.
    document_content: Option<String>,
    /// A word for the document's kind, such as `markdown`.
    document_format: Option<&'static str>,
    generated_files: Vec<GeneratedFile>,
}

/// `GET /workflow/{id}/stages/{stage}/output`
///
/// Read what a stage made.
#[endpoint(operation_id = "getStageOutput", tags("workflow"))]
pub(crate) async fn output_of(state: State, id: Id<ProjectId>, stage: Part<StageName>) -> FlatAnswer<StageOutput> {
    let (project, stage) = state.projects.stage(state.caller(), &id.0, &stage.text).await?;
    let mut document_content = None;
    if let Some(path) = &stage.doc_path {
        document_content = files::read(&state, &id.0, path).await?.and_then(|shown| shown.content);
    }
    let said = stage.agent_output_content;
    Ok(Flat::ok(StageOutput {
        project_id: project.project_id,
        stage_name: stage.stage_name,
        document_content: document_content.or_else(|| said.clone()),
        content: said,
        document_format: stage.doc_path.map(|path| files::kind_of(std::path::Path::new(&path))),
        generated_files: stage.generated_files,
    }))
}

/// What a build took, by stage and in all.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WorkflowMetrics")]
struct Metrics {
    project_id: ProjectId,
    stage_metrics: BTreeMap<String, StageMetrics>,
    aggregated_metrics: AggregatedMetrics,
}

/// `GET /workflow/{id}/metrics`
///
/// Read what a build took.
#[endpoint(operation_id = "getWorkflowMetrics", tags("workflow"))]
pub(crate) async fn metrics_of(state: State, id: Id<ProjectId>) -> FlatAnswer<Metrics> {
    let ProjectDetail { project, stages, .. } = state.projects.detail(state.caller(), &id.0).await?;
    Ok(Flat::ok(Metrics {
        project_id: project.project_id,
        stage_metrics: stages.iter().map(|stage| (stage.stage_name.clone(), StageMetrics::from(stage))).collect(),
        aggregated_metrics: project.aggregated_metrics,
    }))
}

fields_of! {
    /// Of which stage.
    pub(crate) WorkflowFilesQuery {
        /// Only what this stage made.
        stage_name: Text<0, 100>,
    }
}

/// Files that stages made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WorkflowFiles")]
struct Files {
    project_id: ProjectId,
    files: Vec<StageFile>,
    total_count: usize,
}

/// A file that a stage made.
#[derive(Serialize, JsonSchema)]
struct StageFile {
    /// Who made it.
    stage_name: String,
    #[serde(flatten)]
    file: GeneratedFile,
}

/// `GET /workflow/{id}/files`
///
/// List the files that stages made.
#[endpoint(operation_id = "listWorkflowFiles", tags("workflow"))]
pub(crate) async fn list_files(state: State, id: Id<ProjectId>, query: Query<WorkflowFilesQuery>) -> FlatAnswer<Files> {
    let stages = match query.0.stage_name {
        Some(asked) => vec![state.projects.stage(state.caller(), &id.0, &asked).await?.1],
        None => state.projects.stages(state.caller(), &id.0).await?,
    };
    let each = stages.into_iter().flat_map(|stage| {
        let name = stage.stage_name;
        stage.generated_files.into_iter().map(move |file| StageFile { stage_name: name.clone(), file })
    });
    let files: Vec<_> = each.collect();
    Ok(Flat::ok(Files { project_id: id.0, total_count: files.len(), files }))
}

/// `GET /workflow/{id}/files/{path}`
///
/// Read a file that a stage made.
#[endpoint(operation_id = "getWorkflowFile", tags("workflow"))]
pub(crate) async fn show_file(state: State, id: Id<ProjectId>, path: Part<FilePath>) -> FlatAnswer<files::Shown> {
    state.projects.get(state.caller(), &id.0).await?;
    let found = files::read(&state, &id.0, &path.text).await?;
    found.map(Flat::ok).ok_or_else(|| ApiError::not_found(Resource::File, &path.text))
}
