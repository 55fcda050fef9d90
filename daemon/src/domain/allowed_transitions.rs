//! The state machines: one pure function each. What is not written here cannot happen.

use super::{
    agent::AgentStatus,
    control::{ControlAction, ControlStatus},
    project::ProjectStatus,
    stage::StageStatus,
    task::TaskStatus,
};

/// An event that the state does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not possible while {machine} is {state}")]
pub struct IllegalTransition {
    pub machine: &'static str,
    pub state: &'static str,
    pub event: &'static str,
}

/// A project's two state words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectState {
    pub status: ProjectStatus,
    /// What its user wants.
    pub control: ControlStatus,
}

/// What happens to a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectEvent {
    /// Its message is in the queue.
    Queued,
    /// A worker took its task, for the first time or over from another.
    Claimed,
    /// No stage runs any more and a pause is asked for.
    PauseReached,
    /// A stage cannot go on before somebody has seen to the cause; others run still.
    HoldSeen,
    /// As above, and nothing runs any more.
    Held,
    /// A stop or cancel stands in its words, and nobody has carried it out: the original's services only ask.
    StopReached,
    /// Every stage is done.
    Completed,
    /// A stage failed for good.
    Failed,
    /// Its user asks for something.
    Control(ControlAction),
}

impl ProjectEvent {
    const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queueing",
            Self::Claimed => "claiming",
            Self::PauseReached => "pausing",
            Self::HoldSeen | Self::Held => "holding",
            Self::StopReached => "stopping",
            Self::Completed => "completing",
            Self::Failed => "failing",
            Self::Control(action) => action.as_str(),
        }
    }
}

/// What must be done beside writing the new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The running stages end now.
    CancelRunningStages,
    /// No further stage begins.
    HoldAfterRunningStages,
    /// A new task is written and queued.
    QueueTask,
}

pub fn project(
    state: ProjectState,
    event: ProjectEvent,
) -> Result<(ProjectState, &'static [Effect]), IllegalTransition> {
    use ControlStatus as C;
    use Effect::{CancelRunningStages, HoldAfterRunningStages, QueueTask};
    use ProjectEvent as E;
    use ProjectStatus as S;

    let to = |status, control, effects: &'static [Effect]| Ok((ProjectState { status, control }, effects));
    let control = state.control;
    match (state.status, event) {
        (S::Pending, E::Queued) => to(S::Queued, control, &[]),
        (S::Pending | S::Queued | S::Building, E::Claimed) => to(S::Building, control, &[]),
        (S::Pending | S::Queued | S::Building, E::PauseReached) if control == C::Paused => {
            to(S::Paused, C::Paused, &[])
        }
        (S::Pending | S::Queued | S::Building, E::StopReached) if control.is_end() => {
            to(S::Cancelled, control, &[CancelRunningStages])
        }
        // As if a pause were asked for: whoever takes the build over finds it so.
        (S::Building, E::HoldSeen) if !control.is_end() => to(S::Building, C::Paused, &[HoldAfterRunningStages]),
        (S::Building, E::Held) => to(S::Paused, C::Paused, &[]),
        (S::Building, E::Completed) => to(S::Completed, C::Running, &[]),
        (S::Building, E::Failed) => to(S::Failed, C::Running, &[]),

        (S::Pending | S::Queued, E::Control(ControlAction::Pause)) => to(S::Paused, C::Paused, &[]),
        (S::Building, E::Control(ControlAction::Pause)) => to(S::Building, C::Paused, &[HoldAfterRunningStages]),
        (S::Paused, E::Control(ControlAction::Resume)) => to(S::Queued, C::Running, &[QueueTask]),
        (S::Pending | S::Queued | S::Paused, E::Control(ControlAction::Stop)) => to(S::Cancelled, C::Stopped, &[]),
        (S::Pending | S::Queued | S::Paused, E::Control(ControlAction::Cancel)) => to(S::Cancelled, C::Cancelled, &[]),
        (S::Building, E::Control(ControlAction::Stop)) => to(S::Cancelled, C::Stopped, &[CancelRunningStages]),
        (S::Building, E::Control(ControlAction::Cancel)) => to(S::Cancelled, C::Cancelled, &[CancelRunningStages]),
        (S::Completed | S::Failed | S::Cancelled | S::Paused, E::Control(ControlAction::Restart)) => {
            to(S::Queued, C::Running, &[QueueTask])
        }
        _ => Err(IllegalTransition { machine: "project", state: state.status.as_str(), event: event.name() }),
    }
}

