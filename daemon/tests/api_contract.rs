//! The shape of every answer, and the faults of the original that must not come back (API.md section 5).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod api_support;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use api_support::{Answer, Api, Script, keys};
use nexus_daemon::domain::failure::{Failure, FailureKind};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

const ENVELOPE: [&str; 5] = ["data", "message", "request_id", "success", "timestamp"];
const STAGE: &[&str] = &[
    "agent_name",
    "agent_output_content",
    "agent_output_s3_ref",
    "attempt",
    "completed_at",
    "design_document",
    "display_name",
    "display_name_en",
    "doc_path",
    "duration_seconds",
    "error_message",
    "generated_files",
    "input_tokens",
    "logs",
    "metrics",
    "output_data",
    "output_tokens",
    "project_id",
    "stage_name",
    "stage_number",
    "started_at",
    "status",
    "tool_calls",
];

fn enveloped(answer: &Answer, status: u16) -> &Value {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(keys(&answer.body), ENVELOPE, "{}", answer.text);
    assert_eq!(answer.body["success"], true);
    assert_eq!(answer.body["request_id"], answer.header("x-request-id"));
    let at = answer.body["timestamp"].as_str().unwrap();
    assert!(at.len() == 27 && at.ends_with('Z') && at.as_bytes()[19] == b'.', "{at}");
    assert!(answer.header("x-process-time").parse::<f64>().unwrap() < 60.0);
    &answer.body["data"]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_have_their_shape_from_birth_to_end() {
    let api = Api::start().await;
    let body = json!({ "requirement": "Build an agent. It tells the weather.", "tags": ["b", "a"], "priority": "5" });
    let created = api.post("/api/v2/projects", body).await;
    let data = enveloped(&created, 201);
    assert_eq!(keys(data), ["message", "project_id", "project_name", "status", "task_id"]);
    assert_eq!((&data["status"], &data["project_name"]), (&json!("queued"), &json!("Build an agent")));
    let id = data["project_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("proj_") && id.len() == 17 && data["task_id"].as_str().unwrap().len() == 17);
    assert_eq!(created.header("location"), format!("/api/v2/projects/{id}"));

    let list = api.get("/api/v2/projects").await;
    assert_eq!(keys(&list.body), ["data", "message", "pagination", "request_id", "success", "timestamp"]);
    assert_eq!(
        keys(&list.body["pagination"]),
        ["has_next", "has_prev", "limit", "next_cursor", "page", "pages", "total"]
    );
    assert_eq!(
        keys(&list.body["data"][0]),
        ["created_at", "current_stage", "progress", "project_id", "project_name", "status", "updated_at"]
    );
    assert!(list.text.contains("\"progress\":0.0"), "{}", list.text);

    let detail = api.get(&format!("/api/v1/projects/{id}/")).await;
    assert_eq!(
        keys(enveloped(&detail, 200)),
        [
            "agent_count",
            "aggregated_metrics",
            "completed_at",
            "control_action_by",
            "control_status",
            "created_at",
            "current_stage",
            "deployment",
            "error_info",
            "last_control_action",
            "metrics",
            "pause_requested_at",
            "priority",
            "progress",
            "project_id",
            "project_name",
            "requirement",
            "resume_from_stage",
            "stages",
            "started_at",
            "status",
            "stop_requested_at",
            "tags",
            "task_id",
            "updated_at",
            "user_id",
            "user_name",
            "workflow",
        ]
    );
    assert_eq!(detail.body["data"]["priority"], 5);
    assert_eq!(detail.body["data"]["user_id"], "anonymous");
    assert_eq!(
        keys(&detail.body["data"]["aggregated_metrics"]),
        [
            "total_cost",
            "total_execution_time",
            "total_input_tokens",
            "total_output_tokens",
            "total_tokens",
            "total_tool_calls",
        ]
    );

    let stages = api.get(&format!("/api/v2/projects/{id}/stages")).await;
    let stages = enveloped(&stages, 200).as_array().unwrap().clone();
    assert_eq!(stages.iter().map(|s| s["stage_name"].as_str().unwrap()).collect::<Vec<_>>(), api_support::STAGES);
    assert_eq!(keys(&stages[0]), STAGE);

    let tasks = api.get(&format!("/api/v2/projects/{id}/tasks")).await;
    let task = enveloped(&tasks, 200)[0].clone();
    let task_keys = [
        "completed_at",
        "created_at",
        "error_message",
        "payload",
        "priority",
        "project_id",
        "result",
        "retry_count",
        "started_at",
        "status",
        "task_id",
        "task_type",
        "updated_at",
        "worker_id",
    ];
    assert_eq!(keys(&task), task_keys);
    let one = api.get(&format!("/api/v2/tasks/{}", task["task_id"].as_str().unwrap())).await;
    assert_eq!(keys(enveloped(&one, 200)), task_keys);
    let all = api.get("/api/v2/tasks?status=queued&task_type=build_agent").await;
    assert_eq!(all.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dashboard_has_real_figures_while_it_runs_and_after() {
    let api = Api::start_with(Arc::new(tempfile::tempdir().unwrap()), |config| {
        let price = nexus_daemon::config::Price { input_usd_per_million: 1e6, output_usd_per_million: 2e6 };
        config.pricing.insert("test-model".to_owned(), price);
    })
    .await;
    let id = api.project().await;
    let path = format!("/api/v2/projects/{id}/build");
    let waiting = api.get(&path).await;
    assert_eq!(
        keys(enveloped(&waiting, 200)),
        [
            "completed_stages",
            "config_summary",
            "error_info",
            "local_project_dir",
            "metrics",
            "progress",
            "project_id",
            "project_name",
            "requirement",
            "stages",
            "status",
            "total_stages",
            "updated_at",
        ]
    );
    assert_eq!(waiting.body["data"]["local_project_dir"], format!("projects/{id}"));
    assert_eq!(
        keys(&waiting.body["data"]["metrics"]),
        [
            "cost_input_usd",
            "cost_output_usd",
            "cost_total_usd",
            "failed_stages",
            "input_tokens",
            "output_tokens",
            "pricing_model",
            "successful_stages",
            "tool_calls",
            "total_duration_seconds",
            "total_tools",
        ]
    );
    assert_eq!(
        keys(&waiting.body["data"]["stages"][0]),
        [
            "artifact_paths",
            "completed_at",
            "display_name",
            "display_name_en",
            "doc_path",
            "duration_seconds",
            "efficiency_rating",
            "error",
            "input_tokens",
            "name",
            "order",
            "output_tokens",
            "started_at",
            "status",
            "tool_calls",
        ]
    );

    // Running stages are shown as running, with the time they have taken.
    let running = api.project().await;
    api.claim(&running).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let shown = api.get(&format!("/api/v2/projects/{running}/build")).await;
    assert_eq!(shown.body["data"]["status"], "building");
    assert_eq!(shown.body["data"]["stages"][0]["status"], "running");
    assert!(shown.body["data"]["stages"][0]["duration_seconds"].as_f64().unwrap() > 0.01, "{}", shown.text);
    assert!(shown.body["data"]["metrics"]["total_duration_seconds"].as_f64().unwrap() > 0.01);
    let stages = api.get(&format!("/api/v2/projects/{running}/stages")).await;
    assert!(stages.body["data"][0]["duration_seconds"].as_f64().unwrap() > 0.01);

    api.build(&id, true).await;
    let done = api.get(&path).await;
    let data = &done.body["data"];
    assert_eq!((&data["status"], &data["progress"]), (&json!("completed"), &json!(100.0)));
    assert_eq!(data["completed_stages"], 3);
    assert_eq!(data["metrics"]["input_tokens"], 30);
    assert_eq!(data["metrics"]["tool_calls"], 6);
    assert_eq!(data["metrics"]["total_tools"], 2);
    assert_eq!(data["metrics"]["cost_input_usd"], 30.0);
    assert_eq!(data["metrics"]["cost_output_usd"], 30.0);
    assert_eq!(data["metrics"]["cost_total_usd"], 60.0);
    assert_eq!(data["metrics"]["pricing_model"], "test-model");
    assert!(data["stages"][2]["duration_seconds"].is_f64(), "{}", done.text);
    let detail = api.get(&format!("/api/v2/projects/{id}")).await;
    assert_eq!(detail.body["data"]["agent_count"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_is_one_machine_and_tells_the_tree() {
    let api = Api::start().await;
    let id = api.project().await;
    let path = format!("/api/v2/projects/{id}/control");
    let act = async |action: &str| api.post(&path, json!({ "action": action, "reason": "because" })).await;

    let refused = act("resume").await;
    refused.is_error(409, "ILLEGAL_TRANSITION");
    assert_eq!(refused.body["error"]["details"]["status"], "queued");
    assert_eq!(refused.body["error"]["details"]["allowed_actions"], json!(["pause", "stop", "cancel"]));

    let paused = act("pause").await;
    let data = enveloped(&paused, 200);
    assert_eq!(keys(data), ["control_status", "project_id", "status", "task_id"]);
    assert_eq!((&data["status"], &data["control_status"]), (&json!("paused"), &json!("paused")));
    let resumed = act("resume").await;
    assert_eq!(resumed.body["data"]["status"], "queued");
    assert!(resumed.body["data"]["task_id"].as_str().unwrap().starts_with("task_"));
    api.claim(&id).await;
    let pausing = act("pause").await;
    assert_eq!(
        (&pausing.body["data"]["status"], &pausing.body["data"]["control_status"]),
        (&json!("building"), &json!("paused"))
    );
    assert_eq!(act("stop").await.body["data"]["status"], "cancelled");
    let unknown = api.post(&path, json!({ "action": "restart", "from_stage": "nothing" })).await;
    unknown.is_error(422, "VALIDATION_ERROR");
    assert_eq!(unknown.body["detail"][0]["loc"], json!(["body", "from_stage"]));
    let restarted = api.post(&path, json!({ "action": "restart", "from_stage": "maker" })).await;
    assert_eq!(restarted.status, 200, "{}", restarted.text);
    let calls = api.recorder.calls.lock().unwrap().clone();
    let actions: Vec<&str> = calls.iter().map(|c| c.split(' ').next().unwrap()).collect();
    assert_eq!(actions, ["pause", "resume", "pause", "stop", "restart"]);
    assert!(calls[3].contains("task_"), "the owner of a running build is named: {calls:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_true_and_filters_apply_before_them() {
    let api = Api::start().await;
    for n in 0..25 {
        let user = if n % 5 == 0 { "eve" } else { "bob" };
        let body = json!({ "requirement": format!("Agent number {n} does things"), "user_id": user, "tags": [format!("t{}", n % 2)] });
        assert_eq!(api.post("/api/v2/projects", body).await.status, 201);
    }
    let first = api.get("/api/v2/projects?limit=10").await;
    let page = &first.body["pagination"];
    assert_eq!(
        (&page["total"], &page["pages"], &page["has_next"], &page["has_prev"]),
        (&json!(25), &json!(3), &json!(true), &json!(false))
    );
    assert!(first.body["data"][0]["project_name"].as_str().unwrap().contains("24"), "newest first");
    let eves = api.get("/api/v2/projects?limit=3&user_id=eve&page=2").await;
    assert_eq!(eves.body["pagination"]["total"], 5);
    assert_eq!(eves.body["data"].as_array().unwrap().len(), 2);
    assert_eq!(eves.body["pagination"]["has_next"], false);
    let tagged = api.get("/api/v2/projects?tag=t1&q=NUMBER%2011").await;
    assert_eq!(tagged.body["pagination"]["total"], 1, "{}", tagged.text);
    let beyond = api.get("/api/v2/projects?page=1000000").await;
    assert_eq!((beyond.status.as_u16(), beyond.body["data"].as_array().unwrap().len()), (200, 0));
    // The cursor walks all of them once.
    let (mut seen, mut path) = (Vec::new(), "/api/v2/projects?limit=7".to_owned());
    loop {
        let page = api.get(&path).await;
        seen.extend(page.body["data"].as_array().unwrap().iter().map(|p| p["project_id"].to_string()));
        let Some(cursor) = page.body["pagination"]["next_cursor"].as_str() else { break };
        path = format!("/api/v2/projects?limit=7&cursor={cursor}");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 25);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_row_does_not_make_every_list_an_error() {
    let api = Api::start().await;
    let (good, bad) = (api.project().await, api.project().await);
    let file = api.state.config.load().data.database();
    let harm = rusqlite::Connection::open(file).unwrap();
    harm.execute("UPDATE nexus_projects SET created_at = 'long ago' WHERE project_id = ?1", [bad.as_str()]).unwrap();
    let list = api.get("/api/v2/projects").await;
    assert_eq!(list.status, 200, "{}", list.text);
    assert!(list.text.contains(good.as_str()));
    let one = api.get(&format!("/api/v2/projects/{bad}")).await;
    assert!(one.status.as_u16() == 500 || one.status == 200);
    if one.status == 500 {
        one.is_error(500, "INTERNAL_ERROR");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_shown_and_nothing_beside_them() {
    let api = Api::start().await;
    let id = api.project().await;
    let root = api.state.project_root.join(id.as_str());
    std::fs::create_dir_all(root.join("agent/tools")).unwrap();
    std::fs::write(root.join("agent/main.py"), "print('hi')\n").unwrap();
    std::fs::write(root.join("agent/config.json"), r#"{"a": 1}"#).unwrap();
    std::fs::write(root.join("with space ä.md"), "# ä").unwrap();
    std::fs::write(root.join("workflow_report.md"), "# done").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.join("agent/passwd")).unwrap();
    std::os::unix::fs::symlink("/etc", root.join("agent/etc")).unwrap();
    let list = api.get(&format!("/api/v2/projects/{id}/files")).await;
    let data = enveloped(&list, 200);
    assert_eq!(data["project_path"], format!("projects/{id}"));
    let paths: Vec<_> = data["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["agent/config.json", "agent/main.py", "with space ä.md", "workflow_report.md"]);
    assert_eq!(keys(&data["files"][0]), ["modified_at", "name", "path", "size", "type"]);
    let one = api.get(&format!("/api/v2/projects/{id}/files/agent/config.json")).await;
    let data = enveloped(&one, 200);
    assert_eq!(keys(data), ["content", "filename", "parsed_content", "path", "size", "truncated", "type"]);
    assert_eq!(data["parsed_content"], json!({ "a": 1 }));
    assert_eq!(
        api.get(&format!("/api/v2/projects/{id}/files/with%20space%20%C3%A4.md")).await.body["data"]["content"],
        "# ä"
    );
    for path in [
        "agent/passwd",
        "agent/etc/passwd",
        "agent",
        "../../nexus.db",
        "..%2f..%2fnexus.db",
        "agent%2f..%2f..%2f..%2fnexus.db",
    ] {
        api.get(&format!("/api/v2/projects/{id}/files/{path}")).await.is_error(404, "");
    }
    let report = api.get(&format!("/api/v2/projects/{id}/workflow-report")).await;
    assert_eq!(keys(enveloped(&report, 200)), ["content", "exists", "path"]);
    assert_eq!(report.body["data"]["content"], "# done");
    let none = api.get(&format!("/api/v2/projects/{id}/stage-docs/plan")).await;
    assert_eq!(keys(enveloped(&none, 200)), ["content", "exists", "parsed_content", "path", "source", "stage_name"]);
    assert_eq!(none.body["data"]["exists"], false);
    api.build(&id, false).await;
    let doc = api.get(&format!("/api/v2/projects/{id}/stage-docs/maker")).await;
    assert_eq!(doc.body["data"]["stage_name"], "make");
    assert_eq!(doc.body["data"]["content"], "# make");
}

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
    let gone = api.delete(&format!("/api/v2/projects/{id}?delete_agents=true")).await;
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
    assert_eq!(api.delete(&format!("/api/v2/projects/{id}")).await.status, 200);
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
async fn a_client_that_leaves_cancels_its_invocation() {
    let api = Api::start().await;
    let agent = api.agent().await;
    *api.agents.script.lock().unwrap() = Script { gate: Some(Arc::new(Semaphore::new(0))), ..Script::default() };
    let call = api.client.post(api.url(&format!("/api/v2/agents/{agent}/invoke"))).json(&json!({ "input_text": "x" }));
    let left = tokio::time::timeout(Duration::from_millis(300), call.send()).await;
    assert!(left.is_err());
    let mut cancelled = 0;
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        cancelled = api.agents.cancelled.load(Ordering::SeqCst);
        if cancelled > 0 {
            break;
        }
    }
    assert_eq!(cancelled, 1);
    api.state.tasks.close();
    api.state.tasks.wait().await;
    assert_eq!(api.get(&format!("/api/v2/agents/{agent}")).await.body["data"]["failed_invocations"], 1);
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
    assert_eq!(keys(&health.body), ["checks", "service", "status", "version"], "{}", health.text);
    assert_eq!(
        (health.status.as_u16(), &health.body["status"], &health.body["service"]),
        (200, &json!("healthy"), &json!("nexus-ai-api"))
    );
    assert_eq!(keys(&health.body["checks"]), ["plugins", "queue", "store"]);
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
