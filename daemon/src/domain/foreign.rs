//! What the original's services write into tables that we share with them, and what it means. They know no leases, no
//! revisions and no events; their words are `status` and `control_status`, and their worker's task is `running` without a
//! lease.

use std::time::Duration;

use super::{
    control::ControlStatus,
    project::ProjectStatus,
    stage::{Stage, StageStatus},
    task::TaskStatus,
    time::Timestamp,
    transition::ProjectState,
    workflow::Workflow,
};

/// How long a task that runs without a lease is believed to be worked on after the last sign of it. A stage of the
/// original's worker tells nothing while it runs.
const QUIET: Duration = Duration::from_secs(30 * 60);
/// How soon a message is looked at again whose project another works on.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// Words that follow each other at once may come in two writes.
pub const SETTLED: Duration = Duration::from_secs(20);

/// The state of a project while one of us holds its lease, from the words that stand in its row. We write `building` there,
/// so any other word is another's wish. None: another has ended the build.
#[must_use]
pub fn under_lease(stated: ProjectState) -> Option<ProjectState> {
    use ControlStatus as C;
    use ProjectStatus as S;
    let control = match (stated.status, stated.control) {
        (S::Completed | S::Failed, _) => return None,
        (S::Cancelled, C::Running | C::Paused) => C::Cancelled,
        (S::Paused, C::Running) => C::Paused,
        (_, control) => control,
    };
    Some(ProjectState { status: S::Building, control })
}

/// A build task that runs without a lease.
#[derive(Clone, Copy, Debug)]
pub struct Unleased {
    /// When it began.
    pub begun: Option<Timestamp>,
}

/// Until when the project of such tasks is left to them, after the last change of its rows; none: not any more.
#[must_use]
pub fn busy_until(tasks: &[Unleased], last_change: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let last = tasks.iter().filter_map(|task| task.begun).chain(last_change).max()?;
    let until = last.plus(QUIET);
    (!tasks.is_empty() && until > now).then(|| until.min(now.plus(LOOK_AGAIN)))
}

/// The earlier of a lease's end and the next look: a lease may be given back long before it ends.
#[must_use]
pub fn look_again(until: Timestamp, now: Timestamp) -> Timestamp {
    until.min(now.plus(LOOK_AGAIN))
}

/// The last change of any of these stages.
#[must_use]
pub fn last_change(stages: &[Stage]) -> Option<Timestamp> {
    stages.iter().flat_map(|stage| [stage.started_at, stage.completed_at]).flatten().max()
}

/// What becomes of a build task that nobody comes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its message is sent (again).
    Requeue,
    /// Nothing is left to do for it: the original leaves one behind for each pause.
    End,
}

/// Decides it by its project and by whether it is the task that the project is to be built under.
#[must_use]
pub const fn fate(project: ProjectStatus, current: bool) -> Fate {
    match project {
        ProjectStatus::Pending | ProjectStatus::Queued | ProjectStatus::Building if current => Fate::Requeue,
        _ => Fate::End,
    }
}

/// How a project has ended whose row says that it waits: the original's API writes `queued` after it has sent the message,
/// so perhaps behind the end. `task` is the project's own, `others_wait` whether it has another that has not ended.
#[must_use]
pub fn ended(
    status: ProjectStatus,
    stages: &[StageStatus],
    task: Option<TaskStatus>,
    others_wait: bool,
) -> Option<ProjectStatus> {
    if !matches!(status, ProjectStatus::Pending | ProjectStatus::Queued) || others_wait {
        return None;
    }
    // Under a task that waits the build goes on to its own end, which is more than a word.
    if task.is_some_and(|task| !task.is_final()) {
        return None;
    }
    if !stages.is_empty() && stages.iter().all(|stage| stage.is_satisfied()) {
        return Some(ProjectStatus::Completed);
    }
    match task? {
        TaskStatus::Failed => Some(ProjectStatus::Failed),
        TaskStatus::Cancelled => Some(ProjectStatus::Cancelled),
        // Completed without its stages: a later restart may have set them back.
        _ => None,
    }
}

/// Completed stages that must run again before the build can go on: another completed them (ours have an attempt) and left
/// no output, and a stage that is still to run is given it.
#[must_use]
pub fn to_run_again(workflow: &Workflow, stages: &[Stage]) -> Vec<usize> {
    let empty = |stage: &Stage| {
        stage.status == StageStatus::Completed
            && stage.attempt == 0
            && stage.output_data.as_ref().is_none_or(|output| {
                output.is_null() || output.as_object().is_some_and(serde_json::Map::is_empty) || output == ""
            })
    };
    let open = stages.iter().enumerate().filter(|(_, stage)| !stage.status.is_satisfied());
    let mut again: Vec<usize> = open
        .flat_map(|(index, _)| workflow.ancestors(index))
        .filter(|index| stages.get(*index).is_some_and(empty))
        .collect();
    again.sort_unstable();
    again.dedup();
    again
}

#[cfg(test)]
#[path = "foreign_tests.rs"]
mod tests;
