//! A worker takes a build, and begins where it is: fresh, resumed, restarted and redelivered builds all come this way.

use super::{BuildView, Change, LeaseChange, Refusal, StageView, draft::Draft, fits};
use crate::domain::{
    allowed_transitions::{self, ProjectEvent, ProjectState},
    failure::{ErrorInfo, FailureKind},
    ids::TaskId,
    plan::{self, Next},
    stage::StageStatus,
    task::{TaskStatus, TaskType},
    time::Timestamp,
    workflow::{Workflow, Workflows},
};

/// What a claim leads to.
#[derive(Debug)]
pub enum Claimed<'c> {
    /// The worker has it, once this is written.
    Begun(Change<'c>),
    /// It cannot be built: it fails with the change that [`fail`](super::ownerless::fail) makes of this.
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
    allowed_transitions::project(state, ProjectEvent::Claimed).err().map(|_| "the project is not to be built now")
}

/// Decides with which stages the worker begins.
pub fn claim<S: StageView>(
    view: &BuildView<'_, S>,
    workflow: &Workflow,
    parallel: usize,
    now: Timestamp,
) -> Result<Claimed<'static>, Refusal> {
    let state = allowed_transitions::project(view.state, ProjectEvent::Claimed)?.0;
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
    let told = draft.project_event(&project, None);
    draft.events.insert(0, told);
    Ok(Claimed::Begun(draft.into_told(project, None)))
}

/// Sets stages back that were completed and must run again.
pub fn run_again<S: StageView>(
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
    Same(&'w Workflow),
    /// None has begun, and there are none yet or by their old names, as the original's API has them: the workflow's take
    /// their place.
    Anew(&'w Workflow),
}

/// The workflow of a project, when it has the stages that are stored.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        change::tests::{diamond, stages},
        control::ControlStatus,
        project::ProjectStatus,
        workflow::tests::{spec, stage},
    };

    #[test]
    fn a_message_is_for_the_present_build_task_of_a_project_that_is_to_be_built() {
        let (own, other) = (TaskId::generate(), TaskId::generate());
        let queued = (TaskStatus::Queued, TaskType::BuildAgent);
        for (asked, status, task_id, task, wanted) in [
            (Some(&own), ProjectStatus::Queued, Some(&own), Some(queued), None),
            (None, ProjectStatus::Building, Some(&own), Some(queued), None),
            (Some(&own), ProjectStatus::Queued, None, None, Some("the project has no task")),
            (Some(&other), ProjectStatus::Queued, Some(&own), Some(queued), Some("the project has a newer task")),
            (Some(&own), ProjectStatus::Queued, Some(&own), None, Some("the task does not exist")),
            (
                Some(&own),
                ProjectStatus::Queued,
                Some(&own),
                Some((TaskStatus::Cancelled, TaskType::BuildAgent)),
                Some("the task has ended"),
            ),
            (
                Some(&own),
                ProjectStatus::Queued,
                Some(&own),
                Some((TaskStatus::Queued, TaskType::DeployAgent)),
                Some("the task has ended"),
            ),
            (Some(&own), ProjectStatus::Paused, Some(&own), Some(queued), Some("the project is not to be built now")),
        ] {
            let state = ProjectState { status, control: ControlStatus::Running };
            assert_eq!(obsolete(asked, state, task_id, task), wanted, "{asked:?} {status} {task:?}");
        }
    }

    #[test]
    fn a_build_keeps_its_workflow_or_says_why_it_cannot() {
        use StageStatus::{Completed, Pending};
        let two = Workflow::build(spec(vec![stage("a", &[]), stage("b", &["a"])])).unwrap();
        let name = two.name().to_owned();
        let workflows = |workflow: Workflow| {
            let mut workflows = Workflows::default();
            workflows.insert(workflow);
            workflows
        };
        let (known, changed) = (workflows(diamond()), workflows(two));
        let fresh = stages(&[Pending; 4]);
        assert!(matches!(fitting(&name, &fresh, &known), Ok(Fit::Same(_))));
        assert!(fitting("none", &fresh, &known).is_err_and(|info| info.message.contains("there is no workflow")));
        // Fewer stages than there were: of some that the workflow does not know nothing can be said.
        assert!(fitting(&name, &fresh, &changed).is_err());
        assert!(matches!(fitting(&name, &fresh[..2], &known), Ok(Fit::Anew(_))), "none has begun");
        assert!(matches!(fitting::<crate::domain::stage::Stage>(&name, &[], &known), Ok(Fit::Anew(_))));
        let begun = stages(&[Completed, Pending]);
        assert!(fitting(&name, &begun, &known).is_err_and(|info| info.message.contains("no longer those")));
    }
}
