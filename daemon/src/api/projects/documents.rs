//! `/projects/{id}/stage-docs/{stage}` and `/workflow-report`: the documents that the stages wrote.

use salvo::{Writer as _, oapi::endpoint};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::files;
use crate::api::http::{
    request::extract::{Id, Part, StageName, State},
    response::{Answer, Reply},
};
use crate::domain::ids::ProjectId;

/// Where a report is looked for: the original's name first.
const REPORTS: [&str; 3] = ["workflow_summary_report.md", "workflow_report.md", "docs/workflow_report.md"];

/// The report that a build wrote.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WorkflowReport")]
struct Report {
    exists: bool,
    content: Option<String>,
    /// Relative to the project's folder.
    path: Option<String>,
}

/// The document that a stage wrote.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StageDocument")]
struct Document {
    exists: bool,
    stage_name: String,
    content: Option<String>,
    /// What a structured document says.
    parsed_content: Option<Value>,
    /// Relative to the project's folder.
    path: Option<String>,
    /// `store`, `file`, or none.
    source: Option<&'static str>,
}

/// `GET /projects/{id}/workflow-report`
///
/// Read the report of a project's build.
#[endpoint(operation_id = "getWorkflowReport", tags("projects"))]
pub(crate) async fn workflow_report(state: State, id: Id<ProjectId>) -> Answer<Report> {
    let Id(id) = id;
    state.projects.get(state.caller(), &id).await?;
    for path in REPORTS {
        if let Some(shown) = files::read(&state, &id, path).await? {
            return Ok(Reply::new(Report { exists: true, content: shown.content, path: Some(path.to_owned()) }));
        }
    }
    Ok(Reply::new(Report { exists: false, content: None, path: None }))
}

/// `GET /projects/{id}/stage-docs/{stage}`
///
/// Read the document of a stage.
#[endpoint(operation_id = "getStageDocument", tags("projects"))]
pub(crate) async fn stage_document(state: State, id: Id<ProjectId>, stage: Part<StageName>) -> Answer<Document> {
    let Id(id) = id;
    let (_, stage) = state.projects.stage(state.caller(), &id, &stage.text).await?;
    let mut document = Document {
        exists: false,
        stage_name: stage.stage_name,
        content: stage.agent_output_content,
        parsed_content: stage.design_document,
        path: stage.doc_path,
        source: None,
    };
    if document.content.is_some() {
        document.source = Some("store");
    } else if let Some(path) = &document.path
        && let Some(shown) = files::read(&state, &id, path).await?
    {
        document.content = shown.content;
        document.parsed_content = document.parsed_content.or(shown.parsed_content);
        document.source = Some("file");
    }
    document.exists = document.source.is_some();
    if document.parsed_content.is_none()
        && let Some((name, "md")) = document.path.as_deref().and_then(|path| path.rsplit_once('.'))
        && let Some(beside) = files::read(&state, &id, &format!("{name}.json")).await?
    {
        // What the text says, for programs.
        document.parsed_content = beside.parsed_content;
    }
    if document.parsed_content.is_none() {
        let kind = document.path.as_deref().map(|path| files::kind_of(std::path::Path::new(path)));
        document.parsed_content = kind.zip(document.content.as_deref()).and_then(|(k, text)| files::parse(k, text));
    }
    Ok(Reply::new(document))
}
