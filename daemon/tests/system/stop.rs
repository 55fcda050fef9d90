//! `kill -TERM` under load: a quick and clean end, streams ended, work handed back.

use std::time::Duration;

use super::support::{Home, sse::Stream};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loaded_daemon_stops_in_time_and_goes_on_after_the_restart() {
    // Stages longer than the grace: they must be cut off and made again.
    let home = Home::with_noop_workflow("[worker]\nbuilds = 64\n", 700);
    let daemon = home.start();
    let mut projects = Vec::new();
    for i in 0..100 {
        projects.push(daemon.create(&format!("stop number {i} in the middle"), "noop").await);
    }
    let mut streams = Vec::new();
    for project in projects.iter().take(20) {
        let response = daemon.http().get(daemon.at(&format!("/projects/{project}/events"))).send().await;
        streams.push(Stream::new(response.expect("a stream")));
    }
    for stream in &mut streams {
        assert!(stream.next().await.is_some());
    }
    let (took, code) = tokio::task::spawn_blocking(move || daemon.terminate()).await.expect("it ends");
    assert_eq!(code, Some(0), "a clean end");
    assert!(took <= Duration::from_secs(10), "{took:?}");
    for stream in streams {
        let events = stream.all().await;
        // On a slow machine a build may have been quicker than the order to stop.
        let finished = events.iter().any(|e| e.data["type"] == "project" && e.data["status"] == "completed");
        let ended = events.iter().any(|e| e.event.as_deref() == Some("end"));
        assert!(finished || !ended, "an unfinished project has no end event: {events:#?}");
    }

    let daemon = home.start();
    for project in &projects {
        let done = daemon.wait_for(project, &["completed"]).await;
        let stages = done["stages"].as_array().expect("stages");
        assert!(stages.iter().all(|stage| stage["status"] == "completed"), "{done:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_on_the_same_folder_is_refused_with_a_reason() {
    let home = Home::new("");
    let first = home.start();
    let output = home.try_start().err().expect("the second does not start");
    assert!(output.contains("nexusd") && output.contains(&first.pid().to_string()), "{output}");
    assert_eq!(first.get("/projects").await.0, 200, "the first is not disturbed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_requests_hold_whatever_the_queue_delivers() {
    let home = Home::with_noop_workflow("[worker]\nbuilds = 1\n", 300);
    let daemon = home.start();
    let first = daemon.create("the first one occupies the only permit", "noop").await;
    let queued = daemon.create("the second one waits in the queue", "noop").await;
    daemon.wait_for(&first, &["building"]).await;

    let control = |action: &str| json!({"action": action});
    let (status, answer) = daemon.post(&format!("/projects/{queued}/control"), &control("pause")).await;
    assert_eq!((status, answer["data"]["status"].as_str()), (200, Some("paused")), "{answer}");
    let (status, answer) = daemon.post(&format!("/projects/{first}/control"), &control("stop")).await;
    assert_eq!((status, answer["data"]["control_status"].as_str()), (200, Some("stopped")), "{answer}");

    // The permit is free again, and a third build comes and goes: the two stay as they were told.
    let third = daemon.create("the third one runs through", "noop").await;
    daemon.wait_for(&third, &["completed"]).await;
    let status = async |id: &str| daemon.get(&format!("/projects/{id}")).await.1["data"]["status"].clone();
    assert_eq!((status(&first).await, status(&queued).await), (json!("cancelled"), json!("paused")));

    let (status, answer) = daemon.post(&format!("/projects/{first}/control"), &control("pause")).await;
    assert_eq!(status, 409);
    assert_eq!(answer["error"]["details"], json!({"status": "cancelled", "allowed_actions": ["restart"]}));

    let (status, answer) = daemon.post(&format!("/projects/{queued}/control"), &control("resume")).await;
    assert_eq!((status, answer["data"]["status"].as_str()), (200, Some("queued")), "{answer}");
    daemon.wait_for(&queued, &["completed"]).await;
    let (status, _) = daemon.post(&format!("/projects/{first}/control"), &control("restart")).await;
    assert_eq!(status, 200);
    let done = daemon.wait_for(&first, &["completed"]).await;
    let attempts: Vec<u64> =
        done["stages"].as_array().into_iter().flatten().filter_map(|s| s["attempt"].as_u64()).collect();
    assert_eq!(attempts.iter().filter(|a| **a == 2).count(), 1, "only the stopped stage ran again: {attempts:?}");

    // Pause while a stage runs: it ends, nothing further begins.
    let paused = daemon.create("the last one is paused while it runs", "noop").await;
    daemon.wait_for(&paused, &["building"]).await;
    daemon.post(&format!("/projects/{paused}/control"), &control("pause")).await;
    let held = daemon.wait_for(&paused, &["paused"]).await;
    let stages = held["stages"].as_array().expect("stages");
    assert!(stages.iter().all(|s| s["status"] != "running"), "{held:#}");
    assert!(stages.iter().any(|s| s["status"] == "pending"), "{held:#}");
    daemon.post(&format!("/projects/{paused}/control"), &control("resume")).await;
    let done = daemon.wait_for(&paused, &["completed"]).await;
    assert!(done["stages"].as_array().expect("stages").iter().all(|s| s["attempt"] == 1), "{done:#}");
}
