//! Chooses tools, name and example questions.

use nexus_plugin_api::payload::StageResult;

use super::{Job, StageError};
use crate::{
    documents,
    provider::{ProviderError, answers::AgentDesign},
};

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let design: AgentDesign = job.ask().await?;
    // The name becomes a file name and a cloud resource's name: whoever proposed it, it is checked here.
    if !is_identifier(&design.agent_name) || !design.tools.iter().all(|choice| is_identifier(&choice.id)) {
        return Err(ProviderError::Invalid {
            answer: "AgentDesign",
            error: format!("`{}` or a tool's id is no identifier", design.agent_name),
        }
        .into());
    }
    for choice in &design.tools {
        job.cx.info(format!("tool {} (score {}): {}", choice.id, choice.score, choice.matched.join(", ")));
    }
    for left in &design.uncovered {
        job.cx.warn(format!("not served: {} ({})", left.text, left.reason));
    }
    let document = documents::design(&design);
    job.finish(design, document).await
}

/// `[a-zA-Z][a-zA-Z0-9_]{0,47}`.
pub(super) fn is_identifier(name: &str) -> bool {
    name.len() <= 48
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
