//! Rows and words of the original's services beside ours, put into the tables as they write them.

use std::{sync::Arc, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use nexus_daemon::{
    domain::{
        control::ControlStatus,
        failure::{ErrorInfo, FailureKind},
        ids::{AgentId, ProjectId, TaskId},
        project::ProjectStatus,
        stage::StageStatus,
        task::TaskStatus,
        time::Timestamp,
    },
    queue::{BuildMessage, DeployMessage, Queue as _, QueueName, sqs::SqsQueue},
    store::{
        AgentFilter, BuildStep, Claim, ClaimBuild, ClaimedBuild, Continuation, GivenUp, PageRequest, ProjectFilter,
        Store as _, TaskFilter, ToolFilter, dynamodb::DynamoStore,
    },
};
use serde_json::{Value, json};

use super::{
    dynamodb, plan, sqs,
    store_contract::world::{Recorder, STAGES, done, new_project, worker, workflows},
    support::emulator::Account,
};

struct Place {
    account: Account,
    store: Arc<DynamoStore>,
    queue: Arc<SqsQueue>,
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(items) => AttributeValue::L(items.iter().map(attribute).collect()),
        Value::Object(map) => {
            AttributeValue::M(map.iter().map(|(name, item)| (name.clone(), attribute(item))).collect())
        }
    }
}

