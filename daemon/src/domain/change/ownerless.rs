//! How a build comes to rest without a step of its worker: a pause or stop that nobody is left to reach, a failure of the
//! whole, a worker that gives it back.

use super::{BuildView, Change, LeaseChange, Refusal, StageView, TaskChange, draft::Draft};
use crate::domain::{
    allowed_transitions::{self, ProjectEvent, TaskEvent},
    failure::ErrorInfo,
    project::ProjectStatus,
    time::Timestamp,
};

/// What a stage says that a stop has cut off, when nobody is known who asked.
pub(super) const STOPPED: &str = "stopped by its user";

/// A pause that nobody is left to reach: what ran goes back to pending. `None`: no pause is asked for.
pub fn pause_reached<S: StageView>(
    view: &BuildView<'_, S>,
    now: Timestamp,
) -> Result<Option<Change<'static>>, Refusal> {
    let Ok((state, _)) = allowed_transitions::project(view.state, ProjectEvent::PauseReached) else { return Ok(None) };
    let mut draft = Draft::of(view, now);
    draft.let_go()?;
    Ok(Some(draft.at_rest(state, None, TaskEvent::Cancel)))
}

/// A stop that only stands in the words: what runs is cut off. The original's API asks so. `None`: no stop is asked for.
pub fn stop_reached<S: StageView>(view: &BuildView<'_, S>, now: Timestamp) -> Result<Option<Change<'static>>, Refusal> {
    let Ok((state, _)) = allowed_transitions::project(view.state, ProjectEvent::StopReached) else { return Ok(None) };
    let mut draft = Draft::of(view, now);
    draft.cut_off(STOPPED)?;
    Ok(Some(draft.at_rest(state, None, TaskEvent::Cancel)))
}

/// A pause or a stop that nobody is left to reach, and the word for what the project is then.
pub fn reached<S: StageView>(
    view: &BuildView<'_, S>,
    now: Timestamp,
) -> Result<Option<(Change<'static>, &'static str)>, Refusal> {
    if let Some(change) = pause_reached(view, now)? {
        return Ok(Some((change, "the project is paused")));
    }
    Ok(stop_reached(view, now)?.map(|change| (change, "the project is stopped")))
}

/// Ends a build as failed, whoever holds its lease. One that nobody works on yet fails as if it had just been claimed.
pub fn fail<'c, S: StageView>(
    view: &BuildView<'_, S>,
    info: &'c ErrorInfo,
    now: Timestamp,
) -> Result<Change<'c>, Refusal> {
    let claimed = allowed_transitions::project(view.state, ProjectEvent::Claimed)?.0;
    let state = allowed_transitions::project(claimed, ProjectEvent::Failed)?.0;
    let mut draft = Draft::of(view, now);
    draft.cut_off(&info.message)?;
    Ok(draft.at_rest(state, Some(info), TaskEvent::Fail))
}

/// A worker gives its build back. Nobody is left to reach a pause or a stop that was asked for, so it is reached now; else
/// what ran goes back to pending, and the next worker may take the task.
pub fn release<S: StageView>(view: &BuildView<'_, S>, now: Timestamp) -> Result<Change<'static>, Refusal> {
    if let Some((reached, _)) = reached(view, now)? {
        return Ok(reached);
    }
    let mut draft = Draft::of(view, now);
    draft.let_go()?;
    let project = draft.project(view.state, LeaseChange::Ended { error: None });
    Ok(draft.into_told(project, Some(TaskChange { event: TaskEvent::Release, error: None })))
}

/// Whether a build task is needed still: its project is to be built, and under this task. What becomes of such a task
/// becomes of the project; of another one nothing is left to do.
#[must_use]
pub const fn is_needed(project: ProjectStatus, is_current: bool) -> bool {
    is_current && project.is_open()
}
