//! The shape of agents, sessions, health and the flat paths, and what deletions leave: nothing.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use nexus_daemon::domain::failure::{Failure, FailureKind};
use reqwest::Method;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::api::{Api, Script, enveloped, keys};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_project_leaves_nothing() {
    let api = Api::start().await;
    let id = api.project().await;
    let agent = api.build(&id, true).await;
    let session = api.session(&agent).await;
    api.post(&format!("/api/v2/sessions/{session}/messages"), json!({ "content": "hi" })).await;
    let root = api.state.project_root.join(id.as_str());
    std::fs::create_dir_all(root.join("agent")).unwrap();
    std::fs::write(root.join("agent/main.py"), "x").unwrap();
    // As the dialog promises: without a word the agents go along.
    let gone = api.delete(&format!("/api/v2/projects/{id}")).await;
    let data = enveloped(&gone, 200);
    assert_eq!(data["deleted_agents"], json!([agent]));
    assert_eq!(data["errors"], json!([]));
    for path in [
        format!("/api/v2/projects/{id}"),
        format!("/api/v2/projects/{id}/stages"),
        format!("/api/v2/projects/{id}/tasks"),
        format!("/api/v2/projects/{id}/events"),
        format!("/api/v2/agents/{agent}"),
        format!("/api/v2/sessions/{session}"),
        format!("/api/v2/sessions/{session}/messages"),
    ] {
        api.get(&path).await.is_error(404, "");
    }
    assert!(!root.exists());
    assert_eq!(api.get("/api/v2/tasks").await.body["pagination"]["total"], 0);
    assert_eq!(api.recorder.calls.lock().unwrap().last().unwrap(), &format!("deleted {id}"));
    assert_eq!(api.agents.asked.lock().unwrap().last().unwrap()["op"], "undeploy");
    api.delete(&format!("/api/v2/projects/{id}")).await.is_error(404, "PROJECT_NOT_FOUND");

    // An agent that stays keeps its files.
    let id = api.project().await;
    let agent = api.build(&id, true).await;
    let root = api.state.project_root.join(id.as_str());
    std::fs::create_dir_all(root.join("agent")).unwrap();
    std::fs::write(root.join("agent/main.py"), "x").unwrap();
    assert_eq!(api.delete(&format!("/api/v2/projects/{id}?delete_agents=false")).await.status, 200);
    assert!(!root.exists());
    let asked = api.post(&format!("/api/v2/agents/{agent}/invoke"), json!({ "input_text": "still there?" })).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    let told =
        api.agents.asked.lock().unwrap().last().unwrap()["body"]["agent"]["agent_dir"].as_str().unwrap().to_owned();
    assert!(std::path::Path::new(&told).join("main.py").exists(), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_are_shown_asked_and_deleted_for_good() {
    let api = Api::start().await;
    let agent = api.agent().await;
    let list = api.get("/api/v2/agents?status=running&category=general").await;
    assert_eq!(list.body["pagination"]["total"], 1, "{}", list.text);
    for key in [
        "agent_id",
        "agent_name",
        "status",
        "category",
        "version",
        "deployment_type",
        "total_invocations",
        "created_at",
    ] {
        assert!(list.body["data"][0].get(key).is_some(), "{key}");
    }
    let detail = api.get(&format!("/api/v2/agents/{agent}")).await;
    for key in [
        "agent_id",
        "project_id",
        "agent_name",
        "description",
        "category",
        "version",
        "status",
        "deployment_type",
        "agentcore_config",
        "capabilities",
        "tools",
        "prompt_path",
        "code_path",
        "created_at",
        "updated_at",
        "deployed_at",
        "agentcore_runtime_arn",
        "agentcore_runtime_alias",
        "agentcore_region",
        "generation",
        "total_invocations",
        "successful_invocations",
        "failed_invocations",
        "avg_duration_ms",
        "last_invoked_at",
    ] {
        assert!(enveloped(&detail, 200).get(key).is_some(), "{key}");
    }

    let body = json!({ "input_text": "hello?", "metadata": { "a": 1 }, "session_id": "short" });
    let asked = api.post(&format!("/api/v2/agents/{agent}/invoke"), body).await;
    let data = enveloped(&asked, 200);
    assert_eq!(keys(data), ["duration_ms", "invocation_id", "output", "session_id", "status", "trace", "usage"]);
    assert_eq!(
        (&data["output"], &data["status"], &data["session_id"]),
        (&json!("Hello there"), &json!("success"), &json!("short"))
    );
    assert_eq!(data["usage"], json!({ "input_tokens": 3, "output_tokens": 2, "total_tokens": 5 }));
    let told = api.agents.asked.lock().unwrap().last().unwrap()["body"].clone();
    assert_eq!((&told["input_text"], &told["metadata"]), (&json!("hello?"), &json!({ "a": 1 })));
    assert!(told["session_id"].as_str().unwrap().len() >= 33);

    // Failures are recorded, and told without the texts of exceptions.
    let fail = |kind, message: &str| {
        let outcome = Err(Failure::new(kind, message));
        *api.agents.script.lock().unwrap() = Script { outcome, ..Script::default() };
    };
    let invoke = async || api.post(&format!("/api/v2/agents/{agent}/invoke"), json!({ "input_text": "x" })).await;
    fail(FailureKind::Permanent, "the model key is missing");
    let failed = invoke().await;
    failed.is_error(502, "AGENT_FAILED");
    assert_eq!(failed.body["message"], "the model key is missing");
    assert!(failed.body["error"]["details"]["invocation_id"].as_str().unwrap().starts_with("inv_"));
    fail(FailureKind::Panic, "plugin x panicked: called unwrap at src/main.rs:1");
    invoke().await.is_error(502, "AGENT_FAILED");
    fail(FailureKind::InvalidInput, "too many questions");
    invoke().await.is_error(422, "AGENT_REFUSED");
    fail(FailureKind::Transient, "starting");
    let away = invoke().await;
    away.is_error(503, "AGENT_UNAVAILABLE");
    assert_eq!(away.header("retry-after"), "1");
    *api.agents.script.lock().unwrap() = Script { panic: true, ..Script::default() };
    invoke().await.is_error(500, "INTERNAL_ERROR");
    *api.agents.script.lock().unwrap() = Script::default();
    let figures = api.get(&format!("/api/v2/agents/{agent}")).await.body["data"].clone();
    assert_eq!(
        (&figures["total_invocations"], &figures["successful_invocations"], &figures["failed_invocations"]),
        (&json!(5), &json!(1), &json!(4))
    );
    assert!(figures["avg_duration_ms"].is_f64());

    let session = api.session(&agent).await;
    api.post(&format!("/api/v2/sessions/{session}/messages"), json!({ "content": "hi" })).await;
    let gone = api.delete(&format!("/api/v2/agents/{agent}?delete_local_files=true")).await;
    let data = enveloped(&gone, 200);
    assert_eq!(keys(data), ["agent_id", "deleted_resources", "errors"]);
    let resources = data["deleted_resources"].to_string();
    for what in ["deployment", "agent_record", "sessions:1", "messages:1"] {
        assert!(resources.contains(what), "{resources}");
    }
    for path in [
        format!("/api/v2/agents/{agent}"),
        format!("/api/v2/sessions/{session}"),
        format!("/api/v2/sessions/{session}/messages"),
    ] {
        api.get(&path).await.is_error(404, "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_cannot_be_asked_says_why() {
    let api = Api::start().await;
    let id = api.project().await;
    let agent = api.build(&id, false).await;
    let refused = api.post(&format!("/api/v2/agents/{agent}/invoke"), json!({ "input_text": "x" })).await;
    refused.is_error(409, "AGENT_NOT_RUNNING");
    assert_eq!(refused.body["error"]["details"]["status"], "offline");
    let session = api.session(&agent).await;
    api.post(&format!("/api/v2/sessions/{session}/stream"), json!({ "content": "x" }))
        .await
        .is_error(409, "AGENT_NOT_RUNNING");
    assert_eq!(api.get(&format!("/api/v2/sessions/{session}")).await.body["data"]["message_count"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invocation_goes_on_without_its_client() {
    let api = Api::start().await;
    let agent = api.agent().await;
    let gate = Arc::new(Semaphore::new(0));
    *api.agents.script.lock().unwrap() = Script { gate: Some(gate.clone()), ..Script::default() };
    let call = api.client.post(api.url(&format!("/api/v2/agents/{agent}/invoke"))).json(&json!({ "input_text": "x" }));
    let left = tokio::time::timeout(Duration::from_millis(300), call.send()).await;
    assert!(left.is_err());
    gate.add_permits(99);
    api.state.tasks.close();
    api.state.tasks.wait().await;
    assert_eq!(api.agents.cancelled.load(Ordering::SeqCst), 0);
    assert_eq!(api.get(&format!("/api/v2/agents/{agent}")).await.body["data"]["successful_invocations"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_and_messages_have_their_shape() {
    let api = Api::start().await;
    let agent = api.agent().await;
    let made = api.send(Method::POST, &format!("/api/v2/agents/{agent}/sessions"), &[], Vec::new()).await;
    let session_keys = [
        "agent_id",
        "created_at",
        "display_name",
        "last_active_at",
        "message_count",
        "metadata",
        "session_id",
        "status",
        "updated_at",
        "user_id",
    ];
    assert_eq!(keys(enveloped(&made, 201)), session_keys);
    let id = made.body["data"]["session_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("sess-") && id.len() == 41);
    assert_eq!(made.header("location"), format!("/api/v2/sessions/{id}"));
    let path = format!("/api/v2/sessions/{id}/messages");
    let text = "What will the weather be like tomorrow in Graz?";
    let file = json!({ "filename": "a.txt", "content_type": "text/plain", "data": "aGVsbG8=" });
    let sent = api.post(&path, json!({ "content": text, "files": [file], "metadata": { "k": 1 } })).await;
    let data = enveloped(&sent, 201);
    assert_eq!(keys(data), ["content", "created_at", "message_id", "metadata", "role", "session_id"]);
    assert_eq!(data["message_id"].as_str().unwrap().len(), 26);
    assert_eq!(data["metadata"]["files"][0]["size"], 5);
    assert!(!sent.text.contains("aGVsbG8="), "the row keeps no file content");
    for n in 0..5 {
        api.post(&path, json!({ "content": format!("m{n}"), "role": "assistant" })).await;
    }
    let newest = api.get(&format!("{path}?limit=2")).await;
    let contents: Vec<_> = newest.body["data"].as_array().unwrap().iter().map(|m| m["content"].clone()).collect();
    assert_eq!(contents, ["m3", "m4"]);
    let before = newest.body["data"][0]["message_id"].as_str().unwrap();
    let older = api.get(&format!("{path}?before={before}&limit=1")).await;
    assert_eq!(older.body["data"][0]["content"], "m2");
    let session = api.get(&format!("/api/v2/sessions/{id}")).await;
    assert_eq!(keys(enveloped(&session, 200)), session_keys);
    assert_eq!(session.body["data"]["message_count"], 6);
    assert_eq!(session.body["data"]["display_name"], "What will the weather be like ...");
    let list = api.get(&format!("/api/v2/agents/{agent}/sessions")).await;
    assert_eq!(keys(&enveloped(&list, 200)[0]), session_keys);
    let gone = api.delete(&format!("/api/v2/sessions/{id}")).await;
    assert_eq!(enveloped(&gone, 200), &json!({ "session_id": id, "deleted_messages_count": 6, "status": "deleted" }));
    api.get(&path).await.is_error(404, "SESSION_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_flat_paths_and_the_small_rules() {
    let api = Api::start().await;
    let root = api.get("/").await;
    assert_eq!(keys(&root.body), ["api_prefix", "docs", "health", "message", "version"]);
    let health = api.get("/health").await;
    assert_eq!(keys(&health.body), ["checks", "sandbox", "service", "status", "version"], "{}", health.text);
    assert_eq!(
        (health.status.as_u16(), &health.body["status"], &health.body["service"]),
        (200, &json!("healthy"), &json!("nexus-ai-api"))
    );
    assert_eq!(keys(&health.body["checks"]), ["plugins", "queue", "sandbox", "store"]);
    assert_eq!(api.get("/health/live").await.status, 200);
    assert_eq!(api.get("/health/ready").await.status, 200);
    let metrics = api.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    let plugins = api.get("/api/v2/plugins").await;
    assert_eq!(enveloped(&plugins, 200), &json!([]));
    assert_eq!(enveloped(&api.post("/api/v2/plugins/reload", json!({})).await, 200)["plugins"], json!([]));
    let system = api.get("/api/v2/system").await;
    for key in ["version", "uptime_seconds", "store", "queues", "tree"] {
        assert!(enveloped(&system, 200).get(key).is_some(), "{key}");
    }

    // HEAD is GET without the body.
    for path in ["/", "/health", "/api/v2/projects", "/api/v2/nothing"] {
        let head = api.send(Method::HEAD, path, &[], Vec::new()).await;
        assert_eq!(head.status, api.get(path).await.status, "{path}");
        assert!(head.text.is_empty());
    }
    // A sane request id is kept, another replaced.
    let kept = api.send(Method::GET, "/api/v2/projects", &[("x-request-id", "my-id_1.2:3")], Vec::new()).await;
    assert_eq!(
        (kept.header("x-request-id"), kept.body["request_id"].as_str().unwrap()),
        ("my-id_1.2:3", "my-id_1.2:3")
    );
    for bad in ["a b", "<script>", &"x".repeat(129), "ä"] {
        let replaced = api.send(Method::GET, "/api/v2/nothing", &[("x-request-id", bad)], Vec::new()).await;
        assert!(replaced.header("x-request-id").starts_with("req_"), "{bad}");
        replaced.is_error(404, "NOT_FOUND");
    }
    let wrong = api.send(Method::DELETE, "/api/v2/projects", &[], Vec::new()).await;
    wrong.is_error(405, "METHOD_NOT_ALLOWED");
    assert_eq!(wrong.header("allow"), "GET, HEAD, POST");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_tells_the_truth_when_the_store_is_away() {
    let api = Api::start().await;
    api.state.store.close().await.unwrap();
    let begun = Instant::now();
    let health = api.get("/health").await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(health.status, 503, "{}", health.text);
    assert_eq!((&health.body["status"], &health.body["checks"]["store"]), (&json!("unhealthy"), &json!("unhealthy")));
    assert_eq!(health.header("retry-after"), "1");
    assert_eq!(api.get("/health/live").await.status, 200);
    // Nothing is promised that was not written, and nobody waits for ever.
    let refused = api.post("/api/v2/projects", json!({ "requirement": "long enough text" })).await;
    refused.is_error(503, "STORE_UNAVAILABLE");
    assert_eq!(refused.header("retry-after"), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_tell_agents_apart_by_names_for_people() {
    let api = Api::start().await;
    let names = async |query: &str| {
        let list = api.get(&format!("/api/v2/agents{query}")).await.body["data"].clone();
        let of = |agent: &serde_json::Value| (agent["agent_id"].to_string(), agent["display_name"].to_string());
        list.as_array().unwrap().iter().map(of).collect::<std::collections::BTreeMap<_, _>>()
    };
    for _ in 0..3 {
        api.agent().await;
    }
    let three = names("").await;
    assert_eq!(three.values().collect::<std::collections::BTreeSet<_>>().len(), 3, "{three:?}");
    assert!(
        three.values().any(|name| name.ends_with(" 2\"")) && three.values().all(|name| !name.contains('_')),
        "{three:?}"
    );
    // More come, a page shows a part: who had a name keeps it.
    api.agent().await;
    assert!(names("?limit=1").await.values().all(|name| name.ends_with(" 4\"")));
    let four = names("").await;
    assert!(three.iter().all(|(id, name)| four[id] == *name), "{three:?} {four:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_consoles_sentence_gives_the_name_and_is_no_part_of_the_requirement() {
    let api = Api::start().await;
    let text = "[项目名称约束: Price Bot] 请务必使用 \"Price Bot\" 作为项目名称，不要更改。\n\nBuild an agent that tells prices.";
    for (name, wanted) in [(None, "Price Bot"), (Some("Mine"), "Mine")] {
        let made = api.post("/api/v2/projects", json!({ "requirement": text, "project_name": name })).await;
        let id = enveloped(&made, 201)["project_id"].as_str().unwrap().to_owned();
        let shown = api.get(&format!("/api/v2/projects/{id}")).await.body["data"].clone();
        assert_eq!(shown["requirement"], "Build an agent that tells prices.");
        assert_eq!(shown["project_name"], wanted);
    }
    // What is left must be a requirement.
    let bare = text.split('\n').next().unwrap();
    api.post("/api/v2/projects", json!({ "requirement": bare })).await.is_error(422, "VALIDATION_ERROR");
}
