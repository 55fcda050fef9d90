//! OpenAI's chat completions, and the servers that imitate them. What a server does differently stands in its file (`servers/`).

mod decoder;
mod request;
mod server;

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use serde_json::Value;

use super::decode;
use super::http::{self, Connection, Scheme};
use crate::{ChatModel, ChatRequest, ChatStream, Identity, ModelError};
pub use server::{Server, ServerError};

/// One model of one server.
#[derive(Clone)]
pub struct OpenAi {
    who: Identity,
    server: Arc<Server>,
    connection: Connection,
}

impl OpenAi {
    /// `name` is the provider's name in messages and prices.
    #[must_use]
    pub fn new(name: &str, model: &str, server: Arc<Server>, connection: Connection) -> Self {
        Self { who: Identity::new(name, model), server, connection }
    }

    /// The ids of the models that the server offers.
    pub async fn models(name: &str, connection: &Connection) -> Result<Vec<String>, ModelError> {
        let who = Identity::new(name, "models");
        let response = http::send(&who, connection, connection.get("/models", Scheme::Bearer)).await?;
        let list = http::json(&who, response).await?;
        let entries = list.get("data").or_else(|| list.get("models")).and_then(Value::as_array);
        let Some(entries) = entries else { return Err(ModelError::protocol(&who, "the list of models has no `data`")) };
        Ok(entries.iter().filter_map(|entry| entry.get("id").and_then(Value::as_str)).map(str::to_owned).collect())
    }
}

#[async_trait]
impl ChatModel for OpenAi {
    fn identity(&self) -> Identity {
        self.who.clone()
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, ModelError> {
        let body = request::body(&self.who.model, &self.server, &request)?;
        let request = self.connection.post("/chat/completions", Scheme::Bearer, &body)?;
        let response = http::send(&self.who, &self.connection, request).await?;
        let decoder = decoder::Decoder::new(&self.server);
        let unreliable = self.server.answer.index_is_unreliable;
        let content_type =
            response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if content_type.starts_with("application/json") {
            // A server that does not stream answers in one piece, or with an error in spite of its status.
            let whole = http::json(&self.who, response).await?;
            let frames = futures::stream::iter([Ok(decoder::Frame::Whole(whole)), Ok(decoder::Frame::Done)]);
            return Ok(decode::events(&self.who, decoder, unreliable, frames));
        }
        let frames = http::events(&self.who, response).map(|event| event.map(|event| decoder::Frame::of(event.data)));
        Ok(decode::events(&self.who, decoder, unreliable, frames))
    }

    async fn refresh_credentials(&self) -> bool {
        self.connection.refresh_key().await
    }
}