/// The control requests that [`project`] would accept in this state.
pub fn allowed_actions(state: ProjectState) -> Vec<ControlAction> {
    let allowed = |a: &ControlAction| project(state, ProjectEvent::Control(*a)).is_ok();
    ControlAction::ALL.iter().copied().filter(allowed).collect()
}

/// What happens to a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageEvent {
    /// An attempt begins, also after one that was cut off or failed.
    Begin,
    Complete,
    /// Nothing to do, or optional and failed.
    Skip,
    /// The attempt failed for good, or was stopped.
    Fail,
    /// A restart sets it back.
    Reset,
}

pub fn stage(state: StageStatus, event: StageEvent) -> Result<StageStatus, IllegalTransition> {
    use StageStatus as S;
    match (state, event) {
        (S::Pending | S::Failed | S::Running, StageEvent::Begin) => Ok(S::Running),
        (S::Running, StageEvent::Complete) => Ok(S::Completed),
        (S::Running | S::Pending, StageEvent::Skip) => Ok(S::Skipped),
        (S::Running, StageEvent::Fail) => Ok(S::Failed),
        (_, StageEvent::Reset) => Ok(S::Pending),
        _ => {
            let event = match event {
                StageEvent::Begin => "beginning",
                StageEvent::Complete => "completing",
                StageEvent::Skip => "skipping",
                StageEvent::Fail => "failing",
                StageEvent::Reset => "resetting",
            };
            Err(IllegalTransition { machine: "stage", state: state.as_str(), event })
        }
    }
}

/// What happens to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEvent {
    /// Its message was sent.
    Queue,
    /// A worker took the lease, also over from one whose lease ended.
    Claim,
    /// A worker gave the lease back; the message will come again.
    Release,
    Complete,
    Fail,
    /// Withdrawn by a control request.
    Cancel,
}

pub fn task(state: TaskStatus, event: TaskEvent) -> Result<TaskStatus, IllegalTransition> {
    use TaskStatus as S;
    match (state, event) {
        (S::Pending, TaskEvent::Queue) | (S::Running, TaskEvent::Release) => Ok(S::Queued),
        (S::Pending | S::Queued | S::Running, TaskEvent::Claim) => Ok(S::Running),
        (S::Running, TaskEvent::Complete) => Ok(S::Completed),
        (S::Pending | S::Queued | S::Running, TaskEvent::Fail) => Ok(S::Failed),
        (S::Pending | S::Queued | S::Running, TaskEvent::Cancel) => Ok(S::Cancelled),
        _ => {
            let event = match event {
                TaskEvent::Queue => "queueing",
                TaskEvent::Claim => "claiming",
                TaskEvent::Release => "releasing",
                TaskEvent::Complete => "completing",
                TaskEvent::Fail => "failing",
                TaskEvent::Cancel => "cancelling",
            };
            Err(IllegalTransition { machine: "task", state: state.as_str(), event })
        }
    }
}

/// What happens to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// A deploy task was queued or begins.
    Deploy,
    /// The deployment succeeded, or the agent is put back in service.
    Run,
    /// Taken out of service.
    TakeOffline,
    Fail,
}

pub fn agent(state: AgentStatus, event: AgentEvent) -> Result<AgentStatus, IllegalTransition> {
    use AgentStatus as S;
    match (state, event) {
        (_, AgentEvent::Deploy) => Ok(S::Deploying),
        (S::Deploying | S::Offline | S::Error | S::Running, AgentEvent::Run) => Ok(S::Running),
        (S::Running | S::Offline | S::Error, AgentEvent::TakeOffline) => Ok(S::Offline),
        (S::Building | S::Deploying | S::Running | S::Error, AgentEvent::Fail) => Ok(S::Error),
        _ => {
            let event = match event {
                AgentEvent::Deploy => "deploying",
                AgentEvent::Run => "running",
                AgentEvent::TakeOffline => "taking offline",
                AgentEvent::Fail => "failing",
            };
            Err(IllegalTransition { machine: "agent", state: state.as_str(), event })
        }
    }
}

#[cfg(test)]
#[path = "allowed_transitions_tests.rs"]
mod tests;
