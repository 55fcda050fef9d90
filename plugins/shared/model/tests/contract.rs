//! The contract of a stream's end, held by every provider against a server that is gated chunk by chunk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    dead_code
)]

#[path = "support/dialects.rs"]
mod dialects;
#[path = "support/server.rs"]
mod server;

use std::time::{Duration, Instant};

use dialects::Dialect;
use futures::StreamExt as _;
use nexus_model::{
    Arguments, ChatRequest, ChatStream, ErrorKind, ModelError, RetryRules, Stack, StopReason, StreamEvent, ToolCall,
    Usage, collect,
};
use server::{Exchange, PATIENCE, Server};

/// Sends the request and waits for it at the server; there the stream has begun.
async fn opened<D: Dialect>(server: &Server) -> (ChatStream, Exchange) {
    let model = D::model(&server.url);
    let accept = async {
        let mut exchange = server.request().await;
        exchange.begin(D::CONTENT_TYPE).await;
        exchange.chunk(&D::begin()).await;
        exchange
    };
    let (stream, exchange) = tokio::join!(model.stream(ChatRequest::of("hello")), accept);
    (stream.unwrap(), exchange)
}

async fn next(stream: &mut ChatStream) -> Option<Result<StreamEvent, ModelError>> {
    tokio::time::timeout(PATIENCE, stream.next()).await.expect("no event came")
}

/// The next event that is neither the start nor a snapshot of usage.
async fn content(stream: &mut ChatStream) -> Option<Result<StreamEvent, ModelError>> {
    loop {
        match next(stream).await {
            Some(Ok(StreamEvent::Started { .. } | StreamEvent::Usage(_))) => {}
            other => return other,
        }
    }
}

fn text(text: &str) -> StreamEvent {
    StreamEvent::Text(text.to_owned())
}

async fn each_chunk_is_delivered_when_it_comes_and_finish_is_last<D: Dialect>() {
    let server = Server::start().await;
    let (mut stream, mut exchange) = opened::<D>(&server).await;
    // The second chunk is sent only after the first was received.
    exchange.chunk(&D::text("one ")).await;
    assert_eq!(content(&mut stream).await.unwrap().unwrap(), text("one "));
    exchange.chunk(&D::text("zwei 三")).await;
    assert_eq!(content(&mut stream).await.unwrap().unwrap(), text("zwei 三"));
    exchange.chunk(&D::reason(D::END)).await;
    exchange.chunk(&D::done()).await;
    let mut rest = Vec::new();
    while let Some(event) = next(&mut stream).await {
        rest.push(event.unwrap());
    }
    let usage = Usage { input: 40, output: 7, cache_read: 8, ..Usage::default() };
    assert_eq!(rest, [StreamEvent::Usage(usage), StreamEvent::Finish(StopReason::EndTurn)]);
    assert!(next(&mut stream).await.is_none(), "the end is for good");
}

async fn a_stream_without_a_reason_is_cut_however_it_ends<D: Dialect>() {
    for end_mark in [true, false] {
        for in_good_order in [true, false] {
            let server = Server::start().await;
            let (mut stream, mut exchange) = opened::<D>(&server).await;
            exchange.chunk(&D::text("It looks complete.")).await;
            assert_eq!(content(&mut stream).await.unwrap().unwrap(), text("It looks complete."));
            if end_mark {
                exchange.chunk(&D::done()).await;
            }
            if in_good_order {
                exchange.end().await
            } else {
                exchange.cut()
            }
            let error = content(&mut stream).await.unwrap().unwrap_err();
            assert_eq!(error.kind, ErrorKind::Cut, "{error}");
            assert!(error.may_have_cost);
            assert!(next(&mut stream).await.is_none(), "nothing follows an error, no Finish either");
        }
    }
}

