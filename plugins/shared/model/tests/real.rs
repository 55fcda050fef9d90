//! The protocol with a real server: llama.cpp's, with a model so small that only the form of its answers is worth looking at.
//! `.ci/small-model` fetches both and runs this; a part that is missing fails there with its name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use nexus_model::providers::{Anthropic, Connection, Key, OpenAi, Place, Server};
use nexus_model::{ChatModel, ChatRequest, ErrorKind, OutputSchema, StopReason, StreamEvent, collect, typed};

fn url() -> String {
    std::env::var("NEXUSD_TEST_MODEL_URL").expect("NEXUSD_TEST_MODEL_URL names no server: run .ci/small-model")
}

fn connection(path: &str) -> Connection {
    Connection::new(&Place::Url(format!("{}{path}", url())), Key::default()).unwrap()
}

fn models() -> [Arc<dyn ChatModel>; 2] {
    let openai = OpenAi::new("llamacpp", "local", Server::named("llamacpp").unwrap(), connection("/v1"));
    [Arc::new(openai), Arc::new(Anthropic::new("facade", "local", connection("")))]
}

fn short() -> ChatRequest {
    ChatRequest { max_tokens: Some(24), temperature: Some(0.0), ..ChatRequest::of("Say hello.") }
}

#[tokio::test]
#[ignore = "needs a model server: .ci/small-model"]
async fn answers_have_text_usage_and_a_reason_in_both_protocols() {
    for model in models() {
        let answer = collect(model.stream(short()).await.unwrap()).await.unwrap();
        assert!(!answer.text.is_empty(), "{}", model.identity());
        assert!(matches!(answer.stop, StopReason::EndTurn | StopReason::MaxTokens), "{:?}", answer.stop);
        let usage = answer.usage.expect("no usage came");
        assert!(usage.prompt() > 0 && (1..=24).contains(&usage.output), "{usage:?}");
        assert!(usage.prompt() <= short().most_input_tokens(), "the estimate is no bound: {usage:?}");
    }
}

#[tokio::test]
#[ignore = "needs a model server: .ci/small-model"]
async fn a_schema_is_filled_in_the_order_in_which_it_is_written() {
    let text = r#"{"type":"object","properties":{"zebra":{"type":"string","maxLength":20},"apple":{"type":"integer","minimum":0,"maximum":9}},
        "required":["zebra","apple"],"additionalProperties":false}"#;
    let schema = OutputSchema::parse("things", text).unwrap();
    let [model, _] = models();
    let request = ChatRequest { max_tokens: Some(120), temperature: Some(0.0), ..ChatRequest::of("Fill in the form.") };
    let typed: typed::Typed<serde_json::Value> =
        typed::ask(&*model, request, &schema, |problems| problems.join("\n")).await.unwrap();
    let written = &typed.answers[0].text;
    assert!(written.find("zebra") < written.find("apple"), "{written}");
}

#[tokio::test]
#[ignore = "needs a model server: .ci/small-model"]
async fn a_prompt_that_is_too_long_and_a_model_that_is_unknown_are_told_by_their_kind() {
    let [model, _] = models();
    let error = model.stream(ChatRequest::of("word ".repeat(40_000))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ContextOverflow, "{error}");
}

#[tokio::test]
#[ignore = "needs a model server: .ci/small-model"]
async fn a_dropped_stream_frees_the_server() {
    let [model, _] = models();
    let endless = ChatRequest { max_tokens: Some(2000), ..ChatRequest::of("Count to ten thousand in words.") };
    // As many as the server has slots for, and all are left: a server that generated on would let the next one wait.
    for _ in 0..4 {
        let mut stream = model.stream(endless.clone()).await.unwrap();
        while !matches!(stream.next().await.unwrap().unwrap(), StreamEvent::Text(_)) {}
    }
    let begun = Instant::now();
    collect(model.stream(short()).await.unwrap()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}
