//! The seam between the stages of a build and whoever writes their content.

pub(crate) mod model;
pub(crate) mod offline;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use nexus_model::ModelError;
use nexus_plugin_api::{
    payload::{Failure, ModelAccess, Usage},
    sdk::Context,
};

use crate::{
    settings::Settings,
    spec::{AgentDesign, AgentPrompt, Architecture, Introduction, Plan, Requirements, StageOutline, WrittenTools},
    verify::{Finding, VerifyError},
};
use model::Prompts;

/// Writes the content of a build: one typed object for each stage that asks. [`offline`] works by rules and vetted
/// tools alone; [`model`] asks a language model for what rules did not understand.
///
/// - A cancelled stage drops the method's future. A request to a model ends with it, so the author streams every
///   answer, also one that becomes a typed object, and spawns no task that outlives the method.
/// - The prompts of a method are files in `prompts/`. The author reads an answer leniently, validates it strictly, and
///   asks once more with the exact errors.
/// - What a request took is reported at once through [`Brief::context`]: so it counts whatever becomes of the method.
///   [`Authored::usage`] is what was not reported so.
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

    /// Writes every tool of the design, as far as it can; those that it left out the agent does without.
    async fn write_tools(&self, brief: &Brief, design: &AgentDesign) -> Answer<WrittenTools>;

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

/// Who writes: chosen for every stage anew, since models come and go.
pub(crate) struct Authors {
    offline: Arc<dyn Author>,
    writer: Writer,
}

/// What a model author has beside the model.
struct Writer {
    provider: Provider,
    prompts: Arc<Prompts>,
    settings: Settings,
}

impl Authors {
    /// By the settings.
    ///
    /// # Errors
    /// When there is no such author, a prompt of the operator cannot be used, or the catalogue is broken.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Failure> {
        let offline = offline::OfflineAuthor::new().map_err(|e| Failure::permanent(e.to_string()))?;
        let folder = Some(settings.prompts.as_str()).filter(|folder| !folder.is_empty()).map(Path::new);
        let prompts = Prompts::load(folder).map_err(|e| Failure::permanent(e.to_string()))?;
        let writer = Writer {
            provider: Provider::of(&settings.provider)?,
            prompts: Arc::new(prompts),
            settings: settings.clone(),
        };
        Ok(Self { offline: Arc::new(offline), writer })
    }

    /// One that is used whatever the request says.
    #[cfg(test)]
    pub(crate) fn fixed(author: Arc<dyn Author>) -> Self {
        let writer = Writer {
            provider: Provider::Blueprint,
            prompts: Arc::new(Prompts::load(None).unwrap()),
            settings: Settings::default(),
        };
        Self { offline: author, writer }
    }

    /// The author of a stage, by how it may ask models.
    ///
    /// # Errors
    /// When a model must write and the daemon has none.
    pub(crate) fn of(&self, models: Option<&ModelAccess>) -> Result<Arc<dyn Author>, Failure> {
        let Writer { provider, prompts, settings } = &self.writer;
        match (provider, models) {
            (Provider::Blueprint, _) | (Provider::Auto, None) => Ok(Arc::clone(&self.offline)),
            (Provider::Auto | Provider::Model, Some(models)) => {
                let author = model::ModelAuthor::new(models, Arc::clone(prompts), settings)
                    .map_err(|e| Failure::permanent(e.to_string()))?;
                Ok(Arc::new(author))
            }
            (Provider::Model, None) => Err(Failure::permanent(
                "`provider = \"model\"` in [plugins.agent-build], but the daemon has no language model: give it one (see [models] in the configuration), or set `provider` to \"auto\" or \"blueprint\"",
            )),
        }
    }
}

/// The setting `provider`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Provider {
    Auto,
    Blueprint,
    Model,
}

impl Provider {
    fn of(word: &str) -> Result<Self, Failure> {
        match word {
            "auto" => Ok(Self::Auto),
            "blueprint" => Ok(Self::Blueprint),
            "model" => Ok(Self::Model),
            other => Err(Failure::permanent(format!(
                "`provider` in [plugins.agent-build] is \"{other}\"; it may be \"auto\", \"blueprint\" or \"model\""
            ))),
        }
    }
}

pub(crate) type Answer<T> = Result<Authored<T>, AuthorError>;

/// An object, and what it took to write it.
#[derive(Clone, Debug)]
pub(crate) struct Authored<T> {
    pub(crate) object: T,
    pub(crate) usage: Usage,
}

/// What an author knows from the start, and its line to the daemon.
#[derive(Clone)]
pub(crate) struct Brief {
    pub(crate) project_name: String,
    pub(crate) requirement: String,
    /// Takes log lines, and tokens as soon as they are used.
    pub(crate) context: Context,
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
    /// The model's answer keeps no rules, also after it was shown its mistakes.
    #[error("the model's answer for {step} cannot be used, also after it was shown its mistakes: {problem}")]
    NotUsable { step: String, problem: String, answers: Vec<String> },
    /// The model gave no answer.
    #[error("asking the model for {step}: {error}")]
    Model { step: String, error: ModelError },
    /// Code that the agent cannot do without is not as its worked examples say.
    #[error("the tool `{tool}` could not be written so that it does what its worked examples say: {problem}")]
    Unproven { tool: String, problem: String, attempts: String },
    /// Code could not be tried out.
    #[error(transparent)]
    Proof(#[from] VerifyError),
}
