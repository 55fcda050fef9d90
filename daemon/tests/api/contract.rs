//! The shape of every answer, and the faults of the original that must not come back (API.md section 5).

use std::{sync::Arc, time::Duration};

use serde_json::json;

use crate::support::api::{Api, enveloped, keys};

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
            "acceptance",
            "agent_count",
            "agent_id",
            "aggregated_metrics",
            "budget",
            "completed_at",
            "control_action_by",
            "control_status",
            "coverage",
            "created_at",
            "current_stage",
            "deployment",
            "error_info",
            "last_control_action",
            "metrics",
            "not_served",
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
    assert_eq!(
        stages.iter().map(|s| s["stage_name"].as_str().unwrap()).collect::<Vec<_>>(),
        crate::support::api::STAGES
    );
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
        let price = nexus_daemon::config::Price {
            input_usd_per_million: 1e6,
            output_usd_per_million: 2e6,
            ..Default::default()
        };
        config.pricing.insert("test-model".to_owned(), price);
    })
    .await;
    let id = api.project().await;
    let path = format!("/api/v2/projects/{id}/build");
    let waiting = api.get(&path).await;
    assert_eq!(
        keys(enveloped(&waiting, 200)),
        [
            "alerts",
            "completed_stages",
            "config_summary",
            "error_info",
            "latest_task",
            "local_project_dir",
            "metrics",
            "progress",
            "progress_percentage",
            "project_id",
            "project_name",
            "requirement",
            "resources",
            "stages",
            "status",
            "total_stages",
            "updated_at",
            "workflow_graph_edges",
            "workflow_graph_nodes",
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

    let data = &waiting.body["data"];
    assert_eq!((&data["metrics"]["input_tokens"], &data["stages"][0]["output_tokens"]), (&json!(null), &json!(null)));
    let nodes = data["workflow_graph_nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    for edge in data["workflow_graph_edges"].as_array().unwrap() {
        let known = |end: &str| nodes.iter().any(|node| node["id"] == edge[end]);
        assert!(known("source") && known("target"), "{edge}");
    }

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
    let agents = api.get(&format!("/api/v2/agents?project_id={id}")).await;
    assert_eq!(detail.body["data"]["agent_id"], agents.body["data"][0]["agent_id"], "{}", agents.text);
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
async fn a_name_that_is_a_path_names_no_folder() {
    let api = Api::start().await;
    for name in ["../../../etc/cron.d/x", "/etc/passwd", "..", "a\\..\\b"] {
        let body = json!({ "requirement": "long enough text", "project_name": name });
        let id = api.post("/api/v2/projects", body).await.body["data"]["project_id"].as_str().unwrap().to_owned();
        let build = api.get(&format!("/api/v2/projects/{id}/build")).await;
        assert_eq!(build.body["data"]["project_name"], name);
        assert_eq!(build.body["data"]["local_project_dir"], format!("projects/{id}"));
        let files = api.get(&format!("/api/v2/projects/{id}/files")).await;
        assert_eq!(files.body["data"]["files"], json!([]));
        assert_eq!(api.delete(&format!("/api/v2/projects/{id}")).await.body["data"]["errors"], json!([]));
    }
}