fn ago(seconds: u64) -> String {
    let micros = i64::try_from(seconds * 1_000_000).unwrap();
    Timestamp::from_micros(Timestamp::now().as_micros() - micros).to_string()
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

impl Place {
    async fn new() -> Self {
        let account = tokio::task::spawn_blocking(Account::new).await.unwrap();
        nexus_daemon::resources::run(
            &plan(),
            nexus_daemon::resources::Action::Init,
            &account.dynamodb,
            &account.sqs,
            &|_| {},
        )
        .await
        .unwrap();
        let queue = sqs(&account);
        let store = dynamodb(&account, queue.clone(), Arc::new(Recorder::default()));
        Self { account, store, queue }
    }

    async fn put(&self, table: &str, row: Value) {
        let item = row.as_object().unwrap().iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
        self.account.dynamodb.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    }

    /// As the original's `update_project` and its siblings write: no condition.
    async fn set(&self, table: &str, key: (&str, &str), fields: Value) {
        let mut update = self.account.dynamodb.update_item().table_name(table);
        update = update.key(key.0, AttributeValue::S(key.1.to_owned()));
        let mut parts = Vec::new();
        for (at, (name, value)) in fields.as_object().unwrap().iter().enumerate() {
            parts.push(format!("#n{at} = :v{at}"));
            update = update.expression_attribute_names(format!("#n{at}"), name);
            update = update.expression_attribute_values(format!(":v{at}"), attribute(value));
        }
        update.update_expression(format!("SET {}", parts.join(", "))).send().await.unwrap();
    }

    async fn project(&self, project: &str, status: &str, more: Value) {
        let mut row = json!({
            "project_id": project, "project_name": "of old", "status": status, "requirement": "r", "user_id": "anonymous",
            "user_name": null, "priority": 3, "tags": [], "progress": 0, "current_stage": null, "error_info": null,
            "created_at": ago(7200), "updated_at": ago(3600), "started_at": null, "completed_at": null, "metrics": {},
        });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.put("nexus_projects", row).await;
    }

    async fn task(&self, task: &str, project: &str, status: &str, age: u64, more: Value) {
        let mut row = json!({
            "task_id": task, "task_type": "build_agent", "project_id": project, "status": status, "priority": 3,
            "payload": {"requirement": "r", "user_id": null, "project_name": "of old", "tags": []}, "result": null,
            "error_message": null, "retry_count": 0, "created_at": ago(age), "started_at": null, "completed_at": null,
            "worker_id": null,
        });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.put("nexus_tasks", row).await;
    }

    async fn stages(&self, project: &str, completed: usize, output: Value) {
        for (at, name) in STAGES.iter().enumerate() {
            let status = if at < completed { "completed" } else { "pending" };
            let output = if at < completed { output.clone() } else { Value::Null };
            let row = json!({"project_id": project, "stage_name": name, "stage_number": at + 1, "display_name": name,
                "status": status, "output_data": output, "logs": [], "input_tokens": null});
            self.put("nexus_stages", row).await;
        }
    }

    fn message(&self, project: &str, task: Option<&str>, asked: Continuation) -> ClaimBuild {
        ClaimBuild {
            task_id: task.map(id),
            project_id: id(project),
            worker_id: worker("w1"),
            lease_until: Timestamp::now().plus(Duration::from_secs(60)),
            parallel: 1,
            asked,
        }
    }

    async fn claim(&self, project: &str, task: Option<&str>) -> Claim {
        self.store.claim_build(self.message(project, task, Continuation::Execute), workflows()).await.unwrap()
    }

    async fn claimed(&self, project: &str, task: Option<&str>) -> ClaimedBuild {
        match self.claim(project, task).await {
            Claim::Claimed(build) => *build,
            other => panic!("{other:?}"),
        }
    }

    async fn status(&self, project: &str) -> ProjectStatus {
        self.store.project(&id(project)).await.unwrap().unwrap().status
    }

    async fn task_status(&self, task: &str) -> TaskStatus {
        self.store.task(&id(task)).await.unwrap().unwrap().status
    }

    /// A project of ours whose first stage runs.
    async fn started(&self) -> ClaimedBuild {
        let new = new_project("agent_build", 3);
        self.store.create_project(new.clone()).await.unwrap();
        let task = new.project.task_id.unwrap();
        self.claimed(new.project.project_id.as_str(), Some(task.as_str())).await
    }

    fn later() -> Timestamp {
        Timestamp::now().plus(Duration::from_secs(120))
    }

    /// What the reconciler of a worker does.
    async fn reconcile(&self) -> usize {
        let tasks = self.store.stranded_tasks(Timestamp::now(), 256).await.unwrap();
        for task in &tasks {
            self.store.requeue_task(&task.task_id).await.unwrap();
        }
        self.store.put_right(Timestamp::now(), true).await.unwrap();
        tasks.len()
    }

    async fn bodies(&self) -> Vec<String> {
        let found = self.queue.receive(QueueName::Build, 50, Duration::ZERO).await.unwrap();
        found.into_iter().map(|delivery| delivery.body).collect()
    }
}

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
    let info = ErrorInfo {
        stage: None,
        kind: FailureKind::Infrastructure,
        message: "given up".into(),
        details: None,
        attempt: 0,
    };
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
        end: Some(nexus_daemon::store::BuildEnd::Completed { agent: None, deploy: false }),
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
    let sum = |of: fn(&nexus_daemon::store::DayFigures) -> u64| days.iter().map(of).sum::<u64>();
    assert_eq!((sum(|day| day.successful), sum(|day| day.failed)), (1, 1), "{days:?}");
    assert!(days.iter().any(|day| (day.avg_duration_ms - 60_000.0).abs() < 1_000.0), "{days:?}");
    // Built once more by the same worker.
    place.set("nexus_projects", ("project_id", "proj_1"), json!({"completed_at": ago(5)})).await;
    place.reconcile().await;
    let days = place.store.build_days(2, Timestamp::now()).await.unwrap();
    assert_eq!(days.iter().map(|day| day.successful).sum::<u64>(), 2);
}

