//! What an agent is made of, what people change of it, and files for its sessions.

use std::{path::PathBuf, sync::Arc};

use nexus_daemon::domain::ids::AgentId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{Answer, Api, Frames, enveloped, keys};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

async fn put(api: &Api, path: &str, body: Value) -> Answer {
    api.send(Method::PUT, path, &JSON, body.to_string().into_bytes()).await
}

/// A running agent with files, and its folder.
async fn with_files(api: &Api) -> (AgentId, PathBuf) {
    let project = api.project().await;
    let agent = api.build(&project, true).await;
    let folder = api.state.project_root.join(project.as_str()).join("agent");
    std::fs::create_dir_all(folder.join("tools")).unwrap();
    std::fs::write(folder.join("main.py"), "x = 1\n").unwrap();
    std::fs::write(folder.join("prompt.md"), "# Be kind\n").unwrap();
    std::fs::write(folder.join("tools/now.py"), "def now():\n    return 1\n").unwrap();
    std::fs::write(folder.join("tools/__init__.py"), "").unwrap();
    (agent, folder)
}

#[tokio::test]
async fn files_are_shown_whole_or_by_part() {
    let api = Api::start().await;
    let (agent, _) = with_files(&api).await;
    let at = |path: &str| format!("/api/v2/agents/{agent}/files{path}");
    let all = api.get(&at("")).await;
    let data = enveloped(&all, 200);
    assert_eq!(keys(data), ["agent_id", "agent_name", "code_file", "prompt_file", "tool_files"]);
    assert_eq!(keys(&data["code_file"]), ["checksum", "content", "exists", "language", "name", "path", "size"]);
    assert_eq!((&data["code_file"]["content"], &data["code_file"]["language"]), (&json!("x = 1\n"), &json!("python")));
    assert_eq!(data["prompt_file"]["path"], "prompt.md");
    assert_eq!(data["tool_files"].as_array().unwrap().len(), 1);
    let bare = api.get(&at("?include_content=false")).await.body["data"].clone();
    assert_eq!((&bare["code_file"]["content"], &bare["code_file"]["size"]), (&Value::Null, &json!(6)));
    // The bare file, and the bare list.
    assert_eq!(api.get(&at("/code")).await.body["data"], data["code_file"]);
    assert_eq!(api.get(&at("/prompt")).await.body["data"], data["prompt_file"]);
    assert_eq!(api.get(&at("/tools")).await.body["data"], data["tool_files"]);
    // Without its files an agent still has a record.
    let bare = api.agent().await;
    let gone = api.get(&format!("/api/v2/agents/{bare}/files")).await.body["data"].clone();
    assert_eq!((&gone["code_file"]["exists"], &gone["tool_files"]), (&json!(false), &json!([])));
    for path in ["", "/code", "/prompt", "/tools"] {
        api.get(&format!("/api/v2/agents/agent_none/files{path}")).await.is_error(404, "AGENT_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_change_is_checked_kept_and_takes_effect() {
    let api = Api::start().await;
    let (agent, folder) = with_files(&api).await;
    let at = |path: &str| format!("/api/v2/agents/{agent}/files/{path}");
    let changed = put(&api, &at("code"), json!({ "content": "x = 2\n", "file_type": "python" })).await;
    let data = enveloped(&changed, 200).clone();
    assert_eq!(keys(&data), ["agent_id", "file", "path", "redeploy_task_id", "versions"]);
    assert_eq!(data["path"], "main.py");
    assert_eq!((data["versions"].as_array().unwrap().len(), &data["redeploy_task_id"]), (1, &Value::Null));
    assert_eq!(std::fs::read_to_string(folder.join("main.py")).unwrap(), "x = 2\n");
    // What is broken is refused with its place, and changes nothing.
    for (path, content, place) in
        [("code", "x = 1\ndef f(:\n", "line 2"), ("tools/now", "return 1", "line 1"), ("code", "a\u{0}b", "NUL")]
    {
        let refused = put(&api, &at(path), json!({ "content": content })).await;
        refused.is_error(422, "VALIDATION_ERROR");
        assert!(refused.text.contains(place), "{place}: {}", refused.text);
    }
    assert_eq!(std::fs::read_to_string(folder.join("main.py")).unwrap(), "x = 2\n");
    // Two who change at the same time.
    let checksum = data["file"]["checksum"].as_str().unwrap();
    let mine = json!({ "content": "x = 3\n", "expected_checksum": checksum });
    assert_eq!(put(&api, &at("code"), mine.clone()).await.status, 200);
    put(&api, &at("code"), mine).await.is_error(409, "FILE_CHANGED");
    // A new tool, and the agent deployed again.
    let added = put(&api, &at("tools/later"), json!({ "content": "y = 1\n", "redeploy": true })).await;
    let task = enveloped(&added, 200)["redeploy_task_id"].as_str().unwrap().to_owned();
    assert_eq!(api.get(&format!("/api/v2/tasks/{task}")).await.body["data"]["task_type"], "deploy_agent");
    assert_eq!(api.get(&format!("/api/v2/agents/{agent}")).await.body["data"]["status"], "deploying");
    assert!(folder.join("tools/later.py").is_file());
    let again = put(&api, &at("prompt"), json!({ "content": "new", "redeploy": true })).await;
    again.is_error(409, "ILLEGAL_TRANSITION");
    // Refused as a whole.
    assert_eq!(std::fs::read_to_string(folder.join("prompt.md")).unwrap(), "# Be kind\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_change_the_same_content_one_wins() {
    let api = Api::start().await;
    let (agent, _) = with_files(&api).await;
    let path = format!("/api/v2/agents/{agent}/files/prompt");
    let shown = api.get(&path).await.body["data"]["checksum"].clone();
    let bodies: Vec<_> = (0..16).map(|n| json!({ "content": format!("# {n}"), "expected_checksum": shown })).collect();
    let answers = futures::future::join_all(bodies.into_iter().map(|body| put(&api, &path, body))).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.status == 409));
}

#[tokio::test]
async fn what_a_state_or_a_target_does_not_allow_changes_nothing() {
    let api = Api::start().await;
    let (agent, folder) = with_files(&api).await;
    let path = format!("/api/v2/agents/{agent}");
    put(&api, &format!("{path}/files/code"), json!({ "content": "x = 2\n", "redeploy": true })).await;
    let refused = put(&api, &path, json!({ "agent_name": "other", "status": "offline" })).await;
    refused.is_error(409, "ILLEGAL_TRANSITION");
    assert_eq!(refused.body["error"]["details"], json!({ "status": "deploying", "allowed": ["error"] }));
    assert_eq!(api.get(&path).await.body["data"]["agent_name"], "weather");

    api.send(Method::PUT, &format!("{path}/status?status=error"), &[], Vec::new()).await;
    let mut config = (**api.state.config.load()).clone();
    config.deploy.targets.clear();
    api.state.config.store(Arc::new(config));
    put(&api, &path, json!({ "status": "running" })).await.is_error(409, "TARGET_NOT_CONFIGURED");
    let body = json!({ "content": "x = 3\n", "redeploy": true });
    put(&api, &format!("{path}/files/code"), body).await.is_error(409, "TARGET_NOT_CONFIGURED");
    assert_eq!(std::fs::read_to_string(folder.join("main.py")).unwrap(), "x = 2\n");
    // There is nothing to take out of service but the record.
    let offline = put(&api, &path, json!({ "status": "offline" })).await;
    assert_eq!(enveloped(&offline, 200)["status"], "offline");
}

#[tokio::test]
async fn an_agent_whose_project_is_gone_is_edited_and_starts_anew() {
    let api = Api::start().await;
    let (agent, folder) = with_files(&api).await;
    std::fs::write(folder.join("manifest.json"), r#"{"display_name": "Weather!", "model_id": "m1"}"#).unwrap();
    let path = format!("/api/v2/agents/{agent}");
    let project = api.get(&path).await.body["data"]["project_id"].as_str().unwrap().to_owned();
    assert_eq!(api.delete(&format!("/api/v2/projects/{project}?delete_agents=false")).await.status, 200);
    assert!(!folder.exists());
    let context = api.get(&format!("{path}/context")).await.body["data"].clone();
    assert_eq!((&context["display_name"], &context["runtime_model_id"]), (&json!("Weather of the day"), &json!("m1")));
    let changed = put(&api, &format!("{path}/files/code"), json!({ "content": "x = 9\n", "redeploy": true })).await;
    assert_eq!(enveloped(&changed, 200)["redeploy_task_id"], Value::Null);
    assert_eq!(api.agents.asked.lock().unwrap().last().unwrap()["op"], "undeploy");
    assert_eq!(api.get(&path).await.body["data"]["status"], "running");
    let shown = api.get(&format!("{path}/files/code")).await;
    assert_eq!(shown.body["data"]["content"], "x = 9\n");
}

#[tokio::test]
async fn only_the_last_versions_are_kept() {
    let api = Api::start().await;
    let (agent, _) = with_files(&api).await;
    let path = format!("/api/v2/agents/{agent}/files/prompt");
    let mut kept = 0;
    for number in 0..25 {
        let changed = put(&api, &path, json!({ "content": format!("# {number}") })).await;
        kept = enveloped(&changed, 200)["versions"].as_array().unwrap().len();
    }
    assert_eq!(kept, 20);
}

#[tokio::test]
async fn no_path_leads_out_of_the_agents_folder() {
    let api = Api::start().await;
    let (agent, folder) = with_files(&api).await;
    let outside = folder.parent().unwrap().parent().unwrap().join("outside.py");
    std::fs::write(&outside, "secret = 1\n").unwrap();
    for name in ["..%2f..%2fx", "%2fetc%2fx", "a%2fb", ".hidden", "__init__", "a%00b", "a b", "n\u{e4}m"] {
        let path = format!("/api/v2/agents/{agent}/files/tools/{name}");
        assert_eq!(put(&api, &path, json!({ "content": "x = 1" })).await.status, 404, "{name}");
    }
    // Links that lead out: neither read nor followed when written.
    std::fs::remove_file(folder.join("main.py")).unwrap();
    std::os::unix::fs::symlink(&outside, folder.join("main.py")).unwrap();
    let shown = api.get(&format!("/api/v2/agents/{agent}/files/code")).await;
    assert!(!shown.text.contains("secret"), "{}", shown.text);
    let _ = put(&api, &format!("/api/v2/agents/{agent}/files/code"), json!({ "content": "x = 1\n" })).await;
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "secret = 1\n");
    std::fs::remove_dir_all(folder.join("tools")).unwrap();
    std::os::unix::fs::symlink(outside.parent().unwrap(), folder.join("tools")).unwrap();
    let refused =
        put(&api, &format!("/api/v2/agents/{agent}/files/tools/outside"), json!({ "content": "x = 1\n" })).await;
    refused.is_error(409, "FILE_NOT_WRITABLE");
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "secret = 1\n");
}

