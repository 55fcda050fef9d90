//! Services that throttle, fail, refuse or are away: it is seen from outside, nothing is lost, and it goes on.

use std::{
    process::Stdio,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    BOTH, check_events, depth, home, ready,
    support::{
        Daemon, eventually,
        faulty::{self, Fault},
        wire::{self, State},
    },
};

/// How long a store is away; `NEXUSD_OUTAGE_SECS` asks for more.
const OUTAGE: u64 = 12;

/// What `/health` says, which it does within a second whatever hangs.
async fn health(daemon: &Daemon) -> (u16, Value) {
    let asked = Instant::now();
    let answer = daemon.get("//health").await;
    assert!(asked.elapsed() < Duration::from_millis(1_500), "{:?}: {}", asked.elapsed(), answer.1);
    answer
}

async fn started(daemon: &Daemon, builds: usize) -> Vec<String> {
    let mut projects = Vec::new();
    for n in 0..builds {
        projects.push(daemon.create(&format!("in trouble, number {n}"), "noop").await);
    }
    projects
}

/// Everything ends as if nothing had been.
async fn ends_well(daemon: &Daemon, projects: &[String]) {
    for project in projects {
        eventually("a build completes", async || {
            let (status, answer) = daemon.get(&format!("/projects/{project}")).await;
            assert_ne!(answer["data"]["status"], "failed", "{answer:#}");
            (status == 200 && answer["data"]["status"] == "completed").then_some(())
        })
        .await;
        check_events(daemon, project).await;
    }
}

async fn outlives(fault: Option<Fault>, percent: u64, label: &str, words: &str) {
    let (account, _) = ready(BOTH, 100).await;
    let (url, faults) = faulty::proxy(&account.url).await;
    let (url, wire) = wire::to(&url).await;
    let home = home(&account, &url, BOTH, 100);
    let daemon = home.start();
    let projects = started(&daemon, 3).await;
    assert_eq!(health(&daemon).await.1["status"], "healthy");
    *faults.only.lock().unwrap() = fault;
    faults.percent.store(percent, Ordering::Relaxed);
    if fault.is_none() {
        wire.set(State::Tearing);
    }
    let seen = eventually("the trouble is seen", async || {
        let (status, health) = health(&daemon).await;
        let reason = health["reasons"]["store"].as_str().unwrap_or_default().to_owned();
        let bad = health["status"] == "degraded" || (health["status"] == "unhealthy" && status == 503);
        (bad && reason.contains(words)).then_some((status, health))
    })
    .await;
    if fault == Some(Fault::Throttled) {
        // Less than it should have, and still at work.
        assert!(seen.0 == 200 && seen.1["checks"]["dynamodb"] == "degraded", "{}", seen.1);
    }
    let metrics = daemon.text("//metrics").await;
    let counted = format!("nexus_cloud_failed_tries_total{{service=\"dynamodb\",reason=\"{label}\"}}");
    assert!(metrics.contains(&counted), "{counted}: {metrics}");
    if fault != Some(Fault::Hang) {
        // The long poll hangs by itself.
        eventually("the queue's trouble is counted, too", async || {
            let counted = format!("nexus_cloud_failed_tries_total{{service=\"sqs\",reason=\"{label}\"}}");
            daemon.text("//metrics").await.contains(&counted).then_some(())
        })
        .await;
    }
    let body = json!({"requirement": "asked for in the middle of it", "workflow": "noop"});
    let late = async {
        let answer = daemon.http().post(daemon.at("/projects")).json(&body).send().await.unwrap();
        let (status, again) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
        assert!(status == 201 || (status == 503 && again), "{status} {:?}", answer.text().await);
    };
    late.await;
    faults.percent.store(0, Ordering::Relaxed);
    wire.set(State::Whole);
    ends_well(&daemon, &projects).await;
    eventually("it is healthy again", async || (health(&daemon).await.1["status"] == "healthy").then_some(())).await;
    eventually("no message is left", async || (depth(&account, "nexus-build-queue").await == (0, 0)).then_some(()))
        .await;
    assert_eq!(depth(&account, "nexus-build-dlq").await, (0, 0), "no dead letter");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_is_degraded_and_outlived() {
    outlives(Some(Fault::Throttled), 60, "throttled", "throttled").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_of_the_service_are_outlived() {
    outlives(Some(Fault::Server), 100, "server_error", "error of the service").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_credentials_are_named_and_outlived() {
    outlives(Some(Fault::Expired), 100, "credentials", "credentials").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_clock_is_named_and_outlived() {
    outlives(Some(Fault::Skewed), 100, "clock_skew", "clock").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_answers_are_outlived() {
    outlives(Some(Fault::Hang), 100, "timeout", "in time").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn torn_connections_are_outlived() {
    outlives(None, 0, "connection", "connection").await;
}

/// Megabytes.
fn memory(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_comes_back() {
    let outage = std::env::var("NEXUSD_OUTAGE_SECS").map_or(OUTAGE, |text| text.parse().expect("seconds"));
    let outage = Duration::from_secs(outage);
    let (account, _) = ready(BOTH, 100).await;
    let (url, wire) = wire::to(&account.url).await;
    let (one, two) = (home(&account, &url, BOTH, 100), home(&account, &url, BOTH, 100));
    let daemon = one.start();
    let projects = started(&daemon, 5).await;
    let before = memory(&daemon);
    wire.set(State::Cut);
    let begun = Instant::now();
    eventually("it is seen", async || {
        let (status, health) = health(&daemon).await;
        (status == 503 && health["checks"]["store"] == "unhealthy").then_some(())
    })
    .await;
    // Requests are refused, not piled up.
    let body = json!({"requirement": "asked for while it is away", "workflow": "noop"});
    let ask = || async {
        let answer = daemon.http().post(daemon.at("/projects")).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
    };
    let answers = futures::future::join_all((0..500).map(|_| ask())).await;
    assert!(answers.iter().all(|answer| *answer == (503, true)), "{answers:?}");
    let grown = memory(&daemon).saturating_sub(before);
    println!("500 requests while the store is away: {grown} MB more, answered within {:?}", begun.elapsed());
    // As a rule some 55, most of it the 500 connections.
    assert!(grown < 96, "{grown} MB");
    // One that starts meanwhile waits, and ends when it is told to.
    let mut waiting =
        two.command(&["--listen", "127.0.0.1:0"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(waiting.try_wait().unwrap().is_none(), "it waits");
    std::process::Command::new("kill").arg(waiting.id().to_string()).status().unwrap();
    let ended = eventually("it ends", async || waiting.try_wait().unwrap()).await;
    assert_eq!(ended.code(), Some(0));
    let last = Duration::from_secs(5);
    tokio::time::sleep(outage.saturating_sub(begun.elapsed() + last)).await;
    let late = std::thread::spawn(move || two.start());
    tokio::time::sleep(last).await;
    wire.set(State::Whole);
    let late = tokio::task::spawn_blocking(|| late.join().unwrap()).await.unwrap();
    ends_well(&daemon, &projects).await;
    let fresh = late.create("asked for when it is back", "noop").await;
    ends_well(&late, &[fresh]).await;
    eventually("no message is left", async || (depth(&account, "nexus-build-queue").await == (0, 0)).then_some(()))
        .await;
    assert_eq!(depth(&account, "nexus-build-dlq").await, (0, 0), "no dead letter");
}
