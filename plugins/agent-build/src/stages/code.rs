//! Puts the agent's folder together: server and runtime from the template, knowledge, manifest, README.

use nexus_plugin_api::payload::StageResult;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Job, StageError, StageName, prompt::PromptRecord, tools::ToolRecords};
use crate::{
    catalogue::Catalogue,
    documents,
    provider::{
        ProviderError,
        answers::{AgentDesign, AgentGuide, RequirementsSpec},
    },
};

/// What later stages need of the agent's folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CodeRecord {
    pub(crate) agent_dir: String,
    pub(crate) entry_point: String,
    pub(crate) manifest_path: String,
    pub(crate) knowledge: Vec<String>,
    pub(crate) files: Vec<String>,
}

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let spec: RequirementsSpec = job.input(StageName::RequirementsAnalysis)?;
    let design: AgentDesign = job.input(StageName::AgentDesign)?;
    let tools: ToolRecords = job.input(StageName::ToolsDeveloper)?;
    let prompt: PromptRecord = job.input(StageName::PromptEngineer)?;
    let guide: AgentGuide = job.ask().await?;
    let catalogue = Catalogue::embedded().map_err(|e| ProviderError::Broken(e.to_string()))?;

    let mut files = Vec::new();
    let mut add = |job: &mut Job, path: String, content: String| {
        job.file(format!("agent/{path}"), content);
        files.push(path);
    };
    job.own_folder("agent/runtime");
    job.own_folder("agent/knowledge");
    for (path, content) in catalogue.common_files() {
        add(&mut job, path.to_owned(), content.to_owned());
    }
    let mut knowledge = Vec::new();
    for data in &spec.data {
        let path = format!("knowledge/{}.json", data.id());
        add(&mut job, path.clone(), pretty(data)?);
        knowledge.push(path);
    }
    if tools.tools.iter().any(|tool| tool.permissions.iter().any(|p| p == "files")) {
        add(
            &mut job,
            "files/README.txt".into(),
            "Files in this folder can be listed, searched and read by the agent.\n".into(),
        );
    }
    let entries: Vec<_> = tools
        .tools
        .iter()
        .map(|tool| {
            let functions: Vec<&str> = tool.functions.iter().map(|f| f.name.as_str()).collect();
            json!({"id": tool.id, "name": tool.name, "summary": tool.summary, "example": tool.example, "category": tool.category, "functions": functions, "permissions": tool.permissions})
        })
        .collect();
    let manifest = json!({
        "schema_version": 1,
        "agent_name": design.agent_name,
        "display_name": design.display_name,
        "description": design.description,
        "category": design.category,
        "version": VERSION,
        "language": design.language,
        "model_id": job.shared.provider.model_id(),
        "entry_point": "agent.py",
        "python": ">=3.9",
        "prompt_path": prompt.prompt_path,
        "capabilities": design.capabilities,
        "tools": entries,
        "knowledge": knowledge,
        "examples": design.examples,
        "uncovered": design.uncovered,
    });
    add(&mut job, "manifest.json".into(), pretty(&manifest)?);
    add(&mut job, "README.md".into(), documents::readme(&design, &guide, &tools.tools, &spec));
    let record = CodeRecord {
        agent_dir: "agent".into(),
        entry_point: "agent/agent.py".into(),
        manifest_path: "agent/manifest.json".into(),
        knowledge,
        files,
    };
    let document = documents::code(&record, design.language);
    job.finish(record, document).await
}

/// The version of a fresh agent.
pub(super) const VERSION: &str = "1.0.0";

fn pretty(value: &impl Serialize) -> Result<String, StageError> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
