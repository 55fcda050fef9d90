//! Writes the tools: module, intent and unit tests of each.

use nexus_plugin_api::payload::StageResult;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Job, StageError, StageName, design::is_identifier};
use crate::{
    catalogue::{Function, Localized},
    documents,
    provider::{
        ProviderError,
        answers::{AgentDesign, ToolSet},
    },
};

/// What later stages need of the tools; the code is in the files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ToolRecords {
    pub(crate) tools: Vec<ToolRecord>,
}

/// A tool without its code.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ToolRecord {
    pub(crate) id: String,
    pub(crate) name: Localized,
    pub(crate) summary: Localized,
    pub(crate) example: Localized,
    pub(crate) category: String,
    pub(crate) permissions: Vec<String>,
    pub(crate) functions: Vec<Function>,
    pub(crate) source: String,
    pub(crate) code_path: String,
}

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let design: AgentDesign = job.input(StageName::AgentDesign)?;
    let set: ToolSet = job.ask().await?;
    let mut records = Vec::new();
    for folder in ["agent/tools", "agent/intents", "agent/tests"] {
        job.own_folder(folder);
    }
    for module in set.modules {
        if !is_identifier(&module.id) {
            return Err(ProviderError::Invalid {
                answer: "ToolSet",
                error: format!("`{}` is no module name", module.id),
            }
            .into());
        }
        let code_path = format!("agent/tools/{}.py", module.id);
        job.file(code_path.clone(), module.code);
        job.file(format!("agent/intents/{}.py", module.id), module.intent);
        job.file(format!("agent/tests/test_{}.py", module.id), module.tests);
        records.push(ToolRecord {
            id: module.id,
            name: module.name,
            summary: module.summary,
            example: module.example,
            category: module.category,
            permissions: module.permissions,
            functions: module.functions,
            source: module.source,
            code_path,
        });
    }
    let document = documents::tools(&records, design.language);
    job.finish(ToolRecords { tools: records }, document).await
}
