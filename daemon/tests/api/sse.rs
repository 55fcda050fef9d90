//! The two kinds of stream: a project's events and an agent's answer.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use nexus_daemon::{
    backend::store::Origin,
    domain::{
        event::{EventType, NewEvent},
        failure::{Failure, FailureKind},
        ids::{AgentId, ProjectId},
    },
};
use nexus_plugin_api::payload::Event;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
};

use crate::support::api::{Api, Frame, Frames, Script};

async fn say(api: &Api, project: &ProjectId, count: usize, text: &str) {
    for _ in 0..count {
        let event = NewEvent::new(EventType::Log, json!({ "message": text }));
        api.state.store.append_events(project, Origin::Daemon, vec![event]).await.unwrap();
    }
}

async fn cancel(api: &Api, project: &ProjectId) {
    let answer = api.post(&format!("/api/v2/projects/{project}/control"), json!({ "action": "cancel" })).await;
    assert_eq!(answer.status, 200);
}

fn seqs(frames: &[Frame]) -> Vec<u64> {
    frames.iter().filter(|f| f.event != "end").map(|f| f.id.unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_build_is_replayed_and_ended() {
    let api = Api::start().await;
    let id = api.project().await;
    api.build(&id, false).await;
    let frames = api.events(&format!("/api/v2/projects/{id}/events"), None).await.all().await;
    let last = frames.last().unwrap();
    assert_eq!((last.event.as_str(), &last.data["status"]), ("end", &json!("completed")), "{last:?}");
    let seen = seqs(&frames);
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
    // `end` has a number of its own, and whoever has read it is told that there is no more.
    assert_eq!(last.id, seen.last().map(|seq| seq + 1));
    assert_eq!((&last.data["deployment"], &last.data["deploy_task_id"]), (&Value::Null, &Value::Null));
    for form in [("last-event-id", ""), ("accept", "?last_event_id=")] {
        let end = last.id.unwrap().to_string();
        let query = if form.1.is_empty() { String::new() } else { format!("{}{end}", form.1) };
        let request = api.client.get(api.url(&format!("/api/v2/projects/{id}/events{query}"))).header(form.0, &end);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 204);
        assert_eq!(answer.text().await.unwrap(), "");
    }
    for frame in &frames {
        assert_eq!((&frame.data["seq"], &frame.data["type"]), (&json!(frame.id.unwrap()), &json!(frame.event)));
        assert_eq!(frame.data["project_id"], id.as_str());
        assert!(frame.data["at"].as_str().unwrap().ends_with('Z'));
    }
    for kind in ["project", "stage"] {
        assert!(frames.iter().any(|f| f.event == kind), "{kind}");
    }
    // Reading on from the middle, by header and by query, on the alias, too.
    let middle = seen.len() as u64 / 2;
    let rest = api.events(&format!("/api/v1/projects/{id}/events"), Some(&middle.to_string())).await.all().await;
    assert_eq!(seqs(&rest), seen[usize::try_from(middle).unwrap()..]);
    let rest = api.events(&format!("/api/v2/projects/{id}/events?last_event_id={middle}"), None).await.all().await;
    assert_eq!(rest.len(), seen.len() - usize::try_from(middle).unwrap() + 1);
    // At the end there is only the end.
    let rest = api.events(&format!("/api/v2/projects/{id}/events"), Some(&seen.len().to_string())).await.all().await;
    assert_eq!(rest.len(), 1);
    // An id of another life: told, and everything again.
    let again = api.events(&format!("/api/v2/projects/{id}/events"), Some("1000000")).await.all().await;
    assert_eq!(again[0].event, "resync");
    assert_eq!(seqs(&again[1..]), seen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_as_they_happen_without_gap_or_repeat() {
    let api = Arc::new(Api::start().await);
    let id = api.project().await;
    say(&api, &id, 50, "before").await;
    let mut live = api.events(&format!("/api/v2/projects/{id}/events"), None).await;
    let writer = {
        let (api, id) = (api.clone(), id.clone());
        tokio::spawn(async move {
            say(&api, &id, 200, "during").await;
            cancel(&api, &id).await;
        })
    };
    let mut frames = Vec::new();
    while let Some(frame) = live.next().await {
        frames.push(frame);
    }
    writer.await.unwrap();
    let seen = seqs(&frames);
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
    assert!(seen.len() >= 252, "{}", seen.len());
    assert_eq!(frames.last().unwrap().data["status"], "cancelled");

    // An event reaches an idle listener at once, not with the next keep-alive.
    let id = api.project().await;
    let mut idle = api.events(&format!("/api/v2/projects/{id}/events"), None).await;
    idle.next().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    say(&api, &id, 1, "now").await;
    assert_eq!(idle.next().await.unwrap().data["message"], "now");
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_continues_the_numbers() {
    let api = Api::start().await;
    let id = api.project().await;
    say(&api, &id, 3, "first life").await;
    let mut live = api.events(&format!("/api/v2/projects/{id}/events"), None).await;
    let mut last = 0;
    for _ in 0..4 {
        last = live.next().await.unwrap().id.unwrap();
    }
    let data = api.stop().await;
    // The stream was closed without an end, so the client comes again.
    assert_eq!(live.next().await.map(|f| f.comment), Some("closing".to_owned()));
    assert_eq!(live.next().await, None);
    let api = Api::start_with(data, |_| {}).await;
    say(&api, &id, 2, "second life").await;
    cancel(&api, &id).await;
    let rest = api.events(&format!("/api/v2/projects/{id}/events"), Some(&last.to_string())).await.all().await;
    let seen = seqs(&rest);
    assert_eq!(seen[0], last + 1);
    assert_eq!(seen, (last + 1..=last + seen.len() as u64).collect::<Vec<_>>());
    assert_eq!(rest[0].data["message"], "second life");
    assert_eq!(rest.last().unwrap().event, "end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_streams_are_kept_alive_and_notice_a_deletion() {
    let api = Api::start_with(Arc::new(tempfile::tempdir().unwrap()), |config| {
        config.server.sse_keepalive_secs = nexus_daemon::config::Seconds(1);
    })
    .await;
    let id = api.project().await;
    let mut live = api.events(&format!("/api/v2/projects/{id}/events"), None).await;
    assert_eq!(live.next().await.unwrap().event, "project");
    assert_eq!(live.next().await.unwrap().comment, "keep-alive");
    assert_eq!(live.next().await.unwrap().comment, "keep-alive");
    assert_eq!(api.delete(&format!("/api/v2/projects/{id}")).await.status, 200);
    let rest = live.all().await;
    assert_eq!((rest[0].event.as_str(), &rest[0].data["status"]), ("end", &json!("deleted")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_holds_up_nobody() {
    let api = Api::start().await;
    let id = api.project().await;
    let mut slow = TcpStream::connect(api.address).await.unwrap();
    let head = format!("GET /api/v2/projects/{id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut quick = api.events(&format!("/api/v2/projects/{id}/events"), None).await;
    let text = "x".repeat(20_000);
    let begun = Instant::now();
    let events = (0..400).map(|_| NewEvent::new(EventType::Log, json!({ "message": text }))).collect::<Vec<_>>();
    for part in events.chunks(20) {
        api.state.store.append_events(&id, Origin::Daemon, part.to_vec()).await.unwrap();
    }
    cancel(&api, &id).await;
    let mut count = 0;
    while let Some(frame) = quick.next().await {
        count += 1;
        if frame.event == "end" {
            break;
        }
    }
    assert!(count >= 402, "{count}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    // The slow one catches up from the store, without a gap.
    let mut all = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), async {
        let mut piece = vec![0; 1 << 16];
        while !all.ends_with(b"0\r\n\r\n") {
            let n = slow.read(&mut piece).await.unwrap();
            assert!(n > 0);
            all.extend_from_slice(&piece[..n]);
        }
    });
    read.await.unwrap();
    let all = String::from_utf8_lossy(&all);
    let ids = all.lines().filter_map(|l| l.strip_prefix("id: ")).filter_map(|n| n.trim().parse::<u64>().ok());
    let mut ids: Vec<u64> = ids.collect();
    ids.dedup();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    assert!(ids.len() >= 402 - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_ends_streams_at_once() {
    let api = Api::start().await;
    let id = api.project().await;
    let mut live = api.events(&format!("/api/v2/projects/{id}/events"), None).await;
    live.next().await.unwrap();
    let begun = Instant::now();
    api.state.shutdown.cancel();
    assert_eq!(live.next().await.unwrap().comment, "closing");
    assert_eq!(live.next().await, None);
    assert!(begun.elapsed() < Duration::from_millis(500));
}

async fn ask(api: &Api, session: &str, body: Value) -> Frames {
    Frames::of(
        api.client.post(api.url(&format!("/api/v2/sessions/{session}/stream"))).json(&body).send().await.unwrap(),
    )
}

async fn messages(api: &Api, session: &str) -> Vec<Value> {
    let answer = api.get(&format!("/api/v2/sessions/{session}/messages")).await;
    answer.body["data"].as_array().unwrap().clone()
}

fn tooling() -> Vec<Event> {
    let (id, name) = ("t1".to_owned(), "forecast".to_owned());
    vec![
        Event::Text { delta: "Let me see. ".to_owned() },
        Event::ToolStart { id: id.clone(), name: name.clone() },
        Event::ToolInput { id: id.clone(), delta: "{\"city\":".to_owned() },
        Event::ToolEnd { id, name, input: json!({ "city": "Graz" }), result: "sunny\n".to_owned(), failed: false },
        Event::Text { delta: "It is\n\nsunny.".to_owned() },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_streams_in_the_contracts_frames_and_is_stored() {
    let api = Api::start().await;
    let agent = api.agent().await;
    let session = api.session(&agent).await;
    let outcome = Ok(json!({ "output": "", "usage": { "input_tokens": 7, "output_tokens": 4 } }));
    *api.agents.script.lock().unwrap() = Script { events: tooling(), outcome, ..Script::default() };
    let file = json!({ "filename": "note.txt", "content_type": "text/plain", "data": "aGVsbG8=" });
    let frames = ask(&api, &session, json!({ "content": "Weather?", "files": [file] })).await.all().await;
    assert!(frames.iter().all(|f| f.event.is_empty()), "plain data frames");
    let first = frames[0].id.unwrap();
    assert_eq!(frames.iter().map(|f| f.id.unwrap()).collect::<Vec<_>>(), (first..first + 7).collect::<Vec<_>>());
    let data: Vec<Value> = frames.into_iter().map(|f| f.data).collect();
    assert_eq!(data[0], json!({ "event": "connected", "session_id": session }));
    assert_eq!(data[1], json!({ "event": "message", "type": "text", "data": "Let me see. " }));
    assert_eq!(data[2], json!({ "event": "message", "type": "tool_use", "tool_name": "forecast", "tool_id": "t1" }));
    assert_eq!(data[3], json!({ "event": "message", "type": "tool_input", "tool_id": "t1", "data": "{\"city\":" }));
    assert_eq!(
        data[4],
        json!({ "event": "message", "type": "tool_end", "tool_id": "t1", "tool_name": "forecast",
                "tool_input": "{\"city\":\"Graz\"}", "tool_input_json": { "city": "Graz" }, "tool_result": "sunny\n" })
    );
    assert_eq!(data[6]["event"], "done");
    assert_eq!((&data[6]["metrics"]["input_tokens"], &data[6]["metrics"]["tool_calls"]), (&json!(7), &json!(1)));
    // Figures come with the last event; one of their own would be taken for text.
    assert_eq!((&data[6]["event"], &data[6]["metrics"]["input_tokens"]), (&json!("done"), &json!(7)));
    assert_eq!(data.len(), 7);

    let stored = messages(&api, &session).await;
    assert_eq!(stored.iter().map(|m| m["role"].as_str().unwrap()).collect::<Vec<_>>(), ["user", "assistant"]);
    assert_eq!(stored[1]["content"], "Let me see. It is\n\nsunny.");
    let tools = &stored[1]["metadata"]["tool_calls"];
    assert_eq!(
        tools,
        &json!([{ "name": "forecast", "id": "t1", "input": "{\"city\":\"Graz\"}", "input_json": { "city": "Graz" }, "result": "sunny\n", "status": "success" }])
    );
    let blocks = stored[1]["metadata"]["content_blocks"].as_array().unwrap();
    assert_eq!(blocks.iter().map(|b| b["type"].as_str().unwrap()).collect::<Vec<_>>(), ["text", "tool", "text"]);
    let shown = api.get(&format!("/api/v2/sessions/{session}")).await;
    assert_eq!(
        (&shown.body["data"]["message_count"], &shown.body["data"]["display_name"]),
        (&json!(2), &json!("Weather?"))
    );

    // The next question carries what was said, and the files are part of the question.
    let told = api.agents.asked.lock().unwrap().last().unwrap()["body"].clone();
    assert!(told["input_text"].as_str().unwrap().contains("hello"), "{told}");
    *api.agents.script.lock().unwrap() = Script::default();
    ask(&api, &session, json!({ "content": "And tomorrow?" })).await.all().await;
    let told = api.agents.asked.lock().unwrap().last().unwrap()["body"].clone();
    assert_eq!(told["history"].as_array().unwrap().len(), 2);
    assert_eq!(told["history"][0], json!({ "role": "user", "content": "Weather?" }));
    let figures = api.get(&format!("/api/v2/agents/{agent}")).await.body["data"].clone();
    assert_eq!((&figures["total_invocations"], &figures["successful_invocations"]), (&json!(2), &json!(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_come_one_by_one_and_a_second_question_waits_its_turn() {
    let api = Api::start().await;
    let agent = api.agent().await;
    let session = api.session(&agent).await;
    let gate = Arc::new(Semaphore::new(0));
    *api.agents.script.lock().unwrap() = Script { gate: Some(gate.clone()), ..Script::default() };
    let mut stream = ask(&api, &session, json!({ "content": "x" })).await;
    assert_eq!(stream.next().await.unwrap().data["event"], "connected");
    gate.add_permits(1);
    assert_eq!(stream.next().await.unwrap().data["data"], "Hello ");
    let second = api.post(&format!("/api/v2/sessions/{session}/stream"), json!({ "content": "y" })).await;
    second.is_error(409, "SESSION_BUSY");
    gate.add_permits(1);
    assert_eq!(stream.next().await.unwrap().data["data"], "there");
    let rest = stream.all().await;
    assert_eq!(rest.last().unwrap().data["event"], "done");
    // Who has read `done` may ask again at once.
    gate.add_permits(9);
    assert_eq!(ask(&api, &session, json!({ "content": "z" })).await.all().await.last().unwrap().data["event"], "done");
    assert_eq!(messages(&api, &session).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_answer_says_error_then_done() {
    let api = Api::start().await;
    let agent = api.agent().await;
    let session = api.session(&agent).await;
    for (kind, told) in [
        (FailureKind::Permanent, "the model is gone"),
        (FailureKind::Panic, "the deploy handler of this agent failed; the daemon's log says more"),
    ] {
        let outcome = Err(Failure::new(kind, "the model is gone"));
        *api.agents.script.lock().unwrap() = Script { outcome, ..Script::default() };
        let frames = ask(&api, &session, json!({ "content": "x" })).await.all().await;
        let last: Vec<&Value> = frames.iter().rev().take(2).map(|f| &f.data).collect();
        assert_eq!((&last[0]["event"], last[0]["metrics"].is_object()), (&json!("done"), true));
        assert_eq!(last[1], &json!({ "event": "error", "error": told }));
    }
    let stored = messages(&api, &session).await;
    assert_eq!((stored.len(), &stored[1]["content"]), (4, &json!("Hello there")));
    assert_eq!(stored[1]["metadata"]["error"], "the model is gone");
}

async fn interrupted(api: &Api, agent: &AgentId, session: &str) {
    api.state.tasks.close();
    tokio::time::timeout(Duration::from_secs(5), api.state.tasks.wait()).await.unwrap();
    assert_eq!(api.agents.cancelled.load(Ordering::SeqCst), 1, "the job is cancelled");
    let stored = messages(api, session).await;
    assert_eq!(stored.len(), 2);
    assert_eq!((&stored[1]["content"], &stored[1]["metadata"]["interrupted"]), (&json!("Hello "), &json!(true)));
    assert_eq!(api.get(&format!("/api/v2/agents/{agent}")).await.body["data"]["failed_invocations"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_of_the_daemon_ends_answers_in_order() {
    let api = Api::start().await;
    let agent = api.agent().await;
    let session = api.session(&agent).await;
    let gate = Arc::new(Semaphore::new(1));
    *api.agents.script.lock().unwrap() = Script { gate: Some(gate), ..Script::default() };
    let mut stream = ask(&api, &session, json!({ "content": "x" })).await;
    stream.next().await.unwrap();
    stream.next().await.unwrap();
    api.state.shutdown.cancel();
    let rest = stream.all().await;
    assert_eq!(rest[0].data["event"], "error");
    assert_eq!(rest[1].data["event"], "done");
    interrupted(&api, &agent, &session).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_agent_is_kept_alive_and_errors_before_the_stream_are_plain() {
    let api = Api::start_with(Arc::new(tempfile::tempdir().unwrap()), |config| {
        config.server.sse_keepalive_secs = nexus_daemon::config::Seconds(1);
    })
    .await;
    let agent = api.agent().await;
    let session = api.session(&agent).await;
    let gate = Arc::new(Semaphore::new(0));
    *api.agents.script.lock().unwrap() = Script { gate: Some(gate.clone()), ..Script::default() };
    let mut stream = ask(&api, &session, json!({ "content": "x" })).await;
    stream.next().await.unwrap();
    assert_eq!(stream.next().await.unwrap().comment, "keep-alive");
    gate.add_permits(9);
    assert_eq!(stream.next().await.unwrap().data["type"], "text");
    let none = api.post("/api/v2/sessions/sess-none/stream", json!({ "content": "x" })).await;
    none.is_error(404, "SESSION_NOT_FOUND");
    assert_eq!(none.header("content-type"), "application/json");
}
