//! Answers belong to the daemon: they go on without their client, are found again after a reload, stopped when somebody
//! asks for it, and never given twice at once in one session.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use nexus_plugin_api::payload::Event;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::api::{Api, Frame, Frames, Script};

const WORDS: [&str; 4] = ["one ", "two ", "three ", "four"];

/// An agent that says four words, each when the gate lets it.
async fn gated(api: &Api) -> (String, Arc<Semaphore>) {
    let agent = api.agent().await;
    let session = api.session(&agent).await;
    let gate = Arc::new(Semaphore::new(0));
    let events = WORDS.iter().map(|word| Event::Text { delta: (*word).to_owned() }).collect();
    let outcome = Ok(json!({ "output": WORDS.concat() }));
    *api.agents.script.lock().unwrap() = Script { events, outcome, gate: Some(gate.clone()), ..Script::default() };
    (session, gate)
}

fn path(session: &str) -> String {
    format!("/api/v2/sessions/{session}/stream")
}

async fn ask(api: &Api, session: &str) -> Frames {
    Frames::of(api.client.post(api.url(&path(session))).json(&json!({ "content": "x" })).send().await.unwrap())
}

fn said(frames: &[Frame]) -> String {
    frames.iter().filter(|f| f.data["type"] == "text").map(|f| f.data["data"].as_str().unwrap()).collect()
}

async fn messages(api: &Api, session: &str) -> Vec<Value> {
    let answer = api.get(&format!("/api/v2/sessions/{session}/messages")).await;
    answer.body["data"].as_array().unwrap().clone()
}

async fn two_messages(api: &Api, session: &str) -> Vec<Value> {
    for _ in 0..500 {
        let found = messages(api, session).await;
        if found.len() == 2 {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the answer is not stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_goes_on_without_its_client_and_is_found_after_a_reload() {
    let api = Api::start().await;
    let (session, gate) = gated(&api).await;
    let mut stream = ask(&api, &session).await;
    assert_eq!(stream.next().await.unwrap().data["event"], "connected");
    gate.add_permits(1);
    let read = stream.next().await.unwrap();
    assert_eq!(read.data["data"], WORDS[0]);
    drop(stream);
    // Nobody reads; the answer goes on, and the session stays taken.
    gate.add_permits(1);
    let second = api.post(&path(&session), json!({ "content": "y" })).await;
    second.is_error(409, "SESSION_BUSY");
    assert_eq!(second.header("retry-after"), "1");
    // Behind what was read.
    let last = read.id.unwrap().to_string();
    let mut again = api.events(&path(&session), Some(&last)).await;
    assert_eq!(again.next().await.unwrap().data["data"], WORDS[1]);
    // A second window, from the begin, by the alias.
    let whole = api.events(&path(&session).replace("/v2/", "/v1/"), None).await;
    gate.add_permits(2);
    let (again, whole) = (again.all().await, whole.all().await);
    assert_eq!(said(&again), WORDS[2..].concat());
    assert_eq!((said(&whole), whole[0].data["event"].as_str()), (WORDS.concat(), Some("connected")));
    assert_eq!(whole.last().unwrap().data["event"], "done");
    let stored = two_messages(&api, &session).await;
    assert_eq!((&stored[1]["content"], &stored[1]["metadata"]["interrupted"]), (&json!(WORDS.concat()), &Value::Null));
    assert_eq!(api.agents.cancelled.load(Ordering::SeqCst), 0);

    // Just ended: the rest is there for one that missed it, and nothing for one that did not.
    let missed = api.events(&path(&session), Some(&last)).await.all().await;
    assert_eq!(said(&missed), WORDS[1..].concat());
    let end = missed.last().unwrap().id.unwrap().to_string();
    let answer = api.client.get(api.url(&path(&session))).header("last-event-id", &end).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    // A number of another answer: from the begin.
    assert_eq!(said(&api.events(&path(&session), Some("7")).await.all().await), WORDS.concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_cut_off_at_once_has_its_answer_all_the_same() {
    let api = Api::start().await;
    let (session, gate) = gated(&api).await;
    gate.add_permits(99);
    let head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n", path(&session));
    let body = json!({ "content": "x" }).to_string();
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let mut client = std::net::TcpStream::connect(api.address).unwrap();
    std::io::Write::write_all(&mut client, request.as_bytes()).unwrap();
    // As soon as it was heard at all.
    while messages(&api, &session).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(client);
    assert_eq!(two_messages(&api, &session).await[1]["content"], WORDS.concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_stopped_by_whoever_asks_for_it() {
    let api = Api::start().await;
    let (session, gate) = gated(&api).await;
    let nothing = api.delete(&path(&session)).await;
    assert_eq!((nothing.status.as_u16(), &nothing.body["data"]["stopped"]), (200, &json!(false)), "{}", nothing.text);
    let mut stream = ask(&api, &session).await;
    stream.next().await.unwrap();
    gate.add_permits(1);
    stream.next().await.unwrap();
    let stopped = api.delete(&path(&session)).await;
    assert_eq!(stopped.body["data"], json!({ "session_id": session, "stopped": true }));
    let rest = stream.all().await;
    assert_eq!(rest[0].data, json!({ "event": "error", "error": "the answer was stopped" }));
    assert_eq!(rest[1].data["event"], "done");
    let stored = two_messages(&api, &session).await;
    assert_eq!((&stored[1]["content"], &stored[1]["metadata"]["interrupted"]), (&json!(WORDS[0]), &json!(true)));
    assert_eq!(api.agents.cancelled.load(Ordering::SeqCst), 1, "the job is cancelled");
    // The session is free.
    gate.add_permits(99);
    assert_eq!(ask(&api, &session).await.all().await.last().unwrap().data["event"], "done");
    api.delete("/api/v2/sessions/sess-none/stream").await.is_error(404, "SESSION_NOT_FOUND");
    api.get("/api/v2/sessions/sess-none/stream").await.is_error(404, "SESSION_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_daemons_answer_keeps_the_session_and_is_told_when_it_is_there() {
    let api = Api::start().await;
    let (session, gate) = gated(&api).await;
    gate.add_permits(99);
    let id = session.parse().unwrap();
    let lasts = Duration::from_secs(60);
    api.state.store.lease_session(&id, "another daemon", lasts).await.unwrap();
    api.post(&path(&session), json!({ "content": "x" })).await.is_error(409, "SESSION_BUSY");
    assert!(messages(&api, &session).await.is_empty(), "nothing is stored of a refused question");
    // The owner hears that somebody wants it to stop.
    assert_eq!(api.delete(&path(&session)).await.body["data"]["stopped"], true);
    api.state.store.release_session(&id, "another daemon").await.unwrap();
    assert_eq!(ask(&api, &session).await.all().await.last().unwrap().data["event"], "done");
    // Who answers here gives the session back before the end is read.
    assert_eq!(
        api.state.store.lease_session(&id, "another daemon", lasts).await.unwrap(),
        nexus_daemon::backend::store::SessionLease::Held
    );
}
