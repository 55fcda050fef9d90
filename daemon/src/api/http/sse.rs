//! Server-sent events: the frames, and the head of the answer that carries them.
//!
//! A stream is pulled by its connection: nothing is read ahead for a client that does not read, so a
//! slow one costs its socket buffer and its place in a bounded ring.

use std::io::Write as _;

use bytes::Bytes;
use futures::Stream;
use salvo::{
    Response,
    http::header::{self, HeaderName, HeaderValue},
};
use serde::Serialize;

/// Tells the browser to come again after two seconds.
pub(crate) const RETRY: Bytes = Bytes::from_static(b"retry: 2000\n\n");

/// Keeps an idle connection open.
pub(crate) const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// The daemon stops: the client should come again.
pub(crate) const CLOSING: Bytes = Bytes::from_static(b": closing\n\n");

/// A frame with id and event name. JSON has no raw line break, so one data line always does.
pub(crate) fn frame<T: Serialize>(id: impl std::fmt::Display, event: &str, data: &T) -> Bytes {
    let mut bytes = format!("id: {id}\nevent: {event}\ndata: ").into_bytes();
    finish(&mut bytes, data);
    bytes.into()
}

/// Adds a frame with data, and a number where it has one.
pub(crate) fn put<T: Serialize>(bytes: &mut Vec<u8>, id: Option<u64>, data: &T) {
    if let Some(id) = id {
        // Writing to memory does not fail.
        let _ = writeln!(bytes, "id: {id}");
    }
    bytes.extend_from_slice(b"data: ");
    finish(bytes, data);
}

/// JSON without the three characters beside LF and CR at which some readers end a line: U+2028, U+2029, U+0085.
struct OneLine;

const LINE_ENDS: [char; 3] = ['\u{2028}', '\u{2029}', '\u{85}'];

impl serde_json::ser::Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> std::io::Result<()> {
        let mut rest = fragment;
        while let Some((before, after)) = rest.split_once(LINE_ENDS) {
            let end = rest.get(before.len()..).and_then(|from| from.chars().next()).map_or(0, u32::from);
            write!(writer, "{before}\\u{end:04x}")?;
            rest = after;
        }
        writer.write_all(rest.as_bytes())
    }
}

fn finish<T: Serialize>(bytes: &mut Vec<u8>, data: &T) {
    let begin = bytes.len();
    if let Err(error) = data.serialize(&mut serde_json::Serializer::with_formatter(&mut *bytes, OneLine)) {
        tracing::error!(%error, "an event could not be serialised");
        bytes.truncate(begin);
        bytes.extend_from_slice(b"null");
    }
    bytes.extend_from_slice(b"\n\n");
}

/// Makes the response a stream of frames.
pub(crate) fn send(res: &mut Response, frames: impl Stream<Item = Bytes> + Send + 'static) {
    use futures::StreamExt as _;
    let headers = res.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies of the nginx family collect answers unless told not to.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    res.stream(frames.map(Ok::<_, std::convert::Infallible>));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_for_every_reader() {
        let text = "a\u{2028}b\u{2029}\u{85}c\n\r\u{2028}";
        let value = serde_json::json!({ text: text, "plain": "ä语" });
        let put = |id| {
            let mut bytes = Vec::new();
            put(&mut bytes, id, &value);
            Bytes::from(bytes)
        };
        for frame in [frame(1, "x", &value), put(Some(1)), put(None)] {
            let frame = std::str::from_utf8(&frame).unwrap();
            assert!(!frame.contains(LINE_ENDS) && frame.contains("ä语"), "{frame:?}");
            let line = frame.trim_end().lines().last().unwrap();
            let read: serde_json::Value = serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(read, value);
        }
    }
}
