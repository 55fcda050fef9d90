//! A clock that is set, and a process that is stopped for longer than a lease: nothing that runs is taken away.

use std::time::Duration;

use super::support::{Daemon, Home, clock::Clock, eventually};

const QUICK: &str = "[worker]\nlease_secs = 4\nheartbeat_secs = 1\nvisibility_timeout_secs = 4\nreconcile_secs = 1\n";

async fn first_stage(daemon: &Daemon, project: &str) -> serde_json::Value {
    let (_, answer) = daemon.get(&format!("/projects/{project}")).await;
    answer["data"]["stages"][0].clone()
}

async fn running(daemon: &Daemon, project: &str) {
    eventually("the first stage runs", async || {
        (first_stage(daemon, project).await["status"] == "running").then_some(())
    })
    .await;
}

/// Every stage had one attempt, took as long as it should, and no figure is negative or an hour.
fn undisturbed(done: &serde_json::Value) {
    for stage in done["stages"].as_array().expect("stages") {
        assert_eq!(stage["attempt"], 1, "{stage:#}");
        let took = stage["duration_seconds"].as_f64().expect("a duration");
        assert!((0.0..600.0).contains(&took), "{stage:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_disturbs_no_build() {
    let mut home = Home::with_noop_workflow(QUICK, 700);
    let clock = Clock::of(&mut home);
    let daemon = home.start();
    for step in [3_600, -3_600, 0] {
        let project = daemon.create("a build while the clock is set", "noop").await;
        running(&daemon, &project).await;
        clock.set(step);
        let done = daemon.wait_for(&project, &["completed"]).await;
        undisturbed(&done);
        let (_, days) = daemon.get("/statistics/builds?days=2").await;
        for day in days["data"].as_array().expect("days") {
            let average = day.as_object().and_then(|day| day.iter().find(|(name, _)| name.starts_with("avg")));
            let average = average.and_then(|(_, value)| value.as_f64()).expect("an average");
            assert!((0.0..600_000.0).contains(&average), "{days:#}");
        }
    }
    let log = daemon.log();
    assert!(!log.contains("a task was left behind"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_stopped_longer_than_a_lease_goes_on() {
    let home = Home::with_noop_workflow(QUICK, 1_500);
    let daemon = home.start();
    let project = daemon.create("a build that sleeps", "noop").await;
    running(&daemon, &project).await;
    daemon.signal("STOP");
    // Longer than lease and visibility: that it is stopped for so long is what is tested.
    tokio::time::sleep(Duration::from_secs(7)).await;
    daemon.signal("CONT");
    undisturbed(&daemon.wait_for(&project, &["completed"]).await);
    let log = daemon.log();
    assert!(!log.contains("a task was left behind"), "{log}");
}
