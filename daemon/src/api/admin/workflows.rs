//! `GET /workflows`: what a project can be built by.

use schemars::JsonSchema;
use std::sync::Arc;

use salvo::{Writer as _, oapi::endpoint};
use serde::Serialize;

use crate::api::http::{
    request::extract::State,
    response::{Answer, Reply},
};
use crate::domain::workflow::{StageSpec, Workflow};

/// A workflow, as it is in force.
#[derive(Serialize, JsonSchema)]
pub(crate) struct WorkflowInfo {
    /// What `workflow` of a new project names.
    name: String,
    description: String,
    /// A project that names none gets this one.
    default: bool,
    /// Limit of a whole build, pauses not counted.
    total_timeout_seconds: f64,
    /// In order.
    stages: Vec<WorkflowStage>,
}

/// A stage of a workflow.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WorkflowStageInfo")]
struct WorkflowStage {
    name: String,
    /// Chinese.
    display_name: String,
    /// English.
    display_name_en: String,
    /// `plugin/handler`.
    handler: String,
    /// Stages that must be done before.
    prerequisites: Vec<String>,
    /// The build goes on when it fails.
    optional: bool,
    /// Limit of one attempt.
    timeout_seconds: f64,
    /// After the first attempt.
    max_retries: u32,
    /// Other names that requests may use.
    aliases: Vec<String>,
}

impl WorkflowInfo {
    fn of(workflow: &Arc<Workflow>, default: &str) -> Self {
        let spec = workflow.spec();
        Self {
            name: spec.name.clone(),
            description: spec.description.clone(),
            default: spec.name == default,
            total_timeout_seconds: spec.total_timeout.as_secs_f64(),
            stages: spec.stages.iter().map(WorkflowStage::of).collect(),
        }
    }
}

impl WorkflowStage {
    fn of(spec: &StageSpec) -> Self {
        Self {
            name: spec.name.clone(),
            display_name: spec.display_name.clone(),
            display_name_en: spec.display_name_en.clone(),
            handler: spec.handler.clone(),
            prerequisites: spec.prerequisites.clone(),
            optional: spec.optional,
            timeout_seconds: spec.timeout.as_secs_f64(),
            max_retries: spec.max_retries,
            aliases: spec.aliases.clone(),
        }
    }
}

/// `GET /workflows`
///
/// List the workflows in force, with their stages and handlers. They come from the workflow files.
#[endpoint(operation_id = "listWorkflows", tags("workflow"))]
pub(crate) async fn list(state: State) -> Answer<Vec<WorkflowInfo>> {
    let default = state.config.load().workflows.default.clone();
    let workflows = state.workflows.load();
    Ok(Reply::new(workflows.all().into_iter().map(|workflow| WorkflowInfo::of(workflow, &default)).collect()))
}
