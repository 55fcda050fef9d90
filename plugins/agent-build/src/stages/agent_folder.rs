//! Puts the agent's folder together: server and runtime from the template, knowledge, manifest, README.

use nexus_plugin_api::payload::StageResult;
use serde::Serialize;
use serde_json::json;

use super::{Job, StageError};
use crate::{
    author::offline::MODEL_ID as OFFLINE,
    documents::{self, structured},
    embedded,
    spec::{AgentDesign, AgentFolder, PromptRecord, Requirements, ToolRecords, VERSION},
};

/// What tools that fetch pages connect to.
const WEB: [u16; 2] = [80, 443];

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let requirements: Requirements = job.input()?;
    let design: AgentDesign = job.input()?;
    let tools: ToolRecords = job.input()?;
    let design = design.without(&tools.left_out);
    let prompt: PromptRecord = job.input()?;
    let (author, brief) = job.author();
    let introduction = job.answer(author.introduce(&brief, &requirements, &design)).await?;

    let mut files = Vec::new();
    let mut add = |job: &mut Job, path: String, content: String| {
        job.file(format!("agent/{path}"), content);
        files.push(path);
    };
    for (path, content) in embedded::TEMPLATE {
        add(&mut job, (*path).to_owned(), (*content).to_owned());
    }
    let mut knowledge = Vec::new();
    for data in &requirements.data {
        let path = format!("knowledge/{}.json", data.id());
        add(&mut job, path.clone(), pretty(data)?);
        knowledge.push(path);
    }
    if tools.tools.iter().any(|tool| tool.about.permissions.iter().any(|p| p == "files")) {
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
            let about = &tool.about;
            let functions: Vec<&str> = about.functions.iter().map(|f| f.name.as_str()).collect();
            json!({
                "id": about.id, "name": about.name, "summary": about.summary, "example": tool.example,
                "category": about.category, "functions": functions, "permissions": about.permissions,
            })
        })
        .collect();
    let network =
        tools.tools.iter().any(|tool| tool.about.permissions.iter().any(|permission| permission == "network"));
    let mut manifest = json!({
        "schema_version": 1,
        // What a wall around it lets through: its socket is handed to it, and these ports it may connect to.
        "listen": "socket",
        "connect": if network { WEB.to_vec() } else { Vec::new() },
        "agent_name": design.agent_name,
        "display_name": design.display_name,
        "description": design.description,
        "category": design.category,
        "version": VERSION,
        "language": design.language,
        // Who answers where no model does; a model's answers name it.
        "model_id": OFFLINE,
        "entry_point": "agent.py",
        "python": ">=3.9",
        // Those of requirements.txt are for a language model; the server looks for them then.
        "site_packages": false,
        "prompt_path": prompt.prompt_path,
        "capabilities": design.capabilities,
        "tools": entries,
        "knowledge": knowledge,
        "examples": design.examples,
        "coverage": design.coverage,
        "not_served": design.not_served,
    });
    if job.model_id() != OFFLINE
        && let Some(manifest) = manifest.as_object_mut()
    {
        manifest.insert("written_by".into(), job.model_id().into());
    }
    add(&mut job, "manifest.json".into(), pretty(&manifest)?);
    let readme = documents::readme(&design, &introduction, &tools.tools, &requirements, job.model_id());
    add(&mut job, "README.md".into(), readme);
    let folder = AgentFolder {
        agent_dir: "agent".into(),
        entry_point: "agent/agent.py".into(),
        manifest_path: "agent/manifest.json".into(),
        knowledge,
        files,
    };
    job.structure(structured::agent_folder(&brief.project_name, &folder, &design));
    let document = documents::agent_folder(&folder, design.language);
    job.finish(folder, document).await
}

fn pretty(value: &impl Serialize) -> Result<String, StageError> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
