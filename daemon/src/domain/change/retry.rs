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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        change::{
            StageWrite,
            tests::{NOW, building, stages},
        },
        failure::FailureKind,
    };

    #[test]
    fn a_log_keeps_a_line_of_each_of_the_last_twenty_attempts() {
        let about = |attempt: usize| format!("attempt {attempt} failed (transient): no");
        let mut before: Vec<String> = (1..=25).map(about).collect();
        before.insert(3, "a line of an attempt".into());
        let log = log_at_end(&before, &["own".into()]);
        let wanted: Vec<String> = (6..=25).map(about).chain(["own".into()]).collect();
        assert_eq!(log, wanted);
        assert_eq!(log_at_end(&[], &[]), Vec::<String>::new());
    }

    #[test]
    fn the_line_says_which_attempt_failed_and_why_and_is_not_long() {
        let stored = stages(&[StageStatus::Running]);
        let failure = Failure::new(FailureKind::Timeout, "x".repeat(5_000));
        let (change, attempt) = retry(&building(&stored), "a", 1, &failure, NOW).unwrap();
        assert_eq!(attempt, 2);
        let [write] = change.stages.as_slice() else { panic!("one stage") };
        let StageWrite::Begun { note: Some(note) } = &write.how else { panic!("{write:?}") };
        assert!(note.starts_with("attempt 1 failed (timeout): xxx") && note.chars().count() <= ATTEMPT_CHARS);
        assert_eq!(log_at_end(std::slice::from_ref(note), &[]), std::slice::from_ref(note));
    }
}
