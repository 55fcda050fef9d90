//! The rules of a build over a store that is a few variables: any order of commands, by workers that were overtaken, too.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    claim::{Claimed, claim},
    control::{SetBack, control},
    ownerless,
    retry::retry,
    step::{End, Step, step},
    *,
};
use crate::domain::{
    allowed_transitions,
    control::{ControlAction, ControlRequest, ControlStatus},
    event::Event,
    failure::{Failure, FailureKind},
    ids::ProjectId,
    plan,
    project::{ProjectStatus, StageFigures},
    stage::{StageOutcome, StageProduct},
    time::Timestamp,
    workflow::tests::{spec, stage},
};

pub(super) fn diamond() -> Workflow {
    let stages = vec![stage("a", &[]), stage("b", &["a"]), stage("c", &["a"]), stage("d", &["b", "c"])];
    Workflow::build(spec(stages)).unwrap()
}

/// The stages of the diamond, in these states, each in its first attempt if it has begun.
pub(super) fn stages(statuses: &[StageStatus]) -> Vec<Stage> {
    let (workflow, id) = (diamond(), ProjectId::generate());
    let stages = workflow.stages().iter().zip(1..).zip(statuses).map(|((spec, number), status)| Stage {
        status: *status,
        attempt: u32::from(*status != StageStatus::Pending),
        ..Stage::pending(id.clone(), spec, number)
    });
    stages.collect()
}

/// A build that is worked on, with such stages.
pub(super) fn building(stages: &[Stage]) -> BuildView<'_, Stage> {
    let state = ProjectState { status: ProjectStatus::Building, control: ControlStatus::Running };
    BuildView { state, progress: 50.0, current_stage: Some("b"), stages, task: Some(TaskStatus::Running) }
}

pub(super) const NOW: Timestamp = Timestamp::from_micros(1_000_000);

/// A store of one project.
struct World {
    workflow: Workflow,
    state: ProjectState,
    progress: f64,
    current: Option<String>,
    stages: Vec<Stage>,
    task: TaskStatus,
    /// Number of the lease, and whether it is held.
    lease: (u32, bool),
    /// How often each attempt of a stage was completed.
    completed: BTreeMap<(String, u32), u32>,
}

impl World {
    fn new() -> Self {
        let (workflow, id) = (diamond(), ProjectId::generate());
        let stages = workflow.stages().iter().zip(1..).map(|(spec, n)| Stage::pending(id.clone(), spec, n)).collect();
        Self {
            workflow,
            state: ProjectState { status: ProjectStatus::Queued, control: ControlStatus::Running },
            progress: 0.0,
            current: None,
            stages,
            task: TaskStatus::Queued,
            lease: (0, false),
            completed: BTreeMap::new(),
        }
    }

