//! What the original's services write into tables that we share with them, and what it means. They know no leases, no
//! revisions and no events; their words are `status` and `control_status`, and their worker's task is `running` without a
//! lease.

use std::time::Duration;

use super::{
    allowed_transitions::ProjectState,
    control::ControlStatus,
    event::{Event, NewEvent},
    ids::WorkerId,
    plan,
    project::{Project, ProjectStatus},
    stage::{Stage, StageStatus},
    task::{Task, TaskStatus, TaskType},
    time::Timestamp,
    workflow::Workflow,
};

/// How long a task that runs without a lease is believed to be worked on after the last sign of it. A stage of the
/// original's worker tells nothing while it runs.
const QUIET: Duration = Duration::from_secs(30 * 60);
/// How soon a message is looked at again whose project another works on.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// What a task says that ended since its project goes on under a newer one.
pub const REPLACED: &str = "another task has taken its place";
/// Words that follow each other at once may come in two writes.
pub const SETTLED: Duration = Duration::from_secs(20);

/// The state of a project while one of us holds its lease, from the words that stand in its row. We write `building` there,
/// so any other word is another's wish. None: another has ended the build.
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

/// What a task's row means. The original's API writes `queued` after it has sent the message: perhaps behind the claim,
/// perhaps behind the end. Of ours a task has a lease exactly while it runs, and a time of its end exactly when it has ended.
pub fn stated_task(stated: Option<TaskStatus>, leased: bool, ended: bool, failed: bool) -> TaskStatus {
    use TaskStatus as T;
    match stated.unwrap_or(T::Pending) {
        T::Pending | T::Queued if leased => T::Running,
        T::Queued if ended && failed => T::Failed,
        T::Queued if ended => T::Completed,
        status => status,
    }
}

/// Whether a project may be built under a task.
pub fn may_build(task: &Task) -> bool {
    task.task_type == TaskType::BuildAgent && !task.status.is_final()
}

/// Whether a build task waits for a worker.
pub fn waits(task: &Task) -> bool {
    may_build(task) && task.status != TaskStatus::Running
}

/// Whether another's worker works on a task, without a lease, as the original's does.
pub fn runs_unleased(task: &Task, lease_until: Option<Timestamp>, asks: &WorkerId) -> bool {
    may_build(task)
        && task.status == TaskStatus::Running
        && lease_until.is_none()
        && task.worker_id.as_ref() != Some(asks)
}

/// Whether a project is to be built under a task: under its own, or under one that came after that, as the original's
/// API lets a project go on.
pub fn is_current(own: Option<&Task>, task: &Task) -> bool {
    match own {
        Some(own) if own.task_id == task.task_id => true,
        Some(own) if !own.status.is_final() => own.created_at < task.created_at,
        _ => true,
    }
}

/// Until when a project is left to tasks that run without a lease, after the last change of its rows; none: not any more.
/// `begun` is when each began.
pub fn busy_until(begun: &[Timestamp], last_change: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let last = begun.iter().copied().chain(last_change).max()?;
    let until = last.plus(QUIET);
    (!begun.is_empty() && until > now).then(|| until.min(now.plus(LOOK_AGAIN)))
}

/// The earlier of a lease's end and the next look: a lease may be given back long before it ends.
pub fn look_again(until: Timestamp, now: Timestamp) -> Timestamp {
    until.min(now.plus(LOOK_AGAIN))
}

/// The last change of any of these stages.
pub fn last_change(stages: &[Stage]) -> Option<Timestamp> {
    stages.iter().flat_map(|stage| [stage.started_at, stage.completed_at]).flatten().max()
}

/// How a project has ended whose row says that it waits: the original's API writes `queued` after it has sent the message,
/// so perhaps behind the end. `task` is the project's own, `others_wait` whether it has another that has not ended.
pub fn ended(
    status: ProjectStatus,
    stages: &[StageStatus],
    task: Option<TaskStatus>,
    others_wait: bool,
) -> Option<ProjectStatus> {
    if !status.waits() || others_wait {
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

/// Carries out an end that [`ended`] found: what the rows say of it stays. Answers what is told.
pub fn close(project: &mut Project, stages: &[StageStatus], status: ProjectStatus, now: Timestamp) -> NewEvent {
    project.status = status;
    project.completed_at = project.completed_at.or(Some(now));
    project.updated_at = now;
    project.progress = if status == ProjectStatus::Completed { 100.0 } else { plan::progress(stages) };
    let event = Event::Project {
        state: ProjectState { status, control: project.control_status },
        progress: project.progress,
        current_stage: project.current_stage.clone(),
        error: None,
        request: None,
    };
    NewEvent { at: now, event }
}

/// Whether a row that says `queued` may be behind an end: whatever ended has left one of these; one that waits for its
/// first build has none.
pub fn may_have_ended(project: &Project) -> bool {
    project.completed_at.is_some() || project.progress >= 100.0 || project.current_stage.is_some()
}

/// Completed stages that must run again before the build can go on: another completed them (ours have an attempt) and left
/// no output, and a stage that is still to run is given it.
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
