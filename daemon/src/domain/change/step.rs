//! A step of a build: stages end, others begin, and perhaps all is over. The path that runs for every stage.

use super::{
    BuildView, Change, LeaseChange, ProjectChange, Refusal, StageView, TaskChange,
    draft::{Draft, find},
    ownerless::STOPPED,
};
use crate::domain::{
    allowed_transitions::{self, ProjectEvent, StageEvent, TaskEvent},
    assessment::Assessment,
    event::NewEvent,
    failure::ErrorInfo,
    project::AggregatedMetrics,
    stage::{StageEnd, StageOutcome, StageStatus},
    time::Timestamp,
};

/// What a worker reports and wants.
#[derive(Clone, Copy, Debug)]
pub struct Step<'c> {
    pub ended: &'c [StageEnd],
    /// Stages to begin, unless a pause or stop is asked for.
    pub begin: &'c [String],
    /// Stages that go on running beside.
    pub still_running: usize,
    /// Progress in percent after this step.
    pub progress: f64,
    /// Sums over the stages after this step.
    pub aggregated: AggregatedMetrics,
    /// How much of the requirement is served, when an ended stage said it.
    pub assessment: Option<&'c Assessment>,
    /// The end of the build.
    pub end: Option<End<'c>>,
    /// Further events of the ended stages, told before the step's own.
    pub events: &'c [NewEvent],
}

/// How a build ends.
#[derive(Clone, Copy, Debug)]
pub enum End<'c> {
    /// Every stage is done.
    Completed,
    /// A stage failed for good, or the build as a whole.
    Failed(&'c ErrorInfo),
    /// A stage cannot go on before somebody has seen to the cause: the build pauses, and a resume runs that stage again.
    Held(&'c ErrorInfo),
}

/// What a step does.
#[derive(Debug)]
pub struct Stepped<'c> {
    pub change: Change<'c>,
    /// Begun stages with their attempt number, in the order of `begin`; empty when held.
    pub begun: Vec<(String, u32)>,
}

/// Decides a step.
///
/// # Errors
/// A [`Refusal`]: an ended attempt is not the one that runs, a stage cannot begin, or the build is not complete.
pub fn step<'c, S: StageView>(
    view: &BuildView<'_, S>,
    step: &Step<'c>,
    now: Timestamp,
) -> Result<Stepped<'c>, Refusal> {
    check(view, step)?;
    let mut draft = Draft::of(view, now);
    draft.events.reserve(step.events.len() + step.ended.len() + step.begin.len() + 2);
    draft.events.extend_from_slice(step.events);
    for end in step.ended {
        draft.end(draft.find(&end.stage_name)?, end)?;
    }
    let pause = allowed_transitions::project(view.state, ProjectEvent::PauseReached).is_ok();
    let stop = allowed_transitions::project(view.state, ProjectEvent::StopReached).is_ok();
    let mut begun = Vec::new();
    let mut current = view.current_stage;
    if !pause && !stop && step.end.is_none() {
        for name in step.begin {
            begun.push((name.clone(), draft.begin(draft.find(name)?)?));
        }
        current = step.begin.first().map_or(current, |name| Some(name.as_str()));
    }
    let mut project = ProjectChange {
        state: view.state,
        progress: step.progress,
        current_stage: current.map(str::to_owned),
        aggregated: Some(step.aggregated),
        assessment: step.assessment,
        lease: LeaseChange::Kept,
    };
    let how = match step.end {
        Some(End::Completed) => ProjectEvent::Completed,
        Some(End::Failed(_)) => ProjectEvent::Failed,
        Some(End::Held(_)) if !stop => ProjectEvent::Held,
        Some(End::Held(_)) => ProjectEvent::StopReached,
        None if stop => ProjectEvent::StopReached,
        None if pause && step.still_running == 0 => ProjectEvent::PauseReached,
        None => {
            let holds = |end: &StageEnd| end.outcome.failure().is_some_and(|failure| failure.kind.holds());
            if step.ended.iter().any(holds)
                && let Ok((state, _)) = allowed_transitions::project(view.state, ProjectEvent::HoldSeen)
            {
                project.state = state;
            }
            return Ok(Stepped { change: draft.done(project, None), begun });
        }
    };
    project.state = allowed_transitions::project(view.state, how)?.0;
    match how {
        ProjectEvent::Completed => {}
        ProjectEvent::Failed => draft.cut_off("the build failed")?,
        ProjectEvent::StopReached => draft.cut_off(STOPPED)?,
        _ => draft.cut_off("the build was paused")?,
    }
    let (error, event) = match step.end {
        Some(End::Completed) => (None, TaskEvent::Complete),
        Some(End::Failed(info)) => (Some(info), TaskEvent::Fail),
        Some(End::Held(info)) => (Some(info), TaskEvent::Cancel),
        None => (None, TaskEvent::Cancel),
    };
    project.lease = LeaseChange::Ended { error };
    let task = TaskChange { event, error: error.map(|info| info.message.as_str()) };
    Ok(Stepped { change: draft.done(project, Some(task)), begun })
}