    fn view(&self) -> BuildView<'_, Stage> {
        BuildView {
            state: self.state,
            progress: self.progress,
            current_stage: self.current.as_deref(),
            stages: &self.stages,
            task: Some(self.task).filter(|status| !status.is_final()),
        }
    }

    /// Writes a change as a store does, and holds it to what is true of every change.
    fn write(&mut self, change: &Change<'_>) {
        for of_stage in &change.stages {
            let stage = &mut self.stages[of_stage.index];
            assert!(of_stage.attempt >= stage.attempt, "attempts are numbered on");
            if let StageWrite::Ended(end) = of_stage.how {
                assert_eq!(end.attempt, stage.attempt);
                if of_stage.status == StageStatus::Completed {
                    *self.completed.entry((end.stage_name.clone(), end.attempt)).or_default() += 1;
                }
            }
            if matches!(of_stage.how, StageWrite::Begun { .. }) {
                assert_eq!(of_stage.attempt, stage.attempt + 1, "each attempt has a number of its own");
            }
            (stage.status, stage.attempt) = (of_stage.status, of_stage.attempt);
        }
        let stage_told = |event: &NewEvent| match &event.event {
            Event::Stage { name, status, attempt, .. } => Some((name.clone(), *status, *attempt)),
            _ => None,
        };
        let told: Vec<_> = change.events.iter().filter_map(stage_told).collect();
        let wrote = change
            .stages
            .iter()
            .map(|of_stage| (self.stages[of_stage.index].stage_name.clone(), of_stage.status, of_stage.attempt));
        let wrote: Vec<_> = wrote.collect();
        assert_eq!(told, wrote, "what is written is told, in its order");
        if let Some(project) = &change.project {
            (self.state, self.progress) = (project.state, project.progress);
            self.current.clone_from(&project.current_stage);
            match project.lease {
                LeaseChange::Kept => {}
                LeaseChange::Taken => self.lease = (self.lease.0 + 1, true),
                LeaseChange::Ended { .. } => self.lease.1 = false,
            }
        }
        if let Some(end) = &change.task {
            self.task = allowed_transitions::task(self.task, end.event).unwrap();
            assert_eq!(self.task.is_final(), !change.waits_again());
        }
        let runs = self.stages.iter().any(|stage| stage.status == StageStatus::Running);
        assert!(!runs || self.state.status == ProjectStatus::Building, "{:?} and a stage runs", self.state);
        assert!(!runs || self.lease.1, "a stage runs and nobody holds the build");
        if self.state.status.is_final() || self.state.status == ProjectStatus::Paused {
            assert!(self.task.is_final() && !self.lease.1, "{:?}: its task is {}", self.state, self.task);
        }
        assert!(self.completed.values().all(|times| *times == 1), "an attempt is completed once");
        if self.state.status == ProjectStatus::Completed {
            assert!(self.stages.iter().all(|stage| stage.status.is_satisfied()));
        }
    }

    fn claim(&mut self) {
        if self.task.is_final() {
            return;
        }
        let asked_to_end = self.state.control.is_end();
        // Whoever held it is overtaken.
        if let Ok(Some((reached, _))) = ownerless::reached(&self.view(), NOW) {
            self.write(&reached);
            assert_eq!(asked_to_end, self.state.status == ProjectStatus::Cancelled);
            return;
        }
        assert!(!asked_to_end, "a build that is to end is claimed");
        match claim(&self.view(), &self.workflow, 2, NOW) {
            Ok(Claimed::Begun(change)) => {
                self.task = TaskStatus::Running;
                self.write(&change);
            }
            Ok(Claimed::Failed(info)) => {
                let failed = ownerless::fail(&self.view(), &info, NOW).unwrap();
                self.write(&failed);
            }
            Err(refusal) => assert!(matches!(refusal, Refusal::Illegal(_)), "{refusal}"),
        }
    }

    /// The worker that holds lease `number` reports on the stages that it knows to run.
    fn report(&mut self, known: &[(String, u32)], number: u32, how: u8) {
        if self.lease != (number, true) {
            return;
        }
        let end = |(name, attempt): &(String, u32)| StageEnd {
            stage_name: name.clone(),
            attempt: *attempt,
            outcome: if how == 1 {
                StageOutcome::Failed(Failure::new(FailureKind::Permanent, "no"))
            } else {
                StageOutcome::Completed(Box::<StageProduct>::default())
            },
            ended_at: NOW,
            figures: StageFigures::default(),
            model_id: None,
            logs: Vec::new(),
        };
        let ended: Vec<StageEnd> = known.iter().take(1).map(end).collect();
        let statuses: Vec<StageStatus> = self
            .stages
            .iter()
            .map(|stage| match ended.iter().find(|end| end.stage_name == stage.stage_name) {
                Some(_) if how == 1 => StageStatus::Failed,
                Some(_) => StageStatus::Completed,
                None => stage.status,
            })
            .collect();
        let info = ErrorInfo::outside(FailureKind::Permanent, "no");
        let (mut begin, mut over) = (Vec::new(), None);
        match plan::next(&self.workflow, &statuses, 2) {
            plan::Next::Begin(indices) => begin = indices.iter().map(|i| self.stages[*i].stage_name.clone()).collect(),
            plan::Next::Finished => over = Some(End::Completed),
            plan::Next::Failed(_) => over = Some(End::Failed(&info)),
            plan::Next::Wait => {}
        }
        let still_running = known.len().saturating_sub(1);
        let asked = Step {
            ended: &ended,
            begin: &begin,
            still_running,
            progress: plan::progress(&statuses),
            aggregated: AggregatedMetrics::default(),
            assessment: None,
            end: over,
            events: &[],
        };
        match step(&self.view(), &asked, NOW) {
            Ok(stepped) => {
                let change = stepped.change;
                self.write(&change);
            }
            Err(refusal) => {
                let as_known = |(name, attempt): &(String, u32)| {
                    let runs = |stage: &&Stage| stage.stage_name == *name && stage.attempt == *attempt;
                    self.stages.iter().find(runs).is_some_and(|stage| stage.status == StageStatus::Running)
                };
                assert!(!known.iter().all(as_known) || known.is_empty(), "a true report was refused: {refusal}");
            }
        }
    }

    fn ask(&mut self, action: ControlAction, from: Option<String>) {
        let request = ControlRequest { action, reason: None, from_stage: from, requested_by: None };
        let allowed = allowed_transitions::allowed_actions(self.state).contains(&action);
        match control(&self.view(), &request, Some(&self.workflow), NOW) {
            Ok(controlled) => {
                assert!(allowed);
                let (change, queue) = (controlled.change, controlled.queue);
                self.write(&change);
                if queue {
                    self.task = TaskStatus::Queued;
                }
            }
            Err(refusal) => {
                assert!(!allowed || request.from_stage.is_some(), "{action} was allowed and refused: {refusal}");
            }
        }
    }

    fn overwrite(&mut self, control: ControlStatus) {
        if self.state.status.is_open() {
            self.state.control = control;
        }
    }

    fn running(&self) -> Vec<(String, u32)> {
        let running = self.stages.iter().filter(|stage| stage.status == StageStatus::Running);
        running.map(|stage| (stage.stage_name.clone(), stage.attempt)).collect()
    }
}