#[tokio::test]
async fn an_agent_is_changed_and_its_state_acts() {
    let api = Api::start().await;
    let (agent, _) = with_files(&api).await;
    let path = format!("/api/v2/agents/{agent}");
    let body = json!({ "agent_name": "new name", "capabilities": ["a"], "tools": [], "category": "other" });
    let changed = put(&api, &path, body).await;
    let data = enveloped(&changed, 200);
    assert_eq!(
        (&data["agent_name"], &data["tools"], &data["version"]),
        (&json!("new name"), &json!([]), &json!("1.0.0"))
    );
    assert_eq!(api.get("/api/v2/agents?category=other").await.body["pagination"]["total"], 1);
    assert_eq!(api.get("/api/v2/agents?category=general").await.body["pagination"]["total"], 0);
    let offline = put(&api, &path, json!({ "status": "offline" })).await;
    assert_eq!(enveloped(&offline, 200)["status"], "offline");
    assert!(api.agents.asked.lock().unwrap().iter().any(|asked| asked["op"] == "undeploy"));
    api.post(&format!("{path}/invoke"), json!({ "input_text": "q" })).await.is_error(409, "AGENT_NOT_RUNNING");
    let running = put(&api, &path, json!({ "status": "running" })).await;
    assert_eq!(enveloped(&running, 200)["status"], "deploying");
    for (query, status) in [("?status=building", 409), ("?status=no", 422), ("", 422)] {
        assert_eq!(api.send(Method::PUT, &format!("{path}/status{query}"), &[], Vec::new()).await.status, status);
    }
    let failed = api.send(Method::PUT, &format!("{path}/status?status=error&error_message=no"), &[], Vec::new()).await;
    let data = enveloped(&failed, 200);
    assert_eq!((&data["status"], &data["error_message"]), (&json!("error"), &json!("no")));
    put(&api, &path, json!({ "status": "deploying" })).await.is_error(422, "VALIDATION_ERROR");
    put(&api, "/api/v2/agents/agent_none", json!({})).await.is_error(404, "AGENT_NOT_FOUND");
}

