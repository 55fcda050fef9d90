//! The offline author: composes an agent from the catalogue's tools and the requirement's data.
//!
//! - [`requirement`] reads the requirement: language, tasks, data, each with its place.
//! - [`coverage`] says what of it the catalogue's tools serve, and why nothing serves the rest.
//! - [`selection`] chooses among the tools of the catalogue.
//!
//! No model and no network: the same requirement always gives the same agent. Token counts are 0.

pub(super) mod analysis;
pub(super) mod architecture;
pub(crate) mod coverage;
pub(super) mod design;
pub(super) mod examples;
pub(super) mod naming;
pub(super) mod plan;
pub(super) mod prompt;
mod requirement;
mod selection;
pub(super) mod tools;

use async_trait::async_trait;
use nexus_plugin_api::payload::Usage;

use super::{AgentFile, Answer, Author, Authored, Brief};
use crate::{
    catalogue::{Catalogue, CatalogueError},
    spec::{AgentDesign, AgentPrompt, Architecture, Introduction, Plan, Requirements, StageOutline, WrittenTools},
    verify::Finding,
};
/// How this author names itself.
pub(crate) const MODEL_ID: &str = "offline/blueprint";

pub(crate) struct OfflineAuthor {
    catalogue: &'static Catalogue,
}

impl OfflineAuthor {
    pub(crate) fn new() -> Result<Self, CatalogueError> {
        Ok(Self { catalogue: Catalogue::embedded()? })
    }
}

pub(in crate::author) use requirement::{language::is_cjk as is_chinese, speech::is_task};

fn free<T>(object: T) -> Answer<T> {
    Ok(Authored { object, usage: Usage { model_id: Some(MODEL_ID.into()), ..Usage::default() } })
}

#[async_trait]
impl Author for OfflineAuthor {
    fn model_id(&self) -> &str {
        MODEL_ID
    }

    async fn plan(&self, brief: &Brief, stages: &[StageOutline]) -> Answer<Plan> {
        free(plan::plan(&analysis::analyse(self.catalogue, &brief.project_name, &brief.requirement)?, stages))
    }

    async fn analyse(&self, brief: &Brief) -> Answer<Requirements> {
        free(analysis::analyse(self.catalogue, &brief.project_name, &brief.requirement)?)
    }

    async fn draw_architecture(&self, _brief: &Brief, requirements: &Requirements) -> Answer<Architecture> {
        free(architecture::draw(self.catalogue, requirements))
    }

    async fn design(&self, brief: &Brief, requirements: &Requirements) -> Answer<AgentDesign> {
        free(design::design(self.catalogue, &brief.project_name, requirements))
    }

    async fn write_tools(&self, _brief: &Brief, design: &AgentDesign) -> Answer<WrittenTools> {
        free(tools::tools(self.catalogue, design)?)
    }

    async fn write_prompt(
        &self,
        _brief: &Brief,
        requirements: &Requirements,
        design: &AgentDesign,
    ) -> Answer<AgentPrompt> {
        free(prompt::composed(self.catalogue, requirements, design, None, &[]))
    }

    async fn introduce(
        &self,
        _brief: &Brief,
        requirements: &Requirements,
        design: &AgentDesign,
    ) -> Answer<Introduction> {
        free(prompt::introduction(requirements, design))
    }

    /// The catalogue's tools are vetted: what is wrong with one is mended there.
    async fn repair(&self, _brief: &Brief, _files: &[AgentFile], _findings: &[Finding]) -> Answer<Vec<AgentFile>> {
        free(Vec::new())
    }
}
