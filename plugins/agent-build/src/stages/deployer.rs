//! Describes what there is to deploy. The deployment itself is a deploy handler's work, which the daemon
//! starts after the build when the project asks for it.

use nexus_plugin_api::payload::{AgentManifest, StageResult, ToolInfo};
use serde_json::json;

use super::{
    Job, StageError, StageName,
    code::{CodeRecord, VERSION},
    prompt::PromptRecord,
    tools::{ToolRecord, ToolRecords},
};
use crate::{
    catalogue::{Module, infos},
    documents,
    provider::answers::AgentDesign,
};

pub(super) async fn run(job: Job) -> Result<StageResult, StageError> {
    let design: AgentDesign = job.input(StageName::AgentDesign)?;
    let tools: ToolRecords = job.input(StageName::ToolsDeveloper)?;
    let prompt: PromptRecord = job.input(StageName::PromptEngineer)?;
    let code: CodeRecord = job.input(StageName::AgentCodeDeveloper)?;
    let agent = manifest(&design, &tools, &prompt, &code);
    let output = json!({
        "agent_name": agent.agent_name,
        "version": agent.version,
        "agent_dir": agent.agent_dir,
        "entry_point": code.entry_point,
        "contract": "AgentCore HTTP: POST /invocations, GET /ping",
        "python": ">=3.9",
        "requested_deployment": job.request.deployment,
    });
    let document = documents::deployment(&agent, &job.request.deployment, design.language);
    job.finish_with(output, document, Some(agent)).await
}

fn tool_infos(tool: &ToolRecord) -> Vec<ToolInfo> {
    let module = Module {
        id: &tool.id,
        name: &tool.name,
        summary: &tool.summary,
        category: &tool.category,
        version: VERSION,
        code_path: &tool.code_path,
    };
    infos(&module, &tool.functions)
}

/// The agent as the daemon registers it.
pub(super) fn manifest(
    design: &AgentDesign,
    tools: &ToolRecords,
    prompt: &PromptRecord,
    code: &CodeRecord,
) -> AgentManifest {
    AgentManifest {
        agent_name: design.agent_name.clone(),
        display_name: design.display_name.clone(),
        description: design.description.clone(),
        category: design.category.clone(),
        version: VERSION.into(),
        capabilities: design.capabilities.clone(),
        tools: tools.tools.iter().map(|tool| tool.id.clone()).collect(),
        tool_infos: tools.tools.iter().flat_map(tool_infos).collect(),
        agent_dir: code.agent_dir.clone(),
        prompt_path: format!("{}/{}", code.agent_dir, prompt.prompt_path),
        code_path: code.entry_point.clone(),
    }
}
