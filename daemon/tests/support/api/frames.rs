//! Server-sent events, read frame by frame.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde_json::Value;

/// A stream of server-sent events, frame by frame.
pub struct Frames {
    response: Response,
    rest: String,
}

/// One frame.
#[derive(Debug, Default, PartialEq)]
pub struct Frame {
    pub id: Option<u64>,
    pub event: String,
    pub data: Value,
    pub comment: String,
}

impl Frames {
    pub fn of(response: Response) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, rest: String::new() }
    }

    /// The next frame, `retry:` left out; `None` when the stream is over.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(end) = self.rest.find("\n\n") {
                let text: String = self.rest.drain(..end + 2).collect();
                if text.starts_with("retry:") {
                    continue;
                }
                return Some(parse(&text));
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.response.chunk()).await;
            match chunk.expect("a frame within 10 s").ok()? {
                Some(bytes) => self.rest.push_str(std::str::from_utf8(&bytes).unwrap()),
                None => return None,
            }
        }
    }

    /// All frames to the end, comments left out.
    pub async fn all(mut self) -> Vec<Frame> {
        let mut all = Vec::new();
        while let Some(frame) = self.next().await {
            if frame.comment.is_empty() {
                all.push(frame);
            }
        }
        all
    }
}

fn parse(text: &str) -> Frame {
    let mut frame = Frame::default();
    for line in text.trim_end_matches('\n').split('\n') {
        assert!(!line.contains('\r'));
        match line.split_once(": ") {
            Some(("id", id)) => frame.id = Some(id.parse().unwrap()),
            Some(("event", name)) => frame.event = name.to_owned(),
            Some(("data", data)) => {
                assert_eq!(frame.data, Value::Null, "one data line: {text}");
                frame.data = serde_json::from_str(data).unwrap();
            }
            Some(("", comment)) => frame.comment = comment.to_owned(),
            _ => panic!("{text:?}"),
        }
    }
    if frame.comment.is_empty() && !frame.data.is_null() {
        crate::support::document::check_event(&frame.data);
    }
    frame
}
