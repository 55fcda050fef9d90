//! The flat paths (workflow, auth), settings and workflow files, and statistics.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{Api, enveloped, keys};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

#[tokio::test]
async fn workflow_paths_are_the_one_machine_in_other_words() {
    let api = Api::start().await;
    let project = api.project().await;
    let at = |path: &str| format!("/api/v2/workflow/{project}/{path}");
    let paused = api.post(&at("pause"), json!({ "reason": "lunch" })).await;
    assert_eq!(paused.status, 200, "{}", paused.text);
    assert_eq!(keys(&paused.body), ["control_status", "message", "project_id", "success", "timestamp"]);
    assert_eq!(paused.body["control_status"], "paused");
    // What `/control` would say.
    let again = api.post(&at("pause"), json!({})).await;
    again.is_error(409, "ILLEGAL_TRANSITION");
    assert_eq!(again.body["error"]["details"]["status"], "paused");
    // Without any body.
    let resumed = api.send(Method::POST, &at("resume"), &[], Vec::new()).await;
    assert_eq!((resumed.status.as_u16(), &resumed.body["control_status"]), (200, &json!("running")));
    assert_eq!(api.post(&at("stop"), json!({})).await.body["control_status"], "stopped");
    api.post(&at("restart"), json!({ "from_stage": "nothing" })).await.is_error(422, "VALIDATION_ERROR");
    api.post(&at("restart"), json!({ "clear_subsequent": false })).await.is_error(422, "VALIDATION_ERROR");
    // By an old name of a stage.
    let restarted = api.post(&at("restart"), json!({ "from_stage": "maker", "clear_subsequent": true })).await;
    assert_eq!(restarted.status, 200, "{}", restarted.text);
    assert_eq!(api.get(&format!("/api/v2/projects/{project}")).await.body["data"]["status"], "queued");
    for verb in ["pause", "resume", "stop", "restart"] {
        let unknown = api.post(&format!("/api/v2/workflow/proj_none/{verb}"), json!({})).await;
        unknown.is_error(404, "PROJECT_NOT_FOUND");
    }
}

#[tokio::test]
async fn workflow_paths_show_what_a_build_did() {
    let api = Api::start().await;
    let project = api.project().await;
    api.build(&project, false).await;
    let at = |path: &str| format!("/api/v2/workflow/{project}/{path}");
    let status = api.get(&at("status")).await.body;
    assert_eq!(
        keys(&status),
        [
            "aggregated_metrics",
            "completed_stages",
            "control_status",
            "current_stage",
            "failed_stages",
            "pending_stages",
            "project_id",
            "project_name",
            "status",
        ]
    );
    assert_eq!(status["completed_stages"], json!(["plan", "make", "check"]));
    assert_eq!((&status["pending_stages"], &status["aggregated_metrics"]["total_tokens"]), (&json!([]), &json!(45)));
    let stage = api.get(&at("stages/maker")).await.body;
    assert_eq!(
        keys(&stage),
        ["completed_at", "error_message", "metrics", "project_id", "stage_name", "started_at", "status"]
    );
    assert_eq!((&stage["stage_name"], &stage["metrics"]["total_tokens"]), (&json!("make"), &json!(15)));
    let output = api.get(&at("stages/make/output")).await.body;
    assert_eq!(
        keys(&output),
        ["content", "document_content", "document_format", "generated_files", "project_id", "stage_name"]
    );
    assert_eq!((&output["content"], &output["document_format"]), (&json!("# make"), &json!("markdown")));
    let metrics = api.get(&at("metrics")).await.body;
    assert_eq!(
        keys(&metrics["stage_metrics"]["plan"]),
        ["execution_time_seconds", "input_tokens", "model_id", "output_tokens", "tool_calls_count", "total_tokens"]
    );
    assert_eq!(metrics["stage_metrics"]["plan"]["model_id"], "test-model");
    let files = api.get(&at("files?stage_name=make")).await.body;
    assert_eq!((keys(&files), &files["total_count"]), (vec!["files", "project_id", "total_count"], &json!(0)));
    let folder = api.state.project_root.join(project.as_str());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.json"), "{\"x\": 1}").unwrap();
    assert_eq!(api.get(&at("files/a.json")).await.body["parsed_content"], json!({ "x": 1 }));
    for path in
        ["stages/none", "stages/none/output", "files/none", "files/..%2f..%2fetc%2fpasswd", "files?stage_name=no"]
    {
        assert_eq!(api.get(&at(path)).await.status, 404, "{path}");
    }
    assert_eq!(api.get(&at("nothing")).await.status, 404);
    let wrong = api.send(Method::DELETE, &at("pause"), &[], Vec::new()).await;
    wrong.is_error(405, "METHOD_NOT_ALLOWED");
    assert!(wrong.header("allow").contains("POST"));
}