#[tokio::test]
async fn context_and_health_are_told() {
    let api = Api::start().await;
    let (agent, _) = with_files(&api).await;
    let context = api.get(&format!("/api/v2/agents/{agent}/context")).await;
    let data = enveloped(&context, 200);
    assert_eq!(
        keys(data),
        [
            "agent_id",
            "agentcore_region",
            "agentcore_runtime_alias",
            "agentcore_runtime_arn",
            "code_path",
            "description",
            "display_name",
            "runtime_model_id",
            "system_prompt_path",
            "tags",
            "tools_path",
        ]
    );
    assert_eq!((&data["tools_path"], &data["code_path"]), (&json!("agent/tools"), &json!("agent/main.py")));
    let health = api.get(&format!("/api/v2/agents/{agent}/runtime/health")).await;
    let data = enveloped(&health, 200);
    assert_eq!((&data["has_entrypoint"], &data["runtime_type"]), (&json!(true), &json!("local_http")));
    // The scripted handler's answer is no status: so it is not ready, and that is no 5xx.
    assert_eq!((&data["status"], &data["is_ready"]), (&json!("running"), &json!(false)));
    for path in ["context", "runtime/health"] {
        api.get(&format!("/api/v2/agents/agent_none/{path}")).await.is_error(404, "AGENT_NOT_FOUND");
    }
}

