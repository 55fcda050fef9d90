//! Server-sent events: the frames, and the head of the answer that carries them.
//!
//! A stream is pulled by its connection: nothing is read ahead for a client that does not read, so a
//! slow one costs its socket buffer and its place in a bounded ring.

use bytes::Bytes;
use futures::Stream;
use salvo::{
    Response,
    http::header::{self, HeaderName, HeaderValue},
};
use serde::Serialize;

/// Tells the browser to come again after two seconds.
pub(super) const RETRY: Bytes = Bytes::from_static(b"retry: 2000\n\n");

/// Keeps an idle connection open.
pub(super) const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// The daemon stops: the client should come again.
pub(super) const CLOSING: Bytes = Bytes::from_static(b": closing\n\n");

/// A frame with id and event name. JSON has no raw line break, so one data line always does.
pub(super) fn frame<T: Serialize>(id: impl std::fmt::Display, event: &str, data: &T) -> Bytes {
    let mut bytes = format!("id: {id}\nevent: {event}\ndata: ").into_bytes();
    finish(&mut bytes, data);
    bytes.into()
}

/// A frame with data only.
pub(super) fn data<T: Serialize>(data: &T) -> Bytes {
    let mut bytes = b"data: ".to_vec();
    finish(&mut bytes, data);
    bytes.into()
}

fn finish<T: Serialize>(bytes: &mut Vec<u8>, data: &T) {
    let begin = bytes.len();
    if let Err(error) = serde_json::to_writer(&mut *bytes, data) {
        tracing::error!(%error, "an event could not be serialised");
        bytes.truncate(begin);
        bytes.extend_from_slice(b"null");
    }
    bytes.extend_from_slice(b"\n\n");
}

/// Makes the response a stream of frames.
pub(super) fn send(res: &mut Response, frames: impl Stream<Item = Bytes> + Send + 'static) {
    use futures::StreamExt as _;
    let headers = res.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies of the nginx family collect answers unless told not to.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    res.stream(frames.map(Ok::<_, std::convert::Infallible>));
}
