//! Requests over HTTP, and server-sent events of their answers.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use eventsource_stream::{Event, EventStreamError, Eventsource as _};
use futures::{Stream, StreamExt as _};
use reqwest::{RequestBuilder, Response};
use serde::Serialize;

use super::failure;
use crate::{ErrorKind, Identity, ModelError};

/// Where a provider listens.
#[derive(Debug, Clone)]
pub enum Place {
    /// `https://host/v1`
    Url(String),
    /// A unix socket, and the path before the protocol's own, such as `/v1`.
    Socket { socket: PathBuf, path: String },
}

/// A provider's key. It is shown nowhere.
#[derive(Clone, Default)]
pub struct Key(Option<Arc<Source>>);

struct Source {
    value: RwLock<Arc<str>>,
    /// Read again when the provider refuses the value.
    file: Option<PathBuf>,
}

impl Key {
    #[must_use]
    pub fn fixed(value: &str) -> Self {
        Self(Some(Arc::new(Source { value: RwLock::new(value.trim().into()), file: None })))
    }

    /// A key in a file, as credentials that somebody renews are handed over.
    pub fn file(path: PathBuf) -> std::io::Result<Self> {
        let value = std::fs::read_to_string(&path)?;
        Ok(Self(Some(Arc::new(Source { value: RwLock::new(value.trim().into()), file: Some(path) }))))
    }

    fn get(&self) -> Option<Arc<str>> {
        let source = self.0.as_ref()?;
        Some(source.value.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone())
    }

    async fn refresh(&self) -> bool {
        let Some((source, file)) = self.0.as_ref().and_then(|source| Some((source, source.file.clone()?))) else {
            return false;
        };
        let Ok(text) = tokio::fs::read_to_string(file).await else { return false };
        let mut value = source.value.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let changed = **value != *text.trim();
        *value = text.trim().into();
        changed
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(if self.0.is_some() { "Key(…)" } else { "Key(none)" })
    }
}

/// How a key is sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scheme {
    /// `Authorization: Bearer`
    Bearer,
    /// `x-api-key`
    ApiKey,
}

/// A client of one provider; its connections are kept and shared by all clones.
#[derive(Debug, Clone)]
pub struct Connection {
    client: reqwest::Client,
    base: Arc<str>,
    key: Key,
}

impl Connection {
    pub fn new(place: &Place, key: Key) -> Result<Self, ModelError> {
        let invalid = |problem: String| ModelError::new(ErrorKind::InvalidRequest, problem);
        let builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .tcp_nodelay(true)
            .pool_idle_timeout(Duration::from_secs(60))
            // A key must not follow a redirect to another host.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("nexusd/", env!("CARGO_PKG_VERSION")));
        let (builder, base) = match place {
            Place::Url(url) => {
                let parsed =
                    reqwest::Url::parse(url).map_err(|error| invalid(format!("`{url}` is no URL: {error}")))?;
                let host = parsed.host_str().unwrap_or_default();
                let loopback = host == "localhost" || host.starts_with("127.") || host == "[::1]";
                // What runs on this machine is not reached through a proxy.
                (if loopback { builder.no_proxy() } else { builder }, url.trim_end_matches('/').to_owned())
            }
            Place::Socket { socket, path } => {
                let base = format!("http://localhost{}", path.trim_end_matches('/'));
                (builder.unix_socket(socket.clone()).no_proxy(), base)
            }
        };
        let client = builder.build().map_err(|error| invalid(format!("no HTTP client: {}", chain(&error))))?;
        Ok(Self { client, base: base.into(), key })
    }

    pub(super) async fn refresh_key(&self) -> bool {
        self.key.refresh().await
    }

    fn request(&self, method: reqwest::Method, path: &str, scheme: Scheme) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match (self.key.get(), scheme) {
            (None, _) => request,
            (Some(key), Scheme::Bearer) => request.bearer_auth(key),
            (Some(key), Scheme::ApiKey) => request.header("x-api-key", &*key),
        }
    }

    pub(super) fn get(&self, path: &str, scheme: Scheme) -> RequestBuilder {
        self.request(reqwest::Method::GET, path, scheme)
    }

    pub(super) fn post(&self, path: &str, scheme: Scheme, body: &impl Serialize) -> Result<RequestBuilder, ModelError> {
        let body = serde_json::to_vec(body)
            .map_err(|error| ModelError::new(ErrorKind::InvalidRequest, format!("the request is no JSON: {error}")))?;
        let request = self.request(reqwest::Method::POST, path, scheme);
        Ok(request.header("content-type", "application/json").body(body))
    }
}

