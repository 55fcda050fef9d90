//! A plugin that takes the daemon with it: innocent builds complete, the culprit is named, and the service's unit lets
//! the daemon live to tell.

use std::{
    os::unix::process::ExitStatusExt as _,
    time::{Duration, Instant},
};

use nexus_daemon::plugins::EXIT_NOT_MEANT;
use serde_json::Value;

use super::support::{Daemon, Home, eventually, plugin_dir};

const WORKFLOWS: &str = r#"name = "bad"
[[stages]]
name = "fine"
display_name = "fine"
handler = "noop/noop"
[[stages]]
name = "breaks"
display_name = "breaks"
handler = "faulty/do"
prerequisites = ["fine"]
options = { do = "crash", ms = 300 }
"#;

/// A home with the workflow `noop`, whose stages take `delay_ms`, and `bad`, whose second stage ends the daemon.
fn home(delay_ms: u64, more: &str) -> Home {
    let home = Home::with_noop_workflow(&format!("[worker]\nreconcile_secs = 1\n{more}"), delay_ms);
    std::fs::write(home.path().join("workflows/bad.toml"), WORKFLOWS).expect("the workflow is written");
    let fixture = plugin_dir().join("libnexus_fixture_faulty.so");
    std::fs::copy(&fixture, home.path().join("plugins/libfaulty.so"))
        .unwrap_or_else(|e| panic!("{} is not built: {e}", fixture.display()));
    home
}

