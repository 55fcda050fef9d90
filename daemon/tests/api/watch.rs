//! All projects watched at once: `/events` and `/ws`.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use nexus_daemon::{
    backend::store::Origin,
    domain::{
        event::{EventType, NewEvent},
        ids::ProjectId,
    },
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, protocol::frame::coding::CloseCode},
};

use crate::support::{
    api::{Api, Frames, keys},
    document,
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn say(api: &Api, project: &ProjectId, text: &str) {
    let event = NewEvent::new(EventType::Log, json!({ "message": text }));
    api.state.store.append_events(project, Origin::Daemon, vec![event]).await.unwrap();
}

async fn cancel(api: &Api, project: &ProjectId) {
    let answer = api.post(&format!("/api/v2/projects/{project}/control"), json!({ "action": "cancel" })).await;
    assert_eq!(answer.status, 200);
}

/// Opens a stream of all events; ids there are no numbers.
struct All {
    response: reqwest::Response,
    rest: String,
}

impl All {
    async fn open(api: &Api, query: &str, last: Option<&str>) -> Self {
        let mut request = api.client.get(api.url(&format!("/api/v2/events{query}")));
        if let Some(id) = last {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, rest: String::new() }
    }

    /// Id, event, data of the next frame that is no comment.
    async fn next(&mut self) -> Option<(String, String, Value)> {
        loop {
            if let Some(end) = self.rest.find("\n\n") {
                let text: String = self.rest.drain(..end + 2).collect();
                let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                if let Some(data) = field("data: ") {
                    let data = serde_json::from_str(&data).unwrap();
                    document::check_event(&data);
                    return Some((field("id: ").unwrap(), field("event: ").unwrap(), data));
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.response.chunk()).await.expect("a frame");
            self.rest.push_str(std::str::from_utf8(&chunk.ok()??).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_projects_are_told_in_the_order_of_the_commits() {
    let api = Api::start().await;
    let mut all = All::open(&api, "", None).await;
    let (a, b) = (api.project().await, api.project().await);
    say(&api, &b, "one").await;
    cancel(&api, &a).await;
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let (id, event, data) = all.next().await.unwrap();
        assert_eq!(data["type"], event.as_str());
        seen.push((id, event, data));
    }
    let told: Vec<_> =
        seen.iter().map(|(_, event, data)| (event.as_str(), data["project_id"].as_str().unwrap())).collect();
    assert_eq!(told[..3], [("project", a.as_str()), ("project", b.as_str()), ("log", b.as_str())]);
    assert_eq!(seen[3].2["status"], "cancelled");
    assert!(["seq", "at", "progress"].iter().all(|key| keys(&seen[0].2).contains(key)), "{}", seen[0].2);
    // A deletion is told, too.
    assert_eq!(api.delete(&format!("/api/v2/projects/{b}")).await.status, 200);
    let (_, event, data) = all.next().await.unwrap();
    assert_eq!((event.as_str(), data["project_id"].as_str().unwrap()), ("end", b.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_let_through_what_was_asked_for() {
    let api = Api::start().await;
    let (a, b) = (api.project().await, api.project().await);
    let mut of_a = All::open(&api, &format!("?project_id={a}"), None).await;
    let mut logs = All::open(&api, "?type=log,agent", None).await;
    let mut ended = All::open(&api, "?type=project&status=cancelled,failed", None).await;
    say(&api, &b, "of b").await;
    say(&api, &a, "of a").await;
    let c = api.project().await;
    cancel(&api, &b).await;
    assert_eq!(of_a.next().await.unwrap().2["message"], "of a");
    assert_eq!(logs.next().await.unwrap().2["message"], "of b");
    assert_eq!(logs.next().await.unwrap().2["message"], "of a");
    let (_, event, data) = ended.next().await.unwrap();
    assert_eq!(
        (event.as_str(), &data["status"], &data["project_id"]),
        ("project", &json!("cancelled"), &json!(b.as_str()))
    );
    assert_ne!(c, b);
    for bad in ["?type=nothing", "?status=no", "?project_id=a%2Fb", "?last_event_id=7", "?project_id=..%2f"] {
        api.get(&format!("/api/v2/events{bad}")).await.is_error(422, "VALIDATION_ERROR");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_misses_nothing_or_is_told() {
    let api = Api::start().await;
    let project = api.project().await;
    let mut first = All::open(&api, "", None).await;
    say(&api, &project, "one").await;
    let (id, ..) = first.next().await.unwrap();
    drop(first);
    say(&api, &project, "two").await;
    say(&api, &project, "three").await;
    for (query, header) in [("".to_owned(), Some(id.as_str())), (format!("?last_event_id={id}"), None)] {
        let mut again = All::open(&api, &query, header).await;
        assert_eq!(again.next().await.unwrap().2["message"], "two");
        assert_eq!(again.next().await.unwrap().2["message"], "three");
    }
    // From another life of the daemon.
    let mut stranger = All::open(&api, "", Some("00000000-5")).await;
    let (id, event, data) = stranger.next().await.unwrap();
    assert_eq!((event.as_str(), &data["type"]), ("resync", &json!("resync")));
    say(&api, &project, "four").await;
    assert_eq!(stranger.next().await.unwrap().2["message"], "four");
    let mut again = All::open(&api, "", Some(&id)).await;
    assert_eq!(again.next().await.unwrap().2["message"], "four");
}

/// A client that does not read gets `resync` and the newest, and nothing waits for it meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_client_is_told_resync() {
    let api = Api::start().await;
    let project = api.project().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut slow = socket.connect(api.address).await.unwrap();
    slow.write_all(b"GET /api/v2/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut fast = All::open(&api, "", None).await;
    // Its head has come: it listens.
    let mut begin = [0; 64];
    slow.read_exact(&mut begin).await.unwrap();
    let text = "x".repeat(4_000);
    for batch in 0..30 {
        let event = |number| NewEvent::new(EventType::Log, json!({ "message": format!("{number} {text}") }));
        let events = (batch * 100..(batch + 1) * 100).map(event).collect();
        api.state.store.append_events(&project, Origin::Daemon, events).await.unwrap();
        for number in batch * 100..(batch + 1) * 100 {
            let (_, _, data) = fast.next().await.unwrap();
            assert!(data["message"].as_str().unwrap().starts_with(&format!("{number} ")));
        }
    }
    let mut read = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    while !String::from_utf8_lossy(&read).contains("event: resync") {
        let count = tokio::time::timeout(Duration::from_secs(10), slow.read(&mut chunk)).await.unwrap().unwrap();
        assert!(count > 0, "the stream ended without a resync");
        let keep = read.len().saturating_sub(4096);
        read.drain(..keep);
        read.extend_from_slice(&chunk[..count]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_when_the_daemon_stops() {
    let api = Api::start().await;
    let mut all = All::open(&api, "", None).await;
    let mut socket = open(&api, "").await;
    api.state.shutdown.cancel();
    assert_eq!(all.next().await, None);
    let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else { panic!("no close") };
    assert_eq!(frame.code, CloseCode::Away);
}

async fn open(api: &Api, query: &str) -> Socket {
    connect_async(format!("ws://{}/api/v2/ws{query}", api.address)).await.unwrap().0
}

async fn read(socket: &mut Socket) -> Value {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("a message");
        match message.unwrap().unwrap() {
            Message::Text(text) => {
                let said = serde_json::from_str(text.as_str()).unwrap();
                document::check_message(&said);
                return said;
            }
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn ask(socket: &mut Socket, message: &Value) -> Value {
    socket.send(Message::text(message.to_string())).await.unwrap();
    let answer = read(socket).await;
    if answer["type"] != "error" {
        document::check_named("WebSocketRequest", message);
    }
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_says_nothing_that_the_document_does_not_know() {
    let api = Api::start().await;
    let project = api.project().await;
    let mut socket = open(&api, "").await;
    // One event of each type, with what it must have.
    let events = [
        (EventType::Stage, json!({ "stage_name": "s", "status": "running", "attempt": 1 })),
        (EventType::Log, json!({ "message": "m", "level": "info", "stage_name": null })),
        (EventType::Text, json!({ "text": "t" })),
        (EventType::Tool, json!({ "phase": "start", "tool_id": "t", "tool_name": "n" })),
        (EventType::File, json!({ "path": "a.md" })),
        (EventType::Approval, json!({})),
    ];
    let kinds: Vec<EventType> = events.iter().map(|(kind, _)| *kind).collect();
    let events = events.into_iter().map(|(kind, fields)| NewEvent::new(kind, fields)).collect();
    api.state.store.append_events(&project, Origin::Daemon, events).await.unwrap();
    for kind in kinds {
        assert_eq!(read(&mut socket).await["type"], kind.as_str());
    }
    // The project's own changes, its end, its agent's, and what one hears that was away for too long.
    cancel(&api, &project).await;
    let ended = api.post(&format!("/api/v2/projects/{project}/control"), json!({ "action": "restart" })).await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    assert_eq!(api.delete(&format!("/api/v2/projects/{project}")).await.status, 200);
    api.agent().await;
    let mut heard = std::collections::BTreeSet::new();
    while !(heard.contains("end") && heard.contains("agent") && heard.contains("project")) {
        heard.insert(read(&mut socket).await["type"].as_str().unwrap().to_owned());
    }
    let mut away = open(&api, "?last_event_id=00000000-1").await;
    assert_eq!(read(&mut away).await["type"], "resync");
    let again = json!({ "action": "subscribe", "last_event_id": "00000000-1" });
    assert_eq!(ask(&mut away, &again).await["resync"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_tells_the_same() {
    let api = Api::start().await;
    let (a, b) = (api.project().await, api.project().await);
    let mut all = All::open(&api, "", None).await;
    let mut socket = open(&api, "").await;
    say(&api, &a, "one").await;
    let (id, _, data) = all.next().await.unwrap();
    let mut told = read(&mut socket).await;
    assert_eq!(told.as_object_mut().unwrap().remove("id"), Some(json!(id)));
    assert_eq!(told, data);
    // Another filter; what came meanwhile is not told.
    let answer = ask(&mut socket, &json!({ "action": "subscribe", "project_id": [b.as_str()], "type": "log" })).await;
    assert_eq!((&answer["type"], &answer["filter"]["type"]), (&json!("subscribed"), &json!("log")));
    say(&api, &a, "two").await;
    say(&api, &b, "three").await;
    assert_eq!(read(&mut socket).await["message"], "three");
    assert_eq!(ask(&mut socket, &json!({ "action": "ping" })).await, json!({ "type": "pong" }));
    // From where it was.
    let mut again = open(&api, &format!("?last_event_id={id}&type=log")).await;
    assert_eq!(read(&mut again).await["message"], "two");
    assert_eq!(read(&mut again).await["message"], "three");
    // Nonsense is told and does no harm.
    for bad in [json!("x"), json!({}), json!({ "action": "sing" }), json!({ "action": "subscribe", "type": "no" })] {
        assert_eq!(ask(&mut socket, &bad).await["type"], "error", "{bad}");
    }
    socket.send(Message::binary(vec![0xff, 0xfe])).await.unwrap();
    assert_eq!(read(&mut socket).await["type"], "error");
    assert_eq!(ask(&mut socket, &json!({ "action": "ping" })).await["type"], "pong");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_is_refused_in_plain_http() {
    let api = Api::start().await;
    let plain = api.get("/api/v2/ws").await;
    plain.is_error(426, "UPGRADE_REQUIRED");
    let own = format!("http://{}", api.address);
    for (query, origin, status) in [
        ("", Some("https://evil.example"), 403),
        ("", Some("http://localhost:3000"), 403),
        ("?type=nothing", None, 422),
        ("", Some(own.as_str()), 101),
    ] {
        let mut request = format!("ws://{}/api/v2/ws{query}", api.address).into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((_, response)) => assert_eq!((response.status().as_u16(), status), (101, 101)),
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), status, "{query}"),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_large_a_message_ends_only_its_own_socket() {
    let api = Api::start().await;
    let (mut large, mut other) = (open(&api, "").await, open(&api, "").await);
    large.send(Message::text("x".repeat(100_000))).await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(10), large.next()).await.unwrap();
    assert!(!matches!(end, Some(Ok(Message::Text(_)))), "{end:?}");
    assert_eq!(ask(&mut other, &json!({ "action": "ping" })).await["type"], "pong");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_one_project_are_the_same_for_all() {
    let api = Api::start().await;
    let project = api.project().await;
    let path = format!("/api/v2/projects/{project}/events");
    let mut all: Vec<Frames> = Vec::new();
    for _ in 0..20 {
        all.push(api.events(&path, None).await);
    }
    for frames in &mut all {
        assert_eq!(frames.next().await.unwrap().event, "project");
    }
    say(&api, &project, "shared").await;
    let mut first = None;
    for frames in &mut all {
        let frame = frames.next().await.unwrap();
        assert_eq!(frame.data["message"], "shared");
        assert_eq!(first.get_or_insert(frame.data.clone()), &frame.data);
    }
}
