//! `GET /workflows`: what a project can be built by.

use std::sync::Arc;

use salvo::{Writer as _, oapi::endpoint};
use serde::Serialize;

use crate::api::{
    http::{
        request::extract::State,
        response::{Answer, Reply},
    },
    openapi::describe,
};
use crate::domain::workflow::{StageSpec, Workflow};

#[derive(Serialize)]
pub(crate) struct WorkflowInfo {
    name: String,
    description: String,
    default: bool,
    total_timeout_seconds: f64,
    stages: Vec<WorkflowStage>,
}

#[derive(Serialize)]
struct WorkflowStage {
    name: String,
    display_name: String,
    display_name_en: String,
    handler: String,
    prerequisites: Vec<String>,
    optional: bool,
    timeout_seconds: f64,
    max_retries: u32,
    aliases: Vec<String>,
}

describe! {
    /// A workflow, as it is in force.
    WorkflowInfo as "WorkflowInfo" {
        /// What `workflow` of a new project names.
        name,
        description,
        /// A project that names none gets this one.
        default,
        /// Limit of a whole build, pauses not counted.
        total_timeout_seconds,
        /// In order.
        stages,
    }
}

describe! {
    /// A stage of a workflow.
    WorkflowStage as "WorkflowStageInfo" {
        name,
        /// Chinese.
        display_name,
        /// English.
        display_name_en,
        /// `plugin/handler`.
        handler,
        /// Stages that must be done before.
        prerequisites,
        /// The build goes on when it fails.
        optional,
        /// Limit of one attempt.
        timeout_seconds,
        /// After the first attempt.
        max_retries,
        /// Other names that requests may use.
        aliases,
    }
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
