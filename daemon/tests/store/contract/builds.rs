//! Builds: claim, steps, ends.

use std::time::Duration;

use nexus_daemon::domain::queue::Receive;
use nexus_daemon::{
    backend::{
        error::BackendErrorKind,
        store::{BuildEnd, BuildStep, Claim, ProjectFilter, StageRetry},
    },
    domain::{
        agent::NewAgent,
        assessment::Assessment,
        control::{ControlAction, ControlStatus},
        event::EventType,
        failure::{Failure, FailureKind},
        ids::{AgentId, ProjectId, TaskId},
        project::ProjectStatus,
        queue::QueueName,
        stage::StageStatus,
        task::TaskStatus,
        time::Timestamp,
    },
};
use serde_json::json;

use super::world::*;

pub async fn a_build_walks_through_its_stages(f: &Fixture) {
    let new = f.create().await;
    let id = &new.project.project_id;
    let (delivery, build) = f.take("w1").await;
    assert_eq!(delivery.receive_count, 1);
    assert_eq!(build.project.status, ProjectStatus::Building);
    assert_eq!(build.project.requirement, new.project.requirement);
    assert_eq!(build.project.tags, new.project.tags);
    assert_eq!(build.project.current_stage.as_deref(), Some(STAGES[0]));
    assert_eq!(build.stages.len(), 9);
    assert_eq!((build.stages[0].status, build.stages[0].attempt), (StageStatus::Running, 1));
    assert_eq!(build.stages[1].status, StageStatus::Pending);
    assert_eq!(f.store.task(&build.lease.task_id).await.unwrap().unwrap().status, TaskStatus::Running);

    let last = f.run_from(&delivery, &build.lease, 0).await;
    assert_eq!(last.status, ProjectStatus::Completed);
    assert!(f.nothing_to_do(QueueName::Build).await);

    let detail = f.store.project_detail(id).await.unwrap().unwrap();
    assert_eq!(detail.project.status, ProjectStatus::Completed);
    assert!(detail.project.completed_at.is_some() && detail.project.started_at.is_some());
    assert_eq!(detail.agent_count, 1);
    assert!(detail.stages.iter().all(|s| s.status == StageStatus::Completed && s.output_data.is_some()));
    assert_eq!(detail.stages[3].duration_seconds, Some(1.5));
    assert_eq!(detail.stages[3].metrics.as_ref().unwrap()["model_id"], "model");
    assert_eq!(f.store.task(&build.lease.task_id).await.unwrap().unwrap().status, TaskStatus::Completed);

    let events = f.store.events_after(id, 0, 1000).await.unwrap();
    assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), (1..=events.len() as u64).collect::<Vec<_>>());
    assert_eq!(events, f.events.of(id), "the sink hears what is stored");
    assert_eq!(events.iter().filter(|e| e.kind == EventType::Agent).count(), 1);
    assert_eq!(events.iter().filter(|e| e.kind == EventType::Stage).count(), 18);
    let last = events.iter().rfind(|e| e.kind == EventType::Project).unwrap();
    assert_eq!(last.fields["status"], "completed");
}

pub async fn an_idle_build_begins_what_is_ready_side_by_side(f: &Fixture) {
    let (delivery, build) = f.start("diamond").await;
    let lease = &build.lease;
    let progress = f.step(lease, &["a"], &["b", "c"]).await.unwrap();
    assert_eq!(progress.begun, [("b".to_owned(), 1), ("c".to_owned(), 1)]);
    let step = BuildStep { ended: vec![done("b", 1)], still_running: 1, progress: 50.0, ..BuildStep::default() };
    assert!(f.store.advance_build(lease, step).await.unwrap().begun.is_empty());
    // The owner dies: another goes on with what ran, and with nothing that is done.
    f.queue.release(&delivery.receipt, Duration::ZERO, Receive::Uncounted).await.unwrap();
    f.lapse(lease).await;
    let (_, again) = f.take("w2").await;
    let running: Vec<_> = again.stages.iter().filter(|s| s.status == StageStatus::Running).collect();
    assert_eq!(running.iter().map(|s| (s.stage_name.as_str(), s.attempt)).collect::<Vec<_>>(), [("c", 2)]);
    let progress = f.step(&again.lease, &["c"], &["d"]).await.unwrap();
    assert_eq!(progress.begun, [("d".to_owned(), 1)]);
}