/// Sends a request of this connection; an answer that is no success becomes an error.
pub(super) async fn send(
    who: &Identity,
    connection: &Connection,
    request: RequestBuilder,
) -> Result<Response, ModelError> {
    let key = connection.key.get();
    let response = request.send().await.map_err(|error| {
        let kind = if error.is_connect() {
            ErrorKind::Unreachable
        } else if error.is_builder() {
            ErrorKind::InvalidRequest
        } else {
            ErrorKind::Cut
        };
        ModelError::new(kind, format!("{who}: {}", chain(&error)))
    })?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let wait = header.and_then(|header| failure::retry_after(header, SystemTime::now()));
    let body = beginning_of(response).await;
    Err(failure::refused(who, status, wait, &body, key.as_deref()))
}

/// As much of a body as an error message needs. Who does not finish it does not keep us waiting.
async fn beginning_of(response: Response) -> String {
    const MOST: usize = 64 << 10;
    let mut bytes = Vec::new();
    let mut chunks = response.bytes_stream();
    let read = async {
        while let Some(Ok(chunk)) = chunks.next().await {
            bytes.extend_from_slice(&chunk);
            if bytes.len() >= MOST {
                break;
            }
        }
    };
    let _in_time = tokio::time::timeout(Duration::from_secs(5), read).await;
    bytes.truncate(MOST);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A whole JSON body.
pub(super) async fn json(who: &Identity, response: Response) -> Result<serde_json::Value, ModelError> {
    const MOST: usize = 32 << 20;
    let mut bytes = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| ModelError::cut(who, &chain(&error)))?);
        if bytes.len() > MOST {
            return Err(ModelError::protocol(who, format_args!("the answer exceeds {MOST} bytes")));
        }
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| ModelError::protocol(who, format_args!("the answer is no JSON: {error}")))
}

/// The server-sent events of an answer.
pub(super) fn events(
    who: &Identity,
    response: Response,
) -> impl Stream<Item = Result<Event, ModelError>> + Send + use<> {
    let chunks = Bounded::default();
    let bytes = response.bytes_stream().scan(chunks, |bounded, chunk| {
        std::future::ready(Some(chunk.map_err(Broken::Transport).and_then(|chunk| bounded.pass(chunk))))
    });
    let who = who.clone();
    bytes.eventsource().map(move |event| {
        event.map_err(|error| match error {
            EventStreamError::Transport(Broken::Transport(error)) => ModelError::cut(&who, &chain(&error)),
            EventStreamError::Transport(Broken::TooLong) => {
                ModelError::protocol(&who, format_args!("an event exceeds {} bytes", Bounded::MOST))
            }
            EventStreamError::Utf8(error) => {
                ModelError::protocol(&who, format_args!("the stream is no UTF-8: {error}"))
            }
            EventStreamError::Parser(error) => {
                ModelError::protocol(&who, format_args!("the stream has no events: {error}"))
            }
        })
    })
}

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Transport(reqwest::Error),
    #[error("an event is too long")]
    TooLong,
}

/// Bounds one event, which the decoder keeps until it is complete: an empty line ends it.
#[derive(Default)]
struct Bounded {
    since_event: usize,
    line_is_empty: bool,
}

impl Bounded {
    const MOST: usize = 8 << 20;

    fn pass(&mut self, chunk: Bytes) -> Result<Bytes, Broken> {
        for byte in &chunk {
            self.since_event += 1;
            match byte {
                b'\n' if self.line_is_empty => self.since_event = 0,
                b'\n' => self.line_is_empty = true,
                b'\r' => {}
                _ => self.line_is_empty = false,
            }
            if self.since_event > Self::MOST {
                return Err(Broken::TooLong);
            }
        }
        Ok(chunk)
    }
}

/// An error with its causes; the outermost one alone says `error sending request`.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
