//! Rows and words of the original's services beside ours, put into the tables as they write them.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use nexus_daemon::{
    backend::{
        queue::{BuildMessage, DeployMessage, Queue as _},
        store::{BuildStep, Claim, Continuation, GivenUp, prelude::*},
    },
    domain::{
        control::ControlStatus,
        failure::{ErrorInfo, FailureKind},
        project::ProjectStatus,
        queue::QueueName,
        stage::StageStatus,
        task::TaskStatus,
        time::Timestamp,
    },
};
use serde_json::{Value, json};

use super::place::{Place, id};
use crate::contract::world::{STAGES, done, workflows};
use crate::support::account::ago;

fn step(ended: usize) -> BuildStep {
    BuildStep { ended: vec![done(STAGES[ended], 1)], begin: vec![STAGES[ended + 1].into()], ..BuildStep::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_made_of_the_ids_of_its_row() {
    let place = Place::new().await;
    place.project("proj_a", "queued", json!({})).await;
    place.task("task_a", "proj_a", "pending", 60, json!({})).await;
    let config = json!({"agent_id": "agent_d", "deployment_config": {"target": "local"}});
    let more = json!({"task_type": "deploy_agent", "payload": config});
    place.task("task_d", "proj_a", "pending", 60, more).await;
    assert_eq!(place.reconcile().await, 2);
    let bodies = place.bodies().await;
    assert_eq!(bodies.len(), 1);
    let message = BuildMessage::parse(&bodies[0]).unwrap();
    assert_eq!((message.task_id.unwrap().as_str(), message.project_id.as_str()), ("task_a", "proj_a"));
    let deploys = place.queue.receive(QueueName::Deploy, 5, Duration::ZERO).await.unwrap();
    let message = DeployMessage::parse(&deploys[0].body).unwrap();
    assert_eq!((message.agent_id.as_str(), message.deployment_config["target"].as_str()), ("agent_d", Some("local")));
    // A dead letter is overruled with a body that can be read, and at last its project says why not.
    let info = ErrorInfo::outside(FailureKind::Infrastructure, "given up");
    let mut spared = 0;
    while place.store.fail_task(&id("task_a"), info.clone()).await.unwrap() == GivenUp::Spared {
        spared += 1;
        assert!(spared < 10, "not for ever");
    }
    assert_eq!(spared, 5);
    let project = place.store.project(&id("proj_a")).await.unwrap().unwrap();
    assert_eq!((project.status, project.error_info.unwrap().message.as_str()), (ProjectStatus::Failed, "given up"));
    // A letter that names the project only, whose task waits: the same.
    place.project("proj_b", "queued", json!({})).await;
    place.task("task_b", "proj_b", "queued", 60, json!({})).await;
    assert_eq!(place.store.fail_waiting(&id("proj_b"), info).await.unwrap(), GivenUp::Spared);
    assert_eq!(place.claimed("proj_b", None).await.lease.task_id.as_str(), "task_b");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_tasks_of_projects_that_wait_are_queued_again() {
    let place = Place::new().await;
    for (project, status) in [
        ("proj_p", "paused"),
        ("proj_c", "completed"),
        ("proj_x", "cancelled"),
        ("proj_f", "failed"),
        ("proj_q", "queued"),
    ] {
        place.project(project, status, json!({})).await;
        place
            .task(&project.replace("proj", "task"), project, "pending", 60, json!({"result": {"status": "paused"}}))
            .await;
    }
    place.task("task_gone", "proj_gone", "pending", 60, json!({})).await;
    place.reconcile().await;
    let bodies = place.bodies().await;
    assert!(bodies.len() == 1 && bodies[0].contains("task_q"), "{bodies:?}");
    for task in ["task_p", "task_c", "task_x", "task_f", "task_gone"] {
        assert_eq!(place.task_status(task).await, TaskStatus::Cancelled, "{task}");
    }
    assert_eq!(place.status("proj_p").await, ProjectStatus::Paused);
    let left = place.store.task(&id("task_p")).await.unwrap().unwrap();
    assert_eq!(left.result, Some(json!({"status": "paused"})), "what the original left there stays");
    // An api-only daemon answers for what daemons wrote only.
    place.task("task_q2", "proj_q", "pending", 60, json!({})).await;
    assert!(place.store.unsent_tasks(Timestamp::now(), 256).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_old_tasks_do_not_hide_one_that_waits() {
    let place = Place::new().await;
    let build = place.started().await;
    place.project("proj_p", "paused", json!({})).await;
    for n in 0..260 {
        place.task(&format!("task_old_{n}"), "proj_p", "pending", 90_000 + n, json!({})).await;
    }
    place.project("proj_q", "queued", json!({})).await;
    place.task("task_q", "proj_q", "pending", 60, json!({})).await;
    // A lease that ended comes first.
    let found = place.store.stranded_tasks(Place::later(), 10).await.unwrap();
    assert_eq!((found.len(), &found[0].task_id), (10, &build.lease.task_id));
    let mut seen = std::collections::HashSet::new();
    for _ in 0..30 {
        let found = place.store.stranded_tasks(Timestamp::now(), 10).await.unwrap();
        seen.extend(found.into_iter().map(|task| task.task_id.to_string()));
    }
    assert!(seen.contains("task_q"), "a look goes on where the last one ended: {}", seen.len());
    place.reconcile().await;
    place.reconcile().await;
    assert!(place.bodies().await.iter().any(|body| body.contains("task_q")));
    assert_eq!(place.task_status("task_old_259").await, TaskStatus::Cancelled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_pause_keeps_the_stage_and_a_new_message_goes_on() {
    let place = Place::new().await;
    for words in [json!({"status": "paused", "control_status": "paused"}), json!({"control_status": "paused"})] {
        let build = place.started().await;
        let (lease, project) = (&build.lease, build.lease.project_id.as_str().to_owned());
        place.set("nexus_projects", ("project_id", &project), words.clone()).await;
        assert!(place.store.extend_leases(std::slice::from_ref(lease), Place::later()).await.unwrap()[0].held);
        let progress = place.store.advance_build(lease, step(0)).await.unwrap();
        assert_eq!((progress.status, progress.begun.len()), (ProjectStatus::Paused, 0), "{words}");
        assert_eq!(place.store.stages(&id(&project)).await.unwrap()[0].status, StageStatus::Completed);
        assert_eq!(place.task_status(lease.task_id.as_str()).await, TaskStatus::Cancelled);
        // Its resume: a new task that the project does not name, from the stage where it was.
        let resumed = json!({"status": "queued", "control_status": "running"});
        place.set("nexus_projects", ("project_id", &project), resumed).await;
        let task = format!("task_r{}", &project[5..]);
        place.task(&task, &project, "queued", 0, json!({})).await;
        let asked = Continuation::Resume(Some(STAGES[0].into()));
        let claim = place.store.claim_build(place.message(&project, Some(&task), asked), workflows()).await.unwrap();
        let Claim::Claimed(build) = claim else { panic!("{claim:?}") };
        let stages: Vec<(StageStatus, u32)> = build.stages.iter().map(|s| (s.status, s.attempt)).take(2).collect();
        assert_eq!(stages, [(StageStatus::Completed, 1), (StageStatus::Running, 1)], "nothing runs twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_and_a_resume_within_one_stage_change_nothing() {
    let place = Place::new().await;
    let build = place.started().await;
    let (lease, project) = (&build.lease, build.lease.project_id.as_str().to_owned());
    place
        .set("nexus_projects", ("project_id", &project), json!({"status": "queued", "control_status": "running"}))
        .await;
    place.task("task_two", &project, "queued", 0, json!({})).await;
    // Its message waits while the lease lives.
    assert!(matches!(place.claim(&project, Some("task_two")).await, Claim::HeldUntil(_)));
    let progress = place.store.advance_build(lease, step(0)).await.unwrap();
    assert_eq!((progress.status, progress.begun.len()), (ProjectStatus::Building, 1), "it goes on");
    // The owner dies: whoever gets the new message goes on under the new task.
    place.set("nexus_tasks", ("task_id", lease.task_id.as_str()), json!({"lease_expires_at": ago(60)})).await;
    place.set("nexus_projects", ("project_id", &project), json!({"status": "queued"})).await;
    let next = place.claimed(&project, Some("task_two")).await;
    assert_eq!(next.lease.task_id.as_str(), "task_two");
    assert_eq!(place.task_status(lease.task_id.as_str()).await, TaskStatus::Cancelled, "the old one has ended");
    assert!(place.store.advance_build(lease, step(1)).await.is_err(), "and its owner is fenced off");
    assert!(matches!(place.claim(&project, Some(lease.task_id.as_str())).await, Claim::Obsolete(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_stop_ends_the_build() {
    let place = Place::new().await;
    // By the heartbeat, and by a step.
    for words in [json!({"control_status": "stopped"}), json!({"status": "cancelled", "control_status": "cancelled"})] {
        for by_step in [false, true] {
            let build = place.started().await;
            let (lease, project) = (&build.lease, build.lease.project_id.as_str().to_owned());
            place.set("nexus_projects", ("project_id", &project), words.clone()).await;
            if by_step {
                let progress = place.store.advance_build(lease, step(0)).await.unwrap();
                assert_eq!(progress.status, ProjectStatus::Cancelled);
                assert_eq!(place.store.stages(&id(&project)).await.unwrap()[0].status, StageStatus::Completed);
            } else {
                let state = place.store.extend_leases(std::slice::from_ref(lease), Place::later()).await.unwrap()[0];
                assert!(!state.held, "its owner ends what runs");
                assert_eq!(place.store.stages(&id(&project)).await.unwrap()[0].status, StageStatus::Failed);
            }
            let stored = place.store.project(&id(&project)).await.unwrap().unwrap();
            assert_eq!(stored.status, ProjectStatus::Cancelled);
            assert_ne!(stored.control_status, ControlStatus::Running);
            assert_eq!(place.task_status(lease.task_id.as_str()).await, TaskStatus::Cancelled);
            assert!(matches!(place.claim(&project, Some(lease.task_id.as_str())).await, Claim::Obsolete(_)));
        }
    }
    // Of one that waits: its message ends it.
    for (control, wanted) in [("stopped", ProjectStatus::Cancelled), ("paused", ProjectStatus::Paused)] {
        let (project, task) = (format!("proj_{control}"), format!("task_{control}"));
        place.project(&project, "queued", json!({"control_status": control})).await;
        place.task(&task, &project, "queued", 60, json!({})).await;
        assert!(matches!(place.claim(&project, Some(&task)).await, Claim::Obsolete(_)), "{control}");
        assert_eq!(place.status(&project).await, wanted);
        assert_eq!(place.task_status(&task).await, TaskStatus::Cancelled, "{control}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_originals_worker_works_on_is_left_to_it() {
    let place = Place::new().await;
    place.project("proj_o", "queued", json!({"updated_at": ago(120), "current_stage": STAGES[2]})).await;
    place.stages("proj_o", 2, json!({"x": 1})).await;
    let runs = json!({"worker_id": "worker-1", "started_at": ago(300)});
    place.task("task_one", "proj_o", "running", 400, runs.clone()).await;
    place.task("task_two", "proj_o", "queued", 5, json!({})).await;
    for task in [Some("task_two"), Some("task_one"), None] {
        assert!(matches!(place.claim("proj_o", task).await, Claim::HeldUntil(_)), "{task:?}");
    }
    // It ended: the next look goes on where it was, and nothing is run again.
    place.set("nexus_tasks", ("task_id", "task_one"), json!({"status": "pending"})).await;
    let asked = Continuation::Resume(Some(STAGES[0].into()));
    let claim = place.store.claim_build(place.message("proj_o", Some("task_two"), asked), workflows()).await.unwrap();
    let Claim::Claimed(build) = claim else { panic!("{claim:?}") };
    let running: Vec<&str> =
        build.stages.iter().filter(|s| s.status == StageStatus::Running).map(|s| s.stage_name.as_str()).collect();
    assert_eq!(running, [STAGES[2]]);
    assert_eq!(build.stages.iter().filter(|stage| stage.status == StageStatus::Completed).count(), 2);
    // One of which nothing was heard for long.
    place.project("proj_s", "building", json!({"updated_at": ago(7000)})).await;
    place.task("task_s", "proj_s", "running", 7200, json!({"worker_id": "worker-1", "started_at": ago(7100)})).await;
    place.claimed("proj_s", Some("task_s")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_words_neither_take_a_lease_nor_open_an_end() {
    let place = Place::new().await;
    let build = place.started().await;
    let (lease, project) = (&build.lease, build.lease.project_id.as_str().to_owned());
    let late = async || {
        place.set("nexus_projects", ("project_id", &project), json!({"status": "queued"})).await;
        place.set("nexus_tasks", ("task_id", lease.task_id.as_str()), json!({"status": "queued"})).await;
    };
    late().await;
    assert!(place.store.extend_leases(std::slice::from_ref(lease), Place::later()).await.unwrap()[0].held);
    late().await;
    for at in 0..8 {
        place.store.advance_build(lease, step(at)).await.unwrap();
    }
    let last = BuildStep {
        ended: vec![done(STAGES[8], 1)],
        progress: 100.0,
        end: Some(nexus_daemon::backend::store::BuildEnd::Completed { agent: None, deploy: false }),
        ..BuildStep::default()
    };
    assert_eq!(place.store.advance_build(lease, last).await.unwrap().status, ProjectStatus::Completed);
    late().await;
    place.set("nexus_projects", ("project_id", &project), json!({"updated_at": ago(60), "created_at": ago(90)})).await;
    assert_eq!(place.status(&project).await, ProjectStatus::Queued);
    place.reconcile().await;
    assert_eq!(place.status(&project).await, ProjectStatus::Completed);
    let key = AttributeValue::S(lease.task_id.to_string());
    let row = place.account.dynamodb.get_item().table_name("nexus_tasks").key("task_id", key).send().await.unwrap();
    assert_eq!(row.item.unwrap()["status"], AttributeValue::S("completed".into()), "its row, too");
    // One that waits for its turn is left alone, however far it was.
    place.project("proj_w", "queued", json!({"progress": 100, "current_stage": STAGES[1]})).await;
    place.stages("proj_w", 9, json!({"x": 1})).await;
    place.task("task_w", "proj_w", "queued", 3600, json!({})).await;
    place.reconcile().await;
    assert_eq!(place.status("proj_w").await, ProjectStatus::Queued);
    assert_eq!(place.store.build_days(2, Timestamp::now()).await.unwrap().iter().map(|day| day.total).sum::<u64>(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_without_output_run_again_where_it_is_needed() {
    let place = Place::new().await;
    place.project("proj_h", "queued", json!({})).await;
    place.stages("proj_h", 3, Value::Null).await;
    // Numbered by nobody.
    let stray = json!({"project_id": "proj_h", "stage_name": STAGES[5], "status": "pending"});
    place.put("nexus_stages", stray).await;
    let build = place.claimed("proj_h", None).await;
    assert_eq!(build.stages[0].status, StageStatus::Running);
    assert!(build.stages[1].logs[0].contains("left no output"), "{:?}", build.stages[1].logs);
    let names: Vec<&str> = build.stages.iter().map(|stage| stage.stage_name.as_str()).collect();
    assert_eq!(names, STAGES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn builds_of_others_are_counted_by_day_once() {
    let place = Place::new().await;
    let (begun, ended) = (ago(120), ago(60));
    let done = json!({"started_at": begun, "completed_at": ended, "progress": 100});
    place.project("proj_1", "completed", done.clone()).await;
    place.project("proj_2", "failed", done).await;
    for _ in 0..3 {
        place.reconcile().await;
    }
    let days = place.store.build_days(2, Timestamp::now()).await.unwrap();
    let sum = |of: fn(&nexus_daemon::backend::store::DayFigures) -> u64| days.iter().map(of).sum::<u64>();
    assert_eq!((sum(|day| day.successful), sum(|day| day.failed)), (1, 1), "{days:?}");
    assert!(days.iter().any(|day| (day.avg_duration_ms - 60_000.0).abs() < 1_000.0), "{days:?}");
    // Built once more by the same worker.
    place.set("nexus_projects", ("project_id", "proj_1"), json!({"completed_at": ago(5)})).await;
    place.reconcile().await;
    let days = place.store.build_days(2, Timestamp::now()).await.unwrap();
    assert_eq!(days.iter().map(|day| day.successful).sum::<u64>(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_requirement_larger_than_a_message_is_queued_all_the_same() {
    let place = Place::new().await;
    // Each is six bytes in a message.
    place.project("proj_a", "queued", json!({"requirement": "\u{1}".repeat(300_000)})).await;
    place.task("task_a", "proj_a", "pending", 60, json!({})).await;
    assert_eq!(place.reconcile().await, 1);
    let bodies = place.bodies().await;
    assert_eq!(bodies.len(), 1, "its message was not sent");
    assert_eq!(BuildMessage::parse(&bodies[0]).unwrap().task_id.unwrap().as_str(), "task_a");
    assert!(matches!(place.claim("proj_a", Some("task_a")).await, Claim::Claimed(_)));
}