#[tokio::test]
async fn any_login_succeeds_and_says_so() {
    let api = Api::start().await;
    let login = api.post("/api/v2/auth/login", json!({ "username": "anna", "password": "x" })).await;
    assert_eq!(login.status, 200, "{}", login.text);
    let token = login.body["access_token"].as_str().unwrap();
    assert_eq!((&login.body["token_type"], &login.body["auth"]), (&json!("bearer"), &json!("none")));
    assert_eq!(login.header("set-cookie"), format!("access_token={token}; HttpOnly; Path=/; SameSite=lax"));
    let cookie = format!("access_token={token}");
    for header in [("authorization", format!("Bearer {token}")), ("cookie", cookie)] {
        for path in ["/api/v2/auth/me", "/api/v2/auth/check"] {
            let me = api.send(Method::GET, path, &[(header.0, header.1.as_str())], Vec::new()).await;
            assert_eq!((&me.body["username"], &me.body["authenticated"]), (&json!("anna"), &json!(true)));
        }
    }
    assert_eq!(api.get("/api/v2/auth/me").await.body["username"], "anonymous");
    let out = api.send(Method::POST, "/api/v2/auth/logout", &[], Vec::new()).await;
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    api.post("/api/v2/auth/login", json!({ "username": "anna" })).await.is_error(422, "VALIDATION_ERROR");
    api.post("/api/v2/auth/login", json!({ "username": " ", "password": "x" })).await.is_error(422, "VALIDATION_ERROR");
}

const WORKFLOW: &str = "name = \"mine\"\n[[stages]]\nname = \"one\"\nhandler = \"a/b\"\n";

async fn put(api: &Api, file: &str, text: &str) -> crate::support::api::Answer {
    let body = json!({ "raw_content": text }).to_string().into_bytes();
    api.send(Method::PUT, &format!("/api/v2/config/{file}"), &JSON, body).await
}

#[tokio::test]
async fn workflow_files_are_changed_and_come_back() {
    let api = Api::start().await;
    let listed = api.get("/api/v2/config").await;
    assert_eq!(enveloped(&listed, 200)["files"][0]["path"], "shipped/agent_build.toml");
    let shipped = api.get("/api/v2/config/agent_build.toml").await;
    assert_eq!(shipped.body["data"]["content"]["name"], "agent_build");
    let changed = put(&api, "mine.toml", WORKFLOW).await;
    assert_eq!(enveloped(&changed, 200)["raw_content"], WORKFLOW);
    let second = format!("{WORKFLOW}optional = true\n");
    assert_eq!(put(&api, "mine.toml", &second).await.status, 200);
    let restore = "/api/v2/config/mine.toml/restore";
    assert_eq!(api.post(restore, json!({})).await.status, 200);
    assert_eq!(api.get("/api/v2/config/mine.toml").await.body["data"]["raw_content"], WORKFLOW);
    assert_eq!(api.post(restore, json!({})).await.status, 200);
    assert_eq!(api.get("/api/v2/config/mine.toml").await.body["data"]["raw_content"], second);
    api.post("/api/v2/config/other.toml/restore", json!({})).await.is_error(409, "NO_PREVIOUS_VERSION");
    api.get("/api/v2/config/other.toml").await.is_error(404, "FILE_NOT_FOUND");
}

#[tokio::test]
async fn a_broken_workflow_file_changes_nothing() {
    let api = Api::start().await;
    for (text, word) in [
        ("name = ", "line 1"),
        ("name = \"x\"", "stages"),
        ("name = \"x\"\n[[stages]]\nname = \"a\"\nhandler = \"a/b\"\nprerequisites = [\"b\"]", "line 5"),
        ("name = \"x\"\n[[stages]]\nname = \"a\"\nhandler = \"a/b\"\noptions = { api_key = \"***\" }", "masked"),
    ] {
        let refused = put(&api, "mine.toml", text).await;
        refused.is_error(422, "VALIDATION_ERROR");
        assert!(refused.text.contains(word), "{word}: {}", refused.text);
        if word != "masked" {
            let body = json!({ "raw_content": text });
            let verdict = api.post("/api/v2/config/mine.toml/validate", body).await;
            assert_eq!(
                (&verdict.body["data"]["valid"], &verdict.body["data"]["parsed"]),
                (&json!(false), &Value::Null)
            );
            let told = verdict.body["data"]["error"].as_str().unwrap_or_default();
            assert!(told.contains(word), "{}", verdict.text);
            assert!(verdict.body["data"]["problems"][0]["message"].is_string(), "{}", verdict.text);
        }
    }
    for name in ["..%2fmine.toml", ".mine.toml", "mine.txt", "a%00.toml", "%2fetc%2fpasswd"] {
        assert_eq!(put(&api, name, WORKFLOW).await.status, 404, "{name}");
        assert_eq!(api.get(&format!("/api/v2/config/{name}")).await.status, 404, "{name}");
    }
    let good = api.post("/api/v2/config/mine.toml/validate", json!({ "raw_content": WORKFLOW })).await;
    assert_eq!((&good.body["data"]["valid"], &good.body["data"]["parsed"]["name"]), (&json!(true), &json!("mine")));
    assert!(!api.data.path().join("workflows/mine.toml").exists());
}

