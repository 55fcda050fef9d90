//! How each protocol writes the same answer.

use std::sync::Arc;

use nexus_model::ChatModel;
use nexus_model::providers::{Anthropic, Connection, Key, OpenAi, Place, Server};
use serde_json::json;

/// A protocol, as the server speaks it.
pub trait Dialect {
    const CONTENT_TYPE: &'static str;
    /// The provider's word for a limit that was reached.
    const LENGTH: &'static str = "max_tokens";
    /// The name for the end of a turn.
    const END: &'static str = "end_turn";
    fn model(url: &str) -> Arc<dyn ChatModel>;
    fn begin() -> Vec<u8>;
    fn text(text: &str) -> Vec<u8>;
    fn tool(index: u32, id: &str, name: &str) -> Vec<u8>;
    fn arguments(index: u32, fragment: &str) -> Vec<u8>;
    /// The provider's reason of the end, and usage of 40 tokens in, 8 from the cache, 7 out.
    fn reason(word: &str) -> Vec<u8>;
    /// The protocol's mark that nothing follows.
    fn done() -> Vec<u8>;
    /// An error within the stream: the provider is overloaded.
    fn error() -> Vec<u8>;
    /// An error body.
    fn refusal(kind: &str, message: &str) -> String {
        json!({ "type": "error", "error": { "type": kind, "message": message } }).to_string()
    }
}

fn data(value: &serde_json::Value) -> Vec<u8> {
    format!("data: {value}\n\n").into_bytes()
}

pub struct OpenAiDialect;

fn choice(delta: &serde_json::Value) -> Vec<u8> {
    data(&json!({ "id": "c1", "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] }))
}

impl Dialect for OpenAiDialect {
    const CONTENT_TYPE: &'static str = "text/event-stream";
    const LENGTH: &'static str = "length";
    const END: &'static str = "stop";

    fn model(url: &str) -> Arc<dyn ChatModel> {
        let connection = Connection::new(&Place::Url(format!("{url}/v1")), Key::fixed("secret")).unwrap();
        Arc::new(OpenAi::new("openai", "m", Server::named("openai").unwrap(), connection))
    }

    fn begin() -> Vec<u8> {
        choice(&json!({ "role": "assistant", "content": null }))
    }

    fn text(text: &str) -> Vec<u8> {
        choice(&json!({ "content": text }))
    }

    fn tool(index: u32, id: &str, name: &str) -> Vec<u8> {
        choice(
            &json!({ "tool_calls": [{ "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": "" } }] }),
        )
    }

    fn arguments(index: u32, fragment: &str) -> Vec<u8> {
        // As LM Studio does: the name comes again, empty.
        choice(&json!({ "tool_calls": [{ "index": index, "function": { "name": "", "arguments": fragment } }] }))
    }

    fn reason(word: &str) -> Vec<u8> {
        let mut bytes = data(&json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": word }] }));
        let usage =
            json!({ "prompt_tokens": 48, "completion_tokens": 7, "prompt_tokens_details": { "cached_tokens": 8 } });
        bytes.extend(data(&json!({ "choices": [], "usage": usage })));
        bytes
    }

    fn done() -> Vec<u8> {
        b"data: [DONE]\n\n".to_vec()
    }

    fn error() -> Vec<u8> {
        data(&json!({ "error": { "message": "overloaded", "code": 529 } }))
    }
}

pub struct AnthropicDialect;

fn event(value: &serde_json::Value) -> Vec<u8> {
    format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap()).into_bytes()
}

impl Dialect for AnthropicDialect {
    const CONTENT_TYPE: &'static str = "text/event-stream; charset=utf-8";

    fn model(url: &str) -> Arc<dyn ChatModel> {
        let connection = Connection::new(&Place::Url(url.to_owned()), Key::fixed("secret")).unwrap();
        Arc::new(Anthropic::new("anthropic", "m", connection))
    }

    fn begin() -> Vec<u8> {
        let usage = json!({ "input_tokens": 40, "cache_read_input_tokens": 8, "output_tokens": 1 });
        let mut bytes = event(&json!({ "type": "message_start", "message": { "id": "c1", "usage": usage } }));
        bytes.extend(event(&json!({ "type": "ping" })));
        bytes
    }

    fn text(text: &str) -> Vec<u8> {
        event(&json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } }))
    }

    fn tool(index: u32, id: &str, name: &str) -> Vec<u8> {
        let block = json!({ "type": "tool_use", "id": id, "name": name, "input": {} });
        event(&json!({ "type": "content_block_start", "index": index, "content_block": block }))
    }

    fn arguments(index: u32, fragment: &str) -> Vec<u8> {
        let delta = json!({ "type": "input_json_delta", "partial_json": fragment });
        event(&json!({ "type": "content_block_delta", "index": index, "delta": delta }))
    }

    fn reason(word: &str) -> Vec<u8> {
        event(&json!({ "type": "message_delta", "delta": { "stop_reason": word }, "usage": { "output_tokens": 7 } }))
    }

    fn done() -> Vec<u8> {
        event(&json!({ "type": "message_stop" }))
    }

    fn error() -> Vec<u8> {
        event(&json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } }))
    }
}

