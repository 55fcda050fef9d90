//! The stage handlers. All work alike: take the outputs of earlier stages, ask the provider for a typed
//! object, write files, return output and document. A repeated attempt writes the same files again.

mod architecture;
mod code;
mod deployer;
mod design;
mod job;
mod manager;
mod orchestrator;
mod prompt;
mod requirements;
mod tools;

use std::sync::Arc;

use nexus_plugin_api::{
    payload::{Failure, StageRequest, StageResult},
    sdk::{Context, StageHandler},
};

pub(crate) use job::Job;

/// What stages hand on about files they wrote, for the documents.
pub(crate) mod records {
    pub(crate) use super::{code::CodeRecord, tools::ToolRecord};
}

use crate::{
    provider::{ModelProvider, ProviderError},
    settings::Settings,
    verify::VerifyError,
    workspace::WorkspaceError,
};

/// The stages of this plugin, by the names of the workflow `agent_build`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageName {
    /// Plans the build.
    Orchestrator,
    /// Takes tasks and data out of the requirement.
    RequirementsAnalysis,
    /// Draws the architecture.
    SystemArchitecture,
    /// Chooses tools and names.
    AgentDesign,
    /// Writes the tools with their tests.
    ToolsDeveloper,
    /// Writes the system prompt.
    PromptEngineer,
    /// Puts the agent's folder together.
    AgentCodeDeveloper,
    /// Verifies the agent by running it.
    AgentDeveloperManager,
    /// Describes what there is to deploy.
    AgentDeployer,
}

impl StageName {
    /// All of them in order.
    pub const ALL: [Self; 9] = [
        Self::Orchestrator,
        Self::RequirementsAnalysis,
        Self::SystemArchitecture,
        Self::AgentDesign,
        Self::ToolsDeveloper,
        Self::PromptEngineer,
        Self::AgentCodeDeveloper,
        Self::AgentDeveloperManager,
        Self::AgentDeployer,
    ];

    /// The handler's name, which is also the stage's in the shipped workflow.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orchestrator => "orchestrator",
            Self::RequirementsAnalysis => "requirements_analysis",
            Self::SystemArchitecture => "system_architecture",
            Self::AgentDesign => "agent_design",
            Self::ToolsDeveloper => "tools_developer",
            Self::PromptEngineer => "prompt_engineer",
            Self::AgentCodeDeveloper => "agent_code_developer",
            Self::AgentDeveloperManager => "agent_developer_manager",
            Self::AgentDeployer => "agent_deployer",
        }
    }

    /// One line for people.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Orchestrator => "Plans the build of an agent",
            Self::RequirementsAnalysis => "Takes tasks and data out of the requirement",
            Self::SystemArchitecture => "Draws the architecture of the agent",
            Self::AgentDesign => "Chooses the agent's tools, name and example questions",
            Self::ToolsDeveloper => "Writes the tools with their unit tests",
            Self::PromptEngineer => "Writes the system prompt",
            Self::AgentCodeDeveloper => "Puts the agent's folder together",
            Self::AgentDeveloperManager => "Compiles, tests, starts and asks the agent",
            Self::AgentDeployer => "Describes the agent for a deploy handler",
        }
    }
}

/// What all stages share.
pub struct Shared {
    /// Who writes the content.
    pub provider: Arc<dyn ModelProvider>,
    /// The plugin's settings.
    pub settings: Settings,
}

/// Why a stage failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StageError {
    #[error("the output of `{stage}` is needed: {problem}")]
    Input { stage: &'static str, problem: String },
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error("cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the stage's task ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
    #[error("cancelled")]
    Cancelled,
}

impl From<StageError> for Failure {
    fn from(error: StageError) -> Self {
        let message = error.to_string();
        match error {
            StageError::Cancelled | StageError::Verify(VerifyError::Cancelled) => Self::cancelled(),
            StageError::Provider(ProviderError::Unanswerable(_)) => Self::invalid_input(message),
            StageError::Provider(ProviderError::Unavailable(_) | ProviderError::Invalid { .. })
            | StageError::Workspace(WorkspaceError::Io { .. })
            | StageError::Task(_) => Self::transient(message),
            StageError::Verify(verify) => {
                let failure = if verify.may_pass() { Self::transient(message) } else { Self::permanent(message) };
                match verify.output() {
                    Some(output) => failure.with_details(output),
                    None => failure,
                }
            }
            StageError::Input { .. } | StageError::Provider(_) | StageError::Workspace(_) | StageError::Json(_) => {
                Self::permanent(message)
            }
        }
    }
}

/// The handler of one stage.
pub struct BuildStage {
    name: StageName,
    shared: Arc<Shared>,
}

impl BuildStage {
    /// The handler of a stage.
    #[must_use]
    pub fn new(name: StageName, shared: Arc<Shared>) -> Self {
        Self { name, shared }
    }
}

impl StageHandler for BuildStage {
    async fn run(&self, request: StageRequest, cx: Context) -> Result<StageResult, Failure> {
        if cx.is_cancelled() {
            return Err(Failure::cancelled());
        }
        let job = Job::new(self.name, request, cx, Arc::clone(&self.shared));
        let result = match self.name {
            StageName::Orchestrator => orchestrator::run(job).await,
            StageName::RequirementsAnalysis => requirements::run(job).await,
            StageName::SystemArchitecture => architecture::run(job).await,
            StageName::AgentDesign => design::run(job).await,
            StageName::ToolsDeveloper => tools::run(job).await,
            StageName::PromptEngineer => prompt::run(job).await,
            StageName::AgentCodeDeveloper => code::run(job).await,
            StageName::AgentDeveloperManager => manager::run(job).await,
            StageName::AgentDeployer => deployer::run(job).await,
        };
        result.map_err(Failure::from)
    }
}