async fn every_call_that_began_is_delivered_whatever_ends_the_stream<D: Dialect>() {
    let calls = |events: &[StreamEvent]| -> Vec<ToolCall> {
        events
            .iter()
            .filter_map(|event| if let StreamEvent::ToolCall(call) = event { Some(call.clone()) } else { None })
            .collect()
    };
    // Two calls under a reason that says nothing of calls; the second one is cut by the limit.
    let server = Server::start().await;
    let (mut stream, mut exchange) = opened::<D>(&server).await;
    for chunk in [
        D::tool(1, "a", "add"),
        D::arguments(1, "{\"x\":"),
        D::arguments(1, "1}"),
        D::tool(2, "b", "sub"),
        D::arguments(2, "{\"x\":"),
    ] {
        exchange.chunk(&chunk).await;
    }
    exchange.chunk(&D::reason(D::LENGTH)).await;
    exchange.chunk(&D::done()).await;
    let mut events = Vec::new();
    while let Some(event) = next(&mut stream).await {
        events.push(event.unwrap());
    }
    let found = calls(&events);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].id.as_str(), found[0].name.as_str()), ("a", "add"));
    assert_eq!(found[0].arguments, Arguments::Object(serde_json::json!({ "x": 1 })));
    assert!(matches!(&found[1].arguments, Arguments::Unreadable { text, .. } if text == "{\"x\":"), "{:?}", found[1]);
    assert_eq!(events.last(), Some(&StreamEvent::Finish(StopReason::MaxTokens)));
    let grown: String = events
        .iter()
        .filter_map(|event| {
            if let StreamEvent::ToolDelta(delta) = event {
                (delta.slot == 0).then_some(&*delta.arguments)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(grown, "{\"x\":1}");

    // A call whose stream breaks, though its arguments happen to be whole JSON.
    let server = Server::start().await;
    let (mut stream, mut exchange) = opened::<D>(&server).await;
    exchange.chunk(&D::tool(1, "a", "add")).await;
    exchange.chunk(&D::arguments(1, "{}")).await;
    exchange.cut();
    let mut events = Vec::new();
    let error = loop {
        match next(&mut stream).await.unwrap() {
            Ok(event) => events.push(event),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, ErrorKind::Cut);
    assert!(matches!(&calls(&events)[..], [ToolCall { arguments: Arguments::Unreadable { .. }, .. }]), "{events:?}");
}

async fn dropping_the_stream_reaches_the_server<D: Dialect>() {
    let server = Server::start().await;
    let (mut stream, mut exchange) = opened::<D>(&server).await;
    exchange.chunk(&D::text("one")).await;
    assert_eq!(content(&mut stream).await.unwrap().unwrap(), text("one"));
    let dropped = Instant::now();
    drop(stream);
    exchange.client_is_gone().await;
    assert!(dropped.elapsed() < Duration::from_millis(500), "{:?}", dropped.elapsed());

    // Also before the server has answered anything.
    let model = D::model(&server.url);
    let call = tokio::spawn(async move { model.stream(ChatRequest::of("hello")).await });
    let exchange = server.request().await;
    call.abort();
    exchange.client_is_gone().await;
}

async fn an_error_within_the_stream_is_the_end<D: Dialect>() {
    let server = Server::start().await;
    let (mut stream, mut exchange) = opened::<D>(&server).await;
    exchange.chunk(&D::text("one")).await;
    exchange.chunk(&D::error()).await;
    assert_eq!(content(&mut stream).await.unwrap().unwrap(), text("one"));
    let error = content(&mut stream).await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Overloaded, "{error}");
    assert!(next(&mut stream).await.is_none());
}

async fn refused<D: Dialect>(status: u16, headers: &[(&str, &str)], body: &str) -> ModelError {
    let server = Server::start().await;
    let model = D::model(&server.url);
    let answer = async { server.request().await.answer(status, headers, body).await };
    let (result, ()) = tokio::join!(model.stream(ChatRequest::of("hello")), answer);
    result.unwrap_err()
}

async fn refusals_have_their_kind_and_their_wait<D: Dialect>() {
    let error = refused::<D>(429, &[("retry-after", "7")], &D::refusal("ThrottlingException", "slow down")).await;
    assert_eq!(
        (error.kind, error.status, error.retry_after),
        (ErrorKind::RateLimited, Some(429), Some(Duration::from_secs(7)))
    );
    assert!(!error.may_have_cost);
    let date = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_secs(100));
    let error =
        refused::<D>(503, &[("retry-after", &date)], &D::refusal("ServiceUnavailableException", "loading")).await;
    let wait = error.retry_after.unwrap();
    assert!(wait > Duration::from_secs(80) && wait <= Duration::from_secs(100), "{wait:?}");
    assert_eq!(error.kind, ErrorKind::Overloaded);
    let error = refused::<D>(400, &[], &D::refusal("ValidationException", "prompt is too long: 9 > 4")).await;
    assert_eq!(error.kind, ErrorKind::ContextOverflow);
    let error = refused::<D>(401, &[], &D::refusal("UnrecognizedClientException", "who are you")).await;
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert!(!error.message.contains("who are you") && error.message.contains("check the"), "{error}");
    // Whatever stands before the provider answers in HTML.
    let error = refused::<D>(502, &[], "<html>bad gateway</html>").await;
    assert_eq!(error.kind, ErrorKind::ProviderFault);
}

fn quick() -> RetryRules {
    let wait = Duration::from_millis(1);
    RetryRules { attempts: 4, first_wait: wait, longest_wait: wait, longest_asked: Duration::from_secs(1) }
}

async fn a_storm_is_weathered_before_the_first_event_and_not_after_it<D: Dialect>() {
    let server = Server::start().await;
    let model = Stack::of(D::model(&server.url)).retry(quick()).build();
    let call = tokio::spawn(async move { collect(model.stream(ChatRequest::of("hello")).await?).await });
    for status in [429, 503] {
        server.request().await.answer(status, &[("retry-after", "0")], &D::refusal("ThrottlingException", "no")).await;
    }
    // An attempt that begins and breaks before it has said anything is repeated as well.
    let mut exchange = server.request().await;
    exchange.begin(D::CONTENT_TYPE).await;
    exchange.chunk(&D::begin()).await;
    exchange.cut();
    let mut exchange = server.request().await;
    exchange.begin(D::CONTENT_TYPE).await;
    for chunk in [D::begin(), D::text("here"), D::reason(D::END), D::done()] {
        exchange.chunk(&chunk).await;
    }
    exchange.end().await;
    let answer = call.await.unwrap().unwrap();
    assert_eq!(answer.text, "here");
    assert_eq!(answer.usage.unwrap().total(), 55);

    let model = Stack::of(D::model(&server.url)).retry(quick()).build();
    let call = tokio::spawn(async move { collect(model.stream(ChatRequest::of("hello")).await?).await });
    let mut exchange = server.request().await;
    exchange.begin(D::CONTENT_TYPE).await;
    exchange.chunk(&D::begin()).await;
    exchange.chunk(&D::text("half a sent")).await;
    exchange.cut();
    assert_eq!(call.await.unwrap().unwrap_err().kind, ErrorKind::Cut);
    assert!(server.is_idle().await, "what was delivered is not asked for again");
}

macro_rules! on_every_provider {
    ($($test:ident),* $(,)?) => { $(
        mod $test {
            #[tokio::test]
            async fn openai() {
                super::$test::<super::dialects::OpenAiDialect>().await;
            }

            #[tokio::test]
            async fn anthropic() {
                super::$test::<super::dialects::AnthropicDialect>().await;
            }

            #[cfg(feature = "bedrock")]
            #[tokio::test]
            async fn bedrock() {
                super::$test::<super::dialects::BedrockDialect>().await;
            }
        }
    )* };
}

on_every_provider! {
    each_chunk_is_delivered_when_it_comes_and_finish_is_last,
    a_stream_without_a_reason_is_cut_however_it_ends,
    every_call_that_began_is_delivered_whatever_ends_the_stream,
    dropping_the_stream_reaches_the_server,
    an_error_within_the_stream_is_the_end,
    refusals_have_their_kind_and_their_wait,
    a_storm_is_weathered_before_the_first_event_and_not_after_it,
}
