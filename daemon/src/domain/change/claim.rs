//! A worker takes a build, and begins where it is: fresh, resumed, restarted and redelivered builds all come this way.

use super::{BuildView, Change, LeaseChange, Refusal, StageView, draft::Draft, fits};
use crate::domain::{
    failure::{ErrorInfo, FailureKind},
    ids::TaskId,
    plan::{self, Next},
    stage::StageStatus,
    task::{TaskStatus, TaskType},
    time::Timestamp,
    transition::{self, ProjectEvent, ProjectState},
    workflow::{Workflow, Workflows},
};

/// What a claim leads to.
#[derive(Debug)]
pub enum Claimed<'c> {
    /// The worker has it, once this is written.
    Begun(Change<'c>),
    /// It cannot be built: it fails with the change that [`fail`](super::rest::fail) makes of this.
    Failed(ErrorInfo),
}

/// Why a message is not for a build now, whoever asks; its message may go. `project` is the project's state and task.
#[must_use]
pub fn obsolete(
    asked: Option<&TaskId>,
    state: ProjectState,
    task_id: Option<&TaskId>,
    task: Option<(TaskStatus, TaskType)>,
) -> Option<&'static str> {
    let Some(task_id) = task_id else { return Some("the project has no task") };
    if asked.is_some_and(|asked| asked != task_id) {
        return Some("the project has a newer task");
    }
    let Some((status, task_type)) = task else { return Some("the task does not exist") };
    if status.is_final() || task_type != TaskType::BuildAgent {
        return Some("the task has ended");
    }
    transition::project(state, ProjectEvent::Claimed).err().map(|_| "the project is not to be built now")
}

/// Decides with which stages the worker begins.
///
/// # Errors
/// A [`Refusal`]: the project is not to be built.
pub fn claim<S: StageView>(
    view: &BuildView<'_, S>,
    workflow: &Workflow,
    parallel: usize,
    now: Timestamp,
) -> Result<Claimed<'static>, Refusal> {
    let state = transition::project(view.state, ProjectEvent::Claimed)?.0;
    let statuses: Vec<StageStatus> = view.stages.iter().map(StageView::status).collect();
    let begin = match plan::next(workflow, &plan::taken_over(&statuses), parallel) {
        Next::Begin(begin) => begin,
        Next::Wait | Next::Finished => Vec::new(),
        Next::Failed(index) => {
            let stage = view.stages.get(index);
            let (name, attempt) = (stage.map(|stage| stage.name().to_owned()), stage.map(StageView::attempt));
            return Ok(Claimed::Failed(ErrorInfo::failed_earlier(name, attempt)));
        }
    };
    let mut draft = Draft::of(view, now);
    for (index, status) in statuses.iter().enumerate() {
        if begin.contains(&index) {
            draft.begin(index)?;
        } else if *status == StageStatus::Running {
            // Cut off, and not its turn any more (fewer stages side by side than before).
            draft.set_back(index, false)?;
        }
    }
    let mut project = draft.project(state, LeaseChange::Taken);
    if let Some(first) = begin.first().and_then(|first| view.stages.get(*first)) {
        project.current_stage = Some(first.name().to_owned());
    }
    // First that it is built, then with what.
    let told = draft.project_event(&project);
    draft.events.insert(0, told);
    Ok(Claimed::Begun(draft.told(project, None)))
}

/// Stages that are to run again although they were completed.
///
/// # Errors
/// A [`Refusal`] of the stage machine.
pub fn set_back<S: StageView>(
    view: &BuildView<'_, S>,
    stages: &[usize],
    now: Timestamp,
) -> Result<Change<'static>, Refusal> {
    let mut draft = Draft::of(view, now);
    for index in stages {
        draft.set_back(*index, false)?;
    }
    Ok(draft.of_stages())
}

/// Whether the stages that are stored are those of the project's workflow.
pub enum Fit<'w> {
    /// They are.
    Same(&'w Workflow),
    /// None has begun, and there are none yet or by their old names, as the original's API has them: the workflow's take
    /// their place.
    Anew(&'w Workflow),
}

/// The workflow of a project, when it has the stages that are stored.
///
/// # Errors
/// Why the build fails.
pub fn fitting<'w, S: StageView>(name: &str, stored: &[S], workflows: &'w Workflows) -> Result<Fit<'w>, ErrorInfo> {
    let info = |message: String| ErrorInfo::outside(FailureKind::InvalidInput, message);
    let Some(workflow) = workflows.get(name) else {
        return Err(info(format!("there is no workflow {name:?}: add its file, then restart the project")));
    };
    if fits(workflow, stored) {
        return Ok(Fit::Same(workflow));
    }
    let untouched = |stage: &S| {
        stage.status() == StageStatus::Pending && stage.attempt() == 0 && workflow.index_of(stage.name()).is_some()
    };
    if stored.iter().all(untouched) {
        return Ok(Fit::Anew(workflow));
    }
    Err(info(format!(
        "the stages of workflow {name:?} are no longer those that this project was made with: \
         put the former workflow back, or post the requirement again"
    )))
}
