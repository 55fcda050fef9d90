//! Chooses tools, name and example questions.

use nexus_plugin_api::payload::StageResult;

use super::{Job, StageError};
use crate::{
    author::AuthorError,
    documents::{self, structured},
    spec::{AgentDesign, Architecture, Requirements, is_identifier},
};

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let requirements: Requirements = job.input()?;
    let architecture: Architecture = job.optional_input()?.unwrap_or_default();
    let (author, brief) = job.author();
    let design = job.answer(author.design(&brief, &requirements)).await?;
    check(&design)?;
    for choice in &design.tools {
        job.cx.info(format!("tool {}: {}", choice.id, choice.matched.join("; ")));
    }
    for left in &design.not_served {
        job.cx.warn(format!("not served: {} ({})", left.text, left.reason));
    }
    job.structure(structured::design(&brief.project_name, &design, &architecture));
    let document = documents::design(&design);
    job.finish(design, document).await
}

/// Names become names of files and of cloud resources: whoever proposed them, they are checked here.
fn check(design: &AgentDesign) -> Result<(), AuthorError> {
    let names = design.tools.iter().map(|choice| &choice.id).chain([&design.agent_name]);
    let problem = match names.into_iter().find(|name| !is_identifier(name)) {
        Some(name) => format!("`{name}` is no identifier"),
        None if design.tools.is_empty() => "the agent has no tool".to_owned(),
        None => return Ok(()),
    };
    Err(AuthorError::Unusable { object: "design", problem })
}