#[tokio::test]
async fn what_the_daemon_refuses_is_as_before() {
    let api = Api::start().await;
    assert_eq!(put(&api, "mine.toml", WORKFLOW).await.status, 200);
    *api.recorder.refuses.lock().unwrap() = Some("stage `one` wants a/b\n  --> /somewhere/secret.toml:1".to_owned());
    let refused = put(&api, "mine.toml", &format!("{WORKFLOW}optional = true\n")).await;
    refused.is_error(409, "CONFIG_REFUSED");
    assert!(refused.text.contains("wants a/b") && !refused.text.contains("secret.toml"), "{}", refused.text);
    assert_eq!(api.get("/api/v2/config/mine.toml").await.body["data"]["raw_content"], WORKFLOW);
}

#[tokio::test]
async fn secrets_of_the_settings_are_masked() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let file = data.path().join("nexusd.toml");
    std::fs::write(&file, "[plugins.x]\nkey = \"hush-hush\"\n[server]\nmax_connections = 7\n").unwrap();
    let api = Api::start_settings(data, file).await;
    let shown = api.get("/api/v2/config/nexusd.toml").await;
    assert_eq!(shown.body["data"]["content"]["server"]["max_connections"], 7);
    assert!(!shown.text.contains("hush-hush"), "{}", shown.text);
    put(&api, "nexusd.toml", WORKFLOW).await.is_error(409, "NOT_CHANGEABLE");
}

#[tokio::test]
async fn statistics_are_counted_and_every_day_is_there() {
    let api = Api::start().await;
    let empty = api.get("/api/v2/statistics/overview").await;
    assert_eq!(
        keys(enveloped(&empty, 200)),
        [
            "avg_build_time_minutes",
            "building_projects",
            "completed_projects",
            "failed_projects",
            "running_agents",
            "success_rate",
            "today_invocations",
            "total_agents",
            "total_invocations",
            "total_projects",
        ]
    );
    assert_eq!(empty.body["data"]["success_rate"].to_string(), "0.0");
    let agent = api.agent().await;
    api.project().await;
    for _ in 0..3 {
        assert_eq!(api.post(&format!("/api/v2/agents/{agent}/invoke"), json!({ "input_text": "q" })).await.status, 200);
    }
    let overview = api.get("/api/v2/statistics/overview").await.body["data"].clone();
    assert_eq!((&overview["total_projects"], &overview["completed_projects"]), (&json!(2), &json!(1)));
    assert_eq!((&overview["running_agents"], &overview["today_invocations"]), (&json!(1), &json!(3)));
    let builds = api.get("/api/v2/statistics/builds?days=90").await;
    let days = enveloped(&builds, 200).as_array().unwrap().clone();
    assert_eq!(days.len(), 90);
    assert_eq!(keys(&days[0]), ["avg_duration_minutes", "date", "failed_builds", "successful_builds", "total_builds"]);
    assert_eq!((&days[89]["total_builds"], &days[0]["total_builds"]), (&json!(1), &json!(0)));
    let asked = api.get("/api/v2/statistics/invocations").await.body["data"].clone();
    assert_eq!((asked.as_array().unwrap().len(), &asked[6]["total_invocations"]), (7, &json!(3)));
    let categories = api.get("/api/v2/statistics/agent-categories").await.body["data"].clone();
    assert_eq!(categories, json!([{ "category": "general", "count": 1 }]));
    let top = api.get("/api/v2/statistics/top-agents?limit=1").await.body["data"].clone();
    assert_eq!((&top[0]["agent_id"], &top[0]["total_invocations"]), (&json!(agent.as_str()), &json!(3)));
    let recent = api.get("/api/v2/statistics/recent-activities?limit=100").await.body["data"].clone();
    assert_eq!(keys(&recent[0]), ["action", "id", "invocation_id", "name", "status", "timestamp", "type"]);
    assert_eq!(recent[0]["action"], "invoked");
    let health = api.get("/api/v2/statistics/system-health").await.body["data"].clone();
    assert_eq!((&health["status"], &health["active_agents"]), (&json!("healthy"), &json!(1)));
    for bad in
        ["builds?days=0", "builds?days=91", "invocations?days=x", "top-agents?limit=0", "recent-activities?limit=101"]
    {
        api.get(&format!("/api/v2/statistics/{bad}")).await.is_error(422, "VALIDATION_ERROR");
    }
    // Figures outlive the daemon and do not change by it.
    let data = api.stop().await;
    let api = Api::start_with(data, |_| {}).await;
    assert_eq!(api.get("/api/v2/statistics/overview").await.body["data"], overview);
    api.state.store.close().await.unwrap();
    let health = api.get("/api/v2/statistics/system-health").await.body["data"].clone();
    assert_eq!((&health["status"], &health["database"]), (&json!("critical"), &json!("unhealthy")));
    api.get("/api/v2/statistics/overview").await.is_error(503, "STORE_UNAVAILABLE");
}