/// What a step began that was written although its writer did not hear of it.
pub fn begun_before<S: StageView>(stages: &[S], begin: &[String]) -> Vec<(String, u32)> {
    let running = |name: &String| {
        let stage = stages.iter().find(|stage| stage.name() == name)?;
        (stage.status() == StageStatus::Running).then(|| (name.clone(), stage.attempt()))
    };
    begin.iter().filter_map(running).collect()
}

/// Holds a step against what is stored, before anything is decided.
fn check<S: StageView>(view: &BuildView<'_, S>, step: &Step<'_>) -> Result<(), Refusal> {
    let stage =
        |name: &str| -> Result<&S, Refusal> { view.stages.get(find(view.stages, name)?).ok_or(Refusal::Fenced) };
    for end in step.ended {
        let stage = stage(&end.stage_name)?;
        if stage.attempt() != end.attempt {
            return Err(Refusal::Fenced);
        }
        if stage.status() != StageStatus::Running {
            let refused = allowed_transitions::stage(stage.status(), StageEvent::Complete);
            return Err(refused.err().map_or(Refusal::Fenced, Refusal::Illegal));
        }
    }
    let ends = |name: &str| step.ended.iter().find(|end| end.stage_name == name);
    for name in step.begin {
        let status = stage(name)?.status();
        allowed_transitions::stage(status, StageEvent::Begin)?;
        if ends(name).is_some() || status == StageStatus::Running {
            let text = format!("stage {name:?} cannot begin in the step in which it runs or ends");
            return Err(Refusal::Invalid(text));
        }
    }
    if let Some(End::Completed) = step.end {
        let ends_well = |name: &str| ends(name).is_some_and(|end| !matches!(end.outcome, StageOutcome::Failed(_)));
        let open = view.stages.iter().find(|stage| !stage.status().is_satisfied() && !ends_well(stage.name()));
        if let Some(stage) = open {
            let text = format!("the build cannot be completed: stage {:?} is not", stage.name());
            return Err(Refusal::Invalid(text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{
        change::tests::{NOW, building, stages},
        control::ControlStatus,
        event::{Event, EventType},
        failure::{Failure, FailureKind},
        project::StageFigures,
        stage::StageProduct,
    };

    fn ended(outcome: StageOutcome) -> StageEnd {
        StageEnd {
            stage_name: "b".into(),
            attempt: 1,
            outcome,
            ended_at: Timestamp::from_micros(900_000),
            figures: StageFigures { input_tokens: 7, ..StageFigures::default() },
            model_id: None,
            logs: Vec::new(),
        }
    }

    fn asked<'c>(ended: &'c [StageEnd], begin: &'c [String], events: &'c [NewEvent], end: Option<End<'c>>) -> Step<'c> {
        let aggregated = AggregatedMetrics::default();
        Step { ended, begin, still_running: 0, progress: 50.0, aggregated, assessment: None, end, events }
    }

    #[test]
    fn a_skipped_stage_satisfies_what_follows_and_the_build() {
        use StageStatus::{Completed, Running, Skipped};
        let stored = stages(&[Completed, Running, Completed, Completed]);
        let skipped = [ended(StageOutcome::Skipped(Box::<StageProduct>::default()))];
        let stepped = step(&building(&stored), &asked(&skipped, &[], &[], Some(End::Completed)), NOW).unwrap();
        assert_eq!(stepped.change.stages[0].status, Skipped);
        assert_eq!(stepped.change.project.unwrap().state.status.as_str(), "completed");
        let failed = [ended(StageOutcome::Failed(Failure::new(FailureKind::Permanent, "no")))];
        let refused = step(&building(&stored), &asked(&failed, &[], &[], Some(End::Completed)), NOW).unwrap_err();
        assert!(matches!(refused, Refusal::Invalid(_)), "{refused}");
    }

    #[test]
    fn reports_are_told_first_then_ends_then_beginnings_then_the_project() {
        use StageStatus::{Completed, Pending, Running};
        let stored = stages(&[Completed, Running, Pending, Pending]);
        let ends = [ended(StageOutcome::Completed(Box::<StageProduct>::default()))];
        let report = [NewEvent::new(EventType::Log, json!({"message": "m"}))];
        let begin = ["c".to_owned()];
        let stepped = step(&building(&stored), &asked(&ends, &begin, &report, None), NOW).unwrap();
        assert_eq!(stepped.begun, [("c".to_owned(), 1)]);
        let told: Vec<String> = stepped
            .change
            .events
            .iter()
            .map(|event| match &event.event {
                Event::Report { kind, .. } => kind.to_string(),
                Event::Stage { name, status, attempt, figures, .. } => {
                    format!("{name} {status} {attempt} {:?}", figures.map(|figures| figures.input_tokens))
                }
                Event::Project { state, current_stage, .. } => format!("{} {current_stage:?}", state.status),
                Event::Agent { .. } => "agent".to_owned(),
            })
            .collect();
        assert_eq!(told, ["log", "b completed 1 Some(7)", "c running 1 None", "building Some(\"c\")"]);
        assert_eq!(stepped.change.events[1].at, Timestamp::from_micros(900_000), "an end has its own time");
    }

    /// Not even for the moment in which the same step would cut it off again: it would be told as running.
    #[test]
    fn nothing_begins_while_a_pause_or_stop_is_asked_for() {
        use StageStatus::{Completed, Pending, Running};
        let stored = stages(&[Completed, Running, Pending, Pending]);
        let ends = [ended(StageOutcome::Completed(Box::<StageProduct>::default()))];
        let begin = ["c".to_owned()];
        for control in [ControlStatus::Paused, ControlStatus::Stopped, ControlStatus::Cancelled] {
            for still_running in [0, 1] {
                let mut view = building(&stored);
                view.state.control = control;
                let asked = Step { still_running, ..asked(&ends, &begin, &[], None) };
                let stepped = step(&view, &asked, NOW).unwrap();
                assert!(stepped.begun.is_empty(), "{control}: {:?}", stepped.begun);
                assert!(stepped.change.stages.iter().all(|stage| stage.status != Running), "{control}");
                let runs = |event: &NewEvent| matches!(event.event, Event::Stage { status: Running, .. });
                assert!(!stepped.change.events.iter().any(runs), "{control}");
            }
        }
    }

    #[test]
    fn a_stage_that_a_budget_stops_holds_the_build_and_a_stop_is_stronger() {
        use StageStatus::{Completed, Failed, Pending, Running};
        let stored = stages(&[Completed, Running, Pending, Running]);
        let ends = [ended(StageOutcome::Failed(Failure::new(FailureKind::BudgetExhausted, "spent")))];
        let info = ErrorInfo::outside(FailureKind::BudgetExhausted, "spent");
        let begin = ["c".to_owned()];
        for (control, wanted) in [
            (ControlStatus::Running, "paused"),
            (ControlStatus::Paused, "paused"),
            (ControlStatus::Stopped, "cancelled"),
        ] {
            let mut view = building(&stored);
            view.state.control = control;
            let stepped = step(&view, &asked(&ends, &begin, &[], Some(End::Held(&info))), NOW).unwrap();
            let (project, task) = (stepped.change.project.unwrap(), stepped.change.task.unwrap());
            assert_eq!(project.state.status.as_str(), wanted);
            assert!(matches!(project.lease, LeaseChange::Ended { error: Some(error) } if error.message == "spent"));
            assert_eq!((task.event, task.error), (TaskEvent::Cancel, Some("spent")));
            assert!(stepped.begun.is_empty());
            // What ran beside it is cut off, and both are run again.
            assert!(stepped.change.stages.iter().all(|stage| stage.status == Failed));
        }
    }

    #[test]
    fn a_report_that_does_not_fit_what_is_stored_changes_nothing() {
        use StageStatus::{Completed, Pending, Running};
        let stored = stages(&[Completed, Running, Pending, Pending]);
        let good = || StageOutcome::Completed(Box::<StageProduct>::default());
        let late = [StageEnd { attempt: 2, ..ended(good()) }];
        let again = [StageEnd { stage_name: "a".into(), ..ended(good()) }];
        let unknown = [StageEnd { stage_name: "x".into(), ..ended(good()) }];
        let own = [ended(good())];
        let running = ["b".to_owned()];
        for (asked, wanted) in [
            (asked(&late, &[], &[], None), "no longer held"),
            (asked(&again, &[], &[], None), "completing is not possible"),
            (asked(&unknown, &[], &[], None), "no stage \"x\""),
            (asked(&own, &running, &[], None), "cannot begin in the step"),
            (asked(&[], &running, &[], None), "cannot begin in the step"),
        ] {
            let refused = step(&building(&stored), &asked, NOW).unwrap_err().to_string();
            assert!(refused.contains(wanted), "{refused}");
        }
    }
}
