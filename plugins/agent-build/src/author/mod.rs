//! The seam between the stages of a build and whoever writes their content.

pub(crate) mod offline;

use std::sync::Arc;

use async_trait::async_trait;
use nexus_plugin_api::payload::{Failure, Usage};

use crate::{
    spec::{AgentDesign, AgentPrompt, Architecture, Introduction, Plan, Requirements, StageOutline, WrittenTool},
    verify::Finding,
};

/// Writes the content of a build: one typed object for each stage that asks.
///
/// [`offline`] is the one author now. An author that asks a language model will keep to this:
///
/// - A cancelled stage drops the method's future. The request must end with it, so the author streams every answer,
///   also one that becomes a typed object, and spawns no task that outlives the method.
/// - The prompt of a method stands in the table of stages, the JSON schema of its object is derived in `spec`. The
///   author reads an answer leniently, validates it strictly, and asks once more with the exact errors.
/// - [`Authored::usage`] sums every request that the object took. A method that fails reports no usage yet:
///   [`AuthorError`] will carry it, and tell what may pass by itself (a busy server) from what will not.
/// - Progress and budget will reach it as further fields of [`Brief`].
#[async_trait]
pub(crate) trait Author: Send + Sync {
    /// Shown with every stage, for example `offline/blueprint`.
    fn model_id(&self) -> &str;

    /// Says what is going to be built, and what each of these stages shall reach.
    async fn plan(&self, brief: &Brief, stages: &[StageOutline]) -> Answer<Plan>;

    /// Takes tasks and data out of the requirement.
    async fn analyse(&self, brief: &Brief) -> Answer<Requirements>;

    async fn draw_architecture(&self, brief: &Brief, requirements: &Requirements) -> Answer<Architecture>;

    /// Chooses the agent's tools, names and example questions.
    async fn design(&self, brief: &Brief, requirements: &Requirements) -> Answer<AgentDesign>;

    /// Writes every tool of the design.
    async fn write_tools(&self, brief: &Brief, design: &AgentDesign) -> Answer<Vec<WrittenTool>>;

    /// Writes the system prompt of the agent.
    async fn write_prompt(
        &self,
        brief: &Brief,
        requirements: &Requirements,
        design: &AgentDesign,
    ) -> Answer<AgentPrompt>;

    /// Introduces the agent to its owner; the technical part of the README is written elsewhere.
    async fn introduce(&self, brief: &Brief, requirements: &Requirements, design: &AgentDesign)
    -> Answer<Introduction>;

    /// Mends files of the agent's tools in which verification found something. Returns the files that it changed, of
    /// those that it got; none when it cannot help, as for an author that only takes what is vetted.
    async fn repair(&self, brief: &Brief, files: &[AgentFile], findings: &[Finding]) -> Answer<Vec<AgentFile>>;
}

/// The author that the setting `provider` names.
pub(crate) fn named(provider: &str) -> Result<Arc<dyn Author>, Failure> {
    match provider {
        "blueprint" => {
            let offline = offline::OfflineAuthor::new().map_err(|e| Failure::permanent(e.to_string()))?;
            Ok(Arc::new(offline))
        }
        other => Err(Failure::permanent(format!("there is no model provider `{other}`; this version has `blueprint`"))),
    }
}

pub(crate) type Answer<T> = Result<Authored<T>, AuthorError>;

/// An object, and what it took to write it.
#[derive(Clone, Debug)]
pub(crate) struct Authored<T> {
    pub(crate) object: T,
    pub(crate) usage: Usage,
}

/// What an author knows from the start.
#[derive(Clone, Debug)]
pub(crate) struct Brief {
    pub(crate) project_name: String,
    pub(crate) requirement: String,
}

/// A file by its path in the project's folder.
#[derive(Clone, Debug)]
pub(crate) struct AgentFile {
    pub(crate) path: String,
    pub(crate) content: String,
}

/// Why an author gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorError {
    /// The requirement is at fault.
    #[error("{0}")]
    Unanswerable(String),
    /// The author itself is broken.
    #[error("the author failed: {0}")]
    Broken(String),
    /// The object breaks a rule that it must keep whoever wrote it.
    #[error("the author's {object} cannot be used: {problem}")]
    Unusable { object: &'static str, problem: String },
}
