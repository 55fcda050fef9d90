//! What a page in the user's browser must not be able to do to the daemon on this machine.

use std::sync::Arc;

use reqwest::Method;

use crate::support::api::Api;

const JSON: &str = "application/json";
const PROJECTS: &str = "/api/v2/projects";

fn body() -> Vec<u8> {
    br#"{"requirement": "long enough text"}"#.to_vec()
}

async fn total(api: &Api) -> u64 {
    api.get(PROJECTS).await.body["pagination"]["total"].as_u64().unwrap()
}

#[tokio::test]
async fn a_name_that_was_bound_to_this_machine_gets_nothing() {
    let api = Api::start().await;
    for host in ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example"] {
        let headers = [("host", host), ("content-type", JSON)];
        api.send(Method::POST, PROJECTS, &headers, body()).await.is_error(403, "HOST_NOT_ALLOWED");
        api.send(Method::GET, PROJECTS, &headers[..1], Vec::new()).await.is_error(403, "HOST_NOT_ALLOWED");
        api.send(Method::GET, "/metrics/x", &headers[..1], Vec::new()).await.is_error(403, "HOST_NOT_ALLOWED");
        // Supervisors and Prometheus come by any name.
        assert_eq!(api.send(Method::GET, "/metrics", &headers[..1], Vec::new()).await.status, 200);
        assert_eq!(api.send(Method::GET, "/health/live", &headers[..1], Vec::new()).await.status, 200);
    }
    assert_eq!(total(&api).await, 0);
    for host in ["localhost:1", "127.0.0.1", "[::1]:9", "10.0.0.7", "app.localhost"] {
        assert_eq!(api.send(Method::GET, PROJECTS, &[("host", host)], Vec::new()).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn names_and_origins_of_the_settings_are_welcome() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let api = Api::start_with(data, |config| {
        config.server.allowed_hosts = vec!["nexus.example".to_owned()];
        config.server.allowed_origins = vec!["https://console.example".to_owned()];
    })
    .await;
    let named = api.send(Method::GET, PROJECTS, &[("host", "nexus.example:8000")], Vec::new()).await;
    assert_eq!(named.status, 200);
    let headers = [("origin", "https://console.example"), ("content-type", JSON)];
    let allowed = api.send(Method::POST, PROJECTS, &headers, body()).await;
    assert_eq!((allowed.status.as_u16(), allowed.header("access-control-allow-origin")), (201, headers[0].1));
    // A page of the daemon itself, under the name by which it was called.
    let own = [("host", "nexus.example:8000"), ("origin", "http://nexus.example:8000"), ("content-type", JSON)];
    assert_eq!(api.send(Method::POST, PROJECTS, &own, body()).await.status, 201);
}

#[tokio::test]
async fn behind_a_path_prefix_links_carry_it() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let api = Api::start_with(data, |config| {
        config.server.public_url = "https://example.org:8443/nexus/".to_owned();
    })
    .await;
    // As a proxy passes it on: the name is the public one, the path is without the prefix.
    let headers = [("host", "example.org:8443"), ("origin", "https://example.org:8443"), ("content-type", JSON)];
    let created = api.send(Method::POST, PROJECTS, &headers, body()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let id = created.body["data"]["project_id"].as_str().unwrap();
    assert_eq!(created.header("location"), format!("/nexus/api/v2/projects/{id}"));
    let document = api.send(Method::GET, "/openapi.json", &headers[..1], Vec::new()).await.body;
    assert_eq!(document["servers"], serde_json::json!([{ "url": "https://example.org:8443/nexus" }]));
    let root = api.send(Method::GET, "/", &headers[..1], Vec::new()).await.body;
    assert_eq!((&root["docs"], &root["api_prefix"]), (&"/nexus/docs".into(), &"/nexus/api/v2".into()));
    // The page loads what it needs from where it lies, with and without a slash at the end.
    for page in ["/docs", "/docs/"] {
        let html = api.get(page).await.text;
        let links: Vec<&str> =
            html.split(['"']).filter(|part| part.trim_start_matches("../").starts_with("docs/")).collect();
        assert!(links.len() >= 3 && !html.contains("\"/docs") && !html.contains("\"/openapi"), "{html}");
        for link in links {
            assert_eq!(link.starts_with("../"), page.ends_with('/'), "{link}");
            assert_eq!(api.get(&format!("/{}", link.trim_start_matches("../"))).await.status, 200, "{link}");
        }
    }
    for (origin, name) in [("https://example.org", "example.org:8443"), ("https://other.example", "example.org")] {
        let strange = [("host", name), ("origin", origin), ("content-type", JSON)];
        assert_eq!(api.send(Method::POST, PROJECTS, &strange, body()).await.status, 403, "{origin}");
    }
}

#[tokio::test]
async fn a_strangers_page_reads_nothing_and_changes_nothing() {
    let api = Api::start().await;
    for origin in ["https://evil.example", "null", "http://localhost.evil.example", "http://10.0.0.7:8000", "file://"] {
        let page = [("origin", origin), ("content-type", JSON)];
        for (method, path) in [
            (Method::POST, PROJECTS.to_owned()),
            (Method::DELETE, format!("{PROJECTS}/proj_000000000000")),
            (Method::POST, "/api/v2/plugins/reload".to_owned()),
        ] {
            api.send(method, &path, &page, body()).await.is_error(403, "ORIGIN_NOT_ALLOWED");
        }
        let read = api.send(Method::GET, PROJECTS, &page[..1], Vec::new()).await;
        assert_eq!(read.header("access-control-allow-origin"), "", "{origin}");
        let asks = [("origin", origin), ("access-control-request-method", "POST")];
        let preflight = api.send(Method::OPTIONS, PROJECTS, &asks, Vec::new()).await;
        assert_eq!((preflight.status.as_u16(), preflight.header("access-control-allow-origin")), (403, ""));
    }
    assert_eq!(total(&api).await, 0);
}

/// A form needs no preflight and, in old browsers, tells no origin.
#[tokio::test]
async fn what_a_form_can_send_changes_nothing() {
    let api = Api::start().await;
    let project = api.project().await;
    for kind in ["application/x-www-form-urlencoded", "text/plain", "text/plain;charset=UTF-8"] {
        let headers = [("content-type", kind)];
        for (method, path) in [
            (Method::POST, PROJECTS.to_owned()),
            (Method::POST, format!("{PROJECTS}/{project}/control")),
            (Method::DELETE, format!("{PROJECTS}/{project}")),
        ] {
            let answer = api.send(method, &path, &headers, br#"{"action": "stop"}"#.to_vec()).await;
            answer.is_error(415, "UNSUPPORTED_MEDIA_TYPE");
        }
    }
    assert_eq!(api.get(&format!("{PROJECTS}/{project}")).await.body["data"]["status"], "queued");
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_browsers_in_check() {
    let api = Api::start().await;
    for path in [PROJECTS, "/", "/health", "/nothing", "/metrics", "/openapi.json", "/docs", "/docs/docs.js"] {
        let answer = api.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-eval"), "{path}: {policy}");
        assert!(!answer.header("cache-control").is_empty(), "{path}");
    }
    let refused = api.send(Method::GET, PROJECTS, &[("host", "evil.example")], Vec::new()).await;
    assert_eq!(refused.header("x-content-type-options"), "nosniff");
}

/// The page needs nothing from elsewhere: all that it names is served here.
#[tokio::test]
async fn the_documentation_works_without_the_internet() {
    let api = Api::start().await;
    let page = api.get("/docs").await;
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(!page.text.contains("://"), "{}", page.text);
    let mut found = 0;
    for part in page.text.split(['"']).filter(|part| part.starts_with("docs/") || *part == "openapi.json") {
        let answer = api.get(&format!("/{part}")).await;
        assert_eq!(answer.status, 200, "{part}");
        assert!(answer.text.len() > 100 && !answer.text.starts_with("<!"), "{part}");
        found += 1;
    }
    assert!(found >= 4, "{found}");
    assert_eq!(api.get("/docs/../../etc/passwd").await.status, 404);
    assert_eq!(api.get("/docs/nothing.js").await.status, 404);
}
