//! Bedrock's Converse, by the field's own SDK.

mod decoder;
mod failure;
mod request;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::StalledStreamProtectionConfig;
use aws_sdk_bedrockruntime::config::retry::RetryConfig;
use aws_sdk_bedrockruntime::operation::converse_stream::ConverseStreamOutput;
use aws_sdk_bedrockruntime::types::{ConverseTokensRequest, CountTokensInput};

use super::decode;
use crate::{ChatModel, ChatRequest, ChatStream, Identity, ModelError};

/// One model of Bedrock.
#[derive(Clone)]
pub struct Bedrock {
    who: Identity,
    client: Client,
}

impl Bedrock {
    /// The SDK's own retries are off: they would not know of budgets. Its watch over slow streams too: models think for long.
    #[must_use]
    pub fn new(name: &str, model: &str, config: &SdkConfig, endpoint: Option<&str>) -> Self {
        let mut builder = aws_sdk_bedrockruntime::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(endpoint) = endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        Self { who: Identity::new(name, model), client: Client::from_conf(builder.build()) }
    }

    /// Another model by the same client and its connections.
    #[must_use]
    pub fn model(&self, model: &str) -> Self {
        Self { who: Identity::new(&self.who.provider, model), client: self.client.clone() }
    }
}

#[async_trait]
impl ChatModel for Bedrock {
    fn identity(&self) -> Identity {
        self.who.clone()
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, ModelError> {
        let parts = request::parts(&request)?;
        let sent = self
            .client
            .converse_stream()
            .model_id(&*self.who.model)
            .set_messages(Some(parts.messages))
            .set_system(parts.system)
            .set_tool_config(parts.tools)
            .inference_config(parts.inference)
            .send()
            .await;
        let ConverseStreamOutput { stream, .. } = sent.map_err(|error| failure::refused(&self.who, error))?;
        let who = self.who.clone();
        let frames = futures::stream::unfold((stream, who, false), |(mut stream, who, broken)| async move {
            if broken {
                return None;
            }
            match stream.recv().await {
                Ok(Some(frame)) => Some((Ok(frame), (stream, who, false))),
                Ok(None) => None,
                Err(error) => Some((Err(failure::in_stream(&who, error)), (stream, who, true))),
            }
        });
        let decoder = decoder::Decoder::new(request.output.is_some());
        Ok(decode::events(&self.who, decoder, false, frames))
    }

    async fn count_tokens(&self, request: &ChatRequest) -> Result<Option<u64>, ModelError> {
        let parts = request::parts(request)?;
        let input = ConverseTokensRequest::builder()
            .set_messages(Some(parts.messages))
            .set_system(parts.system)
            .set_tool_config(parts.tools)
            .build();
        let count =
            self.client.count_tokens().model_id(&*self.who.model).input(CountTokensInput::Converse(input)).send().await;
        let count = count.map_err(|error| failure::refused(&self.who, error))?;
        Ok(u64::try_from(count.input_tokens()).ok())
    }
}