fn multipart(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\"\r\nContent-Type: text/plain"));
        body.extend(format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").into_bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(b"--x--\r\n");
    body
}

#[tokio::test]
async fn files_are_uploaded_for_a_message() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let api =
        Api::start_with(data, |config| config.server.max_upload_bytes = nexus_daemon::config::Bytes(100_000)).await;
    let session = api.session(&api.agent().await).await;
    let path = format!("/api/v2/sessions/{session}/upload");
    let kind = [("content-type", "multipart/form-data; boundary=x")];
    let body = multipart(&[("files", Some("a.txt"), b"hello"), ("other", None, b"y"), ("files", Some("b"), b"\xff\0")]);
    let answer = api.send(Method::POST, &path, &kind, body).await;
    let data = enveloped(&answer, 200);
    assert_eq!((keys(data), &data["count"]), (vec!["count", "files", "session_id"], &json!(2)));
    assert_eq!(keys(&data["files"][0]), ["content_type", "data", "file_id", "filename", "size"]);
    assert_eq!((&data["files"][0]["data"], &data["files"][0]["size"]), (&json!("aGVsbG8="), &json!(5)));
    // As the message takes them.
    let sent = json!({ "content": "look", "files": data["files"] });
    let stored = api.post(&format!("/api/v2/sessions/{session}/messages"), sent).await;
    assert_eq!(enveloped(&stored, 201)["metadata"]["files"][0]["filename"], "a.txt");

    let big = vec![b'x'; 200_000];
    for (kind, body, status) in [
        ("multipart/form-data; boundary=x", multipart(&[("files", Some("big"), &big)]), 413),
        ("multipart/form-data; boundary=x", multipart(&[("other", None, b"y")]), 422),
        ("multipart/form-data; boundary=x", multipart(&[("files", None, b"y")]), 422),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense".to_vec(), 422),
        ("multipart/form-data; boundary=x", Vec::new(), 422),
        ("multipart/form-data; boundary=x", multipart(&vec![("files", Some("f"), b"y".as_slice()); 11]), 422),
        ("multipart/form-data", b"x".to_vec(), 415),
        ("application/json", b"{}".to_vec(), 415),
        ("text/plain", b"x".to_vec(), 415),
    ] {
        let answer = api.send(Method::POST, &path, &[("content-type", kind)], body).await;
        assert_eq!(answer.status, status, "{kind}: {}", answer.text);
        answer.is_error(status, "");
    }
    let body = multipart(&[("files", Some("a"), b"x")]);
    let unknown = api.send(Method::POST, "/api/v2/sessions/sess-none/upload", &kind, body).await;
    unknown.is_error(404, "SESSION_NOT_FOUND");
}

