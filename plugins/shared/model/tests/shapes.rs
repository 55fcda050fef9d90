//! What each provider is sent for the same request.
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

use dialects::{AnthropicDialect, Dialect, OpenAiDialect};
use nexus_model::{ChatRequest, Content, Message, OutputSchema, Role, Tool, ToolChoice};
use serde_json::{Value, json};
use server::{Exchange, Server};

/// Fields that are not in the order of the alphabet.
const SCHEMA: &str = r#"{"type":"object","properties":{"reason":{"type":"string"},"answer":{"type":"string"}},"required":["reason","answer"]}"#;

/// A turn with a picture-free past: a question, a call and its result, and a further question.
fn conversation() -> ChatRequest {
    let call = Content::ToolUse { id: "c1".into(), name: "add".into(), arguments: json!({ "x": 1 }) };
    let result = Content::ToolResult { id: "c1".into(), content: "3".into(), is_error: true };
    ChatRequest {
        system: Some("Be brief.".into()),
        messages: vec![
            Message::user("add"),
            Message { role: Role::Assistant, content: vec![Content::Text(String::new()), call] },
            Message { role: Role::User, content: vec![result] },
            Message::user("and now?"),
        ],
        tools: vec![Tool {
            name: "add".into(),
            description: "Adds.".into(),
            parameters: OutputSchema::parse("add", SCHEMA).unwrap(),
        }],
        tool_choice: ToolChoice::Any,
        max_tokens: Some(77),
        stop: vec!["END".into()],
        ..ChatRequest::default()
    }
}

fn structured() -> ChatRequest {
    ChatRequest { output: Some(OutputSchema::parse("plan", SCHEMA).unwrap()), ..ChatRequest::of("plan") }
}

async fn sent<D: Dialect>(request: ChatRequest) -> Exchange {
    let server = Server::start().await;
    let model = D::model(&server.url);
    let call = tokio::spawn(async move { model.stream(request).await.map(drop) });
    let exchange = server.request().await;
    call.abort();
    exchange
}

fn without(mut body: Value, field: &str) -> Value {
    body.as_object_mut().unwrap().remove(field);
    body
}

#[tokio::test]
async fn openai_conversation() {
    let exchange = sent::<OpenAiDialect>(conversation()).await;
    assert_eq!(exchange.path, "/v1/chat/completions");
    assert!(exchange.headers.contains("authorization: bearer secret"), "{}", exchange.headers);
    let parameters: Value = serde_json::from_str(SCHEMA).unwrap();
    let expected = json!({
        "model": "m", "stream": true, "stream_options": { "include_usage": true },
        "max_completion_tokens": 77, "stop": ["END"], "tool_choice": "required",
        "tools": [{ "type": "function", "function": { "name": "add", "description": "Adds.", "parameters": parameters } }],
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "add" },
            { "role": "assistant", "content": "", "tool_calls": [
                { "id": "c1", "type": "function", "function": { "name": "add", "arguments": "{\"x\":1}" } }] },
            { "role": "tool", "tool_call_id": "c1", "content": "Error: 3" },
            { "role": "user", "content": "and now?" },
        ],
    });
    assert_eq!(exchange.body, expected);
}

#[tokio::test]
async fn openai_schema_in_its_own_order() {
    let exchange = sent::<OpenAiDialect>(structured()).await;
    assert_eq!(exchange.body["response_format"]["type"], "json_schema");
    assert_eq!(exchange.body["response_format"]["json_schema"]["name"], "plan");
    assert!(exchange.raw_body.contains(SCHEMA), "{}", exchange.raw_body);
}

#[tokio::test]
async fn anthropic_conversation() {
    let exchange = sent::<AnthropicDialect>(conversation()).await;
    assert_eq!(exchange.path, "/v1/messages");
    assert!(
        exchange.headers.contains("x-api-key: secret") && exchange.headers.contains("anthropic-version: 2023-06-01")
    );
    let kept = json!({ "type": "ephemeral" });
    let expected = json!({
        "model": "m", "stream": true, "max_tokens": 77, "stop_sequences": ["END"], "tool_choice": { "type": "any" },
        "system": [{ "type": "text", "text": "Be brief.", "cache_control": kept }],
        "messages": [
            { "role": "user", "content": [{ "type": "text", "text": "add" }] },
            { "role": "assistant", "content": [{ "type": "tool_use", "id": "c1", "name": "add", "input": { "x": 1 } }] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "c1", "content": "3", "is_error": true },
                { "type": "text", "text": "and now?", "cache_control": kept }] },
        ],
    });
    assert_eq!(without(exchange.body, "tools"), expected);
    assert!(exchange.raw_body.contains(&format!("\"input_schema\":{SCHEMA}")), "{}", exchange.raw_body);
}

#[tokio::test]
async fn anthropic_schema_is_a_tool_that_must_be_called_and_its_arguments_are_the_answer() {
    let server = Server::start().await;
    let model = AnthropicDialect::model(&server.url);
    let call = tokio::spawn(async move { nexus_model::collect(model.stream(structured()).await?).await });
    let mut exchange = server.request().await;
    assert_eq!(
        exchange.body["tool_choice"],
        json!({ "type": "tool", "name": "plan", "disable_parallel_tool_use": true })
    );
    exchange.begin(AnthropicDialect::CONTENT_TYPE).await;
    for chunk in [
        AnthropicDialect::begin(),
        AnthropicDialect::tool(0, "t", "plan"),
        AnthropicDialect::arguments(0, "{\"reason\":"),
        AnthropicDialect::arguments(0, "\"r\"}"),
        AnthropicDialect::reason("tool_use"),
        AnthropicDialect::done(),
    ] {
        exchange.chunk(&chunk).await;
    }
    let answer = call.await.unwrap().unwrap();
    assert_eq!((answer.text.as_str(), &answer.stop), ("{\"reason\":\"r\"}", &nexus_model::StopReason::EndTurn));
    assert!(answer.tool_calls.is_empty());
}

#[cfg(feature = "bedrock")]
#[tokio::test]
async fn bedrock_conversation() {
    let exchange = sent::<dialects::BedrockDialect>(conversation()).await;
    assert_eq!(exchange.path, "/model/m/converse-stream");
    let kept = json!({ "cachePoint": { "type": "default" } });
    let expected = json!({
        "system": [{ "text": "Be brief." }, kept],
        "inferenceConfig": { "maxTokens": 77, "stopSequences": ["END"] },
        "messages": [
            { "role": "user", "content": [{ "text": "add" }] },
            { "role": "assistant", "content": [{ "toolUse": { "toolUseId": "c1", "name": "add", "input": { "x": 1 } } }] },
            { "role": "user", "content": [
                { "toolResult": { "toolUseId": "c1", "content": [{ "text": "3" }], "status": "error" } },
                { "text": "and now?" }, kept] },
        ],
        "toolConfig": {
            "tools": [{ "toolSpec": { "name": "add", "description": "Adds.",
                "inputSchema": { "json": serde_json::from_str::<Value>(SCHEMA).unwrap() } } }],
            "toolChoice": { "any": {} },
        },
    });
    assert_eq!(exchange.body, expected);
}

#[tokio::test]
async fn what_no_provider_takes_is_refused_before_it_is_sent() {
    let server = Server::start().await;
    let mut request = conversation();
    request.tools[0].name = "no name".into();
    for model in [OpenAiDialect::model(&server.url), AnthropicDialect::model(&server.url)] {
        let error = model.stream(request.clone()).await.unwrap_err();
        assert!(error.message.contains("`no name`"), "{error}");
    }
    assert!(server.is_idle().await);
}
