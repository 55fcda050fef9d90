//! Takes tasks and data out of the requirement, and makes the cases that the finished agent will be asked: here, before
//! any tool is chosen, so that whoever writes the agent does not write its exam. A build that could serve nothing ends.

use nexus_plugin_api::payload::{Assessment, StageResult};
use serde_json::{Map, Value};

use super::{Job, StageError};
use crate::{
    documents::{self, structured},
    spec::{AcceptanceCases, CasesRecord, Coverage, NotUnderstood, Requirements, Uncovered},
    verify::acceptance::{Frozen, PATH},
};

/// A project's tag, and an option of this stage in a workflow file: an agent that serves nothing is built all the same.
const ALLOW_UNSERVED: &str = "allow_unserved";

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let (author, brief) = job.author();
    let mut requirements = job.answer(author.analyse(&brief)).await?;
    account_for_all(&mut requirements, &brief.requirement);
    for data in &requirements.data {
        job.cx.info(format!("data found: {} `{}`, {} entries", data.kind(), data.title(), data.len()));
    }
    for part in &requirements.reading.not_understood {
        job.cx.warn(format!("not understood: {} ({})", part.text, part.reason));
    }
    for left in &requirements.not_served {
        job.cx.warn(format!("not served: {} ({})", left.text, left.reason));
    }
    if requirements.coverage == Coverage::None && !is_allowed(&job) {
        return Err(StageError::NothingServed(requirements.not_served));
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

/// Whoever read the requirement: what is in none of the three parts is told as not understood.
fn account_for_all(requirements: &mut Requirements, text: &str) {
    for span in requirements.reading.missing(text) {
        let part = text.get(span.start..span.end).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let reason = requirements.language.pick("it was read neither as a task nor as data", "既不是任务也不是数据");
        requirements.reading.not_understood.push(NotUnderstood { text: part, span, reason: reason.to_owned() });
    }
}

fn is_allowed(job: &Job) -> bool {
    let option = job.request.options.get(ALLOW_UNSERVED).and_then(Value::as_bool);
    option.unwrap_or(false) || job.request.tags.iter().any(|tag| tag.replace('-', "_") == ALLOW_UNSERVED)
}
