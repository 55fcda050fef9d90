//! Reads what a request brings: path ids, the query, a JSON body within its limit.

use std::{str::FromStr, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use salvo::{
    Request,
    http::{Method, ReqBody, StatusCode, header},
};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::{bodies::Room, fields::Fields};
use crate::api::http::{
    error::{ApiError, Resource},
    fault::Fault,
};
use crate::backend::error::{BackendError, BackendErrorKind};

/// A refused body is read on for this much, so that a client that writes before it reads gets the
/// answer instead of a reset connection.
const DRAIN_BYTES: usize = 8 << 20;

/// The whole body must have arrived within this.
const BODY_LIMIT: Duration = Duration::from_secs(120);

/// Bodies above this are read a few at a time and parsed off the runtime.
const LARGE: usize = 1 << 20;
static LARGE_AT_A_TIME: Semaphore = Semaphore::const_new(8);

/// Most that a page number may be: far beyond any table, and no product with a limit overflows.
pub(crate) const MAX_PAGE: i64 = 1_000_000_000_000;

/// Longest cursor, search text or other free query value.
pub(crate) const MAX_QUERY_CHARS: usize = 500;

/// The id in the path. One that cannot be an id names nothing.
pub(crate) fn id<T: FromStr>(req: &Request, what: Resource) -> Result<T, ApiError> {
    let text = raw(req, "id");
    text.parse().map_err(|_| ApiError::not_found(what, text))
}

/// A part of the path, decoded; empty when the route has none of that name.
pub(crate) fn raw<'a>(req: &'a Request, name: &str) -> &'a str {
    req.params().get(name).map_or("", String::as_str)
}

/// The query, the last of several values of one name.
pub(crate) fn query(req: &Request) -> Fields {
    let mut object = Map::new();
    for (name, values) in req.queries().iter_all() {
        if let Some(value) = values.last() {
            object.insert(name.clone(), Value::String(value.clone()));
        }
    }
    Fields::new("query", object)
}

/// A free text of the query; empty counts as absent.
pub(crate) fn free(fields: &mut Fields, name: &str) -> Option<String> {
    fields.text(name, 0..=MAX_QUERY_CHARS)
}

/// A cursor that the store did not write is the caller's fault, in the query.
pub(crate) fn cursor_fault(error: BackendError) -> ApiError {
    if error.kind() == BackendErrorKind::Invalid {
        return ApiError::invalid("query", "cursor", "value_error", error.to_string(), Value::Null);
    }
    error.into()
}

/// The body as fields. Missing, not JSON or no object: 422.
pub(crate) async fn body(req: &mut Request, limit: usize) -> Result<Fields, ApiError> {
    let bytes = bytes(req, limit).await?;
    if bytes.is_empty() {
        return Err(ApiError::Invalid(vec![Fault::bare("body", "missing", "Field required")]));
    }
    parse_anywhere(bytes).await
}

/// As [`body`], where no body is as good as `{}`.
pub(crate) async fn optional_body(req: &mut Request, limit: usize) -> Result<Fields, ApiError> {
    let bytes = bytes(req, limit).await?;
    if bytes.is_empty() { Ok(Fields::new("body", Map::new())) } else { parse_anywhere(bytes).await }
}

async fn parse_anywhere(bytes: Bytes) -> Result<Fields, ApiError> {
    if bytes.len() <= LARGE {
        return parse(&bytes);
    }
    tokio::task::spawn_blocking(move || parse(&bytes)).await.map_err(ApiError::internal)?
}

/// The parser allows 128 levels of nesting; of a key given twice the last one counts.
fn parse(bytes: &[u8]) -> Result<Fields, ApiError> {
    // Some programs begin every file and text with the mark of their encoding.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => Ok(Fields::new("body", map)),
        Ok(Value::Null) => Err(ApiError::Invalid(vec![Fault::bare("body", "missing", "Field required")])),
        Ok(other) => {
            let msg = "Input should be a valid dictionary or object to extract fields from";
            let mut fault = Fault::new("body", "", "model_attributes_type", msg, other);
            fault.whole();
            // Which of its parts would be a secret nobody can say.
            fault.hide();
            Err(ApiError::Invalid(vec![fault]))
        }
        Err(error) => {
            let msg = format!("JSON decode error: {error}");
            Err(ApiError::Invalid(vec![Fault::bare("body", "json_invalid", msg)]))
        }
    }
}

/// Reads the body, after its type was found to be JSON.
async fn bytes(req: &mut Request, limit: usize) -> Result<Bytes, ApiError> {
    let late = || ApiError::of_status(StatusCode::REQUEST_TIMEOUT);
    tokio::time::timeout(BODY_LIMIT, read(req, limit)).await.unwrap_or_else(|_| Err(late()))
}