#[tokio::test]
async fn a_runtime_without_a_record_is_asked_through_its_target() {
    let body = json!({
        "runtime_arn": "arn:aws:bedrock-agentcore:us-east-1:1:runtime/r", "session_id": "s-1", "content": "hello",
    });
    let api = Api::start().await;
    let none = api.post("/api/v2/agentcore/stream", body.clone()).await;
    none.is_error(409, "TARGET_NOT_CONFIGURED");
    let data = Arc::new(tempfile::tempdir().unwrap());
    let api = Api::start_with(data, |config| {
        config.deploy.targets.insert("agentcore".to_owned(), "cloud/agentcore".to_owned());
    })
    .await;
    let response = api.client.post(api.url("/api/v2/agentcore/stream")).json(&body).send().await.unwrap();
    let frames = Frames::of(response).all().await;
    assert_eq!((&frames[0].data["event"], &frames[0].data["session_id"]), (&json!("connected"), &json!("s-1")));
    assert_eq!(frames.last().unwrap().data["event"], "done");
    let asked = api.agents.asked.lock().unwrap().last().unwrap().clone();
    assert_eq!(asked["body"]["agent"]["details"]["region"], "us-east-1", "{asked}");
    assert_eq!(api.get("/api/v2/statistics/overview").await.body["data"]["total_invocations"], 0);
    // No folder of an agent that is none stays.
    api.state.tasks.close();
    api.state.tasks.wait().await;
    let left = std::fs::read_dir(api.data.path().join("agents")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
    for bad in [json!({}), json!({ "runtime_arn": "short", "session_id": "s", "content": "c" })] {
        api.post("/api/v2/agentcore/stream", bad).await.is_error(422, "VALIDATION_ERROR");
    }
}

/// One word moves an agent; what cannot be is refused before anything happens. A runtime of others is one agent.
#[tokio::test]
async fn an_agent_is_moved_and_a_runtime_is_adopted() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let api = Api::start_with(data, |config| {
        config.deploy.targets.insert("agentcore".to_owned(), "cloud/agentcore".to_owned());
    })
    .await;
    let project = api.project().await;
    let agent = api.build(&project, true).await;
    let path = format!("/api/v2/agents/{agent}/deploy");
    for bad in [json!({"deployment": {"type": "mars"}}), json!({"deployment": "mars"}), json!({"deployment": 7})] {
        api.post(&path, bad).await.is_error(422, "VALIDATION_ERROR");
    }
    api.post(&path, json!({"deployment": "none"})).await.is_error(409, "TARGET_NOT_CONFIGURED");
    let moved = api.post(&path, json!({"deployment": {"type": "agentcore", "env": {"A": "b"}}})).await;
    assert_eq!(moved.status, 200, "{}", moved.text);
    let data = &moved.body["data"];
    assert_eq!((&data["agent_id"], &data["status"]), (&json!(agent.as_str()), &json!("deploying")));
    assert_eq!(data["deployment_type"], "agentcore");
    api.post(&path, json!({})).await.is_error(409, "ILLEGAL_TRANSITION");

    let arn = "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/prices-1a2b3c4d5e";
    let body = json!({"runtime_arn": arn, "runtime_alias": "blue"});
    let one = api.post("/api/v2/agents", body.clone()).await;
    assert_eq!(one.status, 200, "{}", one.text);
    let data = &one.body["data"];
    assert_eq!((&data["agent_name"], &data["status"]), (&json!("prices"), &json!("running")));
    assert_eq!((&data["agentcore_runtime_arn"], &data["agentcore_runtime_alias"]), (&json!(arn), &json!("blue")));
    assert_eq!(api.post("/api/v2/agents", body).await.body["data"]["agent_id"], data["agent_id"]);
    let invoke = format!("/api/v2/agents/{}/invoke", data["agent_id"].as_str().unwrap());
    assert_eq!(api.post(&invoke, json!({"input_text": "x"})).await.status, 200);
    let told = api.agents.asked.lock().unwrap().last().unwrap()["body"]["agent"]["details"].clone();
    assert_eq!((&told["agentcore_runtime_arn"], &told["adopted"]), (&json!(arn), &json!(true)), "{told}");
    Api::start().await.post("/api/v2/agents", json!({"runtime_arn": arn})).await.is_error(409, "TARGET_NOT_CONFIGURED");
}
