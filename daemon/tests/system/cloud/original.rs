//! The way over from the original's services without downtime, by the steps of `docs/CLOUD.md`, with builds in flight: a
//! double writes what the original's API and worker write, word for word, and never asks who else is there.

use std::time::Duration;

use aws_sdk_sqs::types::MessageAttributeValue;
use nexus_daemon::domain::time::Timestamp;
use serde_json::{Value, json};

use super::{
    Account, depth, home, ready,
    support::{Daemon, account::ago, eventually, prices::PRICES, sse::Stream, stages::STAGES},
};

fn now() -> String {
    Timestamp::now().to_string()
}

/// A message that the original's worker holds.
struct Taken {
    receipt: String,
    project: String,
    task: String,
}

/// The original's API and worker.
struct Original<'a> {
    account: &'a Account,
}

impl Original<'_> {
    async fn put(&self, table: &str, row: Value) {
        self.account.put(table, &row).await;
    }

    async fn set(&self, table: &str, keys: &[(&str, &str)], fields: Value) {
        self.account.set(table, keys, &fields).await;
    }

    async fn update_project(&self, project: &str, mut fields: Value) {
        fields["updated_at"] = now().into();
        self.set("nexus_projects", &[("project_id", project)], fields).await;
    }

    async fn update_task(&self, task: &str, fields: Value) {
        self.set("nexus_tasks", &[("task_id", task)], fields).await;
    }

    async fn url(&self, queue: &str) -> String {
        self.account.sqs.get_queue_url().queue_name(queue).send().await.unwrap().queue_url.unwrap()
    }

    /// `send_build_task`: nobody gave a name, so `user_id` is null.
    async fn send(&self, queue: &str, project: &str, task: &str, more: Value) {
        let mut body = json!({"task_id": task, "project_id": project, "requirement": "r", "user_id": null, "priority": 3,
            "metadata": {"project_name": "of old", "user_name": null, "tags": []}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let text =
            |text: &str| MessageAttributeValue::builder().data_type("String").string_value(text).build().unwrap();
        let send = self.account.sqs.send_message().queue_url(self.url(queue).await).message_body(body.to_string());
        let send = send.message_attributes("task_type", text("build_agent")).message_attributes("priority", text("3"));
        send.send().await.unwrap();
    }

    async fn write_task(&self, task: &str, project: &str, payload: Value) {
        let row = json!({"task_id": task, "task_type": "build_agent", "project_id": project, "status": "pending",
            "priority": 3, "payload": payload, "result": null, "error_message": null, "retry_count": 0,
            "created_at": now(), "started_at": null, "completed_at": null, "worker_id": null});
        self.put("nexus_tasks", row).await;
    }

    /// `create_project`, up to the message.
    async fn write_project(&self, name: &str, workflow: &str, stages: &[&str]) -> (String, String) {
        let (project, task) = (format!("proj_{name}"), format!("task_{name}"));
        // The workflow is the one thing that the original does not say: these builds are to do nothing.
        let row = json!({"project_id": project, "project_name": format!("of old {name}"), "status": "pending",
            "requirement": if workflow == "noop" { "do nothing" } else { PRICES }, "user_id": "anonymous",
            "user_name": null, "priority": 3, "tags": [], "progress": 0, "current_stage": null, "error_info": null,
            "created_at": now(), "updated_at": now(), "started_at": null, "completed_at": null, "metrics": {},
            "workflow": workflow});
        self.put("nexus_projects", row).await;
        for (at, stage) in stages.iter().enumerate() {
            let row = json!({"project_id": project, "stage_name": stage, "stage_number": at + 1, "display_name": stage,
                "status": "pending", "agent_name": null, "started_at": null, "completed_at": null,
                "duration_seconds": null, "input_tokens": null, "output_tokens": null, "tool_calls": null,
                "output_data": null, "error_message": null, "logs": []});
            self.put("nexus_stages", row).await;
        }
        let payload =
            json!({"requirement": "r", "user_id": null, "user_name": null, "project_name": "of old", "tags": []});
        self.write_task(&task, &project, payload).await;
        (project, task)
    }

    async fn create(&self, name: &str) -> String {
        let (project, task) = self.write_project(name, "noop", &NOOP).await;
        self.send("nexus-build-queue", &project, &task, json!({})).await;
        self.update_project(&project, json!({"status": "queued"})).await;
        self.update_task(&task, json!({"status": "queued"})).await;
        project
    }

    /// The worker's next message: hidden for an hour.
    async fn take(&self) -> Taken {
        let receive = self.account.sqs.receive_message().queue_url(self.url("nexus-build-queue").await);
        let found = receive.visibility_timeout(3_600).wait_time_seconds(5).send().await.unwrap();
        let message = found.messages.unwrap_or_default().pop().expect("a message");
        let body: Value = serde_json::from_str(message.body().unwrap()).unwrap();
        let of = |name: &str| body[name].as_str().unwrap().to_owned();
        let taken =
            Taken { receipt: message.receipt_handle.clone().unwrap(), project: of("project_id"), task: of("task_id") };
        let running = json!({"status": "running", "worker_id": "worker-1", "started_at": now()});
        self.update_task(&taken.task, running).await;
        let building =
            json!({"status": "building", "started_at": now(), "control_status": "running", "error_info": null});
        self.update_project(&taken.project, building).await;
        taken
    }

    async fn begin_stage(&self, project: &str, stage: &str) {
        let keys = [("project_id", project), ("stage_name", stage)];
        self.set("nexus_stages", &keys, json!({"status": "running", "started_at": now()})).await;
        self.update_project(project, json!({"current_stage": stage, "status": "building"})).await;
    }

    async fn end_stage(&self, project: &str, at: usize) {
        let keys = [("project_id", project), ("stage_name", NOOP[at])];
        let done = json!({"status": "completed", "completed_at": now(), "duration_seconds": 0.1,
            "output_data": {"made": "by the original"}, "generated_files": [{"path": format!("{at}.md")}],
            "metrics": {"input_tokens": 10, "output_tokens": 5, "tool_calls_count": 1, "execution_time_seconds": 0.1}});
        self.set("nexus_stages", &keys, done).await;
        #[allow(clippy::cast_precision_loss)]
        let progress = (at + 1) as f64 * 100.0 / 9.0;
        self.update_project(project, json!({ "progress": progress })).await;
    }

    async fn stages(&self, project: &str, range: std::ops::Range<usize>) {
        for at in range {
            self.begin_stage(project, NOOP[at]).await;
            self.end_stage(project, at).await;
        }
    }

    async fn delete(&self, taken: &Taken) {
        let delete = self.account.sqs.delete_message().queue_url(self.url("nexus-build-queue").await);
        delete.receipt_handle(&taken.receipt).send().await.unwrap();
    }

    async fn finish(&self, taken: &Taken) {
        self.update_task(&taken.task, json!({"status": "completed", "completed_at": now(), "worker_id": "worker-1"}))
            .await;
        let done = json!({"status": "completed", "completed_at": now(), "progress": 100.0});
        self.update_project(&taken.project, done).await;
        self.delete(taken).await;
    }

    /// `control_project`, pause.
    async fn pause(&self, project: &str) {
        let asked = json!({"status": "paused", "control_status": "paused", "pause_requested_at": now(),
            "last_control_action": "pause"});
        self.update_project(project, asked).await;
    }

    /// What its worker makes of it at the end of the stage.
    async fn rest(&self, taken: &Taken) {
        self.update_task(&taken.task, json!({"status": "pending", "result": {"status": "paused"}})).await;
        self.update_project(&taken.project, json!({"status": "paused"})).await;
        self.delete(taken).await;
    }

    /// `control_project`, resume: where the project was.
    async fn resume(&self, project: &str, task: &str, stage: &str) {
        let asked = json!({"status": "queued", "control_status": "running", "pause_requested_at": null,
            "last_control_action": "resume"});
        self.update_project(project, asked).await;
        self.write_task(task, project, json!({"requirement": "r", "from_stage": stage, "action": "resume"})).await;
        self.send("nexus-build-queue", project, task, json!({"target_stage": stage, "action": "resume"})).await;
        self.update_task(task, json!({"status": "queued"})).await;
    }

    /// `/workflow/…/stop`.
    async fn stop(&self, project: &str) {
        self.update_project(project, json!({"control_status": "stopped", "stop_requested_at": now()})).await;
    }
}

const NOOP: [&str; 9] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"];

async fn detail(daemon: &Daemon, project: &str) -> Value {
    let (status, answer) = daemon.get(&format!("/projects/{project}")).await;
    assert_eq!(status, 200, "{answer}");
    answer["data"].clone()
}

fn attempts(project: &Value) -> Vec<u64> {
    project["stages"].as_array().unwrap().iter().map(|stage| stage["attempt"].as_u64().unwrap()).collect()
}

async fn at_stage(daemon: &Daemon, project: &str, done: usize) {
    eventually("it is under way", async || {
        let project = detail(daemon, project).await;
        let stages = project["stages"].as_array().unwrap().clone();
        (stages.iter().filter(|stage| stage["status"] == "completed").count() >= done).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_over_from_the_original_loses_nothing_and_builds_nothing_twice() {
    // What there is before: tables and queues with everything that the original leaves in them.
    let (account, front) = ready("\"api\"", 300).await;
    let old = Original { account: &account };
    old.create("done").await;
    let taken = old.take().await;
    old.stages("proj_done", 0..9).await;
    old.finish(&taken).await;
    old.create("paused").await;
    let taken = old.take().await;
    old.stages("proj_paused", 0..2).await;
    old.pause("proj_paused").await;
    old.rest(&taken).await;
    old.create("flight").await;
    let flight = old.take().await;
    old.stages("proj_flight", 0..2).await;
    // Its worker was killed half an hour ago and more.
    old.create("half").await;
    let half = old.take().await;
    old.stages("proj_half", 0..4).await;
    old.update_task(&half.task, json!({"started_at": ago(7_000)})).await;
    let (dead, task) = old.write_project("dead", "noop", &NOOP).await;
    old.send("nexus-build-dlq", &dead, &task, json!({})).await;
    old.update_project(&dead, json!({"status": "queued"})).await;
    old.update_task(&task, json!({"status": "queued"})).await;
    let (real, _) = old.write_project("00000000real", "agent_build", &STAGES).await;
    for stage in &STAGES[..3] {
        let keys = [("project_id", real.as_str()), ("stage_name", *stage)];
        old.set(
            "nexus_stages",
            &keys,
            json!({"status": "completed", "completed_at": now(), "agent_output_content": "…"}),
        )
        .await;
    }
    old.send("nexus-build-queue", &real, "task_00000000real", json!({})).await;
    old.update_project(&real, json!({"status": "queued", "current_stage": "agent_design"})).await;
    old.create("queued").await;
    let agent = json!({"agent_id": "报价 agent", "project_id": "proj_done", "agent_name": "quotes", "status": "offline",
        "category": "sales", "created_at": now(), "updated_at": now(), "total_invocations": 3});
    old.put("nexus_agents", agent).await;

    // Step 1: the two tables of the daemon's own, nothing else. Step 2: a copy of everything.
    let (code, said) = front.run(&["resources", "init"]);
    assert_eq!((code, said.matches("ready").count()), (Some(0), 15), "{said}");
    let copy = front.path().join("before.jsonl");
    let (code, said) = front.run(&["export", copy.to_str().unwrap()]);
    let lines = std::fs::read_to_string(&copy).unwrap();
    assert!(code == Some(0) && lines.contains("报价 agent") && lines.contains("proj_dead"), "{said}");

    // Step 3: an API beside the original's. It shows everything, and moves nothing.
    let api = front.start();
    let (_, list) = api.get("/projects?limit=100").await;
    assert_eq!(list["pagination"]["total"], 7, "{list}");
    let (status, found) = api.get("/agents/%E6%8A%A5%E4%BB%B7%20agent").await;
    assert!(status == 200 && found["data"]["agent_name"] == "quotes", "{found}");
    let (_, agents) = api.get("/agents").await;
    assert_eq!((agents["pagination"]["total"].as_u64(), agents["data"].as_array().unwrap().len()), (Some(1), 1));
    let done = detail(&api, "proj_done").await;
    assert_eq!(done["stages"][0]["input_tokens"], 10, "figures of its stages are shown: {done:#}");
    assert_eq!(done["stages"][3]["generated_files"][0]["path"], "3.md");
    // Who watches a build of the original's sees it go on.
    let stream = api.http().get(api.at("/projects/proj_flight/events")).send().await.unwrap();
    let mut stream = Stream::new(stream);
    let mut seen = Vec::new();
    old.begin_stage("proj_flight", "s2").await;
    tokio::time::timeout(Duration::from_secs(20), async {
        while let Some(frame) = stream.next().await {
            seen.push(format!("{} {}", frame.data["stage_name"].as_str().unwrap_or("-"), frame.data["status"]));
            if seen.iter().any(|line| line.starts_with("s2") && line.contains("running")) {
                return;
            }
        }
    })
    .await
    .unwrap_or_else(|_| panic!("the stage is told: {seen:?}"));
    let shown: Vec<&str> = ["s0", "s1"].into_iter().filter(|name| seen.iter().any(|l| l.starts_with(name))).collect();
    assert_eq!(shown, ["s0", "s1"], "{seen:?}");
    old.end_stage("proj_flight", 2).await;
    assert_eq!(detail(&api, "proj_paused").await["status"], "paused");
    let (_, task) = api.get("/tasks/task_paused").await;
    assert_eq!(task["data"]["status"], "pending", "an API alone leaves the other's tasks alone: {task}");

    // Step 4: a worker beside the original's. It builds what waits and leaves alone what the other works on.
    let back = home(&account, &account.url, "\"worker\"", 300);
    // Nobody dies here, so no lease is to be lost: with the short ones of other tests a heartbeat that a loaded machine
    // holds up for three seconds cuts a stage off, which then rightly runs twice.
    let text = std::fs::read_to_string(back.config()).unwrap();
    let long = text.replace("lease_secs = 4", "lease_secs = 60");
    back.configure(&long.replace("visibility_timeout_secs = 6", "visibility_timeout_secs = 60"));
    let worker = back.start();
    api.wait_for("proj_queued", &["completed"]).await;
    // The letter that could not be read is a build again.
    api.wait_for("proj_dead", &["completed"]).await;
    assert_eq!(detail(&api, "proj_flight").await["status"], "building");
    // Stages without what the next ones need run again; the agent that comes out runs.
    let built = eventually("the half-built agent is finished", async || {
        let project = detail(&api, &real).await;
        assert_ne!(project["status"], "failed", "{project:#}\n{}", worker.log());
        (project["status"] == "completed").then_some(project)
    })
    .await;
    assert_eq!(attempts(&built)[..4], [1; 4], "they ran here, and once: {built:#}");
    old.stages("proj_flight", 3..9).await;
    old.finish(&flight).await;
    while let Some(frame) = stream.next().await {
        seen.push(format!("{} {}", frame.data["stage_name"].as_str().unwrap_or("-"), frame.data["status"]));
    }
    assert!(seen.iter().any(|line| line.contains("s8") && line.contains("completed")), "{seen:?}");
    assert_eq!(attempts(&detail(&api, "proj_flight").await), [0; 9], "built by the original alone");
    // The original's API steers builds of ours: a pause and a resume, and a stop.
    old.create("steered").await;
    at_stage(&api, "proj_steered", 2).await;
    old.pause("proj_steered").await;
    eventually("it rests", async || {
        let project = detail(&api, "proj_steered").await;
        let rests = project["stages"].as_array().unwrap().iter().all(|stage| stage["status"] != "running");
        (project["status"] == "paused" && rests).then_some(())
    })
    .await;
    old.resume("proj_steered", "task_steered2", "s1").await;
    let steered = api.wait_for("proj_steered", &["completed"]).await;
    assert_eq!(attempts(&steered), [1; 9], "{steered:#}\n{}", worker.log());
    old.create("stopped").await;
    at_stage(&api, "proj_stopped", 1).await;
    old.stop("proj_stopped").await;
    api.wait_for("proj_stopped", &["cancelled"]).await;
    assert_eq!(detail(&api, "proj_paused").await["status"], "paused", "nobody asked for it");

    // Step 5: the original's worker is gone. What it had in hand comes back by its message.
    old.set("nexus_projects", &[("project_id", "proj_half")], json!({"updated_at": ago(4_000)})).await;
    for stage in &NOOP[..4] {
        let keys = [("project_id", "proj_half"), ("stage_name", *stage)];
        old.set("nexus_stages", &keys, json!({"started_at": ago(4_100), "completed_at": ago(4_000)})).await;
    }
    let back_again = account.sqs.change_message_visibility().queue_url(old.url("nexus-build-queue").await);
    back_again.receipt_handle(&half.receipt).visibility_timeout(0).send().await.unwrap();
    let finished = api.wait_for("proj_half", &["completed"]).await;
    assert_eq!(attempts(&finished), [0, 0, 0, 0, 1, 1, 1, 1, 1], "{finished:#}");

    // Step 6: the original's API is gone; people go on with what they left.
    let (status, answer) = api.post("/projects/proj_paused/control", &json!({"action": "resume"})).await;
    assert_eq!(status, 200, "{answer}");
    let resumed = api.wait_for("proj_paused", &["completed"]).await;
    assert_eq!(attempts(&resumed), [0, 0, 1, 1, 1, 1, 1, 1, 1], "{resumed:#}");
    let new = api.create("and a new one", "noop").await;
    api.wait_for(&new, &["completed"]).await;

    // Step 7: nothing is left behind.
    eventually("no message is left", async || {
        let (build, dead) = (depth(&account, "nexus-build-queue").await, depth(&account, "nexus-build-dlq").await);
        (build == (0, 0) && dead == (0, 0)).then_some(())
    })
    .await;
    let (_, said) = front.run(&["dlq", "list"]);
    assert!(!said.contains("task_"), "{said}");
    eventually("every task has ended", async || {
        let (_, tasks) = api.get("/tasks?limit=100").await;
        let open = |task: &&Value| !["completed", "failed", "cancelled"].contains(&task["status"].as_str().unwrap());
        tasks["data"].as_array().unwrap().iter().find(open).is_none().then_some(())
    })
    .await;
    let (_, days) = api.get("/statistics/builds?days=2").await;
    let counted: u64 =
        days["data"].as_array().unwrap().iter().filter_map(|day| day["successful_builds"].as_u64()).sum();
    assert!(counted >= 8, "the original's build is counted, too: {days}");
    drop(worker);
}
