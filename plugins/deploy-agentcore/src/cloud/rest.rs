//! One signed request, repeated while the fault passes by itself.

use std::time::{Duration, SystemTime};

use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{
    Cloud, CloudError,
    sign::{Signed, signature},
};

/// Tries of a request, the first included.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// One try of a request that is answered at once.
const ANSWER: Duration = Duration::from_secs(15);
/// What of an answer is read.
const LONGEST: usize = 4 * 1024 * 1024;

/// What is asked for.
pub(super) struct Call {
    /// As AWS calls it.
    pub(super) operation: &'static str,
    pub(super) method: Method,
    /// Below the control plane's address, percent-encoded, with its query.
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

impl Cloud {
    /// Asks the control plane. Every request may be sent again: it is one of reading or removing, or carries a token.
    pub(super) async fn ask(&self, call: &Call) -> Result<Value, CloudError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match self.ask_once(call).await {
                Err(error) if error.passes() => {
                    sleep(pause.mul_f64(0.5 + rand::random::<f64>())).await;
                    pause *= 2;
                }
                answer => return answer,
            }
        }
        self.ask_once(call).await
    }

    async fn ask_once(&self, call: &Call) -> Result<Value, CloudError> {
        let url = format!("{}{}", self.control_url(), call.path);
        let body = call.body.as_ref().map(Value::to_string).unwrap_or_default().into_bytes();
        let headers = match call.body.is_some() {
            true => vec![("content-type", "application/json".to_owned())],
            false => Vec::new(),
        };
        let work = async {
            let region = self.region.clone();
            let response = self.send(call.operation, call.method.clone(), &url, headers, body, &region).await?;
            let (status, kind) = (response.status().as_u16(), error_type(&response));
            let body = whole(call.operation, response).await?;
            if !(200..300).contains(&status) {
                return Err(CloudError::of_response(call.operation, status, kind.as_deref(), &body));
            }
            if body.is_empty() {
                return Ok(Value::Null);
            }
            let malformed = |error: serde_json::Error| CloudError::Malformed {
                operation: call.operation,
                why: format!("the answer is no JSON: {error}"),
            };
            serde_json::from_slice(&body).map_err(malformed)
        };
        timeout(ANSWER, work).await.unwrap_or_else(|_| Err(silent(call.operation, ANSWER)))
    }

    /// Signs a request and sends it; answers as soon as the head of the response is here.
    pub(super) async fn send(
        &self,
        operation: &'static str,
        method: Method,
        url: &str,
        mut headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
        region: &str,
    ) -> Result<Response, CloudError> {
        let credentials = self.credentials().await?;
        // The signature covers it, and a proxy must not shorten the body unseen.
        headers.push(("content-length", body.len().to_string()));
        let signed = Signed { operation, method: method.as_str(), url, headers: &headers, body: &body };
        let signature = signature(&signed, &credentials, region, SystemTime::now())?;
        let mut request = self.http.request(method, url);
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        for (name, value) in signature {
            request = request.header(name, value);
        }
        request.body(body).send().await.map_err(|error| unreachable(operation, &error))
    }
}

/// The name of the exception, where the service says it in the head.
pub(super) fn error_type(response: &Response) -> Option<String> {
    let header = response.headers().get("x-amzn-errortype")?;
    header.to_str().ok().map(str::to_owned)
}

/// The body of a response, within its bounds.
pub(super) async fn whole(operation: &'static str, mut response: Response) -> Result<Vec<u8>, CloudError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| unreachable(operation, &error))? {
        body.extend_from_slice(&piece);
        if body.len() > LONGEST {
            return Err(CloudError::Malformed { operation, why: format!("the answer has more than {LONGEST} bytes") });
        }
    }
    Ok(body)
}

pub(super) fn silent(operation: &'static str, patience: Duration) -> CloudError {
    CloudError::Unreachable { operation, why: format!("nothing came within {} seconds", patience.as_secs()) }
}

/// With the causes, which say what it was; without the address, which may name an account.
pub(super) fn unreachable(operation: &'static str, error: &reqwest::Error) -> CloudError {
    let mut why = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        why = if why.is_empty() { inner.to_string() } else { format!("{why}: {inner}") };
        cause = inner.source();
    }
    let why = if why.is_empty() { "the connection failed".to_owned() } else { why };
    CloudError::Unreachable { operation, why }
}
