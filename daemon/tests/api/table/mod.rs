//! The contract as a table: more than two hundred requests, good and bad, over every endpoint, with their status and
//! the shape of their answer. A change of either is seen in the review of the snapshot.

mod rows;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    api::{Answer, Api, error_body},
    document::Document,
};

/// Keys and kinds of a value, lists by their first item.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) => if number.is_f64() { "float" } else { "int" }.to_owned(),
        Value::String(_) => "text".to_owned(),
        Value::Array(items) => items.first().map_or_else(|| "[]".to_owned(), |first| format!("[{}]", shape(first))),
        Value::Object(members) => {
            let each: Vec<String> = members.iter().map(|(name, value)| format!("{name}: {}", shape(value))).collect();
            format!("{{{}}}", each.join(", "))
        }
    }
}

/// Of an error what matters is its code and the form of its details. The API's own document is shown whole in the
/// snapshot of `openapi`.
fn told(path: &str, answer: &Answer) -> String {
    if answer.status.is_client_error() {
        let details = &answer.body["error"]["details"];
        let details = if details.is_null() { String::new() } else { format!(" {}", shape(details)) };
        return format!("{}{details}", answer.body["error"]["code"].as_str().unwrap_or("-"));
    }
    if path == "/openapi.json" && answer.status.is_success() {
        return format!("{}, OpenAPI {}", answer.header("content-type"), answer.body["openapi"]);
    }
    shape(&answer.body)
}

/// A world with one of everything.
async fn world(api: &Api) -> BTreeMap<&'static str, String> {
    let project = api.project().await;
    let agent = api.build(&project, true).await;
    let folder = api.state.project_root.join(project.as_str());
    for (path, text) in [
        ("a.json", "{\"x\": 1}"),
        ("docs/plan.md", "# plan"),
        ("workflow_summary_report.md", "# report"),
        ("agent/main.py", "x = 1\n"),
        ("agent/prompt.md", "# p"),
        ("agent/tools/now.py", "y = 1\n"),
    ] {
        std::fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        std::fs::write(folder.join(path), text).unwrap();
    }
    let session = api.session(&agent).await;
    let message = api.post(&format!("/api/v2/sessions/{session}/messages"), json!({ "content": "hello" })).await;
    let queued = api.project().await;
    let tasks = api.get(&format!("/api/v2/projects/{project}/tasks")).await;
    BTreeMap::from([
        ("{p}", project.to_string()),
        ("{q}", queued.to_string()),
        ("{a}", agent.to_string()),
        ("{s}", session),
        ("{t}", tasks.body["data"][0]["task_id"].as_str().unwrap().to_owned()),
        ("{m}", message.body["data"]["message_id"].as_str().unwrap().to_owned()),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_answers_as_written() {
    let api = Api::start().await;
    let ids = world(&api).await;
    let document = Document(api.get("/openapi.json").await.body);
    let (mut table, mut faults, mut good, mut wrong) = (String::new(), Vec::new(), BTreeSet::new(), BTreeSet::new());
    let rows = rows::all();
    for row in &rows {
        let path = ids.iter().fold(row.path.clone(), |path, (mark, id)| path.replace(mark, id));
        let body = row.body.as_ref().map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let kind: &[(&str, &str)] = if row.body.is_some() { &[("content-type", "application/json")] } else { &[] };
        let method: Method = row.method.parse().unwrap();
        let answer = api.send(method, &path, kind, body).await;
        let mut fault = |text: String| faults.push(format!("{} {}: {text}\n    {}", row.method, row.path, answer.text));
        let status = answer.status.as_u16();
        if status != row.status {
            fault(format!("{status} in place of {}", row.status));
            continue;
        }
        if answer.status.is_client_error() {
            error_body(&answer.body, "");
            let allow = answer.header("allow");
            if (status == 405) == allow.is_empty() {
                fault(format!("allow: {allow:?}"));
            }
        } else if row.method != "HEAD"
            && status != 204
            && path.starts_with("/api/")
            && answer.body["success"] != true
            && !is_flat(&path)
        {
            fault("no envelope".to_owned());
        }
        if (status == 201) == answer.header("location").is_empty() {
            fault("location".to_owned());
        }
        if row.method != "HEAD" {
            document.faults(row.method, &path, status, &answer.body).into_iter().for_each(&mut fault);
        }
        if let Some((operation, _)) = document.operation(row.method, &path) {
            if status < 300 {
                good.insert(operation)
            } else {
                wrong.insert(operation)
            };
        }
        let given = row.body.as_ref().map_or_else(String::new, |body| {
            let text = body.to_string();
            if text.len() > 120 { format!(" <{} bytes>", text.len()) } else { format!(" {text}") }
        });
        writeln!(table, "{} {}{given}\n    {status} {}", row.method, row.path, told(&row.path, &answer)).unwrap();
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(rows.len() >= 200, "only {} requests", rows.len());
    insta::assert_snapshot!("table", table);

    // Streams and what needs the whole daemon have tests of their own.
    let elsewhere = [
        "GET /api/v2/events",
        "GET /api/v2/ws",
        "GET /api/v2/projects/{id}/events",
        "POST /api/v2/sessions/{id}/stream",
        "GET /api/v2/sessions/{id}/stream",
        "POST /api/v2/agentcore/stream",
        "POST /api/v2/agents",
        "POST /api/v2/agents/{id}/deploy",
        "POST /api/v2/sessions/{id}/upload",
        "GET /api/v2/tools/{name}",
        "POST /api/v2/tools/{name}/test",
        "GET /api/v2/tools/mcp/servers/{name}",
        "PUT /api/v2/tools/mcp/servers/{name}",
        "GET /metrics",
        "POST /api/v2/auth/code",
        "POST /api/v2/auth/link",
        "GET /api/v2/keys",
        "POST /api/v2/keys",
        "DELETE /api/v2/keys/{key}",
        "POST /api/v2/keys/{key}/rotate",
    ];
    let mut missing = Vec::new();
    for (path, item) in document.0["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{} {path}", method.to_uppercase());
            if elsewhere.contains(&name.as_str()) {
                continue;
            }
            if !good.contains(&name) {
                missing.push(format!("no good request for {name}"));
            }
            let can_fail = operation["parameters"].as_array().is_some_and(|all| !all.is_empty());
            if can_fail && !wrong.contains(&name) {
                missing.push(format!("no bad request for {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

fn is_flat(path: &str) -> bool {
    ["/workflow/", "/auth/", "/health"].iter().any(|flat| path.contains(flat))
}