pub async fn a_message_of_no_use_is_obsolete(f: &Fixture) {
    let (delivery, build) = f.start("agent_build").await;
    let mut claim = f.claim_of(&delivery, "w2");
    claim.task_id = Some(TaskId::generate());
    assert!(matches!(f.store.claim_build(claim.clone(), workflows()).await.unwrap(), Claim::Obsolete(_)));
    claim.project_id = ProjectId::generate();
    assert!(matches!(f.store.claim_build(claim, workflows()).await.unwrap(), Claim::Obsolete(_)));
    // A message that lacks its task means the project's current one; a duplicate finds it held.
    let mut original = f.claim_of(&delivery, "w2");
    original.task_id = None;
    assert!(matches!(f.store.claim_build(original.clone(), workflows()).await.unwrap(), Claim::HeldUntil(_)));
    f.queue.send(QueueName::Build, delivery.body.clone(), 3).await.unwrap();
    f.run_from(&delivery, &build.lease, 0).await;
    let duplicate = f.receive_one(QueueName::Build).await.unwrap();
    assert!(matches!(f.claim(&duplicate, "w2").await, Claim::Obsolete(_)));
    assert!(matches!(f.store.claim_build(original, workflows()).await.unwrap(), Claim::Obsolete(_)));
    assert_eq!(f.status(&build.lease.project_id).await.0, ProjectStatus::Completed);
}

pub async fn a_held_lease_keeps_others_off(f: &Fixture) {
    let (delivery, build) = f.start("agent_build").await;
    let Claim::HeldUntil(until) = f.claim(&delivery, "w2").await else { panic!("not held") };
    assert!(until > Timestamp::now());
    f.step(&build.lease, &[STAGES[0]], &[STAGES[1]]).await.unwrap();
}

