//! Plans the build and says how the requirement was understood.

use nexus_plugin_api::payload::StageResult;

use super::{Job, StageError};
use crate::{documents, provider::answers::WorkflowPlan};

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let plan: WorkflowPlan = job.ask().await?;
    job.cx.info(format!("model: {}; {}", job.shared.provider.model_id(), plan.summary));
    let document = documents::plan(&plan, job.shared.provider.model_id());
    job.finish(plan, document).await
}
