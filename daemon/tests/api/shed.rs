//! A store that cannot keep up: what comes is refused at the door, and all is well when it can again.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::api::Api;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_store_sheds_what_it_cannot_take() {
    let api = Api::start().await;
    let body = json!({ "requirement": "long enough text" });
    // Somebody else holds the file's write lock.
    let other = rusqlite::Connection::open(api.data.path().join("nexus.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waits = tokio::spawn(api.client.post(api.url("/api/v2/projects")).json(&body).send());
    let begun = Instant::now();
    while api.state.store.pressure().stalled_for.is_none_or(|time| time < Duration::from_secs(3)) {
        assert!(begun.elapsed() < Duration::from_secs(10), "no stall is seen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let begun = Instant::now();
    let refused = api.post("/api/v2/projects", body.clone()).await;
    refused.is_error(503, "OVERLOADED");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    // What needs no write goes on; supervisors are told.
    assert_eq!(api.get("/api/v2/projects").await.status, 200);
    assert_eq!(api.get("/health/live").await.status, 200);
    assert_eq!(api.get("/health/ready").await.status, 503);
    other.execute_batch("ROLLBACK").unwrap();
    let waited = waits.await.unwrap().unwrap().status().as_u16();
    assert!([201, 503].contains(&waited), "{waited}");
    assert_eq!(api.post("/api/v2/projects", body).await.status, 201);
    assert_eq!(api.get("/health/ready").await.status, 200);
}

/// Writes after a long rest are no stall.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rest_is_no_stall() {
    let api = Api::start().await;
    api.project().await;
    let stalled = |api: &Api| api.state.store.pressure().stalled_for.unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let all = (0..50).map(|_| async {
        let created = api.project();
        let (_, seen) = futures::future::join(created, async { stalled(&api) }).await;
        seen
    });
    let longest = futures::future::join_all(all).await.into_iter().max().unwrap();
    assert!(longest < Duration::from_millis(300), "{longest:?}");
}