#[derive(Clone, Debug)]
enum Move {
    Claim,
    /// By the present worker, or by one whose knowledge is old.
    Report(bool, u8),
    Retry,
    HandBack,
    Ask(ControlAction, Option<u8>),
    /// The original's API writes what it wants over a project that is open, and does nothing about it.
    Words(ControlStatus),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => Just(Move::Claim),
        8 => (any::<bool>(), 0_u8..4).prop_map(|(old, how)| Move::Report(old, how)),
        1 => Just(Move::Retry),
        1 => Just(Move::HandBack),
        1 => prop::sample::select(vec![ControlStatus::Paused, ControlStatus::Stopped, ControlStatus::Cancelled])
            .prop_map(Move::Words),
        3 => (prop::sample::select(ControlAction::ALL), prop::option::of(0_u8..5)).prop_map(|(a, f)| Move::Ask(a, f)),
    ];
    prop::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Fence, order, one commit of an attempt, nothing that runs without a holder: after every command.
    #[test]
    fn whatever_is_asked_in_whatever_order_the_rules_hold(moves in moves()) {
        let mut world = World::new();
        let mut old = Vec::new();
        for next in moves {
            match next {
                Move::Claim => {
                    old = world.running();
                    world.claim();
                }
                // Overtaken, but under the lease that is held now, so that only the numbers of the attempts tell it.
                Move::Report(true, how) => world.report(&old.clone(), world.lease.0, how),
                Move::Report(false, how) => world.report(&world.running(), world.lease.0, how),
                Move::Retry => {
                    let Some((name, attempt)) = world.running().first().cloned() else { continue };
                    let failure = Failure::new(FailureKind::Transient, "not now");
                    let stale = retry(&world.view(), &name, attempt.wrapping_sub(1), &failure, NOW);
                    prop_assert_eq!(stale.map(|(_, attempt)| attempt).unwrap_err(), Refusal::Fenced);
                    let (change, again) = retry(&world.view(), &name, attempt, &failure, NOW).unwrap();
                    prop_assert_eq!(again, attempt + 1);
                    world.write(&change);
                }
                Move::HandBack if world.lease.1 => {
                    let goes_on = world.state.control == ControlStatus::Running;
                    let change = ownerless::release(&world.view(), NOW).unwrap();
                    prop_assert_eq!(change.waits_again(), goes_on, "nobody is left to reach a pause or a stop");
                    world.write(&change);
                }
                Move::HandBack => {}
                Move::Words(control) => world.overwrite(control),
                Move::Ask(action, from) => {
                    let name = from.map(|n| world.stages.get(usize::from(n)).map_or("none".into(), |s| s.stage_name.clone()));
                    world.ask(action, name);
                }
            }
        }
    }

    /// A restart from a stage sets back that stage, what depends on it and what failed, and nothing else.
    #[test]
    fn a_restart_keeps_what_does_not_depend_on_it(from in 0_usize..4) {
        let mut world = World::new();
        for stage in &mut world.stages {
            (stage.status, stage.attempt) = (StageStatus::Completed, 1);
        }
        let name = world.stages[from].stage_name.clone();
        let action = ControlAction::Restart;
        let request = ControlRequest { action, reason: None, from_stage: Some(name.clone()), requested_by: None };
        let set_back = SetBack::decide(&world.stages, &request, Some(&world.workflow)).unwrap();
        prop_assert_eq!(set_back.from.as_deref(), Some(name.as_str()));
        prop_assert_eq!(set_back.stages, world.workflow.with_dependents(from));
    }
}

#[test]
fn who_takes_a_build_over_begins_what_was_running_anew() {
    let mut world = World::new();
    world.claim();
    assert_eq!(world.running(), [("a".to_owned(), 1)]);
    world.claim();
    assert_eq!((world.running(), world.lease), (vec![("a".to_owned(), 2)], (2, true)));
}

#[test]
fn a_pause_waits_for_the_stage_that_runs_beside() {
    use StageStatus::{Completed, Pending, Running};
    let stored = stages(&[Completed, Running, Running, Pending]);
    let state = ProjectState { status: ProjectStatus::Building, control: ControlStatus::Paused };
    let asked = Step {
        ended: &[],
        begin: &[],
        still_running: 2,
        progress: 25.0,
        aggregated: AggregatedMetrics::default(),
        assessment: None,
        end: None,
        events: &[],
    };
    let view = BuildView { state, ..building(&stored) };
    let held = step(&view, &asked, NOW).unwrap().change;
    assert_eq!(held.project.map(|project| project.state.status), Some(ProjectStatus::Building));
    let last = step(&view, &Step { still_running: 0, ..asked }, NOW).unwrap().change;
    assert_eq!(last.project.map(|project| project.state.status), Some(ProjectStatus::Paused));
}

#[test]
fn a_build_without_trouble_takes_a_step_for_each_stage() {
    let mut world = World::new();
    world.claim();
    let mut steps = 0;
    while world.state.status == ProjectStatus::Building {
        steps += 1;
        let running = world.running();
        world.report(&running, world.lease.0, 0);
    }
    assert_eq!((steps, world.state.status, world.progress), (4, ProjectStatus::Completed, 100.0));
    assert_eq!(world.completed.len(), 4);
}
