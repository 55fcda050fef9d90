//! The document that the API gives of itself.

use std::{collections::BTreeSet, sync::Arc};

use nexus_daemon::api;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::Api;

/// The whole document; a change of the API is seen in the review of this file.
#[test]
fn the_document_is_as_it_was_reviewed() {
    let text = serde_json::to_string_pretty(api::openapi()).unwrap();
    insta::assert_snapshot!("openapi", text);
}

/// Every schema of the document with the place where it stands.
fn each(value: &Value, at: &str, look: &mut impl FnMut(&str, &Value)) {
    look(at, value);
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| each(value, &format!("{at}/{key}"), look)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| each(item, &format!("{at}/{n}"), look)),
        _ => {}
    }
}

#[test]
fn no_two_schemas_share_a_name() {
    assert_eq!(api::openapi_conflicts(), [""; 0]);
}

/// What generators of clients stumbled over: each rule is a failure that was seen.
#[test]
fn generators_can_read_the_document() {
    let mut wrong = Vec::new();
    each(api::openapi(), "", &mut |at, schema| {
        let Some(members) = schema.as_object() else { return };
        // TypeScript asks a function of the alternative that alternatives do not have.
        for one in members.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
            let alternative = one["$ref"].as_str().and_then(|place| api::openapi().pointer(&place[1..]));
            if alternative.is_some_and(|schema| schema.get("oneOf").is_some()) {
                wrong.push(format!("{at}: {one} has alternatives of its own"));
            }
        }
        // Python and Java compare with the constant's text, Rust has no type for it.
        if members.contains_key("const") && !at.ends_with("/properties") {
            wrong.push(format!("{at}: const"));
        }
        if members.get("enum").and_then(Value::as_array).is_some_and(|words| words.iter().any(Value::is_boolean)) {
            wrong.push(format!("{at}: an enum of truth values"));
        }
        // A stream is no object that comes once.
        if at.ends_with("/text~1event-stream") || at.ends_with("/text/event-stream") {
            let told = &members["schema"];
            if told["type"] != "string" || told["x-event-data"]["$ref"].is_null() {
                wrong.push(format!("{at}: {told}"));
            }
        }
        // Alternatives that are no references get names by their number, and two of them one name.
        if let (Some(all), true) = (members.get("oneOf").and_then(Value::as_array), at.contains("/schemas/")) {
            let named = all.iter().all(|one| one.get("$ref").is_some());
            if !named || members["discriminator"]["mapping"].as_object().is_none_or(|map| map.len() != all.len()) {
                wrong.push(format!("{at}: oneOf without names"));
            }
        }
    });
    let schemas = api::openapi()["components"]["schemas"].as_object().unwrap();
    let lower: BTreeSet<String> = schemas.keys().map(|name| name.to_lowercase()).collect();
    assert_eq!(lower.len(), schemas.len(), "names that differ by case are one file for some");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An example is sent as it stands, in a state in which the request makes sense.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_body_has_an_example_that_succeeds() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let servers = json!({ "mcpServers": { "docs": { "command": "uvx", "args": ["docs-server"] } } });
    std::fs::write(data.path().join("mcp_servers.json"), servers.to_string()).unwrap();
    let api = Api::start_with(data, |config| {
        config.deploy.targets.insert("agentcore".to_owned(), "cloud/agentcore".to_owned());
    })
    .await;
    let project = api.project().await;
    let agent = api.build(&project, true).await;
    let folder = api.state.project_root.join(project.as_str()).join("agent");
    std::fs::create_dir_all(folder.join("tools")).unwrap();
    std::fs::write(folder.join("main.py"), "x = 1\n").unwrap();
    std::fs::write(folder.join("prompt.md"), "# p\n").unwrap();
    let session = api.session(&agent).await;
    let document = api.get("/openapi.json").await.body;
    let (mut sent, mut wrong) = (0, Vec::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(body) = operation["requestBody"]["content"].get("application/json") else { continue };
            let id = operation["operationId"].as_str().unwrap();
            let Some(example) = body.get("example") else {
                wrong.push(format!("{id} has no example"));
                continue;
            };
            // Needs a plugin's tools (`api_tools`), or a version to go back to, which the workflow's change leaves.
            // A code and a key are made by requests of their own (`access`).
            if ["testTool", "restoreConfig", "loginByCode", "rotateKey"].contains(&id) {
                continue;
            }
            let of_project = api.project().await;
            let control =
                |action: &str| (format!("/api/v2/projects/{of_project}/control"), json!({ "action": action }));
            let before = match id {
                "resumeWorkflow" => Some(control("pause")),
                "restartWorkflow" => Some(control("cancel")),
                _ => None,
            };
            if let Some((path, body)) = before {
                assert_eq!(api.post(&path, body).await.status, 200);
            }
            let of = match path.as_str() {
                // It is not to be asked while it is on its way.
                path if path.ends_with("/deploy") => api.build(&of_project, true).await.to_string(),
                path if path.contains("/agents/") => agent.to_string(),
                path if path.contains("/sessions/") => session.clone(),
                _ => of_project.to_string(),
            };
            let name = if path.contains("/mcp/") { "docs" } else { "later" };
            let filled = path.replace("{id}", &of).replace("{name}", name).replace("{file}", "mine.toml");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let kind = [("content-type", "application/json")];
            let request =
                api.client.request(method, api.url(&filled)).body(example.to_string()).header(kind[0].0, kind[0].1);
            let answer = request.send().await.unwrap();
            let (status, text) = (answer.status(), answer.text().await.unwrap());
            if !status.is_success() || text.contains("\"event\":\"error\"") || text.contains("\"valid\":false") {
                wrong.push(format!("{id}: {status} {text}"));
            }
            sent += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(sent >= 20, "{sent}");
}
