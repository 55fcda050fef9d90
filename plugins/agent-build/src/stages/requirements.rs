//! Takes tasks and data out of the requirement.

use nexus_plugin_api::payload::StageResult;

use super::{Job, StageError};
use crate::documents::{self, structured};

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let (author, brief) = job.author();
    let requirements = job.answer(author.analyse(&brief)).await?;
    for data in &requirements.data {
        job.cx.info(format!("data found: {} `{}`, {} entries", data.kind(), data.title(), data.len()));
    }
    job.structure(structured::requirements(&requirements));
    let document = documents::requirements(&requirements);
    job.finish(requirements, document).await
}
