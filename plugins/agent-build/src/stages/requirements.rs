//! Takes tasks and data out of the requirement.

use nexus_plugin_api::payload::StageResult;

use super::{Job, StageError};
use crate::{documents, provider::answers::RequirementsSpec};

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let spec: RequirementsSpec = job.ask().await?;
    for data in &spec.data {
        job.cx.info(format!("data found: {} `{}`, {} entries", data.kind(), data.title(), data.len()));
    }
    let document = documents::requirements(&spec);
    job.finish(spec, document).await
}