async fn read(req: &mut Request, limit: usize) -> Result<Bytes, ApiError> {
    let mut body = req.take_body();
    // A client that asked before sending has sent nothing that must be read away.
    let sends = !req.headers().contains_key(header::EXPECT);
    if let Some(refusal) = refuse_type(req) {
        // An empty body has no type to be wrong.
        if sends && next(&mut body).await?.is_none() {
            return Ok(Bytes::new());
        }
        return refuse(body, sends, refusal).await;
    }
    let announced = req.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return refuse(body, sends, too_large(limit)).await;
    }
    // Before a byte of it is taken: what is announced must have room, what is not grows with permits of its own.
    let mut room = Room::default();
    room.grow(announced.unwrap_or(0)).await?;
    let mut permit = None;
    let mut whole = BytesMut::new();
    while let Some(piece) = next(&mut body).await? {
        if announced == Some(piece.len()) {
            return Ok(piece);
        }
        if whole.len() + piece.len() > limit {
            return refuse(body, true, too_large(limit)).await;
        }
        room.grow(whole.len() + piece.len()).await?;
        if permit.is_none() && whole.len() + piece.len() > LARGE {
            permit = LARGE_AT_A_TIME.acquire().await.ok();
        }
        if whole.is_empty() {
            whole.reserve(announced.unwrap_or(0));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

async fn refuse(body: ReqBody, sends: bool, refusal: ApiError) -> Result<Bytes, ApiError> {
    if sends {
        drain(body).await;
    }
    Err(refusal)
}

/// A type that is not JSON, or an encoding. No type at all is fine for a program; a page must say it,
/// because only then does the browser ask first (see `cors`).
fn refuse_type(req: &Request) -> Option<ApiError> {
    let headers = req.headers();
    let encoded =
        headers.get(header::CONTENT_ENCODING).is_some_and(|e| !e.as_bytes().eq_ignore_ascii_case(b"identity"));
    let json = match headers.get(header::CONTENT_TYPE) {
        None => !headers.contains_key(header::ORIGIN),
        Some(value) => value.to_str().is_ok_and(|text| {
            let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
        }),
    };
    if json && encoded {
        let message = "the body must not be compressed: leave the header `Content-Encoding` away";
        return Some(ApiError::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message));
    }
    (!json).then(|| ApiError::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

fn too_large(limit: usize) -> ApiError {
    let message = format!("the body is larger than {limit} bytes");
    ApiError::plain(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", message)
}

/// The next piece that is not empty.
async fn next(body: &mut ReqBody) -> Result<Option<Bytes>, ApiError> {
    while let Some(frame) = body.next().await {
        let frame = frame.map_err(|error| {
            tracing::debug!(%error, "a body broke off");
            let timed_out = error.get_ref().is_some_and(|inner| {
                let io = inner.downcast_ref::<std::io::Error>();
                io.is_some_and(|e| e.kind() == std::io::ErrorKind::TimedOut)
            });
            let status = if timed_out { StatusCode::REQUEST_TIMEOUT } else { StatusCode::BAD_REQUEST };
            ApiError::of_status(status)
        })?;
        match frame.into_data() {
            Ok(data) if !data.is_empty() => return Ok(Some(data)),
            _ => {}
        }
    }
    Ok(None)
}

/// A large body's turn to be held in memory.
pub(crate) async fn large_turn() -> Option<tokio::sync::SemaphorePermit<'static>> {
    LARGE_AT_A_TIME.acquire().await.ok()
}

/// The body as its pieces.
pub(crate) fn stream(body: ReqBody) -> impl futures::Stream<Item = std::io::Result<Bytes>> + Send {
    body.filter_map(|frame| {
        let piece = frame.map(|frame| frame.into_data().ok());
        std::future::ready(piece.transpose())
    })
}

/// For a request that is refused before its body was asked for.
pub(crate) async fn read_away(req: &mut Request) {
    if !req.headers().contains_key(header::EXPECT) {
        drain(req.take_body()).await;
    }
}

/// What an HTML form can send goes nowhere: a browser asks nobody before it sends one.
pub(crate) fn refuse_form(req: &Request) -> Option<ApiError> {
    if matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    let kind = req.headers().get(header::CONTENT_TYPE)?.to_str().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let form = ["application/x-www-form-urlencoded", "text/plain"].iter().any(|f| kind.eq_ignore_ascii_case(f));
    form.then(|| ApiError::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

async fn drain(mut body: ReqBody) {
    let read = async {
        let mut left = DRAIN_BYTES;
        while let Ok(Some(piece)) = next(&mut body).await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(2), read).await;
}
