//! The actor tree over the real store: retries, limits, parallel stages, control, poison, lost parts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking

#[path = "../support/mod.rs"]
mod support;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nexus_daemon::domain::queue::Receive;
use nexus_daemon::{
    backend::{
        error::BackendError,
        queue::{DeadLetter, Delivery, Queue, QueueDepth, Receipt},
        sqlite::{SqliteOptions, SqliteStore},
    },
    domain::{
        agent::AgentStatus,
        control::{ControlAction, ControlRequest},
        failure::FailureKind,
        ids::{AgentId, TaskId},
        project::ProjectStatus,
        queue::QueueName,
        stage::StageStatus,
    },
    events::EventHub,
    workers::{dispatcher::DispatcherMessage, root::RootMessage},
};
use nexus_plugin_api::payload::StageRequest;
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
    let applied = tree.env.store.control(project, request, tree.env.workflows.load_full()).await.unwrap();
    if let Some(task) = applied.notify {
        tree.root.cast(RootMessage::Dispatch(DispatcherMessage::Control(project.clone(), task, action))).unwrap();
    }
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

/// An optional stage too: it would be left out for want of money that somebody may give.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_out_of_budget_pauses_and_goes_on_from_the_same_stage() {
    let spent = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&spent);
    let mut optional = stage("b", &["a"]);
    optional.optional = true;
    let tree = Tree::start(workflow(vec![stage("a", &[]), optional, stage("c", &["b"])]), move |request| {
        let stopped = request.stage == "b" && told.load(Ordering::SeqCst);
        if stopped { Script::Fail(FailureKind::BudgetExhausted) } else { fine() }
    })
    .await;
    let project = tree.create().await;
    let paused = tree.wait_for(&project, ProjectStatus::Paused).await;
    let error = paused.project.error_info.unwrap();
    assert_eq!((error.kind, error.stage.as_deref(), error.attempt), (FailureKind::BudgetExhausted, Some("b"), 1));
    assert_eq!(
        tree.attempts(),
        HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 1)]),
        "no retry, nothing after it"
    );
    spent.store(false, Ordering::SeqCst);
    control(&tree, &project, ControlAction::Resume).await;
    let done = tree.wait_for(&project, ProjectStatus::Completed).await;
    assert_eq!(done.project.error_info, None);
    let attempts = [("a".to_owned(), 1), ("b".to_owned(), 2), ("c".to_owned(), 1)];
    assert_eq!(tree.attempts(), HashMap::from(attempts), "a is not done twice");
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
    spec.total_timeout = Duration::from_secs(1);
    let hangs = |request: &StageRequest| request.stage == "b" && request.attempt == 1;
    let tree = Tree::start(spec, move |request| if hangs(request) { Script::Hang } else { fine() }).await;
    let project = tree.create().await;
    let failed = tree.wait_for(&project, ProjectStatus::Failed).await;
    let error = failed.project.error_info.unwrap();
    assert_eq!((error.stage.as_deref(), error.kind), (Some("b"), FailureKind::Timeout));
    assert_eq!(tree.attempts().get("b"), Some(&1));
    // A restart has the whole limit again, whatever was used up before.
    control(&tree, &project, ControlAction::Restart).await;
    tree.wait_for(&project, ProjectStatus::Completed).await;
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
    let (store, queue) = (Arc::clone(&tree.env.store), Arc::clone(&tree.queue));
    let took = tree.drain().await;
    assert!(took < Duration::from_secs(8), "{took:?}");
    let depth = queue.depth(QueueName::Build).await.unwrap();
    assert_eq!((depth.visible, depth.in_flight), (1, 0), "its message is there for the next daemon, at once");
    let detail = store.project_detail(&project).await.unwrap().unwrap();
    assert_eq!(detail.stages[0].status, StageStatus::Pending);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_fails_while_the_daemon_ends_is_tried_again_by_the_next() {
    let late = Script::FailLate;
    let tree =
        Tree::start(workflow(vec![stage("a", &[])]), move |_| late(FailureKind::Transient, Duration::from_millis(500)))
            .await;
    let project = tree.create().await;
    eventually("it runs", async || (tree.attempts().get("a") == Some(&1)).then_some(())).await;
    let store = Arc::clone(&tree.env.store);
    tree.drain().await;
    let detail = store.project_detail(&project).await.unwrap().unwrap();
    assert_eq!((detail.project.status, detail.stages[0].status), (ProjectStatus::Building, StageStatus::Pending));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_comes_to_its_end_although_it_was_cut_off_counts() {
    let stages = vec![stage("a", &[]), stage("b", &["a"])];
    let tree = Tree::start(workflow(stages), |_| Script::FinishWhenCancelled).await;
    let project = tree.create().await;
    eventually("it runs", async || (tree.attempts().get("a") == Some(&1)).then_some(())).await;
    let store = Arc::clone(&tree.env.store);
    tree.drain().await;
    let detail = store.project_detail(&project).await.unwrap().unwrap();
    let statuses: Vec<StageStatus> = detail.stages.iter().map(|stage| stage.status).collect();
    assert_eq!(statuses, [StageStatus::Completed, StageStatus::Pending]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_build_whose_stage_is_deaf_does_not_hold_up_the_end() {
    let tree = Tree::start(workflow(vec![stage("a", &[])]), |_| Script::Deaf).await;
    let project = tree.create().await;
    eventually("it runs", async || (tree.attempts().get("a") == Some(&1)).then_some(())).await;
    control(&tree, &project, ControlAction::Stop).await;
    let took = tree.drain().await;
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_word_about_an_earlier_task_does_not_end_the_build() {
    let tree = Tree::start(workflow(vec![stage("a", &[])]), |_| {
        Script::FailLate(FailureKind::Permanent, Duration::from_millis(500))
    })
    .await;
    let project = tree.create().await;
    eventually("it runs", async || (tree.attempts().get("a") == Some(&1)).then_some(())).await;
    let late = DispatcherMessage::Control(project.clone(), TaskId::generate(), ControlAction::Stop);
    tree.root.cast(RootMessage::Dispatch(late)).unwrap();
    // Ended by that word it would neither fail nor be told of.
    let failed = tree.wait_for(&project, ProjectStatus::Failed).await;
    assert_eq!(failed.project.error_info.unwrap().kind, FailureKind::Permanent);
    assert_eq!(tree.attempts().get("a"), Some(&1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn builds_that_are_over_leave_no_tasks_behind() {
    let tree = Tree::start(workflow(vec![stage("a", &[])]), |_| fine()).await;
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = alive();
    for _ in 0..20 {
        let project = tree.create().await;
        tree.wait_for(&project, ProjectStatus::Completed).await;
    }
    eventually("their timers are gone", async || (alive() < before + 10).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_the_store_always_refuses_fails_the_project_in_the_end() {
    let tree = Tree::start(workflow(vec![stage("a", &[])]), |_| fine()).await;
    let saboteur = rusqlite::Connection::open(tree.database()).unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE UPDATE OF output_data ON nexus_stages
                  WHEN NEW.status = 'completed' BEGIN SELECT raise(ABORT, 'as the test says'); END";
    saboteur.execute_batch(refuse).unwrap();
    let project = tree.create().await;
    let failed = tree.wait_for(&project, ProjectStatus::Failed).await;
    assert_eq!(failed.project.error_info.unwrap().kind, FailureKind::Infrastructure);
    assert_eq!(tree.attempts().get("a"), Some(&3), "as often as a message may be received, not for ever");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_deployment_says_is_kept_and_handed_back() {
    let tree = Tree::start(workflow(vec![stage("a", &[])]), |_| Script::Agent).await;
    tree.stages.deployed.add_permits(1);
    let project = tree.create().await;
    let agent = eventually("the agent runs", async || {
        let agent = tree.env.store.agent(&AgentId::of_project(&project)).await.unwrap()?;
        (agent.status == AgentStatus::Running).then_some(agent)
    })
    .await;
    assert_eq!(agent.deployment.text("agentcore_runtime_arn").as_deref(), Some("arn:test"));
    let told = nexus_daemon::jobs::agent_ref::of(&agent, &tree.env.config.load().data);
    assert_eq!(serde_json::Value::Object(told.details), json!({"agentcore_runtime_arn": "arn:test"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deployed_for_a_deleted_agent_is_taken_back() {
    let tree = Tree::start(workflow(vec![stage("a", &[])]), |_| Script::Agent).await;
    let project = tree.create().await;
    tree.wait_for(&project, ProjectStatus::Completed).await;
    let deployments = || tree.stages.deployments.lock().unwrap().clone();
    eventually("it is being deployed", async || (deployments() == ["deploy"]).then_some(())).await;
    let agent = AgentId::of_project(&project);
    tree.env.store.delete_agent(&agent, Default::default()).await.unwrap().unwrap();
    tree.stages.deployed.add_permits(1);
    eventually("it is taken back", async || (deployments() == ["deploy", "undeploy"]).then_some(())).await;
    eventually("nothing is held", async || tree.env.leases.is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_receiver_that_goes_away_takes_no_message_along() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, queue) =
        SqliteStore::open(folder.path().join("db"), SqliteOptions::default(), EventHub::new()).unwrap();
    queue.send(QueueName::Build, "one".into(), 3).await.unwrap();
    tokio::select! {
        biased;
        _ = queue.receive(QueueName::Build, 1, Duration::from_secs(5)) => panic!("it is given up at once"),
        () = std::future::ready(()) => {}
    }
    let again = queue.receive(QueueName::Build, 1, Duration::from_secs(5)).await.unwrap();
    assert_eq!((again.len(), again[0].receive_count), (1, 1));
}

/// Delivers everything twice, and not in its order.
struct Twice {
    inner: Arc<dyn Queue>,
    seen: Mutex<HashSet<String>>,
}

#[async_trait::async_trait]
impl Queue for Twice {
    async fn send(&self, queue: QueueName, body: String, priority: u8) -> Result<(), BackendError> {
        self.inner.send(queue, body, priority).await
    }

    async fn receive(&self, queue: QueueName, max: usize, wait: Duration) -> Result<Vec<Delivery>, BackendError> {
        let mut found = self.inner.receive(queue, max, wait).await?;
        for delivery in &found {
            if self.seen.lock().unwrap().insert(delivery.body.clone()) {
                self.inner.send(queue, delivery.body.clone(), 5).await?;
            }
        }
        found.reverse();
        Ok(found)
    }

    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<Vec<bool>, BackendError> {
        self.inner.extend(receipts, visibility).await
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), BackendError> {
        self.inner.delete(receipt).await
    }

    async fn release(&self, receipt: &Receipt, delay: Duration, receive: Receive) -> Result<(), BackendError> {
        self.inner.release(receipt, delay, receive).await
    }

    async fn dead_letter(&self, receipt: &Receipt, reason: &str) -> Result<(), BackendError> {
        self.inner.dead_letter(receipt, reason).await
    }

    async fn unsettled_dead_letters(&self, queue: QueueName, max: usize) -> Result<Vec<DeadLetter>, BackendError> {
        self.inner.unsettled_dead_letters(queue, max).await
    }

    async fn settle_dead_letter(&self, id: &str) -> Result<(), BackendError> {
        self.inner.settle_dead_letter(id).await
    }

    async fn depth(&self, queue: QueueName) -> Result<QueueDepth, BackendError> {
        self.inner.depth(queue).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_come_twice_change_nothing() {
    let stages = vec![stage("a", &[]), stage("b", &["a"]), stage("c", &["b"])];
    let play = |request: &StageRequest| match (request.stage.as_str(), request.attempt) {
        ("b", 1) => Script::Fail(FailureKind::Transient),
        ("c", _) => Script::Agent,
        _ => fine(),
    };
    let twice = |inner| -> Arc<dyn Queue> { Arc::new(Twice { inner, seen: Mutex::default() }) };
    let tree = Tree::over(workflow(stages), play, twice).await;
    let mut projects = Vec::new();
    for _ in 0..10 {
        projects.push(tree.create().await);
    }
    for project in &projects {
        let done = tree.wait_for(project, ProjectStatus::Completed).await;
        let attempts: Vec<u32> = done.stages.iter().map(|stage| stage.attempt).collect();
        assert_eq!((attempts, done.agent_count), (vec![1, 2, 1], 1));
    }
    eventually("every message is gone", async || {
        let depth = tree.queue.depth(QueueName::Build).await.unwrap();
        ((depth.visible, depth.in_flight) == (0, 0)).then_some(())
    })
    .await;
    let attempts = tree.attempts();
    assert_eq!((attempts["a"], attempts["b"], attempts["c"]), (10, 20, 10), "nothing was done twice");
    assert_eq!(tree.queue.depth(QueueName::BuildDead).await.unwrap().visible, 0);
}
