use futures::StreamExt as _;

use super::*;
use crate::providers::{Reply, Scripted};
use crate::{ChatModel as _, ChatRequest, Content, StopReason, StreamEvent, ToolChoice, Usage, collect};

const TOOLS: &str = r#"[{"type":"function","function":{"name":"add","description":"Adds.","parameters":{"type":"object","properties":{"z":{},"a":{}}}}}]"#;

#[test]
fn a_conversation_with_calls_is_read() {
    let body = format!(
        r#"{{"model":"fast","stream":true,"stream_options":{{"include_usage":true}},"tools":{TOOLS},"tool_choice":"required","max_tokens":9,
        "stop":"END","unknown_field":1,"messages":[
        {{"role":"system","content":"Be brief."}},{{"role":"user","content":[{{"type":"text","text":"hi"}}]}},
        {{"role":"assistant","content":null,"tool_calls":[{{"id":"c","type":"function","function":{{"name":"add","arguments":"{{\"x\":1}}"}}}}]}},
        {{"role":"tool","tool_call_id":"c","content":"2"}}]}}"#
    );
    let asked = read_chat(body.as_bytes()).unwrap();
    assert_eq!((asked.model.as_str(), asked.stream, asked.wants_usage), ("fast", true, true));
    let request = asked.request;
    assert_eq!(
        (request.system.as_deref(), request.max_tokens, request.tool_choice),
        (Some("Be brief."), Some(9), ToolChoice::Any)
    );
    assert_eq!(request.messages.len(), 3);
    assert_eq!(
        request.messages[2].content[0],
        Content::ToolResult { id: "c".into(), content: "2".into(), is_error: false }
    );
    assert!(
        request.tools[0].parameters.as_json().contains(r#""properties":{"z":{},"a":{}}"#),
        "the order of the fields stays"
    );
}

