//! A further attempt of a stage after one that failed.

use super::{BuildView, Change, Refusal, StageView, draft::Draft};
use crate::domain::{failure::Failure, stage::StageStatus, text::shorten, time::Timestamp};

/// Lines about failed attempts that a stage's log keeps.
const MOST_ATTEMPTS: usize = 20;
/// Characters of such a line.
const ATTEMPT_CHARS: usize = 1_000;
const ATTEMPT: &str = "attempt ";

/// Begins the next attempt; answers its number.
///
/// # Errors
/// [`Refusal::Fenced`]: the attempt that failed is not the one that runs.
pub fn retry<S: StageView>(
    view: &BuildView<'_, S>,
    stage: &str,
    failed_attempt: u32,
    failure: &Failure,
    now: Timestamp,
) -> Result<(Change<'static>, u32), Refusal> {
    let mut draft = Draft::of(view, now);
    let index = draft.find(stage)?;
    let runs = |stage: &S| stage.attempt() == failed_attempt && stage.status() == StageStatus::Running;
    if !view.stages.get(index).is_some_and(runs) {
        return Err(Refusal::Fenced);
    }
    let line = format!("{ATTEMPT}{failed_attempt} failed ({}): {}", failure.kind, failure.message);
    let attempt = draft.begin_again(index, shorten(&line, ATTEMPT_CHARS), &failure.message)?;
    Ok((draft.of_stages(), attempt))
}

/// A stage's log at the end of an attempt: what earlier attempts left of themselves, then its own lines.
pub(crate) fn log_at_end(before: &[String], own: &[String]) -> Vec<String> {
    let about = |line: &&String| line.starts_with(ATTEMPT) && line.contains(" failed (");
    let kept: Vec<&String> = before.iter().filter(about).collect();
    let skipped = kept.len().saturating_sub(MOST_ATTEMPTS);
    kept.into_iter().skip(skipped).chain(own).cloned().collect()
}
