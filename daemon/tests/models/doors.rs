//! Who comes in, by which door, and what happens to those who leave.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, future::join_all};
use nexus_daemon::{config::Config, models::Grant};
use nexus_model::{
    ChatRequest, ErrorKind, ModelError, StopReason, StreamEvent, collect,
    providers::{Reply, Scripted},
};
use serde_json::json;

use crate::world::{PATIENCE, World, priced, usage};

const BODY: &str = r#"{"model":"fast","messages":[{"role":"user","content":"hi"}]}"#;

#[tokio::test]
async fn nobody_comes_in_without_a_token_of_this_daemon() {
    let (world, model) = World::scripted(priced(), []).await;
    for token in [None, Some("sk-something"), Some("nxm.e30.AAAA")] {
        for (path, body) in [("/chat/completions", BODY), ("/responses", BODY)] {
            let (status, answer) = world.post(path, token, body).await;
            assert_eq!((status, &answer["error"]["code"]), (401, &json!("invalid_api_key")), "{path}");
        }
    }
    let expired = world.gateway.grants().mint(&Grant::default(), Duration::ZERO);
    let (status, answer) = world.post("/chat/completions", Some(&expired), BODY).await;
    assert_eq!(status, 401);
    assert!(answer["error"]["message"].as_str().unwrap().contains("expired"));
    assert!(model.requests().is_empty());
}

#[tokio::test]
async fn both_doors_and_both_protocols_give_the_same_answer() {
    let (world, model) = World::scripted(priced(), (0..4).map(|_| Reply::saying("here"))).await;
    for client in [world.client("fast"), world.socket_client("fast")] {
        assert_eq!(collect(client.stream(ChatRequest::of("hi")).await.unwrap()).await.unwrap().text, "here");
    }
    let token = world.project_token();
    let (status, chat) = world.post("/chat/completions", Some(&token), BODY).await;
    assert_eq!((status, &chat["choices"][0]["message"]["content"]), (200, &json!("here")));
    let (status, response) = world.post("/responses", Some(&token), r#"{"model":"fast","input":"hi"}"#).await;
    assert_eq!((status, &response["output"][0]["content"][0]["text"]), (200, &json!("here")));
    assert_eq!(response["usage"]["total_tokens"], 15);
    assert_eq!(model.requests().len(), 4);

    let socket = world.doors.place.socket.clone().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    world.doors.close(Duration::ZERO);
    assert!(!socket.exists());
}

#[tokio::test]
async fn what_cannot_be_answered_says_why() {
    let (world, _) = World::scripted(priced(), []).await;
    let token = world.project_token();
    for (path, body, status, word) in [
        ("/chat/completions", r#"{"model":"gpt-99","messages":[]}"#, 404, "there is no model `gpt-99`"),
        ("/chat/completions", "{", 400, "cannot be read"),
        ("/chat/completions", r#"{"model":"fast","messages":[],"n":3}"#, 400, "`n`"),
        ("/responses", r#"{"model":"fast","input":"x","previous_response_id":"r"}"#, 400, "not kept"),
        ("/embeddings", BODY, 404, "POST /v1/chat/completions"),
    ] {
        let (found, answer) = world.post(path, Some(&token), body).await;
        assert_eq!(found, status, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(word), "{answer}");
    }
    let offline = World::new(Config::default(), Vec::new()).await;
    let (status, answer) = offline.post("/chat/completions", Some(&offline.project_token()), BODY).await;
    assert_eq!(status, 404);
    assert!(answer["error"]["message"].as_str().unwrap().contains("offline"), "{answer}");
}

#[tokio::test]
async fn a_failure_has_a_status_before_the_first_word_and_comes_in_band_after_it() {
    let wait = ModelError::new(ErrorKind::RateLimited, "slow down").with_retry_after(Some(Duration::from_secs(3600)));
    let broken = Reply::new().text("half").broken(ModelError::new(ErrorKind::Overloaded, "gone"));
    let (world, _) = World::scripted(priced(), [Reply::refused(wait), broken]).await;
    let error = world.client("fast").stream(ChatRequest::of("hi")).await.unwrap_err();
    assert_eq!(
        (error.kind, error.status, error.retry_after),
        (ErrorKind::RateLimited, Some(429), Some(Duration::from_secs(3600)))
    );
    let mut stream = world.client("fast").stream(ChatRequest::of("hi")).await.unwrap();
    let mut last = stream.next().await;
    while let Some(Ok(event)) = last {
        assert!(!matches!(event, StreamEvent::Finish(_)), "a broken answer is not called complete");
        last = stream.next().await;
    }
    assert_eq!(last.unwrap().unwrap_err().kind, ErrorKind::Overloaded);
}

#[tokio::test]
async fn a_client_who_leaves_stops_the_model_at_once() {
    for streamed in [true, false] {
        let (reply, gate) = Reply::new().text("one").text("two").stop(StopReason::EndTurn).gated();
        let (world, model) = World::scripted(priced(), [reply]).await;
        let body = format!(r#"{{"model":"fast","stream":{streamed},"messages":[{{"role":"user","content":"hi"}}]}}"#);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{}/chat/completions", world.doors.place.base_url));
        let call = tokio::spawn(request.bearer_auth(world.project_token()).body(body).send());
        gate.send(()).await.unwrap();
        let left;
        if streamed {
            let mut answer = call.await.unwrap().unwrap();
            assert!(answer.chunk().await.unwrap().is_some());
            left = Instant::now();
            drop(answer);
        } else {
            // The whole answer is awaited: the provider has begun, the client has nothing yet.
            while model.requests().is_empty() {
                tokio::task::yield_now().await;
            }
            left = Instant::now();
            call.abort();
        }
        drop(client);
        tokio::time::timeout(PATIENCE, model.cancelled(1)).await.expect("the provider never heard of it");
        assert!(left.elapsed() < Duration::from_millis(500), "{:?}", left.elapsed());
        // Nobody knows what the model had done: what was set aside stays.
        assert!(world.settled("project:p").await.tokens > 4096);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_streams_at_once_all_end_well() {
    const CROWD: usize = 500;
    let model = Scripted::named("script", []);
    let mut gates = Vec::new();
    for _ in 0..CROWD {
        let (reply, gate) = Reply::new().text("one ").text("two").usage(usage(3, 2)).stop(StopReason::EndTurn).gated();
        model.push(reply);
        gates.push(gate);
    }
    let provider = nexus_daemon::models::Provider::fixed("script", false, std::sync::Arc::new(model));
    let world = World::new(priced(), vec![provider]).await;
    let client = world.client("fast");
    let calls: Vec<_> = (0..CROWD)
        .map(|_| {
            let client = std::sync::Arc::clone(&client);
            tokio::spawn(async move { client.stream(ChatRequest::of("hi")).await })
        })
        .collect();
    // All are open, with their first word said and no other.
    join_all(gates.iter().map(|gate| gate.send(()))).await;
    let streams: Vec<_> = join_all(calls).await.into_iter().map(|call| call.unwrap().unwrap()).collect();
    assert_eq!(streams.len(), CROWD);
    drop(gates);
    for answer in join_all(streams.into_iter().map(collect)).await {
        assert_eq!(answer.unwrap().text, "one two");
    }
    assert_eq!(world.settled("project:p").await, crate::world::booked(3 * CROWD as u64, 2 * CROWD as u64));
}