/// Runs the daemon, again after each death as systemd would, until `done` holds; answers it and how often it died.
async fn keep_running(home: &Home, mut daemon: Daemon, mut done: impl AsyncFnMut(&Daemon) -> bool) -> (Daemon, u32) {
    let (begun, mut deaths) = (Instant::now(), 0);
    loop {
        assert!(begun.elapsed() < Duration::from_secs(120), "died {deaths} times; {}", daemon.log());
        if daemon.ended().is_some() {
            deaths += 1;
            daemon = home.start();
        } else if done(&daemon).await {
            return (daemon, deaths);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A GET that may meet the daemon's death.
async fn peek(daemon: &Daemon, path: &str) -> Value {
    match daemon.http().get(daemon.at(path)).timeout(Duration::from_secs(5)).send().await {
        Ok(answer) => answer.json().await.unwrap_or_default(),
        Err(_) => Value::Null,
    }
}

async fn status(daemon: &Daemon, project: &str) -> String {
    let answer = peek(daemon, &format!("/projects/{project}")).await;
    answer["data"]["status"].as_str().unwrap_or_default().to_owned()
}

/// Deaths that the unit allows within its interval.
fn allowed() -> u32 {
    let unit = include_str!("../../../systemd/nexusd.service");
    let burst = unit.lines().find_map(|line| line.strip_prefix("StartLimitBurst=")).expect("a limit");
    burst.parse().expect("a number")
}

#[test]
fn the_unit_allows_more_deaths_than_it_takes_to_find_a_culprit() {
    // And a second culprit at the same time, which costs two more, with starts to spare for what is not a plugin.
    let needed = nexus_daemon::backend::sqlite::FAULTS + 2;
    assert!(allowed() >= needed + 2, "{} starts are allowed, {needed} may be needed", allowed());
    let kills = nexus_daemon::backend::sqlite::KILLS;
    assert!(allowed() > kills, "{} starts are allowed, {kills} may be needed", allowed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_apple_is_found_among_innocent_builds() {
    let home = home(400, "");
    let daemon = home.start();
    let mut innocent = Vec::new();
    for n in 0..2 {
        innocent.push(daemon.create(&format!("innocent build number {n}"), "noop").await);
    }
    let bad = daemon.create("this one ends the daemon", "bad").await;
    innocent.push(daemon.create("an innocent build that came late", "noop").await);
    let (daemon, deaths) = keep_running(&home, daemon, async |daemon| {
        if status(daemon, &bad).await != "failed" {
            return false;
        }
        for project in &innocent {
            if status(daemon, project).await != "completed" {
                return false;
            }
        }
        true
    })
    .await;
    assert!(deaths <= 4 && deaths < allowed(), "it died {deaths} times");
    let error = peek(&daemon, &format!("/projects/{bad}")).await["data"]["error_info"].clone();
    assert_eq!((error["stage"].as_str(), error["kind"].as_str()), (Some("breaks"), Some("plugin")), "{error:#}");
    assert!(error["attempt"].as_u64().is_some_and(|attempt| attempt >= 3), "{error:#}");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.contains("faulty/do") && message.contains("died"), "{message}");
    let log = daemon.log();
    let about = |line: &&str| line.contains("its message is a dead letter") && line.contains(bad.as_str());
    let told: Vec<&str> = log.lines().filter(about).collect();
    assert_eq!(told.len(), 1, "one line for one failure: {log}");
    for part in ["WARN", "breaks", "faulty/do", "nexusd dlq list"] {
        assert!(told[0].contains(part), "{part}: {}", told[0]);
    }
    // What both the project and the log name can be listed, beside the daemon.
    assert!(message.contains("nexusd dlq list"), "{message}");
    let (_, listed) = home.run(&["dlq", "list"]);
    assert!(listed.contains(bad.as_str()) && listed.contains("why"), "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_that_ends_the_daemon_is_found_and_named() {
    let targets = "\n[deploy]\ndefault = \"bad\"\n[deploy.targets]\nbad = \"faulty/deploy\"\n";
    let mut home = home(50, targets);
    home.set("NEXUS_FIXTURE_DEPLOY_CRASHES", "1");
    let workflow = "name = \"deployed\"\n[[stages]]\nname = \"makes\"\ndisplay_name = \"makes\"\nhandler = \"noop/noop\"\noptions = { agent = \"print(1)\" }\n";
    std::fs::write(home.path().join("workflows/deployed.toml"), workflow).expect("the workflow is written");
    let daemon = home.start();
    let project = daemon.create("an agent whose deployment ends the daemon", "deployed").await;
    let innocent = daemon.create("an innocent build", "noop").await;
    let (daemon, deaths) = keep_running(&home, daemon, async |daemon| {
        let agents = peek(daemon, &format!("/agents?project_id={project}")).await;
        agents["data"][0]["status"] == "error" && status(daemon, &innocent).await == "completed"
    })
    .await;
    assert!(deaths <= 4 && deaths < allowed(), "it died {deaths} times");
    let agents = peek(&daemon, &format!("/agents?project_id={project}")).await;
    let id = agents["data"][0]["agent_id"].as_str().expect("an agent").to_owned();
    let agent = peek(&daemon, &format!("/agents/{id}")).await;
    let message = agent["data"]["error_message"].as_str().unwrap_or_default();
    assert!(message.contains("faulty/deploy") && message.contains("died"), "{agent:#}");
}

/// What the last process noted of its end.
fn ending(home: &Home) -> String {
    let noted = std::fs::read_to_string(home.data().join("nexus.db.ending")).expect("a note of the end");
    noted.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_to_break_leaves_its_word_and_a_kill_leaves_none() {
    let ways = [
        ("fault", "SIGSEGV", 11),
        ("abort", "SIGABRT", 6),
        ("SEGV", "at work, or killed from outside", 11),
        ("exit", "exit", 0),
        ("KILL", "at work, or killed from outside", 9),
    ];
    for (how, word, signal) in ways {
        let home = home(50, "");
        let workflow = WORKFLOWS.replace("do = \"crash\"", &format!("do = \"crash\", how = \"{how}\""));
        std::fs::write(home.path().join("workflows/bad.toml"), workflow).expect("the workflow is written");
        let mut daemon = home.start();
        daemon.create("this one ends the daemon", "bad").await;
        let status = eventually("the end of the daemon", async || daemon.ended()).await;
        assert_eq!(status.signal().unwrap_or(0), signal, "{how} still ends it as it would without the note");
        assert_eq!(ending(&home), word, "{how}");
        // A plugin that says 0 has not ended the service: it is started anew.
        let code = (how == "exit").then_some(EXIT_NOT_MEANT.into());
        assert_eq!(status.code(), code, "{how}");
    }
    let home = home(50, "");
    let (_took, code) = home.start().terminate();
    assert_eq!((code, ending(&home).as_str()), (Some(0), "at work, or killed from outside"), "its own end is no fault");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_kills_the_daemon_again_and_again_blames_no_build() {
    let home = home(1_500, "");
    let mut daemon = home.start();
    let project = daemon.create("a build that takes its time", "noop").await;
    for kills in 1..=5 {
        daemon.wait_for(&project, &["building"]).await;
        eventually("a stage at work", async || {
            let stages = peek(&daemon, &format!("/projects/{project}/stages")).await;
            stages["data"].as_array()?.iter().find(|stage| stage["status"] == "running").map(drop)
        })
        .await;
        daemon.kill();
        daemon = home.start();
        let log = daemon.log();
        assert!(log.contains("killed from outside") || kills == 1, "{log}");
    }
    daemon.wait_for(&project, &["completed"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_the_daemon_killed_from_outside_each_time_is_found_too() {
    let home = home(50, "");
    let workflow = WORKFLOWS.replace("do = \"crash\", ms = 300", "do = \"crash\", how = \"KILL\", ms = 20");
    std::fs::write(home.path().join("workflows/bad.toml"), workflow).expect("the workflow is written");
    let daemon = home.start();
    let bad = daemon.create("this one eats all memory", "bad").await;
    let (daemon, deaths) = keep_running(&home, daemon, async |daemon| status(daemon, &bad).await == "failed").await;
    assert_eq!(deaths, nexus_daemon::backend::sqlite::KILLS);
    let error = peek(&daemon, &format!("/projects/{bad}")).await["data"]["error_info"].clone();
    assert_eq!(error["stage"], "breaks", "{error:#}");
}
