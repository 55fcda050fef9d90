//! Nothing runs twice at once, and nothing is done twice: long builds, owners that are cut off, messages that come twice.

use std::{collections::HashMap, sync::atomic::Ordering, time::Duration};

use serde_json::{Value, json};

use super::{
    BOTH, bucket, check_events, depth, home, ready, share_files,
    support::{
        Daemon, Home,
        emulator::Account,
        events, eventually, faulty,
        prices::PRICES,
        wire::{self, State},
    },
    with_files,
};

/// A run of a stage, by what its plugin wrote: milliseconds.
#[derive(Debug)]
struct Run {
    stage: String,
    begins: u128,
    ends: Option<u128>,
}

/// Has the stages of a home's workflow `noop` write when they begin and end: one stage that takes `long_ms`, then eight
/// short ones.
fn with_journal(homes: &[&Home], long_ms: u64) -> std::path::PathBuf {
    let journal = homes[0].path().join("journal");
    for home in homes {
        let file = home.path().join("workflows").join("noop.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replacen("delay_ms = 1 ", &format!("delay_ms = {long_ms}, journal = {journal:?} "), 1);
        std::fs::write(&file, text.replace("delay_ms = 1 ", &format!("delay_ms = 1, journal = {journal:?} "))).unwrap();
    }
    journal
}

fn runs(journal: &std::path::Path) -> Vec<Run> {
    let mut runs: Vec<(String, Run)> = Vec::new();
    for line in std::fs::read_to_string(journal).unwrap_or_default().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let (key, at) = (words[..3].join(" "), words[4].parse().unwrap());
        if words[3] == "begins" {
            runs.push((key, Run { stage: words[1].to_owned(), begins: at, ends: None }));
        } else {
            let run = runs.iter_mut().rev().find(|(of, run)| *of == key && run.ends.is_none());
            run.expect("it has begun").1.ends = Some(at);
        }
    }
    runs.into_iter().map(|(_, run)| run).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_longer_than_the_visibility_runs_once() {
    // Leases of 4 s, messages hidden for 6 s, and a stage of 14 s.
    let (account, one) = ready(BOTH, 1).await;
    let two = home(&account, &account.url, BOTH, 1);
    let journal = with_journal(&[&one, &two], 14_000);
    let (one, two) = (one.start(), two.start());
    let project = one.create("longer than its message is hidden", "noop").await;
    two.wait_for(&project, &["completed"]).await;
    let runs = runs(&journal);
    assert_eq!(runs.len(), 9, "{runs:#?}");
    let (_, tasks) = two.get(&format!("/tasks?project_id={project}")).await;
    assert_eq!(tasks["data"][0]["retry_count"], 0, "{tasks}");
    eventually("no message is left", async || (depth(&account, "nexus-build-queue").await == (0, 0)).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_is_cut_off_stops_before_another_begins() {
    let (account, _) = ready(BOTH, 1).await;
    let (url, wire) = wire::to(&account.url).await;
    let (one, two) = (home(&account, &url, BOTH, 1), home(&account, &account.url, BOTH, 1));
    let journal = with_journal(&[&one, &two], 9_000);
    let owner = one.start();
    let project = owner.create("its owner is cut off", "noop").await;
    eventually("its first stage runs", async || (!runs(&journal).is_empty()).then_some(())).await;
    let other = two.start();
    wire.set(State::Cut);
    other.wait_for(&project, &["completed"]).await;
    let seen = runs(&journal);
    let first: Vec<&Run> = seen.iter().filter(|run| run.stage == "s0").collect();
    assert_eq!(first.len(), 2, "{seen:#?}");
    let stopped = first[0].ends.expect("the owner stopped it");
    assert!(stopped < first[1].begins, "never twice at once: {first:#?}");
    // Back on the net it finds nothing to do.
    wire.set(State::Whole);
    check_events(&other, &project).await;
    eventually("no message is left", async || (depth(&account, "nexus-build-queue").await == (0, 0)).then_some(()))
        .await;
    eventually("it is healthy again", async || (owner.get("//health").await.1["status"] == "healthy").then_some(()))
        .await;
    assert_eq!(runs(&journal).len(), seen.len());
}

/// Builds, a pause, a resume, a stop and an agent: what is left of it in the end, without ids and times.
async fn a_day(account: &Account, url: &str, faults: &faulty::Faults) -> Value {
    // Long enough that what is asked of the last two comes while they are built, on a full machine too.
    let (one, two) = (home(account, url, BOTH, 500), home(account, url, BOTH, 500));
    let shared = bucket(account).await;
    for home in [&one, &two] {
        with_files(home, &shared);
    }
    let (one, two) = (one.start(), two.start());
    let mut ends = Vec::new();
    let agent_project = one.create(PRICES, "agent_build").await;
    let act = async |daemon: &Daemon, project: &str, action: &str| {
        let (status, answer) = daemon.post(&format!("/projects/{project}/control"), &json!({ "action": action })).await;
        assert_eq!(status, 200, "{answer}");
    };
    let mut projects = Vec::new();
    for n in 0..12 {
        projects.push([&one, &two][n % 2].create(&format!("delivered twice, number {n}"), "noop").await);
        match n {
            10 => act(&two, &projects[n], "pause").await,
            11 => act(&one, &projects[n], "cancel").await,
            _ => {}
        }
    }
    one.wait_for(&projects[10], &["paused"]).await;
    act(&one, &projects[10], "resume").await;
    for project in &projects[..11] {
        one.wait_for(project, &["completed"]).await;
        check_events(&two, project).await;
    }
    one.wait_for(&agent_project, &["completed"]).await;
    one.wait_for_agent(&agent_project).await;
    // Also what is on its way still changes nothing any more.
    eventually("no message is left", async || {
        let under_way = faults.under_way.load(Ordering::Relaxed);
        let left = (depth(account, "nexus-build-queue").await, depth(account, "nexus-deploy-queue").await);
        (under_way == 0 && left == ((0, 0), (0, 0))).then_some(())
    })
    .await;
    for project in projects.iter().chain([&agent_project]) {
        let (_, answer) = one.get(&format!("/projects/{project}")).await;
        let detail = &answer["data"];
        let stage = |stage: &Value| json!([stage["stage_name"], stage["status"], stage["attempt"]]);
        let stages: Vec<Value> = detail["stages"].as_array().unwrap().iter().map(stage).collect();
        let mut kinds: HashMap<String, u64> = HashMap::new();
        for event in events(&two, project).await {
            *kinds.entry(format!("{} {} {}", event["type"], event["stage_name"], event["status"])).or_default() += 1;
        }
        // How far it was when it was stopped is chance.
        let chance = project == &projects[11] || project == &projects[10];
        let events = if chance { Value::Null } else { json!(kinds) };
        let stages = if project == &projects[11] { Value::Null } else { json!(stages) };
        let (_, tasks) = one.get(&format!("/tasks?project_id={project}")).await;
        let mut tasks: Vec<String> = tasks["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| format!("{} {} {}", task["task_type"], task["status"], task["retry_count"]))
            .collect();
        tasks.sort();
        ends.push(json!([detail["status"], detail["progress"], detail["agent_count"], stages, events, tasks]));
    }
    // The cancelled one's progress is chance, too.
    ends[11][1] = Value::Null;
    // Counted once in a while, so soon true.
    eventually("the figures are true", async || {
        let (_, overview) = two.get("/statistics/overview").await;
        let of = |name: &str| overview["data"][name].as_u64().unwrap();
        let figures = (of("total_projects"), of("completed_projects"), of("failed_projects"), of("running_agents"));
        (figures == (13, 12, 0, 1)).then_some(())
    })
    .await;
    ends.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_come_twice_and_in_another_order_change_nothing() {
    let (plain, _) = ready(BOTH, 1).await;
    let (account, _) = ready(BOTH, 1).await;
    let (url, faults) = faulty::proxy(&account.url).await;
    faults.twice.store(true, Ordering::Relaxed);
    let none = faulty::Faults::default();
    let (expected, twice) = tokio::join!(a_day(&plain, &plain.url, &none), a_day(&account, &url, &faults));
    assert_eq!(expected, twice);
    assert_eq!(depth(&account, "nexus-build-dlq").await, (0, 0), "no dead letter");
    assert_eq!(depth(&account, "nexus-deploy-dlq").await, (0, 0), "no dead letter");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_from_another_daemon_ends_the_running_stage() {
    let (account, front) = ready("\"api\"", 1).await;
    let back = home(&account, &account.url, "\"worker\"", 1);
    let journal = with_journal(&[&back, &front], 40_000);
    let (front, _back) = (front.start(), back.start());
    let project = front.create("stopped from afar", "noop").await;
    eventually("its first stage runs", async || (!runs(&journal).is_empty()).then_some(())).await;
    let asked = std::time::Instant::now();
    let (status, answer) = front.post(&format!("/projects/{project}/control"), &json!({"action": "stop"})).await;
    assert_eq!(status, 200, "{answer}");
    eventually("the stage has ended", async || runs(&journal)[0].ends).await;
    println!("a stop from another daemon ended the stage after {:?}: a heartbeat is 1 s", asked.elapsed());
    // Long before the stage would have ended by itself.
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    front.wait_for(&project, &["cancelled"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_asked_where_it_was_not_built() {
    let (account, front) = ready("\"api\"", 1).await;
    let back = home(&account, &account.url, "\"worker\"", 1);
    share_files(&account, &[&front, &back]).await;
    let (front, _back) = (front.start(), back.start());
    let (project, agent) = front.build_agent(PRICES).await;
    front.knows_prices(&agent).await;
    let (status, files) = front.get(&format!("/projects/{project}/files")).await;
    assert!(status == 200 && files.to_string().contains("agent/agent.py"), "{files}");
}
