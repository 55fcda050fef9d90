//! Requests to a running daemon, over its public API and nothing else.

use std::{path::PathBuf, time::Duration};

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use super::{error::ClientError, listener::stranger};
use crate::domain::secret::{Secret, shown_url};

pub(in crate::cli) type Result<T> = std::result::Result<T, ClientError>;

/// How long the daemon may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an answer may take; an agent may think for 15 minutes.
const ANSWER: Duration = Duration::from_secs(930);
/// Pauses before a request that may be repeated is sent again.
const PAUSES: [Duration; 3] = [Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(2)];

/// What shows the daemon who asks.
#[derive(Clone)]
pub(in crate::cli) enum Credential {
    /// Nothing.
    None,
    /// What the user gave.
    Given(Secret),
    /// The token of the first start, as long as it can be read. Looked up when it is needed: the daemon may start first.
    File(PathBuf),
}

impl Credential {
    fn token(&self) -> Option<Secret> {
        match self {
            Self::None => None,
            Self::Given(token) => Some(token.clone()),
            Self::File(path) => crate::auth::read_admin_token(path),
        }
    }

    /// Where one could come from, for somebody who was turned away.
    fn hint(&self) -> String {
        match self {
            Self::Given(_) => "the daemon does not take what stands in $NEXUSD_TOKEN".to_owned(),
            Self::None => "set $NEXUSD_TOKEN to a key that `nexusd keys create` made there".to_owned(),
            Self::File(path) => format!(
                "run it as a user who can read {}, or set $NEXUSD_TOKEN to a key that `nexusd keys create` made",
                path.display()
            ),
        }
    }
}

/// A daemon.
#[derive(Clone)]
pub(in crate::cli) struct Api {
    base: String,
    http: reqwest::Client,
    credential: Credential,
}

