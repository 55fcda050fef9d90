//! The seam between the stages of a build and whoever writes their content.

pub(crate) mod offline;

use async_trait::async_trait;
use nexus_plugin_api::payload::Usage;

use crate::{
    spec::{AgentDesign, AgentPrompt, Architecture, Introduction, Plan, Requirements, StageOutline, WrittenTool},
    verify::Finding,
};

/// Writes the content of a build: one typed object for each stage that asks.
///
/// [`offline`] is the one author now. What a language model will need of this trait, and where it finds it:
///
/// - It streams every answer, also one that becomes a typed object. A stage that is cancelled drops the method's
///   future, and with it the request: only a streamed request frees the server at once. So a method must hold its
///   request itself, and spawn no task that outlives it.
/// - It makes one object per method, from a JSON schema (the types of `spec` derive it) and the prompt of the stage
///   (`stages::STAGES`), reads the answer leniently, validates it, and asks once more with the exact errors.
/// - [`Authored::usage`] is the sum of all requests that the object took, repairs included. What a failed method
///   cost is lost today; an author that costs tokens adds it to [`AuthorError`], with an error that may pass by itself.
/// - A brief with a sink for progress, and with a budget, are fields of [`Brief`] to come.
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
