//! Draws the architecture.

use nexus_plugin_api::payload::StageResult;

use super::{Job, StageError};
use crate::{
    documents::{self, structured},
    spec::Requirements,
};

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let requirements: Requirements = job.input()?;
    let (author, brief) = job.author();
    let architecture = job.answer(author.draw_architecture(&brief, &requirements)).await?;
    job.structure(structured::architecture(&brief.project_name, &architecture, &requirements));
    let document = documents::architecture(&architecture, requirements.language);
    job.finish(architecture, document).await
}
