//! What programs do with their connections, and how they write what they send.

use std::{sync::Arc, time::Duration};

use nexus_daemon::{
    config::Seconds,
    domain::{
        event::{EventType, NewEvent},
        ids::{AgentId, ProjectId},
    },
};
use nexus_plugin_api::payload::Event;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
};

use crate::support::api::{Api, Frames, Script};

async fn to_the_end(mut client: TcpStream) -> String {
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), client.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

/// Sends a request and says that nothing more will come.
async fn half_closed(api: &Api, head: &str, body: &str) -> TcpStream {
    let mut client = TcpStream::connect(api.address).await.unwrap();
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let request = format!("{head} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{length}\r\n{body}");
    client.write_all(request.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_no_more_gets_its_answer() {
    let api = Api::start().await;
    let agent = api.agent().await;
    let session = api.session(&agent).await;
    let body = json!({ "requirement": "long enough to be one" }).to_string();
    let created = to_the_end(half_closed(&api, "POST /api/v2/projects", &body).await).await;
    assert!(created.starts_with("HTTP/1.1 201 ") && created.contains("\"task_id\""), "{created}");
    let read = to_the_end(half_closed(&api, "GET /api/v2/projects", "").await).await;
    assert!(read.starts_with("HTTP/1.1 200 "), "{read}");
    // Also one that takes a while, whole and in pieces.
    let gate = Arc::new(Semaphore::new(0));
    *api.agents.script.lock().unwrap() = Script { gate: Some(gate.clone()), ..Script::default() };
    let body = json!({ "input_text": "x" }).to_string();
    let invoked = half_closed(&api, &format!("POST /api/v2/agents/{agent}/invoke"), &body).await;
    let body = json!({ "content": "x" }).to_string();
    let streamed = half_closed(&api, &format!("POST /api/v2/sessions/{session}/stream"), &body).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    gate.add_permits(99);
    let (invoked, streamed) = (to_the_end(invoked).await, to_the_end(streamed).await);
    assert!(invoked.starts_with("HTTP/1.1 200 ") && invoked.contains("Hello there"), "{invoked}");
    assert!(streamed.contains("\"done\""), "{streamed}");
}

/// Asks on a connection that stays open, and reads the answer to its end.
async fn asked(client: &mut TcpStream) -> String {
    client.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(10), client.read(&mut part)).await.unwrap().unwrap();
        assert_ne!(read, 0, "it was closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..read]);
        let text = String::from_utf8(answer.clone()).unwrap();
        let length = |head: &str| {
            let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-length:"))?;
            line.split_once(':')?.1.trim().parse::<usize>().ok()
        };
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && length(head).is_none_or(|length| body.len() >= length)
        {
            return text;
        }
    }
}

/// Clients keep connections for their next request, also such as were opened long before the first one: closed under it,
/// they could not know whether it was heard. Only one on which nothing was ever said goes soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_is_kept_and_a_silent_one_is_not() {
    let api = Api::start().await;
    let kept = async {
        let mut client = TcpStream::connect(api.address).await.unwrap();
        // A pool that opened it in advance.
        tokio::time::sleep(Duration::from_secs(10)).await;
        for pause in [0, 7, 17] {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            let answer = asked(&mut client).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "after {pause} s: {answer}");
        }
    };
    let silent = async {
        let client = TcpStream::connect(api.address).await.unwrap();
        let begun = std::time::Instant::now();
        tokio::time::sleep(Duration::from_secs(12)).await;
        assert_eq!(to_the_end(client).await, "");
        assert!(begun.elapsed() > Duration::from_secs(14), "{:?}", begun.elapsed());
    };
    tokio::join!(kept, silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_may_begin_with_the_mark_of_its_encoding() {
    let api = Api::start().await;
    let agent = api.agent().await;
    let post = async |path: &str, body: Vec<u8>| {
        api.send(Method::POST, path, &[("content-type", "application/json")], body).await
    };
    let marked = |body: &Value| [b"\xEF\xBB\xBF".as_slice(), body.to_string().as_bytes()].concat();
    let project = json!({ "requirement": "long enough to be one", "project_name": "\u{feff}x" });
    let created = post("/api/v2/projects", marked(&project)).await;
    assert_eq!(created.status, 201, "{}", created.text);
    // No body at all but the mark, a body beyond the size that is parsed elsewhere, and a mark where none belongs.
    let large = json!({ "display_name": "d", "ignored": "y".repeat(1 << 19) });
    for (body, status) in [(marked(&json!({})), 201), (marked(&large), 201), (b"{\"a\": \xEF\xBB\xBF1}".to_vec(), 422)]
    {
        let answer = post(&format!("/api/v2/agents/{agent}/sessions"), body).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_has_a_line_end_that_some_readers_know() {
    let api = Api::start().await;
    let odd = "a\u{2028}b\u{2029}c\u{85}d";
    let id = api.project().await;
    let event = NewEvent::new(EventType::Log, json!({ "message": odd }));
    api.state.store.append_events(&id, nexus_daemon::backend::store::Origin::Daemon, vec![event]).await.unwrap();
    let cancelled = api.post(&format!("/api/v2/projects/{id}/control"), json!({ "action": "cancel" })).await;
    assert_eq!(cancelled.status, 200);
    let agent = api.agent().await;
    let session = api.session(&agent).await;
    let events = vec![Event::Text { delta: odd.to_owned() }];
    *api.agents.script.lock().unwrap() = Script { events, outcome: Ok(json!({ "output": odd })), ..Script::default() };
    let streams = [
        api.get(&format!("/api/v2/projects/{id}/events")).await.text,
        api.post(&format!("/api/v2/sessions/{session}/stream"), json!({ "content": odd })).await.text,
        api.get(&format!("/api/v2/sessions/{session}/stream")).await.text,
    ];
    for text in streams {
        assert!(!text.contains(['\u{2028}', '\u{2029}', '\u{85}']), "{text}");
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let data: Vec<Value> = data.map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(data.iter().any(|data| data["message"] == odd || data["data"] == odd), "{text}");
    }
}

/// A project whose build is done and whose agent waits to be deployed.
async fn undeployed(api: &Api) -> (ProjectId, AgentId) {
    let project = api.project().await;
    let agent = api.build_undeployed(&project).await;
    (project, agent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_being_deployed_is_waited_for() {
    let api = Api::start_with(Arc::new(tempfile::tempdir().unwrap()), |config| {
        config.server.sse_keepalive_secs = Seconds(1);
    })
    .await;
    let (project, agent) = undeployed(&api).await;
    let session = api.session(&agent).await;
    let (base, client) = (api.url(&format!("/api/v2/agents/{agent}/invoke")), api.client.clone());
    let invoked =
        tokio::spawn(async move { client.post(base).json(&json!({ "input_text": "x" })).send().await.unwrap() });
    let request =
        api.client.post(api.url(&format!("/api/v2/sessions/{session}/stream"))).json(&json!({ "content": "x" }));
    let mut streamed = Frames::of(request.send().await.unwrap());
    assert_eq!(streamed.next().await.unwrap().data["event"], "connected");
    assert_eq!(streamed.next().await.unwrap().comment, "keep-alive", "a sign of life meanwhile");
    // `end` has not come either.
    let mut watched = api.events(&format!("/api/v2/projects/{project}/events"), None).await;
    while watched.next().await.unwrap().comment != "keep-alive" {}
    assert!(!invoked.is_finished());
    api.deploy(&project).await;
    assert_eq!(invoked.await.unwrap().status(), 200);
    assert_eq!(streamed.all().await.last().unwrap().data["event"], "done");
    let told = watched.all().await;
    let (last, before) = (told.last().unwrap(), &told[told.len() - 2]);
    assert_eq!((before.event.as_str(), &before.data["status"]), ("agent", &json!("running")), "{told:?}");
    assert_eq!((last.event.as_str(), &last.data["deployment"]), ("end", &json!("completed")));
    assert_eq!(last.id, before.id.map(|id| id + 1));
    assert!(last.data["deploy_task_id"].is_string());
    // In its row the build was completed all the time.
    assert_eq!(api.get(&format!("/api/v2/projects/{project}")).await.body["data"]["status"], "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_begins_again_after_its_end_is_told_from_its_first_event() {
    let api = Api::start().await;
    let id = api.project().await;
    api.build(&id, false).await;
    let path = format!("/api/v2/projects/{id}/events");
    let end = api.events(&path, None).await.all().await.last().unwrap().id.unwrap();
    let again = api.post(&format!("/api/v2/projects/{id}/control"), json!({ "action": "restart" })).await;
    assert_eq!(again.status, 200, "{}", again.text);
    api.post(&format!("/api/v2/projects/{id}/control"), json!({ "action": "cancel" })).await;
    // The number of `end` is that of the first event of the new build: the client has not seen it.
    let told = api.events(&path, Some(&end.to_string())).await.all().await;
    assert_eq!(told[0].id, Some(end), "{told:?}");
    assert!(told.iter().any(|frame| frame.event == "project" && frame.data["status"] == "queued"));
    assert_eq!(told.last().unwrap().data["status"], "cancelled");
}
