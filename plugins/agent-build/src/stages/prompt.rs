//! Writes the system prompt, used when a model is configured.

use nexus_plugin_api::payload::StageResult;
use serde::{Deserialize, Serialize};

use super::{Job, StageError, StageName};
use crate::provider::answers::{AgentDesign, PromptFile};

/// What later stages need of the prompt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PromptRecord {
    pub(crate) role: String,
    pub(crate) rules: Vec<String>,
    /// Inside the agent's folder.
    pub(crate) prompt_path: String,
}

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let design: AgentDesign = job.input(StageName::AgentDesign)?;
    let prompt: PromptFile = job.ask().await?;
    let prompt_path = format!("prompts/{}.md", design.agent_name);
    job.own_folder("agent/prompts");
    job.file(format!("agent/{prompt_path}"), prompt.text.clone());
    let record = PromptRecord { role: prompt.role, rules: prompt.rules, prompt_path };
    job.finish(record, prompt.text).await
}
