//! `Idempotency-Key`: what is sent twice creates once.

use nexus_daemon::domain::failure::{Failure, FailureKind};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{Answer, Api, Script};

async fn send(api: &Api, path: &str, key: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    api.send(Method::POST, path, &headers, body.to_string().into_bytes()).await
}

fn project(text: &str) -> Value {
    json!({ "requirement": format!("long enough: {text}"), "tags": ["a", "b"] })
}

async fn projects(api: &Api) -> u64 {
    api.get("/api/v2/projects").await.body["pagination"]["total"].as_u64().unwrap()
}

#[tokio::test]
async fn the_same_request_gives_the_same_answer() {
    let api = Api::start().await;
    let agent = api.agent().await;
    let session = api.session(&agent).await;
    for (path, body, other, status) in [
        ("/api/v2/projects".to_owned(), project("x"), project("y"), 201),
        (format!("/api/v2/agents/{agent}/sessions"), json!({ "display_name": "d" }), json!({}), 201),
        (format!("/api/v2/sessions/{session}/messages"), json!({ "content": "c" }), json!({ "content": "d" }), 201),
        (format!("/api/v2/agents/{agent}/invoke"), json!({ "input_text": "i" }), json!({ "input_text": "j" }), 200),
    ] {
        let first = send(&api, &path, "key-1", &body).await;
        assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (status, ""), "{}", first.text);
        // Under the alias, too.
        for path in [path.clone(), path.replace("/v2/", "/v1/")] {
            let again = send(&api, &path, "key-1", &body).await;
            assert_eq!(again.status.as_u16(), status, "{}", again.text);
            assert_eq!((&again.body["data"], &again.body["message"]), (&first.body["data"], &first.body["message"]));
            assert_eq!(again.header("location"), first.header("location"));
            assert_eq!(again.header("idempotency-replayed"), "true");
        }
        send(&api, &path, "key-1", &other).await.is_error(409, "IDEMPOTENCY_KEY_REUSED");
        let fresh = send(&api, &path, "key-2", &body).await;
        assert_ne!(fresh.body["data"], first.body["data"]);
    }
    let shown = api.get(&format!("/api/v2/agents/{agent}")).await;
    assert_eq!(shown.body["data"]["total_invocations"], 2);
    assert_eq!(api.get(&format!("/api/v2/sessions/{session}")).await.body["data"]["message_count"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_create_one() {
    let api = Api::start().await;
    let body = project("at once");
    let all = futures::future::join_all((0..20).map(|_| send(&api, "/api/v2/projects", "k", &body))).await;
    assert!(all.iter().all(|answer| answer.status == 201 && answer.body["data"] == all[0].body["data"]));
    assert_eq!(projects(&api).await, 1);
}

#[tokio::test]
async fn a_key_outlives_the_daemon_and_a_refused_request_leaves_none() {
    let api = Api::start().await;
    send(&api, "/api/v2/projects", "k", &json!({ "requirement": "short" })).await.is_error(422, "VALIDATION_ERROR");
    let first = send(&api, "/api/v2/projects", "k", &project("kept")).await;
    assert_eq!(first.status, 201);
    let data = api.stop().await;
    let api = Api::start_with(data, |_| {}).await;
    let again = send(&api, "/api/v2/projects", "k", &project("kept")).await;
    assert_eq!((again.status.as_u16(), &again.body["data"]), (201, &first.body["data"]));
    assert_eq!(projects(&api).await, 1);
}

#[tokio::test]
async fn an_agent_that_did_not_answer_may_be_asked_again() {
    let api = Api::start().await;
    let path = format!("/api/v2/agents/{}/invoke", api.agent().await);
    let failure = Failure::new(FailureKind::Permanent, "no answer today");
    *api.agents.script.lock().unwrap() = Script { outcome: Err(failure), ..Script::default() };
    let failed = send(&api, &path, "k", &json!({ "input_text": "i" })).await;
    *api.agents.script.lock().unwrap() = Script::default();
    assert!(failed.status.is_server_error(), "{}", failed.text);
    let answered = send(&api, &path, "k", &json!({ "input_text": "i" })).await;
    assert_eq!((answered.status.as_u16(), answered.header("idempotency-replayed")), (200, ""), "{}", answered.text);
    // One that cannot be asked keeps no key either.
    let offline = format!("/api/v2/agents/{}/invoke", api.build(&api.project().await, false).await);
    for _ in 0..2 {
        send(&api, &offline, "o", &json!({ "input_text": "i" })).await.is_error(409, "AGENT_NOT_RUNNING");
    }
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let api = Api::start().await;
    for bad in ["", "with space", "ä", &"x".repeat(256)] {
        let answer = send(&api, "/api/v2/projects", bad, &project("x")).await;
        answer.is_error(422, "VALIDATION_ERROR");
        assert_eq!(answer.body["detail"][0]["loc"], json!(["header", "idempotency-key"]));
    }
    assert_eq!(projects(&api).await, 0);
}
