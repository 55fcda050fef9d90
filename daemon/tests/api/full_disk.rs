//! A disk that takes nothing more, by the limit of file sizes, which is one for a whole process: so this test runs in a
//! process of its own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Method;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::{signal::unix::SignalKind, sync::Semaphore};

use crate::support::{
    alone::alone,
    api::{Answer, Api, Script},
};

/// Sent to a process that writes past the limit; it is to get the error of its write.
const SIGXFSZ: i32 = 25;

fn room(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
}

async fn invoke(api: &Api, path: &str, key: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    api.send(Method::POST, path, &headers, json!({ "input_text": "i" }).to_string().into_bytes()).await
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn what_was_answered_on_a_full_disk_is_recorded_when_there_is_room() {
    let name = "full_disk::what_was_answered_on_a_full_disk_is_recorded_when_there_is_room";
    alone(name, answers_are_recorded_when_there_is_room());
}

async fn answers_are_recorded_when_there_is_room() {
    let _caught = tokio::signal::unix::signal(SignalKind::from_raw(SIGXFSZ)).unwrap();
    let api = Arc::new(Api::start().await);
    let agent = api.agent().await;
    let session = api.session(&agent).await;
    let path = format!("/api/v2/agents/{agent}/invoke");
    let figures = async || api.get(&format!("/api/v2/agents/{agent}")).await.body["data"]["total_invocations"].clone();
    let said = async || -> Vec<Value> {
        let answer = api.get(&format!("/api/v2/sessions/{session}/messages")).await;
        answer.body["data"].as_array().unwrap().iter().map(|message| message["content"].clone()).collect()
    };
    // Two questions are asked while there is room; when their answers come there is none.
    let gate = Arc::new(Semaphore::new(0));
    *api.agents.script.lock().unwrap() = Script { gate: Some(gate.clone()), ..Script::default() };
    let invoked = tokio::spawn({
        let (api, path) = (api.clone(), path.clone());
        async move { invoke(&api, &path, "k").await }
    });
    let streamed = tokio::spawn({
        let (api, session) = (api.clone(), session.clone());
        async move { api.post(&format!("/api/v2/sessions/{session}/stream"), json!({ "content": "x" })).await }
    });
    eventually("both are asked", async || {
        api.agents.asked.lock().unwrap().iter().filter(|asked| asked["op"] == "invoke").count() == 2
    })
    .await;
    room(Some(1));
    gate.add_permits(99);
    let (invoked, streamed) = (invoked.await.unwrap(), streamed.await.unwrap());
    assert_eq!(invoked.status, 200, "{}", invoked.text);
    assert!(streamed.text.contains("Hello there") || streamed.text.contains("\"event\":\"done\""), "{}", streamed.text);
    assert_eq!((figures().await, said().await.len()), (json!(0), 1), "nothing could be recorded");
    assert_eq!(invoked.body["data"]["recorded"], json!(false), "and that is said: {}", invoked.text);
    assert!(streamed.text.contains("\"recorded\":false"), "{}", streamed.text);
    // The same request gets the same answer, and asks nobody.
    let again = invoke(&api, &path, "k").await;
    assert_eq!((again.status.as_u16(), &again.body["data"]), (200, &invoked.body["data"]), "{}", again.text);
    assert_eq!(again.header("idempotency-replayed"), "true");

    room(None);
    eventually("the records are written", async || figures().await == 2 && said().await.len() == 2).await;
    assert_eq!(said().await, [json!("x"), json!("Hello there")]);
    let after = invoke(&api, &path, "k").await;
    let mut durable = invoked.body["data"].clone();
    durable.as_object_mut().unwrap().remove("recorded");
    assert_eq!((&after.body["data"], after.header("idempotency-replayed")), (&durable, "true"));
    assert_eq!(figures().await, 2, "nothing is recorded twice");
}
