//! The data plane: asking a runtime.

use bytes::Bytes;
use nexus_deploy::answer::{AskError, Body};
use reqwest::{Method, Response};

use super::{
    Cloud, CloudError,
    control::encoded,
    rest::{error_type, unreachable, whole},
};

pub(crate) const OPERATION: &str = "InvokeAgentRuntime";
const SESSION_HEADER: &str = "x-amzn-bedrock-agentcore-runtime-session-id";

/// What a runtime is asked.
pub(crate) struct Question<'a> {
    pub(crate) arn: &'a str,
    /// Where the runtime is.
    pub(crate) region: &'a str,
    /// The endpoint.
    pub(crate) qualifier: &'a str,
    /// At least 33 characters.
    pub(crate) session: &'a str,
    /// JSON.
    pub(crate) body: Vec<u8>,
    /// Of a runtime that asks for tokens: then no signature is sent.
    pub(crate) bearer: Option<&'a str>,
}

/// An answer of which the head is here.
pub(crate) struct Coming(Response);

impl Cloud {
    /// Asks a runtime; answers when the head of its answer is here. Nothing limits how long the body is silent but
    /// whoever reads it.
    pub(crate) async fn invoke(&self, question: &Question<'_>) -> Result<Coming, CloudError> {
        let url = format!(
            "{}/runtimes/{}/invocations?qualifier={}",
            self.data_url(question.region),
            encoded(question.arn),
            encoded(question.qualifier)
        );
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("accept", "text/event-stream, application/json".to_owned()),
            (SESSION_HEADER, question.session.to_owned()),
        ];
        let body = question.body.clone();
        let response = match question.bearer {
            None => self.send(OPERATION, Method::POST, &url, headers, body, question.region).await?,
            Some(token) => {
                let mut request = self.http.post(&url).bearer_auth(token).body(body);
                for (name, value) in &headers {
                    request = request.header(*name, value);
                }
                request.send().await.map_err(|error| unreachable(OPERATION, &error))?
            }
        };
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(Coming(response));
        }
        let kind = error_type(&response);
        let body = whole(OPERATION, response).await?;
        Err(CloudError::of_response(OPERATION, status, kind.as_deref(), &body))
    }
}

impl Body for Coming {
    fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    fn media_type(&self) -> String {
        let header = self.0.headers().get("content-type").and_then(|value| value.to_str().ok());
        header.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, AskError> {
        self.0.chunk().await.map_err(|error| AskError::Cut(unreachable(OPERATION, &error).to_string()))
    }
}
