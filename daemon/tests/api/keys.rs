//! Idempotency keys of work that is cut off: the key lives in the work, and whatever ends the work gives it back.

use std::{
    io::Write as _,
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::api::{Answer, Api, Script};

async fn send(api: &Api, path: &str, key: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    api.send(Method::POST, path, &headers, body.to_string().into_bytes()).await
}

/// Sends a request and resets the connection a little later.
fn send_and_reset(api: &Api, path: &str, key: &str, body: &Value, after: Duration) {
    let body = body.to_string();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nIdempotency-Key: {key}");
    let mut client = TcpStream::connect(api.address).unwrap();
    write!(client, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    std::thread::sleep(after);
    rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
}

/// The answer to a request, once it is not the one before that is still being worked on.
async fn settled(api: &Api, path: &str, key: &str, body: &Value) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = send(api, path, key, body).await;
        if answer.body["error"]["code"] != "IDEMPOTENCY_IN_PROGRESS" {
            return answer;
        }
        assert_eq!(answer.header("retry-after"), "1");
        // Long before the lease of the key would end: it was given back.
        assert!(begun.elapsed() < Duration::from_secs(8), "the key {key} is stuck");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_reset_leave_no_key_behind() {
    let api = Arc::new(Api::start().await);
    let agent = api.agent().await;
    let session = api.session(&agent).await;
    let posts = [
        (format!("/api/v2/agents/{agent}/invoke"), json!({ "input_text": "i" }), 200),
        ("/api/v2/projects".to_owned(), json!({ "requirement": "long enough to be one" }), 201),
        (format!("/api/v2/agents/{agent}/sessions"), json!({}), 201),
        (format!("/api/v2/sessions/{session}/messages"), json!({ "content": "c" }), 201),
    ];
    let cut = {
        let (api, posts) = (api.clone(), posts.clone());
        tokio::task::spawn_blocking(move || {
            for n in 0..400_u32 {
                let (path, body, _) = &posts[if n < 280 { 0 } else { 1 + n as usize % 3 }];
                send_and_reset(&api, path, &format!("k{n}"), body, Duration::from_micros(u64::from(n % 41) * 100));
            }
        })
    };
    cut.await.unwrap();
    for n in 0..400_u32 {
        let (path, body, status) = &posts[if n < 280 { 0 } else { 1 + n as usize % 3 }];
        let answer = settled(&api, path, &format!("k{n}"), body).await;
        assert_eq!(answer.status.as_u16(), *status, "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_ends_without_an_answer_gives_its_key_back() {
    let api = Api::start().await;
    let path = format!("/api/v2/agents/{}/invoke", api.agent().await);
    let body = json!({ "input_text": "i" });
    // A panic in the midst of the work.
    *api.agents.script.lock().unwrap() = Script { panic: true, ..Script::default() };
    send(&api, &path, "p", &body).await.is_error(500, "INTERNAL_ERROR");
    // A reset while the agent is being asked: the work goes on, and its answer is kept for who comes again.
    let gate = Arc::new(Semaphore::new(0));
    *api.agents.script.lock().unwrap() = Script { gate: Some(gate.clone()), ..Script::default() };
    let before = api.agents.asked.lock().unwrap().len();
    send_and_reset(&api, &path, "r", &body, Duration::from_millis(20));
    while api.agents.asked.lock().unwrap().len() == before {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    send(&api, &path, "r", &body).await.is_error(409, "IDEMPOTENCY_IN_PROGRESS");
    gate.add_permits(99);
    *api.agents.script.lock().unwrap() = Script::default();
    for (key, replayed) in [("p", ""), ("r", "true")] {
        let answer = settled(&api, &path, key, &body).await;
        assert_eq!((answer.status.as_u16(), answer.header("idempotency-replayed")), (200, replayed), "{}", answer.text);
        assert_eq!(send(&api, &path, key, &body).await.header("idempotency-replayed"), "true");
    }
    // The daemon stops in the midst of it, and the next one knows of no key.
    *api.agents.script.lock().unwrap() = Script { gate: Some(Arc::new(Semaphore::new(0))), ..Script::default() };
    let asked = api.agents.asked.lock().unwrap().len();
    let (base, client) = (api.url(&path), api.client.clone());
    let waiting = tokio::spawn(async move {
        client.post(base).header("idempotency-key", "s").json(&json!({ "input_text": "i" })).send().await
    });
    while api.agents.asked.lock().unwrap().len() == asked {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let data = api.stop().await;
    let _ = waiting.await.unwrap();
    let api = Api::start_with(data, |_| {}).await;
    assert_eq!(send(&api, &path, "s", &body).await.status, 200);
}
