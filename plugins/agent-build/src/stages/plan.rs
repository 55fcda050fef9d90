//! Plans the build and says how the requirement was understood.

use nexus_plugin_api::payload::StageResult;

use super::{Job, Stage, StageError};
use crate::documents;

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let (author, brief) = job.author();
    let plan = job.answer(author.plan(&brief, &Stage::outlines())).await?;
    job.cx.info(format!("model: {}; {}", job.model_id(), plan.summary));
    let document = documents::plan(&plan, job.model_id());
    job.finish(plan, document).await
}
