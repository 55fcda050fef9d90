//! What the gate answers: chat completions, Responses, the list of models.

use std::time::Instant;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use nexus_model::wire::{self, Asked, ChatWriter, ResponseWriter, WireError};
use nexus_model::{ChatStream, ModelError, StreamEvent, collect};
use salvo::http::{HeaderName, HeaderValue, StatusCode, header};
use salvo::prelude::*;
use serde_json::{Value, json};

use super::{Call, Gateway, Grant};
use crate::domain::time::Timestamp;
use crate::telemetry::names;

/// Pictures come within a request.
const MOST_BYTES: usize = 32 << 20;

/// Which of the two protocols.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Chat,
    Responses,
}

/// `POST /v1/chat/completions` and `POST /v1/responses`.
pub(super) struct Answer {
    pub(super) gateway: Gateway,
    pub(super) protocol: Protocol,
}

/// `GET /v1/models`.
pub(super) struct Models {
    pub(super) gateway: Gateway,
}

/// What is written, whatever the protocol.
enum Writer {
    Chat(ChatWriter),
    Responses(ResponseWriter),
}

impl Writer {
    fn event(&mut self, event: &StreamEvent) -> String {
        match self {
            Self::Chat(writer) => writer.event(event),
            Self::Responses(writer) => writer.event(event),
        }
    }

    /// The end of a stream that broke: an error in band, and no mark of a good end.
    fn failure(&mut self, error: &ModelError) -> String {
        match self {
            Self::Chat(_) => format!("data: {}\n\n", wire::refusal(error).1),
            Self::Responses(writer) => writer.failure(error),
        }
    }
}

/// Counts a call under way, to its end.
struct InFlight;

impl InFlight {
    fn begin() -> Self {
        metrics::gauge!(names::GEN_AI_STREAMS).increment(1);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!(names::GEN_AI_STREAMS).decrement(1);
    }
}

fn refuse(res: &mut Response, status: u16, body: &Value) {
    res.status_code(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    res.render(Json(body));
}

/// The grant of a request, or its refusal.
fn admitted(gateway: &Gateway, req: &Request, res: &mut Response) -> Option<Grant> {
    let header = req.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match gateway.grants().of_header(header) {
        Ok(grant) => Some(grant),
        Err(error) => {
            refuse(res, 401, &wire::error_body("authentication_error", "invalid_api_key", &error.to_string()));
            None
        }
    }
}

#[async_trait]
impl Handler for Answer {
    async fn handle(&self, req: &mut Request, _: &mut Depot, res: &mut Response, _: &mut FlowCtrl) {
        let Some(grant) = admitted(&self.gateway, req, res) else { return };
        let asked = match req.payload_with_max_size(MOST_BYTES).await {
            Ok(body) if self.protocol == Protocol::Chat => wire::read_chat(body),
            Ok(body) => wire::read_response(body),
            Err(error) => Err(WireError(format!("the body of the request cannot be read: {error}"))),
        };
        match asked {
            Ok(asked) => self.answer(grant, asked, res).await,
            Err(error) => refuse(res, 400, &error.body()),
        }
    }
}

impl Answer {
    async fn answer(&self, grant: Grant, asked: Asked, res: &mut Response) {
        let in_flight = InFlight::begin();
        let begun = Instant::now();
        let unique = ulid::Ulid::generate().to_string();
        let created = u64::try_from(Timestamp::now().as_micros() / 1_000_000).unwrap_or_default();
        let call = Call { grant, model: asked.model.clone(), request: asked.request, id: unique.clone() };
        let events = match self.gateway.stream(call).await {
            Ok(events) => events,
            Err(error) => return failed(res, &error),
        };
        metrics::histogram!(names::GEN_AI_FIRST).record(begun.elapsed().as_secs_f64());
        if asked.stream {
            let writer = match self.protocol {
                Protocol::Chat => {
                    Writer::Chat(ChatWriter::new(format!("chatcmpl-{unique}"), created, asked.model, asked.wants_usage))
                }
                Protocol::Responses => {
                    Writer::Responses(ResponseWriter::new(format!("resp_{unique}"), created, asked.model))
                }
            };
            let headers = res.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
            res.stream(written(events, writer, in_flight).map(Ok::<_, std::convert::Infallible>));
            return;
        }
        match self.whole(events, &unique, created, &asked.model).await {
            Ok(body) => res.render(Json(body)),
            Err(error) => failed(res, &error),
        }
    }

    async fn whole(
        &self,
        mut events: ChatStream,
        unique: &str,
        created: u64,
        model: &str,
    ) -> Result<Value, ModelError> {
        match self.protocol {
            Protocol::Chat => {
                let answer = collect(events).await?;
                Ok(wire::whole_chat(&format!("chatcmpl-{unique}"), created, model, &answer))
            }
            Protocol::Responses => {
                let mut writer = ResponseWriter::new(format!("resp_{unique}"), created, model.to_owned());
                while let Some(event) = events.next().await {
                    let _frames = writer.event(&event?);
                }
                Ok(writer.whole())
            }
        }
    }
}

fn failed(res: &mut Response, error: &ModelError) {
    let (status, body) = wire::refusal(error);
    if let Some(wait) = error.retry_after
        && let Ok(value) = HeaderValue::from_str(&wait.as_secs_f64().ceil().to_string())
    {
        res.headers_mut().insert(header::RETRY_AFTER, value);
    }
    refuse(res, status, &body);
}

/// The frames of a stream. Dropping them drops the provider's stream: whoever leaves stops the model.
fn written(events: ChatStream, writer: Writer, in_flight: InFlight) -> impl Stream<Item = Bytes> + Send {
    stream::unfold((events, writer, in_flight), |(mut events, mut writer, in_flight)| async move {
        loop {
            let frame = match events.next().await? {
                Ok(event) => writer.event(&event),
                Err(error) => writer.failure(&error),
            };
            if !frame.is_empty() {
                return Some((Bytes::from(frame), (events, writer, in_flight)));
            }
        }
    })
}

#[async_trait]
impl Handler for Models {
    async fn handle(&self, req: &mut Request, _: &mut Depot, res: &mut Response, _: &mut FlowCtrl) {
        if admitted(&self.gateway, req, res).is_none() {
            return;
        }
        let names = self.gateway.routes().names();
        let entry = |name: &String| json!({ "id": name, "object": "model", "created": 0, "owned_by": "nexusd" });
        res.render(Json(json!({ "object": "list", "data": names.iter().map(entry).collect::<Vec<_>>() })));
    }
}

/// What is not served, in the protocol's envelope.
#[handler]
pub(super) async fn nothing_here(req: &mut Request, res: &mut Response) {
    let message = format!(
        "there is no {} {} here: POST /v1/chat/completions, POST /v1/responses, GET /v1/models",
        req.method(),
        req.uri().path()
    );
    refuse(res, 404, &wire::error_body("not_found_error", "not_found", &message));
}
