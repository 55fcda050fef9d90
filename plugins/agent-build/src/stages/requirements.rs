//! Takes tasks and data out of the requirement, and makes the cases that the finished agent will be asked: here, before
//! any tool is chosen, so that whoever writes the agent does not write its exam.

use nexus_plugin_api::payload::{Assessment, StageResult};
use serde_json::{Map, Value};

use super::{Job, StageError};
use crate::{
    documents::{self, structured},
    spec::{AcceptanceCases, CasesRecord, Uncovered},
    verify::acceptance::{Frozen, PATH},
};

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let (author, brief) = job.author();
    let requirements = job.answer(author.analyse(&brief)).await?;
    for data in &requirements.data {
        job.cx.info(format!("data found: {} `{}`, {} entries", data.kind(), data.title(), data.len()));
    }
    let frozen = Frozen::of(&brief.requirement, &requirements);
    let (file, sha256) = frozen.file()?;
    job.file(PATH, file);
    job.cx.info(format!("{} acceptance cases made and frozen, SHA-256 {sha256}", frozen.cases.len()));
    job.assessment(Assessment {
        coverage: requirements.coverage.word().to_owned(),
        not_served: not_served(&requirements.not_served),
        acceptance: None,
    });
    job.structure(structured::requirements(&requirements));
    let document = documents::requirements(&requirements);
    let record =
        AcceptanceCases { acceptance_cases: CasesRecord { path: PATH.to_owned(), sha256, count: frozen.cases.len() } };
    let mut output = Map::new();
    for part in [serde_json::to_value(&requirements)?, serde_json::to_value(record)?] {
        if let Value::Object(part) = part {
            output.extend(part);
        }
    }
    job.finish(output, document).await
}

fn not_served(all: &[Uncovered]) -> Vec<nexus_plugin_api::payload::NotServed> {
    all.iter()
        .map(|one| nexus_plugin_api::payload::NotServed { text: one.text.clone(), reason: one.reason.clone() })
        .collect()
}
