//! What providers say of money and keys: only their last word about usage counts, and a key goes nowhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    dead_code,
    unused_imports
)]

#[path = "support/dialects.rs"]
mod dialects;
#[path = "support/server.rs"]
mod server;

use std::io;
use std::sync::{Arc, Mutex};

use dialects::{AnthropicDialect, Dialect, OpenAiDialect};
use nexus_model::providers::{Anthropic, Connection, Key, OpenAi, Place, Server as Servers};
use nexus_model::{ChatModel, ChatRequest, Usage, collect};
use serde_json::{Value, json};
use server::Server;

fn data(value: &Value) -> Vec<u8> {
    format!("data: {value}\n\n").into_bytes()
}

/// The usage of an answer that is sent so.
async fn reported<D: Dialect>(chunks: &[Vec<u8>]) -> Option<Usage> {
    let server = Server::start().await;
    let model = D::model(&server.url);
    let call = tokio::spawn(async move { collect(model.stream(ChatRequest::of("hello")).await?).await });
    let mut exchange = server.request().await;
    exchange.begin(D::CONTENT_TYPE).await;
    for chunk in chunks {
        exchange.chunk(chunk).await;
    }
    exchange.end().await;
    call.await.unwrap().unwrap().usage
}

fn used(input: u64, output: u64) -> Option<Usage> {
    Some(Usage { input, output, ..Usage::default() })
}

#[tokio::test]
async fn a_snapshot_of_anthropic_that_the_end_does_not_confirm_is_no_usage() {
    type D = AnthropicDialect;
    let end = |usage: Value| {
        data(&json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": usage }))
    };
    for (last, expected) in [
        (Value::Null, None),
        (json!({}), None),
        (json!({ "input_tokens": 40 }), None),
        (json!({ "output_tokens": 900 }), Some(Usage { input: 40, output: 900, cache_read: 8, ..Usage::default() })),
        // The same as at the begin, and this time meant so.
        (json!({ "output_tokens": 1 }), Some(Usage { input: 40, output: 1, cache_read: 8, ..Usage::default() })),
    ] {
        for text in [Some(D::text("4")), None] {
            let chunks: Vec<_> = [D::begin()].into_iter().chain(text).chain([end(last.clone()), D::done()]).collect();
            assert_eq!(reported::<D>(&chunks).await, expected, "{last}");
        }
    }
}

#[tokio::test]
async fn a_snapshot_of_openai_that_content_follows_is_no_usage() {
    type D = OpenAiDialect;
    let usage = |usage: Value| data(&json!({ "choices": [], "usage": usage }));
    let counted = |output: u64| usage(json!({ "prompt_tokens": 5, "completion_tokens": output }));
    let stop = data(&json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }));
    assert_eq!(reported::<D>(&[D::text("4"), stop.clone()]).await, None);
    assert_eq!(reported::<D>(&[D::text("4"), counted(1), D::text("2"), stop.clone()]).await, None);
    assert_eq!(reported::<D>(&[D::text("4"), counted(1), D::text("2"), stop.clone(), counted(9)]).await, used(5, 9));
    assert_eq!(reported::<D>(&[D::text("4"), counted(7), stop.clone()]).await, used(5, 7));
    // What was thought is in the total alone.
    let total = usage(json!({ "prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 114,
        "completion_tokens_details": { "reasoning_tokens": 100 } }));
    let thought = Usage { reasoning: 100, ..used(5, 109).unwrap() };
    assert_eq!(reported::<D>(&[D::text("4"), stop, total]).await, Some(thought));
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const KEY: &str = "sk-proj-AbCdEfGhIjKlMnOpQr-wxyz9876";

fn models(url: &str) -> [Arc<dyn ChatModel>; 2] {
    let connect = |place: String| Connection::new(&Place::Url(place), Key::fixed(KEY)).unwrap();
    [
        Arc::new(OpenAi::new("p", "m", Servers::named("openai").unwrap(), connect(format!("{url}/v1")))),
        Arc::new(Anthropic::new("p", "m", connect(url.to_owned()))),
    ]
}

#[tokio::test]
async fn a_key_that_a_provider_repeats_goes_no_further() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // This test and all that it awaits run on one thread.
    let _guard = tracing::subscriber::set_default(subscriber);
    let repeated = [
        format!("Incorrect API key provided: {KEY}. Ask an admin."),
        format!("Incorrect API key provided: {}****9876. Ask an admin.", &KEY[..8]),
        format!("Authorization: Bearer {KEY}; Ask an admin."),
    ];
    let hidden = |text: &str| {
        let clean = KEY.as_bytes().windows(8).all(|part| !text.contains(std::str::from_utf8(part).unwrap()));
        assert!(clean, "a part of the key is in: {text}");
    };
    for said in &repeated {
        for (status, code) in [(401, "invalid_api_key"), (403, "denied"), (429, "insufficient_quota"), (400, "bad")] {
            for number in [0, 1] {
                let server = Server::start().await;
                let model = Arc::clone(&models(&server.url)[number]);
                let body = json!({ "error": { "code": code, "message": said } }).to_string();
                let answer = async { server.request().await.answer(status, &[], &body).await };
                let (result, ()) = tokio::join!(model.stream(ChatRequest::of("hello")), answer);
                let error = result.unwrap_err();
                hidden(&error.message);
                // What is about the key or its account is for the log alone.
                assert_eq!(error.message.contains("Ask an admin"), status == 400, "{error}");
                assert!(error.message.contains(&format!("HTTP {status}")), "{error}");
            }
        }
    }
    let written = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    hidden(&written);
    assert_eq!(written.matches("Ask an admin").count(), repeated.len() * 3 * 2, "{written}");
}

#[tokio::test]
async fn an_error_about_the_key_within_a_stream_is_told_in_our_own_words() {
    let server = Server::start().await;
    let model = Arc::clone(&models(&server.url)[0]);
    let call = tokio::spawn(async move { collect(model.stream(ChatRequest::of("hello")).await?).await });
    let mut exchange = server.request().await;
    exchange.begin(OpenAiDialect::CONTENT_TYPE).await;
    exchange.chunk(&data(&json!({ "error": { "code": 401, "message": format!("wrong key {KEY}") } }))).await;
    let error = call.await.unwrap().unwrap_err();
    assert!(!error.message.contains("sk-") && error.message.contains("check the key"), "{error}");
}
