//! What is known of a server that speaks chat completions: a file for each, so that a new one needs no code.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

/// A server file that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the server file `{name}`: {problem}")]
pub struct ServerError {
    name: String,
    problem: String,
}

/// A server's file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// For people.
    pub title: String,
    pub base_url: String,
    /// The environment variable that holds the key; without one the server needs none.
    pub key_variable: Option<String>,
    #[serde(default)]
    pub request: RequestQuirks,
    #[serde(default)]
    pub answer: AnswerQuirks,
}

/// How a request must look.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestQuirks {
    pub max_tokens_field: MaxTokensField,
    /// The server reports usage in a stream only when `stream_options.include_usage` asks for it.
    pub asks_for_usage: bool,
    pub structured: Structured,
    pub takes_parallel_tool_calls: bool,
    pub takes_seed: bool,
    /// Models whose ids begin so take neither `temperature` nor `top_p`.
    pub without_sampling: Vec<String>,
    /// Further fields of every request.
    pub extra: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    MaxTokens,
    MaxCompletionTokens,
}

/// How the server is asked for an object of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structured {
    /// `response_format` with the schema.
    JsonSchema,
    /// `response_format: json_object`, the schema in the prompt.
    JsonObject,
    /// The schema in the prompt only.
    Prompt,
}

impl Default for RequestQuirks {
    fn default() -> Self {
        Self {
            max_tokens_field: MaxTokensField::MaxTokens,
            asks_for_usage: true,
            structured: Structured::JsonSchema,
            takes_parallel_tool_calls: false,
            takes_seed: true,
            without_sampling: Vec::new(),
            extra: BTreeMap::new(),
        }
    }
}

/// How an answer may look.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnswerQuirks {
    /// `finish_reason: ""` says that the answer is complete.
    pub empty_reason_is_an_end: bool,
    /// `[DONE]` says that the answer is complete, also without a `finish_reason`.
    pub done_is_an_end: bool,
    /// The server gives several tool calls the same index; their ids tell them apart.
    pub index_is_unreliable: bool,
}

const FILES: [(&str, &str); 9] = [
    ("gateway", include_str!("../../../servers/gateway.toml")),
    ("llamacpp", include_str!("../../../servers/llamacpp.toml")),
    ("lmstudio", include_str!("../../../servers/lmstudio.toml")),
    ("ollama", include_str!("../../../servers/ollama.toml")),
    ("openai", include_str!("../../../servers/openai.toml")),
    ("openrouter", include_str!("../../../servers/openrouter.toml")),
    ("sglang", include_str!("../../../servers/sglang.toml")),
    ("tgi", include_str!("../../../servers/tgi.toml")),
    ("vllm", include_str!("../../../servers/vllm.toml")),
];

impl Server {
    /// The names of the servers that are known without a file of the operator.
    pub fn known() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|(name, _)| *name)
    }

    /// A known server.
    pub fn named(name: &str) -> Result<Arc<Self>, ServerError> {
        match FILES.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::parse(name, text).map(Arc::new),
            None => {
                let known = Self::known().collect::<Vec<_>>().join(", ");
                Err(ServerError {
                    name: name.to_owned(),
                    problem: format!("no server is known by this name; known are {known}"),
                })
            }
        }
    }

    /// A server by a file of the operator.
    pub fn parse(name: &str, text: &str) -> Result<Self, ServerError> {
        toml::from_str(text)
            .map_err(|error| ServerError { name: name.to_owned(), problem: error.to_string().trim_end().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_file_is_read() {
        for name in Server::known() {
            let server = Server::named(name).unwrap();
            assert!(server.base_url.starts_with("http"), "{name}");
        }
        assert!(Server::named("nobody").unwrap_err().to_string().contains("known are gateway, llamacpp"));
    }

    #[test]
    fn a_misspelt_quirk_is_an_error_with_its_place() {
        let text = "title = \"x\"\nbase_url = \"http://h\"\n[answer]\nempty_is_an_end = true\n";
        let error = Server::parse("mine", text).unwrap_err().to_string();
        assert!(error.contains("mine") && error.contains("line 4") && error.contains("empty_is_an_end"), "{error}");
    }
}
