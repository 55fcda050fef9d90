//! Malformed requests of every kind: each is answered in the error envelope, none with a 5xx.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::api::{Api, error_body};

/// Method, path (`{p}` project, `{a}` agent, `{s}` session), content type, body, status, code, field.
type Row = (&'static str, &'static str, &'static str, Vec<u8>, u16, &'static str, &'static str);

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const INVALID: &str = "VALIDATION_ERROR";

fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut row = |method, path, kind, body: &[u8], status, code, field| {
        rows.push((method, path, kind, body.to_vec(), status, code, field));
    };
    let long = |chars: usize| "x".repeat(chars);

    // POST /projects: the body as a whole
    let p = "/api/v2/projects";
    row("POST", p, JSON, b"", 422, INVALID, "body");
    row("POST", p, "", b"", 422, INVALID, "body");
    row("POST", p, JSON, b"null", 422, INVALID, "body");
    row("POST", p, JSON, b"[]", 422, INVALID, "body");
    row("POST", p, JSON, b"7", 422, INVALID, "body");
    row("POST", p, JSON, b"\"text\"", 422, INVALID, "body");
    row("POST", p, JSON, b"{", 422, INVALID, "body");
    row("POST", p, JSON, b"{\"requirement\": ", 422, INVALID, "body");
    row("POST", p, JSON, b"{'requirement': 'x'}", 422, INVALID, "body");
    row("POST", p, JSON, b"{\"requirement\": NaN}", 422, INVALID, "body");
    row("POST", p, JSON, b"{\"priority\": Infinity}", 422, INVALID, "body");
    row("POST", p, JSON, b"{\"priority\": 1e999}", 422, INVALID, "body");
    row("POST", p, JSON, b"{\"requirement\": \"\xff\xfe long enough text\"}", 422, INVALID, "body");
    row("POST", p, JSON, b"{\"requirement\": \"\\ud800 long enough text\"}", 422, INVALID, "body");
    row("POST", p, JSON, b"{\"requirement\": \"raw \n line break in it\"}", 422, INVALID, "body");
    row("POST", p, JSON, b"\xef\xbb\xbf{}", 422, INVALID, "body");
    row("POST", p, JSON, b"{}{}", 422, INVALID, "body");
    row("POST", p, JSON, format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)).as_bytes(), 422, INVALID, "body");
    row("POST", p, JSON, format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200)).as_bytes(), 422, INVALID, "body");
    row("POST", p, FORM, b"requirement=build+me+an+agent", 415, "UNSUPPORTED_MEDIA_TYPE", "");
    row("POST", p, "text/plain", b"{\"requirement\": \"long enough text\"}", 415, "UNSUPPORTED_MEDIA_TYPE", "");
    row("POST", p, "multipart/form-data; boundary=x", b"--x--", 415, "UNSUPPORTED_MEDIA_TYPE", "");
    row("POST", p, "application/xml", b"<a/>", 415, "UNSUPPORTED_MEDIA_TYPE", "");
    row("POST", p, "application/jsonx", b"{}", 415, "UNSUPPORTED_MEDIA_TYPE", "");
    row(
        "POST",
        p,
        JSON,
        format!("{{\"requirement\": \"{}\"}}", long(2 << 20)).as_bytes(),
        413,
        "PAYLOAD_TOO_LARGE",
        "",
    );

    // POST /projects: fields
    row("POST", p, JSON, b"{}", 422, INVALID, "requirement");
    row("POST", p, JSON, b"{\"requirement\": null}", 422, INVALID, "requirement");
    row("POST", p, JSON, b"{\"requirement\": \"\"}", 422, INVALID, "requirement");
    row("POST", p, JSON, b"{\"requirement\": \"too short\"}", 422, INVALID, "requirement");
    row("POST", p, JSON, b"{\"requirement\": \"   short        \"}", 422, INVALID, "requirement");
    row("POST", p, JSON, b"{\"requirement\": 12345678901}", 422, INVALID, "requirement");
    row("POST", p, JSON, b"{\"requirement\": [\"long enough text\"]}", 422, INVALID, "requirement");
    row("POST", p, JSON, b"{\"requirement\": \"long enough \\u0000 text\"}", 422, INVALID, "requirement");
    row("POST", p, JSON, format!("{{\"requirement\": \"{}\"}}", long(10_001)).as_bytes(), 422, INVALID, "requirement");
    let with = |more: &str| format!("{{\"requirement\": \"long enough text\", {more}}}").into_bytes();
    for (more, field) in [
        ("\"priority\": 0", "priority"),
        ("\"priority\": 6", "priority"),
        ("\"priority\": -1", "priority"),
        ("\"priority\": 2.5", "priority"),
        ("\"priority\": \"high\"", "priority"),
        ("\"priority\": \"\"", "priority"),
        ("\"priority\": true", "priority"),
        ("\"priority\": [3]", "priority"),
        ("\"priority\": {}", "priority"),
        ("\"priority\": 99999999999999999999999999", "priority"),
        ("\"project_name\": 7", "project_name"),
        ("\"user_id\": {}", "user_id"),
        ("\"user_name\": [\"a\"]", "user_name"),
        ("\"tags\": \"one\"", "tags"),
        ("\"tags\": [1]", "tags"),
        ("\"tags\": [null]", "tags"),
        ("\"tags\": {\"a\": 1}", "tags"),
        ("\"workflow\": \"no_such\"", "workflow"),
        ("\"workflow\": \"../../etc/passwd\"", "workflow"),
        ("\"workflow\": 1", "workflow"),
        ("\"deployment\": \"the_moon\"", "deployment"),
        ("\"deployment\": 1", "deployment"),
        ("\"deployment\": []", "deployment"),
        ("\"deployment\": {\"target\": 7}", "deployment"),
        ("\"deployment\": {\"target\": \"the_moon\"}", "deployment"),
    ] {
        row("POST", p, JSON, &with(more), 422, INVALID, field);
    }
    row("POST", p, JSON, &with(&format!("\"project_name\": \"{}\"", long(201))), 422, INVALID, "project_name");
    row("POST", p, JSON, &with(&format!("\"user_id\": \"{}\"", long(101))), 422, INVALID, "user_id");
    row("POST", p, JSON, &with(&format!("\"tags\": [\"{}\"]", long(101))), 422, INVALID, "tags");
    row("POST", p, JSON, &with(&format!("\"tags\": [{}\"a\"]", "\"a\",".repeat(60))), 422, INVALID, "tags");
    row(
        "POST",
        p,
        JSON,
        &with(&format!("\"deployment\": {{\"x\": \"{}\"}}", long(20_000))),
        422,
        INVALID,
        "deployment",
    );

    // queries
    for (path, field) in [
        ("/api/v2/projects?limit=abc", "limit"),
        ("/api/v2/projects?limit=", "limit"),
        ("/api/v2/projects?limit=0", "limit"),
        ("/api/v2/projects?limit=101", "limit"),
        ("/api/v2/projects?limit=-5", "limit"),
        ("/api/v2/projects?limit=2.5", "limit"),
        ("/api/v2/projects?limit=NaN", "limit"),
        ("/api/v2/projects?limit=0x10", "limit"),
        ("/api/v2/projects?page=0", "page"),
        ("/api/v2/projects?page=-1", "page"),
        ("/api/v2/projects?page=9223372036854775807", "page"),
        ("/api/v2/projects?page=99999999999999999999999", "page"),
        ("/api/v2/projects?page=1e3", "page"),
        ("/api/v2/projects?page=%00", "page"),
        ("/api/v2/projects?status=nonsense", "status"),
        ("/api/v2/projects?sort=random()", "sort"),
        ("/api/v2/projects?cursor=garbage", "cursor"),
        ("/api/v2/projects?cursor=eyJhIjoxfQ==", "cursor"),
        ("/api/v2/projects?q=a%00b", "q"),
        ("/api/v2/agents?status=sleeping", "status"),
        ("/api/v2/agents?limit=1000", "limit"),
        ("/api/v2/agents?project_id=../x", "project_id"),
        ("/api/v2/agents?cursor=%F0%9F%92%A9", "cursor"),
        ("/api/v2/tasks?task_type=dance", "task_type"),
        ("/api/v2/tasks?status=x", "status"),
        ("/api/v2/tasks?cursor=-1", "cursor"),
        ("/api/v2/agents/{a}/sessions?limit=101", "limit"),
        ("/api/v2/sessions/{s}/messages?limit=501", "limit"),
        ("/api/v2/sessions/{s}/messages?limit=0", "limit"),
        ("/api/v2/sessions/{s}/messages?before=tomorrow-ish", "before"),
        ("/api/v2/sessions/{s}/messages?after=%2e%2e%2f", "after"),
        ("/api/v2/projects/{p}/events?last_event_id=x", "last_event_id"),
        ("/api/v2/projects/{p}/events?last_event_id=-1", "last_event_id"),
        ("/api/v2/projects/{p}/tasks?limit=x", "limit"),
    ] {
        row("GET", path, "", b"", 422, INVALID, field);
    }
    row("DELETE", "/api/v2/projects/{p}?delete_agents=maybe", "", b"", 422, INVALID, "delete_agents");
    row("DELETE", "/api/v2/agents/{a}?delete_local_files=2", "", b"", 422, INVALID, "delete_local_files");

    // control
    let c = "/api/v2/projects/{p}/control";
    row("POST", c, JSON, b"", 422, INVALID, "body");
    row("POST", c, JSON, b"{}", 422, INVALID, "action");
    row("POST", c, JSON, b"{\"action\": null}", 422, INVALID, "action");
    row("POST", c, JSON, b"{\"action\": \"explode\"}", 422, INVALID, "action");
    row("POST", c, JSON, b"{\"action\": [\"pause\"]}", 422, INVALID, "action");
    row("POST", c, JSON, b"{\"action\": \"PAUSE\"}", 422, INVALID, "action");
    row(
        "POST",
        c,
        JSON,
        format!("{{\"action\": \"pause\", \"reason\": \"{}\"}}", long(501)).as_bytes(),
        422,
        INVALID,
        "reason",
    );
    row("POST", c, JSON, b"{\"action\": \"restart\", \"from_stage\": 7}", 422, INVALID, "from_stage");
    row("POST", c, JSON, b"{\"action\": \"resume\"}", 409, "ILLEGAL_TRANSITION", "");
    row(
        "POST",
        "/api/v2/projects/proj_000000000000/control",
        JSON,
        b"{\"action\": \"pause\"}",
        404,
        "PROJECT_NOT_FOUND",
        "",
    );

    // invoke and sessions
    let i = "/api/v2/agents/{a}/invoke";
    row("POST", i, JSON, b"", 422, INVALID, "body");
    row("POST", i, JSON, b"{}", 422, INVALID, "input_text");
    row("POST", i, JSON, b"{\"input_text\": \"   \"}", 422, INVALID, "input_text");
    row("POST", i, JSON, format!("{{\"input_text\": \"{}\"}}", long(50_001)).as_bytes(), 422, INVALID, "input_text");
    row("POST", i, JSON, b"{\"input_text\": \"x\", \"session_id\": \"../x\"}", 422, INVALID, "session_id");
    row("POST", i, JSON, b"{\"input_text\": \"x\", \"enable_trace\": \"perhaps\"}", 422, INVALID, "enable_trace");
    row("POST", i, JSON, b"{\"input_text\": \"x\", \"metadata\": []}", 422, INVALID, "metadata");
    row("POST", "/api/v2/agents/agent_none/invoke", JSON, b"{\"input_text\": \"x\"}", 404, "AGENT_NOT_FOUND", "");
    row("POST", "/api/v2/agents/{a}/sessions", JSON, b"[]", 422, INVALID, "body");
    row("POST", "/api/v2/agents/{a}/sessions", JSON, b"{\"display_name\": 1}", 422, INVALID, "display_name");
    row("POST", "/api/v2/agents/{a}/sessions", FORM, b"a=1", 415, "UNSUPPORTED_MEDIA_TYPE", "");
    row("POST", "/api/v2/agents/agent_none/sessions", JSON, b"{}", 404, "AGENT_NOT_FOUND", "");
    for path in ["/api/v2/sessions/{s}/messages", "/api/v2/sessions/{s}/stream"] {
        row("POST", path, JSON, b"", 422, INVALID, "body");
        row("POST", path, JSON, b"{}", 422, INVALID, "content");
        row("POST", path, JSON, b"{\"content\": \"\"}", 422, INVALID, "content");
        row("POST", path, JSON, b"{\"content\": \" \\n \"}", 422, INVALID, "content");
        row("POST", path, JSON, b"{\"content\": \"x\", \"role\": \"robot\"}", 422, INVALID, "role");
        row("POST", path, JSON, b"{\"content\": \"x\", \"metadata\": \"m\"}", 422, INVALID, "metadata");
        row("POST", path, JSON, b"{\"content\": \"x\", \"files\": {}}", 422, INVALID, "files");
        row("POST", path, JSON, b"{\"content\": \"x\", \"files\": [{}]}", 422, INVALID, "files");
        row(
            "POST",
            path,
            JSON,
            b"{\"content\": \"x\", \"files\": [{\"filename\": \"a\", \"data\": \"%%\"}]}",
            422,
            INVALID,
            "files",
        );
        row("POST", path, JSON, format!("{{\"content\": \"{}\"}}", long(50_001)).as_bytes(), 422, INVALID, "content");
    }
    row(
        "POST",
        "/api/v2/sessions/{s}/stream",
        JSON,
        b"{\"content\": \"x\", \"role\": \"assistant\"}",
        422,
        INVALID,
        "role",
    );
    row("POST", "/api/v2/sessions/sess-none/stream", JSON, b"{\"content\": \"x\"}", 404, "SESSION_NOT_FOUND", "");

    // paths and methods
    for path in [
        "/api/v2/projects/..%2f..%2fetc%2fpasswd",
        "/api/v2/projects/%00",
        "/api/v2/projects/%ff",
        "/api/v2/projects/proj_%2e%2e",
        "/api/v2/projects/..",
        "/api/v2/projects/a%20b",
        "/api/v2/projects/proj_000000000000",
        "/api/v2/projects/proj_000000000000/stages",
        "/api/v2/projects/proj_000000000000/build",
        "/api/v2/projects/proj_000000000000/events",
        "/api/v2/projects/proj_000000000000/files",
        "/api/v2/projects/proj_000000000000/tasks",
        "/api/v2/projects/proj_000000000000/workflow-report",
        "/api/v2/projects/{p}/files/../../nexus.db",
        "/api/v2/projects/{p}/files/%2e%2e/%2e%2e/nexus.db",
        "/api/v2/projects/{p}/files/..%2f..%2fnexus.db",
        "/api/v2/projects/{p}/files/%2fetc%2fpasswd",
        "/api/v2/projects/{p}/files/a%00b",
        "/api/v2/projects/{p}/files/none.txt",
        "/api/v2/projects/{p}/stage-docs/none",
        "/api/v2/projects/{p}/nothing",
        "/api/v2/tasks/task_none",
        "/api/v2/agents/agent_none",
        "/api/v2/agents/..%5c",
        "/api/v2/agents/agent_none/sessions",
        "/api/v2/sessions/sess-none",
        "/api/v2/sessions/sess-none/messages",
        "/api/v2/nothing",
        "/api/v3/projects",
        "/api",
        "/nothing",
        "//",
        "/api/v2//projects//proj_x",
    ] {
        let status = if path == "//" { 200 } else { 404 };
        row("GET", path, "", b"", status, "", "");
    }
    for (method, path) in [
        ("PATCH", "/api/v2/projects"),
        ("DELETE", "/api/v2/projects"),
        ("PUT", "/api/v2/projects/{p}"),
        ("POST", "/api/v2/projects/{p}/stages"),
        ("GET", "/api/v2/projects/{p}/control"),
        ("GET", "/api/v2/agents/{a}/invoke"),
        ("POST", "/health"),
        ("PROPFIND", "/api/v2/tasks"),
        ("TRACE", "/api/v2/tasks"),
    ] {
        row(method, path, "", b"", 405, "METHOD_NOT_ALLOWED", "");
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_requests_are_answered_in_the_envelope() {
    let api = Api::start().await;
    let (project, agent) = (api.project().await, api.agent().await);
    let session = api.session(&agent).await;
    let rows = rows();
    assert!(rows.len() >= 150, "{}", rows.len());
    for (method, path, kind, body, status, code, field) in rows {
        let path = path.replace("{p}", project.as_str()).replace("{a}", agent.as_str()).replace("{s}", &session);
        let shown = format!("{method} {path} {}", String::from_utf8_lossy(&body[..body.len().min(120)]));
        let headers = [("content-type", kind)];
        let headers = if kind.is_empty() { &headers[..0] } else { &headers[..] };
        let answer = api.send(Method::from_bytes(method.as_bytes()).unwrap(), &path, headers, body).await;
        assert_eq!(answer.status.as_u16(), status, "{shown}\n{}", answer.text);
        if status == 200 {
            continue;
        }
        println!("{shown}");
        error_body(&answer.body, code);
        if !field.is_empty() {
            let places = answer.body["detail"].as_array().unwrap();
            let hit = |f: &Value| f["loc"].as_array().unwrap().iter().any(|part| part == field);
            assert!(places.iter().any(hit), "{shown}\n{}", answer.text);
        }
        if status == 405 {
            assert!(!answer.header("allow").is_empty(), "{shown}");
        }
    }
    // Nothing of it left a trace.
    let list = api.get("/api/v2/projects").await;
    assert_eq!(list.body["pagination"]["total"], 2);
    assert_eq!(api.get(&format!("/api/v2/sessions/{session}")).await.body["data"]["message_count"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_faults_are_told_at_once_and_bounded() {
    let api = Api::start().await;
    let body = serde_json::json!({ "requirement": "x".repeat(20_000), "priority": 9, "tags": [1, "ok", 2] });
    let answer = api.post("/api/v2/projects", body).await;
    answer.is_error(422, INVALID);
    let faults = answer.body["detail"].as_array().unwrap();
    assert_eq!(faults.len(), 4, "{}", answer.text);
    assert!(answer.text.len() < 4_000, "the input is echoed in full");
    assert_eq!(faults[0]["type"], "string_too_long");
    assert_eq!(faults[1]["msg"], "Input should be less than or equal to 5");
    assert_eq!(faults[3]["loc"], serde_json::json!(["body", "tags", 2]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lax_in_the_original_is_lax_here() {
    let api = Api::start().await;
    for body in [
        r#"{"requirement": "long enough text", "priority": "4"}"#,
        r#"{"requirement": "long enough text", "priority": 2.0}"#,
        r#"{"requirement": "  long enough text  ", "project_name": "", "user_id": null, "unknown": {"x": 1}}"#,
        r#"{"requirement": "first value is short", "requirement": "last value counts"}"#,
        r#"{"requirement": "\ud83d\ude00 smile, ten characters"}"#,
        r#"{"requirement": "long enough text", "deployment": "none"}"#,
        r#"{"requirement": "long enough text", "deployment": {"target": "local", "x": 1}, "tags": []}"#,
    ] {
        for kind in ["application/json", "application/json; charset=utf-8", "application/vnd.x+json", ""] {
            let headers = [("content-type", kind)];
            let headers = if kind.is_empty() { &headers[..0] } else { &headers[..] };
            let answer = api.send(Method::POST, "/api/v2/projects/", headers, body.into()).await;
            assert_eq!(answer.status, 201, "{body}\n{}", answer.text);
        }
    }
    let requirement = "ü".repeat(10_000);
    let answer = api.post("/api/v1/projects", serde_json::json!({ "requirement": requirement })).await;
    assert_eq!(answer.status, 201);
}

/// Sends bytes as they are; answers what comes back until the server closes or is silent.
async fn raw(api: &Api, bytes: &[u8], hang_up: bool) -> String {
    let mut socket = TcpStream::connect(api.address).await.unwrap();
    let _ = socket.write_all(bytes).await;
    if hang_up {
        let _ = socket.shutdown().await;
    }
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(2), socket.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_http_is_refused_and_harms_nobody() {
    let api = Api::start().await;
    let post = "POST /api/v2/projects HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let big = "a".repeat(200_000);
    let many: String = (0..300).map(|i| format!("x-{i}: 1\r\n")).collect();
    let mut wrong = Vec::new();
    for (what, bytes, status) in [
        ("garbage", "hello\r\n\r\n".to_owned(), "400"),
        ("tls", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}".to_owned(), ""),
        ("http/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), ""),
        ("version", "GET / HTTP/9.9\r\n\r\n".to_owned(), ""),
        ("huge header", format!("GET / HTTP/1.1\r\nHost: localhost\r\nx: {big}\r\n\r\n"), "431"),
        ("huge target", format!("GET /{big} HTTP/1.1\r\nHost: localhost\r\n\r\n"), "4"),
        ("many headers", format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"), "4"),
        ("bad header name", "GET / HTTP/1.1\r\nHost: localhost\r\nb ad: 1\r\n\r\n".to_owned(), "400"),
        ("bad length", format!("{post}Content-Length: ten\r\n\r\n{{}}"), "400"),
        ("two lengths", format!("{post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"), "400"),
        ("short body", format!("{post}Content-Length: 50\r\n\r\n{{}}"), "400"),
        ("chunk garbage", format!("{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n"), "400"),
        ("chunks cut off", format!("{post}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"a\""), "400"),
        ("bad target", "GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), "400"),
        ("no host", "GET /health/live HTTP/1.1\r\n\r\n".to_owned(), ""),
        ("star", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(), "4"),
        ("connect", "CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(), "4"),
        (
            "absolute",
            "GET http://evil/../../x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(),
            "40",
        ),
    ] {
        let hang_up = what.contains("short") || what.contains("cut");
        let answer = raw(&api, bytes.as_bytes(), hang_up).await;
        let line = answer.lines().next().unwrap_or_default();
        println!("{what}: {line}");
        assert!(!line.starts_with("HTTP/1.1 5"), "{what}: {answer}");
        if !status.is_empty() && !line.starts_with(&format!("HTTP/1.1 {status}")) {
            wrong.push(format!("{what}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(api.get("/health/live").await.status, 200);
    assert_eq!(api.get("/api/v2/projects").await.body["pagination"]["total"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_ends_early_is_told_in_the_envelope() {
    let api = Api::start().await;
    let head = "POST /api/v2/projects HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{}";
    let answer = raw(&api, head.as_bytes(), true).await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    error_body(&serde_json::from_str(body).unwrap(), "BAD_REQUEST");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_strangers_cannot_use_a_visitors_daemon() {
    let api = Api::start_with(std::sync::Arc::new(tempfile::tempdir().unwrap()), |config| {
        config.server.allowed_origins = vec!["http://localhost:3000".to_owned()];
    })
    .await;
    let body = br#"{"requirement": "long enough text"}"#.to_vec();
    let evil = [("origin", "https://evil.example"), ("content-type", JSON)];
    api.send(Method::POST, "/api/v2/projects", &evil, body.clone()).await.is_error(403, "ORIGIN_NOT_ALLOWED");
    // Without a type the browser would not ask before.
    let near = [("origin", "http://localhost:3000")];
    let untyped = api.send(Method::POST, "/api/v2/projects", &near, body.clone()).await;
    untyped.is_error(415, "UNSUPPORTED_MEDIA_TYPE");
    let words = untyped.body["error"]["message"].as_str().unwrap_or_default();
    assert!(words.contains("`Content-Type: application/json`"), "it names the header: {words}");
    let near = [("origin", "http://localhost:3000"), ("content-type", JSON)];
    let allowed = api.send(Method::POST, "/api/v2/projects", &near, body).await;
    assert_eq!(allowed.status, 201);
    assert_eq!(allowed.header("access-control-allow-origin"), "http://localhost:3000");
    let asked = [
        ("origin", "http://localhost:3000"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let preflight = api.send(Method::OPTIONS, "/api/v2/projects", &asked, Vec::new()).await;
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-headers").contains("content-type"));
}