impl Api {
    /// At this address, with or without `/api/v2`.
    pub(in crate::cli) fn new(url: &str, credential: Credential) -> Result<Self> {
        let base = url.trim_end_matches('/').trim_end_matches("/api/v2").to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(ClientError::Usage(format!("--url {url}: it must begin with http:// or https://")));
        }
        let http = reqwest::Client::builder().connect_timeout(CONNECT).tcp_nodelay(true).no_proxy().build();
        let http = http.map_err(|error| ClientError::Usage(format!("no HTTP client: {error}")))?;
        Ok(Self { base, http, credential })
    }

    /// Where it is, for people.
    pub(super) fn base(&self) -> String {
        shown_url(&self.base)
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with("/health") { format!("{}{path}", self.base) } else { format!("{}/api/v2{path}", self.base) }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        if let Credential::File(path) = &self.credential
            && let Some(uid) = stranger(&self.base, path)
        {
            return Err(ClientError::Stranger { url: shown_url(&self.base), uid });
        }
        let request = match self.credential.token() {
            Some(token) => request.bearer_auth(token.reveal()),
            None => request,
        };
        request.send().await.map_err(|error| {
            let reason = root_cause(&error);
            if error.is_connect() {
                ClientError::Unreachable { url: shown_url(&self.base), reason }
            } else {
                ClientError::Broken(reason)
            }
        })
    }

    /// The whole answer, envelope included.
    pub(in crate::cli) async fn whole(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = self.url(path);
        let mut request = self.http.request(method, &url).timeout(ANSWER);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = self.send(request).await?;
        self.read(&url, response).await
    }

    async fn read(&self, url: &str, response: Response) -> Result<Value> {
        let status = response.status();
        let text = response.text().await.map_err(|error| ClientError::Broken(root_cause(&error)))?;
        let parsed: std::result::Result<Value, _> = serde_json::from_str(&text);
        match parsed {
            Ok(value) if status.is_success() => Ok(value),
            Ok(value) if value.get("error").is_some() => Err(match refusal(status.as_u16(), &value) {
                ClientError::Refused { status: 401, code, message, .. } => {
                    let details = format!("\n  {}", self.credential.hint());
                    ClientError::Refused { status: 401, code, message, details }
                }
                other => other,
            }),
            _ => {
                let shown: String = text.chars().take(120).collect();
                Err(ClientError::Foreign { url: shown_url(url), reason: format!("status {status}, {shown:?}") })
            }
        }
    }

    /// `data` of a GET.
    pub(in crate::cli) async fn get(&self, path: &str) -> Result<Value> {
        Ok(data(self.whole(Method::GET, path, None).await?))
    }

    /// `data` of a POST.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        Ok(data(self.whole(Method::POST, path, Some(body)).await?))
    }

    /// `data` of a DELETE.
    pub(in crate::cli) async fn delete(&self, path: &str) -> Result<Value> {
        Ok(data(self.whole(Method::DELETE, path, None).await?))
    }

    /// A POST that creates once however often it is sent: it is repeated when the connection breaks.
    pub(in crate::cli) async fn create(&self, path: &str, body: &Value) -> Result<Value> {
        let (url, key) = (self.url(path), format!("cli-{}", ulid::Ulid::generate()));
        let mut pauses = PAUSES.into_iter();
        loop {
            let request = self.http.post(&url).timeout(ANSWER).header("idempotency-key", &key).json(body);
            let answer = match self.send(request).await {
                Ok(response) => self.read(&url, response).await,
                Err(error) => Err(error),
            };
            match (answer, pauses.next()) {
                (Err(ClientError::Broken(_)), Some(pause)) => tokio::time::sleep(pause).await,
                (answer, _) => return answer.map(data),
            }
        }
    }

    /// Begins a stream of events; `None` when there is nothing behind `after`.
    pub(super) async fn stream(
        &self,
        path: &str,
        body: Option<&Value>,
        after: Option<&str>,
    ) -> Result<Option<Response>> {
        let url = self.url(path);
        let mut request = match body {
            Some(body) => self.http.post(&url).json(body),
            None => self.http.get(&url),
        };
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let response = self.send(request.header("accept", "text/event-stream")).await?;
        match response.status().as_u16() {
            204 => Ok(None),
            200 => Ok(Some(response)),
            _ => Err(match self.read(&url, response).await {
                Err(error) => error,
                Ok(_) => ClientError::Foreign { url: shown_url(&url), reason: "no stream of events".to_owned() },
            }),
        }
    }
}

fn data(mut answer: Value) -> Value {
    match answer.get_mut("data") {
        Some(data) => data.take(),
        // The flat answers of the original.
        None => answer,
    }
}

fn refusal(status: u16, answer: &Value) -> ClientError {
    let text = |name: &str| answer.pointer(&format!("/error/{name}")).and_then(Value::as_str).unwrap_or_default();
    let details = match answer.get("detail") {
        Some(Value::Array(faults)) => faults.iter().filter_map(fault).map(|line| format!("\n  {line}")).collect(),
        _ => match answer.pointer("/error/details/allowed_actions").and_then(Value::as_array) {
            Some(actions) if !actions.is_empty() => {
                let words: Vec<&str> = actions.iter().filter_map(Value::as_str).collect();
                format!("\n  possible now: {}", words.join(", "))
            }
            _ => String::new(),
        },
    };
    let message = text("message").to_owned();
    // A single fault is the message already.
    let details = if details.trim() == message { String::new() } else { details };
    ClientError::Refused { status, code: text("code").to_owned(), message, details }
}

/// A field that is wrong: `requirement: …`.
fn fault(fault: &Value) -> Option<String> {
    let place = fault.get("loc")?.as_array()?.iter().skip(1).map(|part| match part {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    Some(format!("{}: {}", place.collect::<Vec<_>>().join("."), fault.get("msg")?.as_str()?))
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// A text as a part of a path or a query.
pub(in crate::cli) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
