//! Writes the tools: module, intent and unit tests of each.

use nexus_plugin_api::payload::StageResult;

use super::{Job, StageError};
use crate::{
    author::AuthorError,
    documents::{self, structured},
    spec::{AgentDesign, ToolRecord, ToolRecords, is_identifier},
};

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let design: AgentDesign = job.input()?;
    let (author, brief) = job.author();
    let written = job.answer(author.write_tools(&brief, &design)).await?;
    for left in &written.left_out {
        match &left.uncovered {
            Some(left) => job.cx.warn(format!("not served: {} ({})", left.text, left.reason)),
            None => job.cx.warn(format!("tool {} is left out; a vetted one stands for it", left.tool)),
        }
    }
    let mut tools = Vec::new();
    for tool in written.tools {
        let id = &tool.about.id;
        if !is_identifier(id) {
            let problem = format!("`{id}` is no module name");
            return Err(AuthorError::Unusable { object: "tool", problem }.into());
        }
        let [code_path, intent_path, tests_path] = paths(id);
        job.file(code_path.clone(), tool.code);
        job.file(intent_path, tool.intent);
        job.file(tests_path, tool.tests);
        tools.push(ToolRecord {
            about: tool.about,
            example: tool.example,
            source: tool.source,
            code_path,
            proof: tool.proof,
        });
    }
    job.structure(structured::tools(&brief.project_name, &tools));
    let document = documents::tools(&tools, design.language);
    job.finish(ToolRecords { tools, left_out: written.left_out }, document).await
}

/// Where a tool's module, its intent and its tests are.
pub(super) fn paths(id: &str) -> [String; 3] {
    [format!("agent/tools/{id}.py"), format!("agent/intents/{id}.py"), format!("agent/tests/test_{id}.py")]
}
