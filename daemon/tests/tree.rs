//! The actor tree over the real store: retries, limits, parallel stages, control, poison, lost parts.
mod support;

use std::time::{Duration, Instant};

use nexus_daemon::{
    actors::{dispatcher::DispatcherMessage, root::RootMessage},
    domain::{
        control::{ControlAction, ControlRequest},
        failure::FailureKind,
        project::ProjectStatus,
        stage::StageStatus,
    },
    queue::QueueName,
};
use serde_json::json;
use support::{
    eventually,
    tree::{Script, Tree, stage, workflow},
};

fn fine() -> Script {
    Script::Output(json!({}))
}

async fn control(tree: &Tree, project: &nexus_daemon::domain::ids::ProjectId, action: ControlAction) {
    let request = ControlRequest { action, reason: None, from_stage: None, requested_by: None };
    tree.env.store.control(project, request, tree.env.workflows.load_full()).await.unwrap();
    tree.root.cast(RootMessage::Dispatch(DispatcherMessage::Control(project.clone(), action))).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passing_failure_is_tried_again_and_later_stages_see_earlier_outputs() {
    let stages = vec![stage("a", &[]), stage("b", &["a"]), stage("c", &["b"])];
    let tree = Tree::start(workflow(stages), |request| match (request.stage.as_str(), request.attempt) {
        ("a", _) => Script::Output(json!({"from": "a"})),
        ("b", 1 | 2) => Script::Fail(FailureKind::Transient),
        ("c", _) => Script::Output(json!({"saw": request.inputs.get("a").cloned()})),
        _ => fine(),
    })
    .await;
    let project = tree.create().await;
    let done = tree.wait_for(&project, ProjectStatus::Completed).await;
    assert_eq!(done.stages[1].attempt, 3);
    assert_eq!(done.stages[2].output_data, Some(json!({"saw": {"from": "a"}})));
    assert_eq!(done.project.progress, 100.0);
    assert_eq!(tree.env.leases.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_stays_fails_the_project_with_its_reason() {
    let stages = vec![stage("a", &[]), stage("b", &["a"])];
    let tree = Tree::start(workflow(stages), |request| match request.stage.as_str() {
        "a" => Script::Fail(FailureKind::Permanent),
        _ => fine(),
    })
    .await;
    let project = tree.create().await;
    let failed = tree.wait_for(&project, ProjectStatus::Failed).await;
    let error = failed.project.error_info.unwrap();
    assert_eq!((error.stage.as_deref(), error.kind, error.attempt), (Some("a"), FailureKind::Permanent, 1));
    assert_eq!(failed.stages[1].status, StageStatus::Pending);
    assert_eq!(tree.attempts().get("a"), Some(&1), "it is not tried again");
    let depth = tree.queue.depth(QueueName::Build).await.unwrap();
    assert_eq!((depth.visible, depth.in_flight), (0, 0), "its message is gone, not left for an hour");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_end() {
    let tree = Tree::start(workflow(vec![stage("a", &[])]), |_| Script::Fail(FailureKind::Transient)).await;
    let project = tree.create().await;
    let failed = tree.wait_for(&project, ProjectStatus::Failed).await;
    assert_eq!(failed.project.error_info.unwrap().attempt, 3);
    assert_eq!(tree.attempts().get("a"), Some(&3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_optional_stage_does_not_hold_the_build_up() {
    let mut optional = stage("b", &["a"]);
    (optional.optional, optional.max_retries) = (true, 0);
    let tree = Tree::start(workflow(vec![stage("a", &[]), optional, stage("c", &["b"])]), |request| {
        if request.stage == "b" { Script::Fail(FailureKind::Permanent) } else { fine() }
    })
    .await;
    let project = tree.create().await;
    let done = tree.wait_for(&project, ProjectStatus::Completed).await;
    assert_eq!(done.stages[1].status, StageStatus::Skipped);
    assert_eq!(done.stages[1].output_data.as_ref().unwrap()["reason"], "as the script says");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn independent_stages_run_side_by_side() {
    let stages = vec![stage("a", &[]), stage("b", &["a"]), stage("c", &["a"]), stage("d", &["b", "c"])];
    let tree = Tree::start(workflow(stages), |_| fine()).await;
    let project = tree.create().await;
    tree.wait_for(&project, ProjectStatus::Completed).await;
    assert_eq!(tree.stages.running.lock().unwrap().1, 2, "b and c together");
    let begun: Vec<String> = tree.stages.begun.lock().unwrap().iter().map(|(stage, _)| stage.clone()).collect();
    assert_eq!((begun.len(), begun[0].as_str(), begun[3].as_str()), (4, "a", "d"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_over_its_limit_is_cancelled_and_fails() {
    let mut slow = stage("a", &[]);
    (slow.timeout, slow.max_retries) = (Duration::from_millis(100), 1);
    let tree = Tree::start(workflow(vec![slow]), |_| Script::Hang).await;
    let project = tree.create().await;
    let failed = tree.wait_for(&project, ProjectStatus::Failed).await;
    let error = failed.project.error_info.unwrap();
    assert_eq!((error.kind, error.attempt), (FailureKind::Timeout, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_over_its_limit_fails_without_a_further_try() {
    let mut spec = workflow(vec![stage("a", &[]), stage("b", &["a"])]);
    spec.total_timeout = Duration::from_millis(200);
    let tree = Tree::start(spec, |request| if request.stage == "b" { Script::Hang } else { fine() }).await;
    let project = tree.create().await;
    let failed = tree.wait_for(&project, ProjectStatus::Failed).await;
    let error = failed.project.error_info.unwrap();
    assert_eq!((error.stage.as_deref(), error.kind), (Some("b"), FailureKind::Timeout));
    assert_eq!(tree.attempts().get("b"), Some(&1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_cancels_the_running_stage_and_restart_goes_on_from_it() {
    let stages = vec![stage("a", &[]), stage("b", &["a"])];
    let tree =
        Tree::start(
            workflow(stages),
            |request| {
                if request.stage == "b" && request.attempt == 1 { Script::Hang } else { fine() }
            },
        )
        .await;
    let project = tree.create().await;
    eventually("b runs", async || (tree.attempts().get("b") == Some(&1)).then_some(())).await;
    control(&tree, &project, ControlAction::Stop).await;
    eventually("the permit is free", async || (tree.env.leases.is_empty()).then_some(())).await;
    let stopped = tree.env.store.project_detail(&project).await.unwrap().unwrap();
    assert_eq!(stopped.project.status, ProjectStatus::Cancelled);
    assert_eq!(stopped.stages[1].status, StageStatus::Failed);

    control(&tree, &project, ControlAction::Restart).await;
    tree.wait_for(&project, ProjectStatus::Completed).await;
    assert_eq!(tree.attempts().get("a"), Some(&1), "a was done");
    assert_eq!(tree.attempts().get("b"), Some(&2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_the_daemons_own_is_a_failed_attempt() {
    let tree = Tree::start(
        workflow(vec![stage("a", &[])]),
        |request| {
            if request.attempt == 1 { Script::Panic } else { fine() }
        },
    )
    .await;
    let project = tree.create().await;
    let done = tree.wait_for(&project, ProjectStatus::Completed).await;
    assert_eq!(done.stages[0].attempt, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_ends_in_the_dead_letters_and_never_loops() {
    let tree = Tree::start(workflow(vec![stage("a", &[])]), |_| fine()).await;
    for body in ["", "no json", "[]", r#"{"project_id": "../../etc"}"#] {
        tree.queue.send(QueueName::Build, body.into(), 3).await.unwrap();
    }
    // Readable, but of nothing that exists: deleted, not dead.
    tree.queue.send(QueueName::Build, r#"{"project_id": "proj_unknown"}"#.into(), 5).await.unwrap();
    eventually("all four are dead letters", async || {
        let (dead, live) =
            (tree.queue.depth(QueueName::BuildDead).await.ok()?, tree.queue.depth(QueueName::Build).await.ok()?);
        (dead.visible + dead.in_flight == 4 && live.visible + live.in_flight == 0).then_some(())
    })
    .await;
    let project = tree.create().await;
    tree.wait_for(&project, ProjectStatus::Completed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_dispatcher_is_replaced_and_the_work_goes_on() {
    let tree = Tree::start(
        workflow(vec![stage("a", &[])]),
        |request| {
            if request.attempt == 1 { Script::Deaf } else { fine() }
        },
    )
    .await;
    let project = tree.create().await;
    eventually("it runs", async || (tree.attempts().get("a") == Some(&1)).then_some(())).await;
    // The dispatcher is the child whose own child builds.
    for child in tree.root.get_children() {
        if !child.get_children().is_empty() {
            child.kill();
        }
    }
    tree.wait_for(&project, ProjectStatus::Completed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_tree_hands_everything_back() {
    let tree = Tree::start(workflow(vec![stage("a", &[])]), |_| Script::Deaf).await;
    let project = tree.create().await;
    eventually("it runs", async || (tree.attempts().get("a") == Some(&1)).then_some(())).await;
    let begun = Instant::now();
    tree.env.draining.cancel();
    tree.root.cast(RootMessage::Drain).unwrap();
    tree.ended.await.unwrap();
    tree.env.tasks.close();
    tree.env.tasks.wait().await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let depth = tree.queue.depth(QueueName::Build).await.unwrap();
    assert_eq!((depth.visible, depth.in_flight), (1, 0), "its message is there for the next daemon, at once");
    let detail = tree.env.store.project_detail(&project).await.unwrap().unwrap();
    assert_eq!(detail.stages[0].status, StageStatus::Pending);
}