/// Rows of every table, each attribute but the keys taken away, nulled and retyped: lists go on, and show them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_is_too_odd_for_a_list() {
    let place = Place::new().await;
    let at = ago(60);
    let rows = [
        (
            "nexus_projects",
            &["project_id", "status", "created_at", "user_id"][..],
            json!({"project_id": "proj_1",
            "status": "completed", "created_at": at, "user_id": "u", "project_name": "n", "priority": 3, "tags": ["a"],
            "progress": 1, "error_info": {"message": "m"}, "metrics": {}, "updated_at": at, "control_status": "running",
            "aggregated_metrics": {"total_tokens": 1}, "requirement": "r", "revision": 3, "task_id": "t"}),
        ),
        (
            "nexus_agents",
            &["agent_id", "status", "created_at", "project_id", "category"],
            json!({"agent_id": "报价 agent",
            "status": "running", "created_at": at, "project_id": "proj_1", "category": "c", "agent_name": "n",
            "capabilities": ["x"], "tools": [], "agentcore_config": {}, "total_invocations": 3, "deployed_at": at}),
        ),
        (
            "nexus_tasks",
            &["task_id", "status", "created_at"],
            json!({"task_id": "task_1", "status": "queued",
            "created_at": at, "task_type": "build_agent", "priority": 3, "payload": {}, "result": {}, "retry_count": 0,
            "worker_id": "w", "lease_epoch": 1}),
        ),
        (
            "nexus_tools",
            &["tool_id", "category", "source", "usage_count", "created_at"],
            json!({"tool_id": "tool_1",
            "category": "c", "source": "system", "usage_count": 1, "created_at": at, "tool_name": "n", "schema": {},
            "dependencies": ["d"], "version": "1"}),
        ),
        (
            "nexus_sessions",
            &["session_id", "agent_id", "last_active_at"],
            json!({"session_id": "sess-1",
            "agent_id": "报价 agent", "last_active_at": at, "status": "active", "message_count": 1, "metadata": {},
            "display_name": "d", "created_at": at}),
        ),
        (
            "nexus_messages",
            &["session_id", "message_id"],
            json!({"session_id": "sess-1",
            "message_id": "01JJJJJJJJJJJJJJJJJJJJJJJJ", "role": "user", "content": "c", "created_at": at, "metadata": {}}),
        ),
        (
            "nexus_invocations",
            &["invocation_id", "agent_id", "created_at", "session_id"],
            json!({"invocation_id": "inv_1",
            "agent_id": "报价 agent", "created_at": at, "session_id": "sess-1", "status": "success", "duration_ms": 3,
            "input_text": "i", "metadata": {}}),
        ),
        (
            "nexus_stages",
            &["project_id", "stage_name"],
            json!({"project_id": "proj_1", "stage_name": "s", "status": "completed",
            "stage_number": 1, "logs": ["l"], "generated_files": [{"path": "p"}], "metrics": {"input_tokens": 1},
            "output_data": {}, "duration_seconds": 1, "attempt": 1}),
        ),
    ];
    let page = PageRequest { page: 1, limit: 20, cursor: None };
    let (agent, session): (AgentId, _) = (id("报价 agent"), id("sess-1"));
    for (table, keys, row) in &rows {
        for (name, value) in row.as_object().unwrap() {
            for harm in [
                None,
                Some(json!(null)),
                Some(json!("no such word")),
                Some(json!(["x", 1])),
                Some(json!({"a": []})),
                Some(json!(-2.5)),
            ] {
                if keys.contains(&name.as_str()) {
                    continue;
                }
                let mut odd = row.clone();
                match &harm {
                    None => drop(odd.as_object_mut().unwrap().remove(name)),
                    Some(harm) => odd[name] = harm.clone(),
                }
                place.put(table, odd).await;
                let store = &place.store;
                let seen = match *table {
                    "nexus_projects" => {
                        store.list_projects(&ProjectFilter::default(), &page).await.unwrap().items.len()
                    }
                    "nexus_agents" => store.list_agents(&AgentFilter::default(), &page).await.unwrap().items.len(),
                    "nexus_tasks" => {
                        let one = store.task(&id::<TaskId>("task_1")).await.unwrap();
                        store
                            .list_tasks(&TaskFilter::default(), &page)
                            .await
                            .unwrap()
                            .items
                            .len()
                            .min(usize::from(one.is_some()))
                    }
                    "nexus_tools" => store.list_tools(&ToolFilter::default(), &page).await.unwrap().items.len(),
                    "nexus_sessions" => store.list_sessions(&agent, 5).await.unwrap().len(),
                    "nexus_messages" => {
                        let range = nexus_daemon::store::MessageRange { limit: 5, before: None, after: None };
                        store.messages(&session, &range).await.unwrap().len()
                    }
                    "nexus_stages" => store.stages(&id::<ProjectId>("proj_1")).await.unwrap().len(),
                    _ => {
                        let all = store.recent_activities(50).await.unwrap();
                        usize::from(!all.is_empty())
                    }
                };
                assert_eq!(seen, 1, "{table}.{name} = {harm:?} (of {value})");
            }
        }
        place.put(table, row.clone()).await;
    }
    assert_eq!(place.store.overview(Timestamp::now()).await.unwrap().total_agents, 1, "what is listed is counted");
    assert_eq!(place.store.agent(&agent).await.unwrap().unwrap().agent_name, "n");
}