#[test]
fn what_would_change_the_answer_is_refused_by_name() {
    for (body, word) in [
        (r#"{"model":"m","messages":[],"n":2}"#, "`n`"),
        (r#"{"model":"m","messages":[],"logprobs":true}"#, "`logprobs`"),
        (r#"{"model":"m","messages":[{"role":"owner","content":"x"}]}"#, "`owner`"),
        (r#"{"model":"m","messages":[{"role":"user","content":[{"type":"video"}]}]}"#, "`video`"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://h/x.png"}}]}]}"#,
            "`data:`",
        ),
        (r#"{"model":"m","messages":[],"tool_choice":"maybe"}"#, "`tool_choice`"),
        (r#"{"model":"m","messages":[],"max_tokens":0}"#, "`max_tokens`"),
        (r#"{"model":"m","messages":[],"max_completion_tokens":0}"#, "`max_completion_tokens`"),
        (r#"{"model":"m","messages":[],"max_completion_tokens":9,"max_tokens":0}"#, "`max_tokens`"),
        (r#"{"messages":[]}"#, "`model`"),
        ("[", "cannot be read"),
    ] {
        let error = read_chat(body.as_bytes()).unwrap_err();
        assert!(error.0.contains(word), "{body}: {error}");
    }
    for (body, word) in [
        (r#"{"model":"m","input":"x","previous_response_id":"r"}"#, "not kept"),
        (r#"{"model":"m","input":"x","background":true}"#, "`background`"),
        (r#"{"model":"m","input":"x","max_output_tokens":0}"#, "`max_output_tokens`"),
        (r#"{"model":"m","input":"x","tools":[{"type":"web_search"}]}"#, "`web_search`"),
        (r#"{"model":"m","input":3}"#, "`input`"),
    ] {
        let error = read_response(body.as_bytes()).unwrap_err();
        assert!(error.0.contains(word), "{body}: {error}");
    }
}

/// Of other types nobody knows what a provider counts for them.
#[test]
fn pictures_are_of_a_type_whose_cost_is_known() {
    let chat = |url: &str| {
        let part = json!({ "type": "image_url", "image_url": { "url": url } });
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": [part] }] });
        read_chat(body.to_string().as_bytes()).map(|asked| asked.request)
    };
    let response = |url: &str| {
        let part = json!({ "type": "input_image", "image_url": url });
        let body = json!({ "model": "m", "input": [{ "role": "user", "content": [part] }] });
        read_response(body.to_string().as_bytes()).map(|asked| asked.request)
    };
    for read in [&chat as &dyn Fn(&str) -> Result<ChatRequest, WireError>, &response] {
        for (written, meant) in [
            ("image/png", "image/png"),
            ("IMAGE/JPEG", "image/jpeg"),
            ("image/jpg", "image/jpeg"),
            ("image/gif", "image/gif"),
            ("image/webp;name=a", "image/webp"),
        ] {
            let request = read(&format!("data:{written};base64,AAAA")).unwrap();
            let picture = Content::Image { media_type: meant.into(), base64: "AAAA".into() };
            assert_eq!(request.messages[0].content, [picture], "{written}");
        }
        for other in ["application/pdf", "image/svg+xml", "image/tiff", "video/mp4", ""] {
            let error = read(&format!("data:{other};base64,AAAA")).unwrap_err();
            assert!(error.0.contains(&format!("`{other}`")) && error.0.contains("image/webp"), "{error}");
        }
    }
}

fn reply() -> Reply {
    Reply::new()
        .text("Let me ")
        .text("see.")
        .tool(Some(0), Some("c"), Some("add"), "{\"x\"")
        .tool(Some(0), None, None, ":1}")
        .usage(Usage { input: 5, output: 7, cache_read: 3, ..Usage::default() })
        .stop(StopReason::ToolUse)
}

/// Our own provider reads what our own gateway writes, event by event.
#[tokio::test]
async fn what_is_written_is_understood() {
    let mut stream = Scripted::new([reply()]).stream(ChatRequest::of("hi")).await.unwrap();
    let mut writer = ChatWriter::new("id".into(), 1, "fast".into(), true);
    let mut wire = String::new();
    while let Some(event) = stream.next().await {
        wire.push_str(&writer.event(&event.unwrap()));
    }
    let chunks: Vec<Value> = wire
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert!(wire.ends_with("data: [DONE]\n\n"));
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let text: String = chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/content")?.as_str()).collect();
    assert_eq!(text, "Let me see.");
    let arguments: String = chunks
        .iter()
        .filter_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0/function/arguments")?.as_str())
        .collect();
    assert_eq!(arguments, r#"{"x":1}"#);
    let last = &chunks[chunks.len() - 1];
    assert_eq!(
        (&last["choices"], &last["usage"]["prompt_tokens"], &last["usage"]["completion_tokens"]),
        (&json!([]), &json!(8), &json!(7))
    );
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "tool_calls");
}

#[tokio::test]
async fn a_whole_answer_says_the_same() {
    let answer = collect(Scripted::new([reply()]).stream(ChatRequest::of("hi")).await.unwrap()).await.unwrap();
    let whole = whole_chat("id", 1, "fast", &answer);
    assert_eq!(whole["choices"][0]["message"]["content"], "Let me see.");
    assert_eq!(whole["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], r#"{"x":1}"#);
    assert_eq!(whole["usage"]["total_tokens"], 15);
}

#[tokio::test]
async fn a_response_tells_each_item_from_its_begin_to_its_end() {
    let mut stream = Scripted::new([reply()]).stream(ChatRequest::of("hi")).await.unwrap();
    let mut writer = ResponseWriter::new("r".into(), 1, "fast".into());
    let mut wire = String::new();
    while let Some(event) = stream.next().await {
        wire.push_str(&writer.event(&event.unwrap()));
    }
    let kinds: Vec<&str> = wire.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(
        kinds,
        [
            "response.created",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let whole = writer.whole();
    assert_eq!(whole["output"][0]["content"][0]["text"], "Let me see.");
    assert_eq!(whole["output"][1]["arguments"], r#"{"x":1}"#);
    assert_eq!(whole["usage"]["input_tokens"], 8);
}

#[test]
fn every_kind_of_failure_has_a_status_that_sdks_treat_rightly() {
    let error = ModelError::new(ErrorKind::BudgetExhausted, "the budget of project p is used up");
    let (status, body) = refusal(&error);
    assert_eq!((status, &body["error"]["code"]), (402, &json!("budget_exhausted")));
    let (status, body) = refusal(&ModelError::new(ErrorKind::ContextOverflow, "too long"));
    assert_eq!((status, &body["error"]["code"]), (400, &json!("context_length_exceeded")));
    assert_eq!(
        refusal(&ModelError::new(ErrorKind::Unauthorized, "x")).0,
        502,
        "a caller's token is not what was refused"
    );
    let mut writer = ResponseWriter::new("r".into(), 1, "m".into());
    let _began = writer.event(&StreamEvent::Text("x".into()));
    assert!(writer.failure(&error).contains("\"code\":\"budget_exhausted\""));
}
