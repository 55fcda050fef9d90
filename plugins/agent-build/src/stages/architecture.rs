//! Draws the architecture.

use nexus_plugin_api::payload::StageResult;

use super::{Job, StageError, StageName};
use crate::{
    documents,
    provider::answers::{Architecture, RequirementsSpec},
};

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let spec: RequirementsSpec = job.input(StageName::RequirementsAnalysis)?;
    let architecture: Architecture = job.ask().await?;
    let document = documents::architecture(&architecture, spec.language);
    job.finish(architecture, document).await
}
