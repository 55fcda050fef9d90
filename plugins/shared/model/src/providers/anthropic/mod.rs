//! Anthropic's Messages.

mod decoder;
mod request;

use async_trait::async_trait;
use futures::StreamExt as _;
use serde_json::Value;

use super::decode;
use super::http::{self, Connection, Scheme};
use crate::{ChatModel, ChatRequest, ChatStream, Identity, ModelError};

/// One model of Anthropic, or of a server that imitates it.
#[derive(Clone)]
pub struct Anthropic {
    who: Identity,
    connection: Connection,
}

/// The version of the protocol.
const VERSION: &str = "2023-06-01";

impl Anthropic {
    /// The base URL ends before `/v1`.
    #[must_use]
    pub fn new(name: &str, model: &str, connection: Connection) -> Self {
        Self { who: Identity::new(name, model), connection }
    }

    async fn post(&self, path: &str, body: &request::Body<'_>) -> Result<reqwest::Response, ModelError> {
        let request = self.connection.post(path, Scheme::ApiKey, body)?.header("anthropic-version", VERSION);
        http::send(&self.who, &self.connection, request).await
    }
}

#[async_trait]
impl ChatModel for Anthropic {
    fn identity(&self) -> Identity {
        self.who.clone()
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, ModelError> {
        let forced = request::forced_tool(&request).is_some();
        let response = self.post("/v1/messages", &request::body(&self.who.model, &request)?).await?;
        let frames = http::events(&self.who, response).map(|event| event.map(|event| event.data));
        Ok(decode::events(&self.who, decoder::Decoder::new(forced), false, frames))
    }

    async fn count_tokens(&self, request: &ChatRequest) -> Result<Option<u64>, ModelError> {
        let body = request::body(&self.who.model, request)?.for_count();
        let response = self.post("/v1/messages/count_tokens", &body).await?;
        let answer = http::json(&self.who, response).await?;
        match answer.get("input_tokens").and_then(Value::as_u64) {
            Some(count) => Ok(Some(count)),
            None => Err(ModelError::protocol(&self.who, "the count of tokens has no `input_tokens`")),
        }
    }

    async fn refresh_credentials(&self) -> bool {
        self.connection.refresh_key().await
    }
}