pub async fn an_old_lease_is_refused(f: &Fixture) {
    f.create().await;
    let delivery = f.receive_one(QueueName::Build).await.unwrap();
    let mut short = f.claim_of(&delivery, "w1");
    short.lease_until = Timestamp::now();
    let Claim::Claimed(old) = f.store.claim_build(short, workflows()).await.unwrap() else { panic!() };
    let Claim::Claimed(new) = f.claim(&delivery, "w2").await else { panic!("a lapsed lease is free") };
    assert!(new.lease.epoch > old.lease.epoch);
    assert_eq!(new.stages[0].attempt, 2, "what the former owner left running begins again");
    let before = f.store.project_detail(&new.lease.project_id).await.unwrap().unwrap();
    let refused = f.step(&old.lease, &[STAGES[0]], &[STAGES[1]]).await.unwrap_err();
    assert_eq!(refused.kind(), BackendErrorKind::Fenced);
    let retry = StageRetry {
        stage_name: STAGES[0].into(),
        failed_attempt: 2,
        failure: Failure::new(FailureKind::Transient, "x"),
    };
    assert_eq!(f.store.retry_stage(&old.lease, retry).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    assert_eq!(f.store.release_lease(&old.lease, None).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    assert!(!f.store.extend_leases(std::slice::from_ref(&old.lease), in_one_minute()).await.unwrap()[0].held);
    let after = f.store.project_detail(&new.lease.project_id).await.unwrap().unwrap();
    assert_eq!((before.project, before.stages), (after.project, after.stages), "nothing was written");
    f.step(&new.lease, &[STAGES[0]], &[STAGES[1]]).await.unwrap();
    // The same worker claiming again is a new lease as well.
    let Claim::Claimed(third) = f.claim(&delivery, "w2").await else { panic!() };
    assert_eq!(f.step(&new.lease, &[STAGES[1]], &[]).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    assert_eq!(f.store.task(&third.lease.task_id).await.unwrap().unwrap().retry_count, 2);
    // So is one under another task: what is saved under it comes after all that was saved before.
    let project = &third.lease.project_id;
    f.control(project, ControlAction::Stop).await.unwrap();
    f.control(project, ControlAction::Restart).await.unwrap();
    let (_, fourth) = f.take("w2").await;
    assert_ne!(fourth.lease.task_id, third.lease.task_id);
    assert!(fourth.lease.epoch > third.lease.epoch, "{} after {}", fourth.lease.epoch, third.lease.epoch);
    assert_eq!(f.store.task(&fourth.lease.task_id).await.unwrap().unwrap().retry_count, 0);
}

pub async fn an_attempt_fences_too(f: &Fixture) {
    let (_, build) = f.start("agent_build").await;
    let retry = StageRetry {
        stage_name: STAGES[0].into(),
        failed_attempt: 1,
        failure: Failure::new(FailureKind::Transient, "x"),
    };
    assert_eq!(f.store.retry_stage(&build.lease, retry.clone()).await.unwrap(), 2);
    assert_eq!(f.store.retry_stage(&build.lease, retry).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    let late = BuildStep { ended: vec![done(STAGES[0], 1)], ..BuildStep::default() };
    assert_eq!(f.store.advance_build(&build.lease, late).await.unwrap_err().kind(), BackendErrorKind::Fenced);
}

pub async fn a_step_that_cannot_be_changes_nothing(f: &Fixture) {
    let (delivery, build) = f.start("agent_build").await;
    let id = &build.lease.project_id;
    f.step(&build.lease, &[STAGES[0]], &[STAGES[1]]).await.unwrap();
    let before = f.store.project_detail(id).await.unwrap().unwrap();
    let known = f.events.of(id).len();
    let again =
        |begin: &str| BuildStep { begin: vec![begin.into()], ended: vec![done(STAGES[1], 1)], ..BuildStep::default() };
    let end = Some(BuildEnd::Completed { agent: None, deploy: false });
    for (step, kind) in [
        (again(STAGES[0]), BackendErrorKind::Illegal),
        (again("nonsense"), BackendErrorKind::Invalid),
        (again(STAGES[1]), BackendErrorKind::Invalid),
        (BuildStep { ended: vec![done(STAGES[5], 0)], ..BuildStep::default() }, BackendErrorKind::Illegal),
        (BuildStep { ended: vec![done(STAGES[1], 1)], end, ..BuildStep::default() }, BackendErrorKind::Invalid),
    ] {
        let step = BuildStep { receipt: Some(delivery.receipt.clone()), ..step };
        let refused = f.store.advance_build(&build.lease, step.clone()).await.unwrap_err();
        assert_eq!(refused.kind(), kind, "{step:?}: {refused}");
    }
    let after = f.store.project_detail(id).await.unwrap().unwrap();
    assert_eq!((before.project, before.stages), (after.project, after.stages));
    assert_eq!(f.events.of(id).len(), known);
}

pub async fn a_retry_is_a_new_attempt(f: &Fixture) {
    let (_, build) = f.start("agent_build").await;
    let retry = StageRetry {
        stage_name: STAGES[0].into(),
        failed_attempt: 1,
        failure: Failure::new(FailureKind::Timeout, "took too long"),
    };
    assert_eq!(f.store.retry_stage(&build.lease, retry).await.unwrap(), 2);
    let stage = &f.store.stages(&build.lease.project_id).await.unwrap()[0];
    assert_eq!((stage.status, stage.attempt), (StageStatus::Running, 2));
    assert!(stage.logs[0].contains("took too long"));
    let event = f.events.of(&build.lease.project_id).pop().unwrap();
    assert_eq!((event.fields["attempt"].as_u64(), event.fields["status"].as_str()), (Some(2), Some("running")));
    // What failed stays in the log of the stage that succeeds in the end, bounded.
    let long = Failure::new(FailureKind::Timeout, "ö".repeat(100_000));
    let retry = StageRetry { stage_name: STAGES[0].into(), failed_attempt: 2, failure: long };
    assert_eq!(f.store.retry_stage(&build.lease, retry).await.unwrap(), 3);
    f.step(&build.lease, &[STAGES[0]], &[STAGES[1]]).await.unwrap();
    let logs = &f.store.stages(&build.lease.project_id).await.unwrap()[0].logs;
    assert_eq!((logs.len(), logs[0].as_str()), (3, "attempt 1 failed (timeout): took too long"), "{logs:?}");
    assert!(logs[1].starts_with("attempt 2 failed (timeout): ö") && logs[1].chars().count() <= 1_000);
    assert_eq!(logs[2], "line");
}

pub async fn a_lease_given_back_goes_on_at_once(f: &Fixture) {
    let (delivery, build) = f.start("agent_build").await;
    f.step(&build.lease, &[STAGES[0]], &[STAGES[1]]).await.unwrap();
    f.store.release_lease(&build.lease, Some(&delivery.receipt)).await.unwrap();
    f.queue.release(&delivery.receipt, Duration::ZERO, Receive::Uncounted).await.unwrap();
    assert_eq!(f.store.stages(&build.lease.project_id).await.unwrap()[1].status, StageStatus::Pending);
    assert_eq!(f.store.task(&build.lease.task_id).await.unwrap().unwrap().status, TaskStatus::Queued);
    let (second, again) = f.take("w2").await;
    assert_eq!(second.receive_count, 1, "handing back does not count");
    assert_eq!(again.stages[0].status, StageStatus::Completed);
    assert_eq!((again.stages[1].status, again.stages[1].attempt), (StageStatus::Running, 2));
    assert_eq!(f.run_from(&second, &again.lease, 1).await.status, ProjectStatus::Completed);
}

pub async fn a_lapsed_lease_is_found_and_queued_again(f: &Fixture) {
    f.create().await;
    let delivery = f.receive_one(QueueName::Build).await.unwrap();
    let mut short = f.claim_of(&delivery, "w1");
    short.lease_until = Timestamp::now();
    let Claim::Claimed(old) = f.store.claim_build(short, workflows()).await.unwrap() else { panic!() };
    f.start("agent_build").await;
    let later = Timestamp::now().plus(Duration::from_millis(5));
    let stranded = f.store.stranded_tasks(later, 10).await.unwrap();
    assert_eq!(stranded.len(), 1);
    assert_eq!((&stranded[0].task_id, stranded[0].status), (&old.lease.task_id, TaskStatus::Running));
    f.store.requeue_task(&old.lease.task_id).await.unwrap();
    assert!(f.store.stranded_tasks(later, 10).await.unwrap().is_empty());
    assert_eq!(f.step(&old.lease, &[STAGES[0]], &[]).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    let (_, again) = f.take("w2").await;
    assert_eq!(again.lease.task_id, old.lease.task_id);
    // What has ended is not queued again.
    f.control(&again.lease.project_id, ControlAction::Cancel).await.unwrap();
    f.store.requeue_task(&again.lease.task_id).await.unwrap();
    assert!(f.nothing_to_do(QueueName::Build).await);
}

pub async fn extending_tells_what_the_user_wants(f: &Fixture) {
    let (_, a) = f.start("agent_build").await;
    let (_, b) = f.start("agent_build").await;
    let (_, c) = f.start("agent_build").await;
    f.control(&a.lease.project_id, ControlAction::Pause).await.unwrap();
    f.control(&b.lease.project_id, ControlAction::Stop).await.unwrap();
    let leases = [a.lease, b.lease, c.lease];
    let states = f.store.extend_leases(&leases, in_one_minute()).await.unwrap();
    assert_eq!(states.iter().map(|s| s.held).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(
        states.iter().map(|s| s.control).collect::<Vec<_>>(),
        [ControlStatus::Paused, ControlStatus::Stopped, ControlStatus::Running]
    );
}

pub async fn a_crowd_of_creates_at_once_are_all_there(f: &Fixture) {
    let creates: Vec<_> = (0..f.crowd)
        .map(|_| {
            let store = f.store.clone();
            tokio::spawn(async move {
                let new = new_project("diamond", 3);
                store.create_project(new.clone()).await.unwrap();
                new.project.project_id
            })
        })
        .collect();
    let mut ids = Vec::new();
    for create in creates {
        ids.push(create.await.unwrap());
    }
    let total = f.store.list_projects(&ProjectFilter::default(), &page(1, 1)).await.unwrap().total;
    assert_eq!(total, f.crowd as u64);
    assert_eq!(f.queue.depth(QueueName::Build).await.unwrap().visible, f.crowd as u64);
    for id in ids.iter().step_by(97) {
        assert_eq!(f.store.stages(id).await.unwrap().len(), 4);
    }
    // The same id again is refused, and takes nothing with it.
    let twice = new_project("diamond", 3);
    f.store.create_project(twice.clone()).await.unwrap();
    assert_eq!(f.store.create_project(twice).await.unwrap_err().kind(), BackendErrorKind::Conflict);
    assert_eq!(f.queue.depth(QueueName::Build).await.unwrap().visible, f.crowd as u64 + 1);
}

pub async fn a_create_that_fails_halfway_leaves_nothing(f: &Fixture) {
    let first = f.create().await;
    let mut halfway = new_project("diamond", 3);
    halfway.project.task_id = first.project.task_id.clone();
    let neighbours: Vec<_> = (0..40)
        .map(|n| {
            let (store, halfway) = (f.store.clone(), halfway.clone());
            tokio::spawn(async move {
                let new = if n % 4 == 0 { halfway } else { new_project("diamond", 3) };
                store.create_project(new).await.map_err(|e| e.kind())
            })
        })
        .collect();
    for (n, neighbour) in neighbours.into_iter().enumerate() {
        let expected = if n % 4 == 0 { Err(BackendErrorKind::Conflict) } else { Ok(()) };
        assert_eq!(neighbour.await.unwrap(), expected);
    }
    let id = &halfway.project.project_id;
    assert!(f.store.project(id).await.unwrap().is_none());
    assert!(f.store.stages(id).await.unwrap().is_empty());
    assert!(f.events.of(id).is_empty());
    assert_eq!(f.queue.depth(QueueName::Build).await.unwrap().visible, 31);
    assert_eq!(f.store.list_projects(&ProjectFilter::default(), &page(1, 1)).await.unwrap().total, 31);
    for project in f.store.list_projects(&ProjectFilter::default(), &page(1, 100)).await.unwrap().items {
        assert_eq!(f.store.events_after(&project.project_id, 0, 10).await.unwrap(), f.events.of(&project.project_id));
    }
}

/// Coverage, what is not served, and the acceptance: with the project from the step on that brings it, with the agent at
/// the end.
pub async fn what_a_build_found_out_is_kept(f: &Fixture) {
    let (delivery, build) = f.start("diamond").await;
    let (lease, id) = (&build.lease, &build.lease.project_id);
    let kept = async || f.store.project(id).await.unwrap().unwrap().assessment;
    assert_eq!(kept().await, Assessment::default());
    let parts = || [("sends mail", "it has no connection to a mail server")].into_iter();
    let read = Assessment::reported("partial", parts(), None);
    let step = |end: &[&str], begin: &[&str], assessment| BuildStep {
        ended: end.iter().map(|name| done(name, 1)).collect(),
        begin: begin.iter().map(|name| (*name).to_owned()).collect(),
        assessment,
        ..BuildStep::default()
    };
    f.store.advance_build(lease, step(&["a"], &["b", "c"], Some(read.clone()))).await.unwrap();
    assert_eq!(kept().await, read);
    f.store.advance_build(lease, step(&["b", "c"], &["d"], None)).await.unwrap();
    assert_eq!(kept().await, read, "a step that brings nothing leaves it");
    let item =
        json!({"kind": "datum", "question": "苹果多少钱？", "answer": "3 元", "expected": "3 元", "outcome": "passed"});
    let score = json!({"asked": 1, "passed": 1, "failed": 0, "unproven": 0, "items": [item]});
    let asked = Assessment::reported("partial", parts(), Some(score));
    assert_eq!(asked.acceptance.as_ref().map(|all| all.passed), Some(1));
    let agent = NewAgent { assessment: asked.clone(), ..new_agent(id) };
    let end = BuildStep {
        end: Some(BuildEnd::Completed { agent: Some(Box::new(agent)), deploy: false }),
        receipt: Some(delivery.receipt),
        ..step(&["d"], &[], Some(asked.clone()))
    };
    f.store.advance_build(lease, end).await.unwrap();
    assert_eq!(kept().await, asked);
    let agent = f.store.agent(&AgentId::of_project(id)).await.unwrap().unwrap();
    assert_eq!(agent.assessment, asked);
}
