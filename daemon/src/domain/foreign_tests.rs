use serde_json::json;

use super::*;
use crate::domain::{
    allowed_transitions::{self, ProjectEvent},
    ids::ProjectId,
    workflow::tests::{spec, stage},
};

fn state(status: ProjectStatus, control: ControlStatus) -> ProjectState {
    ProjectState { status, control }
}

#[test]
fn a_late_queued_is_read_as_what_the_rest_of_its_row_says() {
    use TaskStatus as T;
    for (stated, leased, ended, failed, means) in [
        (None, false, false, false, T::Pending),
        (None, true, false, false, T::Running),
        (Some(T::Pending), true, true, true, T::Running),
        (Some(T::Queued), true, false, false, T::Running),
        (Some(T::Queued), false, true, false, T::Completed),
        (Some(T::Queued), false, true, true, T::Failed),
        (Some(T::Queued), false, false, true, T::Queued),
        (Some(T::Pending), false, true, false, T::Pending),
        (Some(T::Cancelled), true, true, true, T::Cancelled),
    ] {
        assert_eq!(stated_task(stated, leased, ended, failed), means, "{stated:?} {leased} {ended} {failed}");
    }
}

#[test]
fn foreign_words_under_a_lease_are_wishes() {
    use ControlStatus as C;
    use ProjectStatus as S;
    let table = [
        (S::Building, C::Running, Some(C::Running)),
        (S::Building, C::Paused, Some(C::Paused)),
        (S::Building, C::Stopped, Some(C::Stopped)),
        (S::Paused, C::Paused, Some(C::Paused)),
        (S::Paused, C::Running, Some(C::Paused)),
        (S::Paused, C::Stopped, Some(C::Stopped)),
        (S::Cancelled, C::Stopped, Some(C::Stopped)),
        (S::Cancelled, C::Cancelled, Some(C::Cancelled)),
        (S::Cancelled, C::Running, Some(C::Cancelled)),
        (S::Queued, C::Running, Some(C::Running)),
        (S::Pending, C::Paused, Some(C::Paused)),
        (S::Completed, C::Running, None),
        (S::Failed, C::Stopped, None),
    ];
    for (status, control, wanted) in table {
        let wanted = wanted.map(|control| state(S::Building, control));
        assert_eq!(under_lease(state(status, control)), wanted, "{status} {control}");
    }
}

/// Every wish leads somewhere: to the next stage, a pause or an end.
#[test]
fn every_wish_can_be_carried_out() {
    for status in ProjectStatus::ALL {
        for control in ControlStatus::ALL {
            let Some(meant) = under_lease(state(*status, *control)) else { continue };
            let pause = allowed_transitions::project(meant, ProjectEvent::PauseReached).is_ok();
            let stop = allowed_transitions::project(meant, ProjectEvent::StopReached).is_ok();
            assert_eq!(usize::from(pause) + usize::from(stop), usize::from(meant.control != ControlStatus::Running));
        }
    }
}

#[test]
fn a_task_without_a_lease_is_believed_for_a_while() {
    let now = Timestamp::from_micros(10_000_000_000);
    let ago = |minutes: i64| Some(Timestamp::from_micros(now.as_micros() - minutes * 60_000_000));
    let begun = ago(90);
    let runs = begun.as_slice();
    assert_eq!(busy_until(&[], ago(0), now), None, "nobody works on it");
    assert_eq!(busy_until(runs, ago(90), now), None, "nothing was heard of it");
    assert_eq!(busy_until(runs, None, now), None);
    assert_eq!(busy_until(runs, ago(3), now), Some(now.plus(LOOK_AGAIN)));
    let nearly = Timestamp::from_micros(now.plus(Duration::from_secs(2)).as_micros() - 30 * 60_000_000);
    assert_eq!(busy_until(runs, Some(nearly), now), Some(now.plus(Duration::from_secs(2))));
}

/// Status, stages, own task, whether another waits; how it has ended.
type Case = (ProjectStatus, &'static [StageStatus], Option<TaskStatus>, bool, Option<ProjectStatus>);

#[test]
fn a_late_queued_over_an_end_is_seen() {
    use ProjectStatus as S;
    use StageStatus::{Completed, Failed, Pending, Skipped};
    let table: [Case; 10] = [
        (S::Queued, &[Completed, Skipped], None, false, Some(S::Completed)),
        (S::Queued, &[Completed, Skipped], Some(TaskStatus::Completed), false, Some(S::Completed)),
        (S::Queued, &[Completed, Skipped], None, true, None),
        (S::Queued, &[], None, false, None),
        (S::Queued, &[Completed, Pending], None, false, None),
        (S::Queued, &[Completed, Pending], Some(TaskStatus::Queued), false, None),
        (S::Queued, &[Completed, Failed], Some(TaskStatus::Failed), false, Some(S::Failed)),
        (S::Pending, &[Pending], Some(TaskStatus::Cancelled), false, Some(S::Cancelled)),
        (S::Building, &[Completed], None, false, None),
        (S::Paused, &[Completed], None, false, None),
    ];
    for (status, stages, task, others, wanted) in table {
        assert_eq!(ended(status, stages, task, others), wanted, "{status} {stages:?} {task:?}");
    }
}

#[test]
fn what_another_left_without_output_runs_again_where_it_is_needed() {
    let stages_of = vec![stage("a", &[]), stage("b", &["a"]), stage("c", &["a"]), stage("d", &["b"])];
    let workflow = Workflow::build(spec(stages_of)).unwrap();
    let id: ProjectId = "proj_1".parse().unwrap();
    let stages = |words: [(&str, u32, serde_json::Value); 4]| -> Vec<Stage> {
        let made = workflow.stages().iter().zip(words).zip(1..);
        made.map(|((spec, (status, attempt, output)), number)| Stage {
            status: status.parse().unwrap(),
            attempt,
            output_data: Some(output),
            ..Stage::pending(id.clone(), spec, number)
        })
        .collect()
    };
    let (none, some) = (json!(null), json!({"x": 1}));
    let done = |attempt, output: &serde_json::Value| ("completed", attempt, output.clone());
    let open = || ("pending", 0, json!(null));
    // The other's, without output: only what an open stage depends on.
    let found = to_run_again(&workflow, &stages([done(0, &none), done(0, &json!({})), done(0, &none), open()]));
    assert_eq!(found, [0, 1]);
    // With output, and ours without one: they stay.
    let found = to_run_again(&workflow, &stages([done(0, &some), done(1, &none), done(0, &none), open()]));
    assert_eq!(found, Vec::<usize>::new());
    // Nothing is left to run.
    let all = [done(0, &none), done(0, &none), done(0, &none), done(0, &none)];
    assert_eq!(to_run_again(&workflow, &stages(all)), Vec::<usize>::new());
    // Skipped stages need no output.
    let found = to_run_again(&workflow, &stages([("skipped", 0, json!(null)), done(0, &none), open(), open()]));
    assert_eq!(found, [1]);
}