#[cfg(feature = "bedrock")]
pub use bedrock::BedrockDialect;

#[cfg(feature = "bedrock")]
mod bedrock {
    use super::*;
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_bedrockruntime::config::{Credentials, SharedCredentialsProvider};
    use aws_smithy_eventstream::frame::write_message_to;
    use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
    use nexus_model::providers::Bedrock;

    pub struct BedrockDialect;

    fn frame(message_type: &'static str, kind: &'static str, value: &serde_json::Value) -> Vec<u8> {
        let text = |text: &'static str| HeaderValue::String(text.into());
        let type_header = if message_type == "event" { ":event-type" } else { ":exception-type" };
        let message = Message::new(value.to_string())
            .add_header(Header::new(":message-type", text(message_type)))
            .add_header(Header::new(type_header, text(kind)))
            .add_header(Header::new(":content-type", text("application/json")));
        let mut bytes = Vec::new();
        write_message_to(&message, &mut bytes).unwrap();
        bytes
    }

    impl Dialect for BedrockDialect {
        const CONTENT_TYPE: &'static str = "application/vnd.amazon.eventstream";

        fn model(url: &str) -> Arc<dyn ChatModel> {
            let config = SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("us-east-1"))
                .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "test")))
                .build();
            Arc::new(Bedrock::new("bedrock", "m", &config, Some(url)))
        }

        fn begin() -> Vec<u8> {
            frame("event", "messageStart", &json!({ "role": "assistant" }))
        }

        fn text(text: &str) -> Vec<u8> {
            frame("event", "contentBlockDelta", &json!({ "contentBlockIndex": 0, "delta": { "text": text } }))
        }

        fn tool(index: u32, id: &str, name: &str) -> Vec<u8> {
            let start = json!({ "toolUse": { "toolUseId": id, "name": name } });
            frame("event", "contentBlockStart", &json!({ "contentBlockIndex": index, "start": start }))
        }

        fn arguments(index: u32, fragment: &str) -> Vec<u8> {
            let delta = json!({ "toolUse": { "input": fragment } });
            frame("event", "contentBlockDelta", &json!({ "contentBlockIndex": index, "delta": delta }))
        }

        fn reason(word: &str) -> Vec<u8> {
            frame("event", "messageStop", &json!({ "stopReason": word }))
        }

        fn done() -> Vec<u8> {
            let usage = json!({ "inputTokens": 40, "cacheReadInputTokens": 8, "outputTokens": 7, "totalTokens": 55 });
            frame("event", "metadata", &json!({ "usage": usage, "metrics": { "latencyMs": 5 } }))
        }

        fn error() -> Vec<u8> {
            frame("exception", "serviceUnavailableException", &json!({ "message": "Overloaded" }))
        }

        fn refusal(kind: &str, message: &str) -> String {
            json!({ "__type": kind, "message": message }).to_string()
        }
    }
}
