//! Daemons that share a backend: the main job, roles, kills, faults, foreign messages, the commands.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use nexus_daemon::domain::time::Timestamp;
use serde_json::{Value, json};

use super::{
    BOTH, account, bucket, check_events, depth, home, main_job, ready, share_files,
    support::{
        Daemon, Home, events, eventually,
        faulty::{self, Fault},
        prices::PRICES,
        sse::Stream,
        wire::{self, State},
    },
    with_files,
};

/// Builds of the fleet's test; `NEXUSD_FLEET_BUILDS` asks for more.
const FEW: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentence_becomes_an_agent_that_answers() {
    main_job::one_agent(&ready(BOTH, 1).await.1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_requirements_give_ten_different_agents() {
    main_job::ten_agents(&ready(BOTH, 1).await.1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_made_is_in_the_tables() {
    let (account, home) = ready(BOTH, 1).await;
    let daemon = home.start();
    let project = daemon.create(PRICES, "agent_build").await;
    let done = daemon.wait_for(&project, &["completed"]).await;
    assert_eq!(done["stages"].as_array().unwrap().len(), 9);
    let agent = daemon.wait_for_agent(&project).await["agent_id"].as_str().unwrap().to_owned();
    daemon.knows_prices(&agent).await;
    let events = events(&daemon, &project).await;
    let numbers: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let (_, overview) = daemon.get("/statistics/overview").await;
    assert_eq!(overview["data"]["completed_projects"], 1, "{overview}");
    assert_eq!(overview["data"]["total_invocations"], 1, "{overview}");
    // It is all in the tables, under the names that others know.
    let key = aws_sdk_dynamodb::types::AttributeValue::S(project.clone());
    let item = account.dynamodb.get_item().table_name("nexus_projects").key("project_id", key).send().await.unwrap();
    assert_eq!(item.item.unwrap()["status"].as_s().unwrap(), "completed");
    // Killed and started again, it knows everything.
    daemon.kill();
    let daemon = home.start();
    assert_eq!(daemon.get(&format!("/agents/{agent}")).await.1["data"]["total_invocations"], 1);
    eventually("the queue is empty", async || (depth(&account, "nexus-build-queue").await == (0, 0)).then_some(()))
        .await;
    assert_eq!(depth(&account, "nexus-build-dlq").await, (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_can_share_out_its_roles() {
    let (account, front) = ready("\"api\"", 300).await;
    let back = home(&account, &account.url, "\"worker\"", 300);
    let (front, back) = (front.start(), back.start());
    // The worker serves its health, and nothing of the interface.
    assert_eq!(back.http().get(back.at("//health")).send().await.unwrap().status(), 200);
    assert_eq!(back.http().get(back.at("/projects")).send().await.unwrap().status(), 404);
    let project = front.create("seen from afar", "noop").await;
    let stream = front.http().get(front.at(&format!("/projects/{project}/events"))).send().await.unwrap();
    let (mut stream, mut frames, mut late) = (Stream::new(stream), Vec::new(), Duration::ZERO);
    while let Some(frame) = stream.next().await {
        if let Some(at) = frame.data["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok()) {
            late = late.max(Timestamp::now().since(at));
        }
        frames.push(frame);
    }
    println!("events of a build that runs elsewhere: the latest came {late:?} after it happened (aim 2 s)");
    // A busy machine is granted twice that.
    assert!(!late.is_zero() && late < Duration::from_secs(4), "{late:?}: {frames:#?}");
    let told = frames.iter().filter(|frame| frame.event.as_deref() != Some("end"));
    let seqs: Vec<u64> = told.filter_map(|frame| frame.data["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    front.wait_for(&project, &["completed"]).await;
    let stages = frames.iter().filter(|f| f.data["stage_name"].is_string() && f.data["status"] == "completed").count();
    assert_eq!(stages, 9, "every stage of the other's build is seen: {frames:#?}");
    // A request reaches the owner with its next heartbeat.
    let project = front.create("paused from afar", "noop").await;
    front.wait_for(&project, &["building"]).await;
    let asked = Instant::now();
    let (status, answer) = front.post(&format!("/projects/{project}/control"), &json!({"action": "pause"})).await;
    assert_eq!(status, 200, "{answer}");
    front.wait_for(&project, &["paused"]).await;
    println!("a pause from another daemon took {:?}: a heartbeat of 1 s, a stage of 0.3 s", asked.elapsed());
    let (status, _) = front.post(&format!("/projects/{project}/control"), &json!({"action": "resume"})).await;
    assert_eq!(status, 200);
    front.wait_for(&project, &["completed"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_goes_on_on_another_machine() {
    let (account, one) = ready(BOTH, 1).await;
    let two = home(&account, &account.url, BOTH, 1);
    share_files(&account, &[&one, &two]).await;
    let first = one.start();
    let project = first.create(PRICES, "agent_build").await;
    eventually("some stages are done", async || {
        let (_, answer) = first.get(&format!("/projects/{project}")).await;
        let stages = answer["data"]["stages"].as_array().cloned().unwrap_or_default();
        let done = stages.iter().filter(|stage| stage["status"] == "completed").count();
        assert!(done < 9, "the build was too fast for this test");
        (done >= 3).then_some(())
    })
    .await;
    first.kill();
    let second = two.start();
    second.wait_for(&project, &["completed"]).await;
    let agent = second.wait_for_agent(&project).await["agent_id"].as_str().unwrap().to_owned();
    second.knows_prices(&agent).await;
    // Also the documents of the stages that the first machine did.
    let (status, files) = second.get(&format!("/projects/{project}/files")).await;
    assert_eq!(status, 200);
    assert!(files.to_string().contains("requirements"), "{files}");
    // What one changes of the agent the other sees, also when it has those files already.
    let first = one.start();
    let (status, code) = first.get(&format!("/agents/{agent}/files/prompt")).await;
    let prompt = code["data"]["content"].as_str().unwrap_or_default().to_owned();
    assert!(status == 200 && !prompt.is_empty(), "{code}");
    for (writer, reader, mark) in [(&first, &second, "ONE"), (&second, &first, "TWO")] {
        let body = json!({"content": format!("{prompt}\n# {mark}\n")});
        let put = writer.http().put(writer.at(&format!("/agents/{agent}/files/prompt"))).json(&body);
        let put = put.send().await.unwrap();
        assert_eq!(put.status(), 200, "{:?}", put.text().await);
        let (_, seen) = reader.get(&format!("/agents/{agent}/files/prompt")).await;
        assert!(seen["data"]["content"].as_str().unwrap().contains(mark), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_costs_few_requests() {
    const BUILDS: usize = 20;
    let (account, home) = ready(BOTH, 1).await;
    // What the daemon does for itself, however much it builds, is left out: it looks around once an hour.
    let settings = std::fs::read_to_string(home.config()).unwrap();
    home.configure(
        &settings
            .replace("reconcile_secs = 1", "reconcile_secs = 3600")
            .replace("heartbeat_secs = 1", "heartbeat_secs = 2"),
    );
    let daemon = home.start();
    let first = daemon.create("the first one warms up", "noop").await;
    daemon.wait_for(&first, &["completed"]).await;
    let before = daemon.cloud_requests().await;
    let mut projects = Vec::new();
    for n in 0..BUILDS {
        projects.push(daemon.create(&format!("counted build number {n}"), "noop").await);
    }
    let key = |id: &String| aws_sdk_dynamodb::types::AttributeValue::S(id.clone());
    for project in &projects {
        // Asked of the table itself, so that the questions are not counted.
        eventually("a build completes", async || {
            let get = account.dynamodb.get_item().table_name("nexus_projects").key("project_id", key(project));
            let item = get.consistent_read(true).send().await.unwrap().item?;
            (item["status"].as_s().unwrap() == "completed").then_some(())
        })
        .await;
    }
    eventually("the messages are gone", async || (depth(&account, "nexus-build-queue").await == (0, 0)).then_some(()))
        .await;
    let after = daemon.cloud_requests().await;
    let metrics = daemon.text("//metrics").await;
    assert!(!metrics.contains("operation=\"scan\""), "no table is read through");
    let each = |before: f64, after: f64| (after - before) / BUILDS as f64;
    let (dynamodb, sqs) = (each(before.0, after.0), each(before.1, after.1));
    println!("a build of nine stages: {dynamodb:.1} requests to DynamoDB, {sqs:.1} to SQS");
    assert!(dynamodb <= 17.0, "{dynamodb}");
    assert!(sqs <= 4.0, "{sqs}");
}

/// Two daemons and three: builds under kills and faults. `NEXUSD_FLEET_BUILDS` asks for more of them.
fn wanted() -> usize {
    std::env::var("NEXUSD_FLEET_BUILDS").map_or(FEW, |text| text.parse().expect("a number of builds"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_daemons_survive_kills_and_faults() {
    survives(2, wanted() / 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_daemons_survive_kills_and_faults() {
    survives(3, wanted()).await;
}

async fn survives(size: usize, wanted: usize) {
    let (account, _) = ready(BOTH, 20).await;
    let shared = bucket(&account).await;
    let (url, faults) = faulty::proxy(&account.url).await;
    let (url, wire) = wire::to(&url).await;
    let homes: Vec<Home> = (0..size).map(|_| home(&account, &url, BOTH, 20)).collect();
    for home in &homes {
        with_files(home, &shared);
    }
    let mut fleet: Vec<Daemon> = homes.iter().map(Home::start).collect();
    faults.percent.store(20, Ordering::Relaxed);
    wire.set(State::Shaky);
    let mut projects = Vec::new();
    for n in 0..wanted {
        let body = json!({"requirement": format!("survive number {n} of the kills"), "workflow": "noop"});
        // A refusal is an answer, too: then the client asks again.
        let project = eventually("a project is taken", async || {
            let (status, answer) = fleet[n % size].post("/projects", &body).await;
            (status == 201).then(|| answer["data"]["project_id"].as_str().unwrap().to_owned())
        });
        projects.push(project.await);
    }
    for kill in 0..6 {
        tokio::time::sleep(Duration::from_millis(rand::random_range(300..1_500))).await;
        let victim = rand::random_range(0..size);
        let daemon = fleet.remove(victim);
        if kill % 2 == 0 {
            daemon.kill();
        } else {
            let (_, code) = daemon.terminate();
            println!("stopped, exit code {code:?}");
        }
        // A start needs answers: it is tried until it has them, as a service manager does.
        let home = &homes[victim];
        let again = eventually("a daemon comes up", async || home.try_start().ok()).await;
        fleet.insert(victim, again);
    }
    let ended = |answer: &Value| answer["data"]["status"].as_str().map(str::to_owned);
    for project in &projects {
        eventually("a build completes", async || {
            let (_, answer) = fleet[0].get(&format!("/projects/{project}")).await;
            let status = ended(&answer)?;
            assert_ne!(status, "failed", "{answer:#}");
            (status == "completed").then_some(())
        })
        .await;
    }
    // A project goes with all that is its, also in halves.
    *faults.only.lock().unwrap() = Some(Fault::Undone);
    faults.percent.store(100, Ordering::Relaxed);
    let gone = projects.pop().unwrap();
    eventually("a project is deleted", async || {
        let (status, _) = fleet[0].delete(&format!("/projects/{gone}")).await;
        [200, 404].contains(&status).then_some(())
    })
    .await;
    assert!(faults.undone.load(Ordering::Relaxed) > 0, "a project is deleted in batches");
    faults.percent.store(0, Ordering::Relaxed);
    wire.set(State::Whole);
    for project in &projects {
        check_events(&fleet[1], project).await;
    }
    eventually("no message is left", async || (depth(&account, "nexus-build-queue").await == (0, 0)).then_some(()))
        .await;
    // A message that was received too often in the trouble, and whose build went on, leaves a letter for a moment.
    eventually("no dead letter", async || (depth(&account, "nexus-build-dlq").await == (0, 0)).then_some(())).await;
    let of = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
    println!(
        "{size} daemons, {wanted} builds; {} requests, {} failed, {} of them with the answer lost, {} batches left half \
         undone",
        of(&faults.requests),
        of(&faults.failed),
        of(&faults.lost),
        of(&faults.undone)
    );
    eventually("nothing is left of what was deleted", async || {
        let key = aws_sdk_dynamodb::types::AttributeValue::S(gone.clone());
        let query =
            account.dynamodb.query().table_name("nexus_project_events").key_condition_expression("project_id = :p");
        let left = query.expression_attribute_values(":p", key).send().await.unwrap();
        (left.count() == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resources_are_made_compared_and_removed() {
    let account = account().await;
    let home = home(&account, &account.url, BOTH, 1);
    let run = |arguments: &[&str]| home.run(arguments);
    // Tables that somebody made otherwise: said, and left alone.
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType::S,
    };
    for (table, key) in [("two-nexus_projects", "id"), ("two-nexus_agents", "agent_id")] {
        let name = AttributeDefinition::builder().attribute_name(key).attribute_type(S).build().unwrap();
        let schema = KeySchemaElement::builder().attribute_name(key).key_type(KeyType::Hash).build().unwrap();
        let made = account.dynamodb.create_table().table_name(table).billing_mode(BillingMode::PayPerRequest);
        made.attribute_definitions(name).key_schema(schema).send().await.unwrap();
    }
    let (code, said) = run(&["resources", "init", "--tables-only", "--prefix", "two-"]);
    assert_eq!((code, said.matches("created").count()), (Some(1), 8), "{said}");
    let drifted = |table: &str| said.lines().find(|line| line.contains(table)).unwrap().to_owned();
    assert!(
        drifted("two-nexus_projects").contains("DRIFTED") && drifted("two-nexus_projects").contains("key"),
        "{said}"
    );
    assert!(drifted("two-nexus_agents").contains("CategoryIndex"), "{said}");
    assert_eq!(run(&["resources", "delete", "--yes", "--tables-only", "--prefix", "two-"]).0, Some(0));
    let (code, said) = run(&["resources", "list"]);
    assert_eq!((code, said.matches("missing").count()), (Some(1), 15), "{said}");
    let (code, said) = run(&["resources", "init"]);
    assert_eq!((code, said.matches("created").count()), (Some(0), 15), "{said}");
    let (code, said) = run(&["resources", "init"]);
    assert_eq!((code, said.matches("ready").count()), (Some(0), 15), "safe to repeat: {said}");
    assert_eq!(run(&["resources", "list"]).0, Some(0));
    // As SPEC has them.
    for (queue, hidden, kept) in [
        ("nexus-build-queue", "3600", "604800"),
        ("nexus-deploy-queue", "600", "259200"),
        ("nexus-notification-queue", "30", "86400"),
        ("nexus-build-dlq", "30", "1209600"),
        ("nexus-deploy-dlq", "30", "1209600"),
    ] {
        use aws_sdk_sqs::types::QueueAttributeName as Name;
        let url = account.sqs.get_queue_url().queue_name(queue).send().await.unwrap().queue_url.unwrap();
        let has = account.sqs.get_queue_attributes().queue_url(url).attribute_names(Name::All).send().await.unwrap();
        let of = |name: Name| has.attributes().unwrap().get(&name).cloned().unwrap_or_default();
        assert_eq!(
            (of(Name::VisibilityTimeout), of(Name::MessageRetentionPeriod)),
            (hidden.into(), kept.into()),
            "{queue}"
        );
        let redrive = of(Name::RedrivePolicy);
        let dead = ["nexus-build-queue", "nexus-deploy-queue"].contains(&queue);
        assert_eq!(redrive.contains("-dlq") && redrive.contains('3'), dead, "{queue}: {redrive}");
    }
    for table in ["nexus_project_events", "nexus_daemon_state"] {
        let told = account.dynamodb.describe_time_to_live().table_name(table).send().await.unwrap();
        let told = told.time_to_live_description.unwrap();
        assert_eq!(told.attribute_name.as_deref(), Some("expires_at"), "{table}");
    }
    // A second deployment beside it, and a queue that somebody changed.
    let (code, said) = run(&["resources", "init", "--prefix", "test-", "--queues-only"]);
    assert_eq!((code, said.matches("created").count()), (Some(0), 5), "{said}");
    let url = account.sqs.get_queue_url().queue_name("nexus-build-queue").send().await.unwrap().queue_url.unwrap();
    let hidden = aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout;
    account.sqs.set_queue_attributes().queue_url(url).attributes(hidden, "77").send().await.unwrap();
    let (code, said) = run(&["resources", "list", "--queues-only"]);
    assert!(code == Some(1) && said.contains("DRIFTED") && said.contains("VisibilityTimeout 3600"), "{said}");
    let (code, said) = run(&["resources", "init", "--queues-only"]);
    assert!(code == Some(0) && said.contains("updated"), "{said}");
    // Queues of other names.
    let settings = std::fs::read_to_string(home.config()).unwrap();
    let names = "[queues.build]\nname = \"builds\"\ndead_letters = \"builds-dead\"\n";
    home.configure(&format!("{settings}\n{names}"));
    let (code, said) = run(&["resources", "init", "--prefix", "three-", "--queues-only"]);
    assert_eq!((code, said.matches("created").count()), (Some(0), 5), "{said}");
    for name in ["three-builds ", "three-builds-dead ", "three-nexus-deploy-queue "] {
        assert!(said.contains(name), "{said}");
    }
    let (_, policy) = run(&["resources", "policy", "--prefix", "three-"]);
    assert!(policy.contains(":three-builds-dead\"") && !policy.contains("nexus-build-queue"), "{policy}");
    home.configure(&settings);
    // Data is removed only when asked for.
    let (code, said) = run(&["resources", "delete"]);
    assert!(code == Some(1) && said.contains("--yes"), "{said}");
    assert_eq!(run(&["resources", "clean", "--yes"]).0, Some(0));
    let (code, said) = run(&["resources", "delete", "--yes", "--tables-only"]);
    assert_eq!((code, said.matches("deleted").count()), (Some(0), 10), "{said}");
    let (code, said) = run(&["resources", "policy", "--account", "123456789012"]);
    let policy: Value = serde_json::from_str(&said).expect("a policy");
    assert_eq!(code, Some(0));
    assert!(said.contains("123456789012:table/nexus_projects") && !said.contains("Scan"), "{policy}");
    let (_, said) = run(&["resources", "policy", "--moving"]);
    assert!(said.contains("dynamodb:Scan"), "{said}");
    // Without its tables the daemon says what to do.
    let refused = home.try_start().err().expect("it does not start");
    assert!(refused.contains("nexusd resources init"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_the_original_and_poison() {
    use aws_sdk_dynamodb::types::AttributeValue;
    let (account, home) = ready(BOTH, 1).await;
    // A project as the original's API writes one: no task named, no stages, nulls.
    let item = [
        ("project_id", AttributeValue::S("proj_0123456789ab".into())),
        ("project_name", AttributeValue::S("of old".into())),
        ("status", AttributeValue::S("queued".into())),
        ("requirement", AttributeValue::S("do nothing nine times".into())),
        ("user_id", AttributeValue::S("anna".into())),
        ("priority", AttributeValue::N("3.0".into())),
        ("created_at", AttributeValue::S("2026-01-27T09:14:29.123456".into())),
        ("current_stage", AttributeValue::Null(true)),
        ("workflow", AttributeValue::S("noop".into())),
    ];
    let mut put = account.dynamodb.put_item().table_name("nexus_projects");
    for (name, value) in item {
        put = put.item(name, value);
    }
    put.send().await.unwrap();
    let queue = account.sqs.get_queue_url().queue_name("nexus-build-queue").send().await.unwrap().queue_url.unwrap();
    let plain = json!({"project_id": "proj_0123456789ab", "requirement": "x", "action": "execute", "metadata": {"a": 1},
        "execute_to_completion": true});
    let wrapped = serde_json::to_string(&plain.to_string()).unwrap();
    for body in [wrapped.as_str(), "this is no message"] {
        account.sqs.send_message().queue_url(&queue).message_body(body).send().await.unwrap();
    }
    let daemon = home.start();
    let done = daemon.wait_for("proj_0123456789ab", &["completed"]).await;
    assert_eq!(done["stages"].as_array().unwrap().len(), 9, "{done:#}");
    eventually("the queue is empty", async || (depth(&account, "nexus-build-queue").await == (0, 0)).then_some(()))
        .await;
    let attempts = |project: &Value| -> Vec<u64> {
        project["stages"].as_array().unwrap().iter().map(|stage| stage["attempt"].as_u64().unwrap()).collect()
    };
    // The original's API lets it go on: from a stage, without a task; then with one, under a word that we do not have.
    let again = async |status: &str, message: Value| {
        let key = AttributeValue::S("proj_0123456789ab".into());
        let update = account.dynamodb.update_item().table_name("nexus_projects").key("project_id", key);
        let update = update.update_expression("SET #s = :s").expression_attribute_names("#s", "status");
        update.expression_attribute_values(":s", AttributeValue::S(status.into())).send().await.unwrap();
        account.sqs.send_message().queue_url(&queue).message_body(message.to_string()).send().await.unwrap();
    };
    again("queued", json!({"project_id": "proj_0123456789ab", "action": "restart", "target_stage": "s7"})).await;
    let done = eventually("it is built again", async || {
        let (_, answer) = daemon.get("/projects/proj_0123456789ab").await;
        (answer["data"]["status"] == "completed" && attempts(&answer["data"])[8] == 2).then(|| answer["data"].clone())
    })
    .await;
    assert_eq!(attempts(&done), [1, 1, 1, 1, 1, 1, 1, 2, 2], "{done:#}");
    let task =
        account.dynamodb.put_item().table_name("nexus_tasks").item("task_id", AttributeValue::S("task_x".into()));
    let task = task
        .item("task_type", AttributeValue::S("build_agent".into()))
        .item("status", AttributeValue::S("queued".into()));
    let task = task.item("created_at", AttributeValue::S("2026-01-28T09:14:29.123456".into()));
    task.item("project_id", AttributeValue::S("proj_0123456789ab".into())).send().await.unwrap();
    let message = json!({"project_id": "proj_0123456789ab", "task_id": "task_x", "action": "restart"});
    again("waiting for a worker", message).await;
    let done = eventually("it is built once more", async || {
        let (_, answer) = daemon.get("/projects/proj_0123456789ab").await;
        (answer["data"]["status"] == "completed" && attempts(&answer["data"])[8] == 3).then(|| answer["data"].clone())
    })
    .await;
    assert_eq!(done["task_id"], "task_x", "{done:#}");
    assert_eq!(daemon.get("/tasks/task_x").await.1["data"]["status"], "completed");
    // A stage that there is not.
    again("queued", json!({"project_id": "proj_0123456789ab", "action": "resume", "target_stage": "s99"})).await;
    let failed = eventually("it says why not", async || {
        let (_, answer) = daemon.get("/projects/proj_0123456789ab").await;
        (answer["data"]["status"] == "failed").then(|| answer["data"].clone())
    })
    .await;
    assert!(failed["error_info"]["message"].as_str().unwrap().contains("s99"), "{failed:#}");
    eventually("the queue is empty", async || (depth(&account, "nexus-build-queue").await == (0, 0)).then_some(()))
        .await;
    // A letter of the original's that names no task fails the project that waits for it.
    let waits = account.dynamodb.put_item().table_name("nexus_projects");
    let waits = waits.item("project_id", AttributeValue::S("proj_dead".into()));
    let waits = waits.item("status", AttributeValue::S("queued".into()));
    let waits = waits.item("created_at", AttributeValue::S("2026-01-28T09:14:29.123456".into()));
    waits.item("requirement", AttributeValue::S("given up".into())).send().await.unwrap();
    let dead = account.sqs.get_queue_url().queue_name("nexus-build-dlq").send().await.unwrap().queue_url.unwrap();
    let letter = json!({"project_id": "proj_dead", "requirement": "given up", "action": "execute"});
    account.sqs.send_message().queue_url(&dead).message_body(letter.to_string()).send().await.unwrap();
    let failed = daemon.wait_for("proj_dead", &["failed"]).await;
    let why = failed["error_info"]["message"].as_str().unwrap();
    assert!(why.contains("nexus-build-dlq") && why.contains("received"), "{failed:#}");
    let metrics = daemon.text("//metrics").await;
    assert!(metrics.contains("nexus_poison_messages_total{queue=\"nexus-build-queue\"} 1"), "{metrics}");
    let (code, said) = home.run(&["dlq", "list"]);
    let id = said.lines().next().unwrap().split(' ').nth(1).unwrap().to_owned();
    assert!(said.contains(&id) && code == Some(0), "{said}");
    assert!(code == Some(0) && said.contains("this is no message") && said.contains("not understood"), "{said}");
    let (code, said) = home.run(&["dlq", "redrive", "--queue", "build"]);
    assert!(code == Some(0) && said.contains("sent back"), "{said}");
    // Poison stays poison, and never loops.
    eventually("it is back among the dead letters", async || {
        (depth(&account, "nexus-build-dlq").await == (1, 0)).then_some(())
    })
    .await;
    eventually("the queue is empty", async || (depth(&account, "nexus-build-queue").await == (0, 0)).then_some(()))
        .await;
}
