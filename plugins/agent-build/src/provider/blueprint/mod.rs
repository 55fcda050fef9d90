//! The offline provider: composes an agent from the catalogue's tools and the requirement's data.
//!
//! No model and no network: the same requirement always gives the same agent. Token counts are 0.

mod architecture;
mod design;
mod examples;
mod naming;
mod plan;
mod prompt;
mod spec;
mod tools;

use async_trait::async_trait;
use nexus_plugin_api::payload::Usage;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    Answer, Ask, ModelProvider, ProviderError, Reply,
    answers::{AgentDesign, AgentGuide, Architecture, PromptFile, RequirementsSpec, ToolSet, WorkflowPlan},
};
use crate::catalogue::{Catalogue, CatalogueError};

/// How this provider names itself.
pub const MODEL_ID: &str = "offline/blueprint";

/// The offline provider.
pub struct BlueprintProvider {
    catalogue: &'static Catalogue,
}

/// [`Ask::context`], read.
#[derive(Deserialize)]
struct Known {
    project_name: String,
    requirement: String,
    #[serde(default)]
    inputs: Map<String, Value>,
}

impl Known {
    /// What an earlier stage found out.
    fn input<T: DeserializeOwned>(&self, stage: &str) -> Result<T, ProviderError> {
        let value =
            self.inputs.get(stage).ok_or_else(|| ProviderError::Broken(format!("the output of {stage} is missing")))?;
        T::deserialize(value).map_err(|e| ProviderError::Broken(format!("the output of {stage} cannot be read: {e}")))
    }
}

impl BlueprintProvider {
    /// A provider over the embedded catalogue.
    ///
    /// # Errors
    /// When the catalogue is broken.
    pub fn new() -> Result<Self, CatalogueError> {
        Ok(Self { catalogue: Catalogue::embedded()? })
    }

    fn answer(&self, ask: &Ask) -> Result<Value, ProviderError> {
        let known = Known::deserialize(&ask.context)
            .map_err(|e| ProviderError::Broken(format!("the question's context cannot be read: {e}")))?;
        match ask.answer {
            WorkflowPlan::NAME => json(plan::plan(&known)?),
            RequirementsSpec::NAME => json(spec::spec(&known)?),
            Architecture::NAME => {
                json(architecture::architecture(self.catalogue, &known.input("requirements_analysis")?))
            }
            AgentDesign::NAME => json(design::design(self.catalogue, &known, &known.input("requirements_analysis")?)),
            ToolSet::NAME => json(tools::tools(self.catalogue, &known.input("agent_design")?)?),
            PromptFile::NAME => json(prompt::prompt(
                self.catalogue,
                &known.input("agent_design")?,
                &known.input("requirements_analysis")?,
            )),
            AgentGuide::NAME => {
                json(prompt::guide(&known.input("agent_design")?, &known.input("requirements_analysis")?))
            }
            other => Err(ProviderError::Broken(format!("{MODEL_ID} knows no `{other}`"))),
        }
    }
}

fn json(value: impl Serialize) -> Result<Value, ProviderError> {
    serde_json::to_value(value).map_err(|e| ProviderError::Broken(e.to_string()))
}

#[async_trait]
impl ModelProvider for BlueprintProvider {
    fn model_id(&self) -> &str {
        MODEL_ID
    }

    async fn generate(&self, ask: &Ask) -> Result<Reply, ProviderError> {
        let usage = Usage { input_tokens: 0, output_tokens: 0, model_id: Some(MODEL_ID.into()) };
        Ok(Reply { value: self.answer(ask)?, usage })
    }
}
