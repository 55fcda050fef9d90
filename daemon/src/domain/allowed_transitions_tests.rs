use proptest::prelude::*;

use super::*;

fn any_state() -> impl Strategy<Value = ProjectState> {
    (prop::sample::select(ProjectStatus::ALL), prop::sample::select(ControlStatus::ALL))
        .prop_map(|(status, control)| ProjectState { status, control })
}

fn any_event() -> impl Strategy<Value = ProjectEvent> {
    let internal = [
        ProjectEvent::Queued,
        ProjectEvent::Claimed,
        ProjectEvent::PauseReached,
        ProjectEvent::HoldSeen,
        ProjectEvent::Held,
        ProjectEvent::StopReached,
        ProjectEvent::Completed,
        ProjectEvent::Failed,
    ];
    prop_oneof![
        prop::sample::select(internal.to_vec()),
        prop::sample::select(ControlAction::ALL).prop_map(ProjectEvent::Control),
    ]
}

proptest! {
    /// Nothing but a user's restart leaves a final state: no redelivered message can.
    #[test]
    fn final_states_are_left_by_restart_only(state in any_state(), event in any_event()) {
        if state.status.is_final()
            && let Ok((next, _)) = project(state, event)
        {
            prop_assert_eq!(event, ProjectEvent::Control(ControlAction::Restart));
            prop_assert_eq!(next.status, ProjectStatus::Queued);
        }
    }

    /// A paused project is not claimed: only its user moves it.
    #[test]
    fn paused_projects_move_by_control_only(event in any_event()) {
        let state = ProjectState { status: ProjectStatus::Paused, control: ControlStatus::Paused };
        if project(state, event).is_ok() {
            prop_assert!(matches!(event, ProjectEvent::Control(_)));
        }
    }

    /// What ends a project that is worked on ends its running stages, and what ends another has none to end.
    #[test]
    fn a_way_out_ends_the_stages_that_run(state in any_state(), action in prop::sample::select(ControlAction::ALL)) {
        if let Ok((next, effects)) = project(state, ProjectEvent::Control(action))
            && next.status == ProjectStatus::Cancelled
        {
            prop_assert_eq!(
                effects.contains(&Effect::CancelRunningStages),
                state.status == ProjectStatus::Building
            );
        }
    }

    /// Random walks never reach a state in which every control request is refused.
    #[test]
    fn no_state_is_a_trap(events in proptest::collection::vec(any_event(), 0..40)) {
        let mut state = ProjectState { status: ProjectStatus::Pending, control: ControlStatus::Running };
        for event in events {
            if let Ok((next, _)) = project(state, event) {
                state = next;
            }
            prop_assert!(!allowed_actions(state).is_empty(), "{state:?}");
        }
    }
}

#[test]
fn control_is_allowed_exactly_as_the_contract_says() {
    use ControlAction::{Cancel, Pause, Restart, Resume, Stop};
    let table: &[(ProjectStatus, &[ControlAction])] = &[
        (ProjectStatus::Pending, &[Pause, Stop, Cancel]),
        (ProjectStatus::Queued, &[Pause, Stop, Cancel]),
        (ProjectStatus::Building, &[Pause, Stop, Cancel]),
        (ProjectStatus::Paused, &[Resume, Stop, Restart, Cancel]),
        (ProjectStatus::Completed, &[Restart]),
        (ProjectStatus::Failed, &[Restart]),
        (ProjectStatus::Cancelled, &[Restart]),
    ];
    for (status, actions) in table {
        let state = ProjectState { status: *status, control: ControlStatus::Running };
        assert_eq!(&allowed_actions(state), actions, "{status}");
    }
}

#[test]
fn a_finished_task_is_never_claimed_again() {
    for state in TaskStatus::ALL {
        assert_eq!(task(*state, TaskEvent::Claim).is_err(), state.is_final(), "{state}");
    }
}

#[test]
fn a_completed_stage_begins_again_only_after_a_reset() {
    assert!(stage(StageStatus::Completed, StageEvent::Begin).is_err());
    let reset = stage(StageStatus::Completed, StageEvent::Reset).unwrap();
    assert_eq!(stage(reset, StageEvent::Begin), Ok(StageStatus::Running));
}
