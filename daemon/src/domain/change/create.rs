//! A requirement becomes a project that waits for a worker.

use super::Refusal;
use crate::domain::{
    allowed_transitions::ProjectState,
    event::{Event, NewEvent},
    ids::TaskId,
    project::{Project, ProjectStatus},
    time::Timestamp,
};

/// What a new project begins with.
#[derive(Debug)]
pub struct Created {
    pub status: ProjectStatus,
    /// The build task, whose message is sent with it.
    pub task_id: TaskId,
    pub event: NewEvent,
}

/// Decides a new project of so many stages; `most` is what the store takes.
///
/// # Errors
/// [`Refusal::Invalid`]: it has no task, no stages or too many.
pub fn create(project: &Project, stages: usize, most: usize, now: Timestamp) -> Result<Created, Refusal> {
    let Some(task_id) = project.task_id.clone() else {
        return Err(Refusal::Invalid("a new project needs a task".to_owned()));
    };
    if stages == 0 || stages > most {
        return Err(Refusal::Invalid(format!("a project has 1 to {most} stages on this backend")));
    }
    let status = ProjectStatus::Queued;
    let event = Event::Project {
        state: ProjectState { status, control: project.control_status },
        progress: project.progress,
        current_stage: project.current_stage.clone(),
        error: None,
        request: None,
    };
    Ok(Created { status, task_id, event: NewEvent { at: now, event } })
}
