//! Describes what there is to deploy. The deployment itself is a deploy handler's work, which the daemon
//! starts after the build when the project asks for it.

use nexus_plugin_api::payload::{AgentManifest, StageResult};
use serde_json::json;

use super::{Job, StageError};
use crate::{
    documents,
    spec::{AgentDesign, AgentFolder, PromptRecord, ToolRecords, VERSION},
};

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let design: AgentDesign = job.input()?;
    let folder: AgentFolder = job.input()?;
    let tools: ToolRecords = job.input()?;
    let design = design.without(&tools.left_out);
    let agent = manifest(&design, &tools, &job.input()?, &folder);
    let output = json!({
        "agent_name": agent.agent_name,
        "version": agent.version,
        "agent_dir": agent.agent_dir,
        "entry_point": folder.entry_point,
        "contract": "AgentCore HTTP: POST /invocations, GET /ping",
        "python": ">=3.9",
        "requested_deployment": job.request.deployment,
    });
    let document = documents::deployment(&agent, &job.request.deployment, design.language);
    job.agent(agent);
    job.finish(output, document).await
}

/// The agent as the daemon registers it, from the outputs of the stages that made it.
pub(super) fn manifest(
    design: &AgentDesign,
    tools: &ToolRecords,
    prompt: &PromptRecord,
    folder: &AgentFolder,
) -> AgentManifest {
    AgentManifest {
        agent_name: design.agent_name.clone(),
        display_name: design.display_name.clone(),
        description: design.description.clone(),
        category: design.category.clone(),
        version: VERSION.into(),
        capabilities: design.capabilities.clone(),
        tools: tools.tools.iter().map(|tool| tool.about.id.clone()).collect(),
        tool_infos: tools.tools.iter().flat_map(|tool| tool.about.infos(VERSION, &tool.code_path)).collect(),
        agent_dir: folder.agent_dir.clone(),
        prompt_path: format!("{}/{}", folder.agent_dir, prompt.prompt_path),
        code_path: folder.entry_point.clone(),
    }
}
