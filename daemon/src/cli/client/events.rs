//! Reads streams of events, and goes on where one broke off.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::Value;

use super::{
    error::ClientError,
    http::{Api, Result},
};

/// Longest frame that is read.
const MOST: usize = 8 << 20;
/// Pause before a stream that broke is asked for again; the daemon may be starting.
const PAUSE: Duration = Duration::from_secs(1);
/// Times in a row that a stream may break off without having said anything.
const PATIENCE: u32 = 60;

/// One event.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) id: Option<String>,
    pub(super) data: Value,
}

/// The frames of one answer.
pub(super) struct Frames {
    body: futures::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    buffer: Vec<u8>,
}

impl Frames {
    pub(super) fn new(response: reqwest::Response) -> Self {
        Self { body: response.bytes_stream().boxed(), buffer: Vec::new() }
    }

    /// The next event with data; `None` when the answer is over.
    pub(super) async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let frame: Vec<u8> = self.buffer.drain(..end + 2).collect();
                if let Some(event) = parse(&String::from_utf8_lossy(&frame)) {
                    return Ok(Some(event));
                }
                continue;
            }
            if self.buffer.len() > MOST {
                return Err(ClientError::Broken(format!("an event is longer than {MOST} bytes")));
            }
            match self.body.next().await {
                Some(Ok(piece)) => self.buffer.extend_from_slice(&piece),
                Some(Err(error)) => return Err(ClientError::Broken(error.to_string())),
                None => return Ok(None),
            }
        }
    }
}

fn parse(frame: &str) -> Option<Event> {
    let (mut id, mut data) = (None, Vec::new());
    for line in frame.lines() {
        if let Some(text) = line.strip_prefix("data:") {
            data.push(text.strip_prefix(' ').unwrap_or(text));
        } else if let Some(text) = line.strip_prefix("id:") {
            id = Some(text.trim().to_owned());
        }
    }
    let data = serde_json::from_str(&data.join("\n")).ok()?;
    Some(Event { id, data })
}

/// The events of a project, from the first, across broken connections and restarts of the daemon.
pub(in crate::cli) struct Follow {
    api: Api,
    path: String,
    frames: Option<Frames>,
    last: Option<String>,
    silent: u32,
}

impl Follow {
    pub(in crate::cli) fn project(api: &Api, id: &str) -> Self {
        Self { api: api.clone(), path: format!("/projects/{id}/events"), frames: None, last: None, silent: 0 }
    }

    /// The next event; `None` behind the last.
    pub(in crate::cli) async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            let frames = match &mut self.frames {
                Some(frames) => frames,
                None => match self.api.stream(&self.path, None, self.last.as_deref()).await {
                    Ok(Some(response)) => self.frames.insert(Frames::new(response)),
                    Ok(None) => return Ok(None),
                    Err(error) => {
                        self.broke(error).await?;
                        continue;
                    }
                },
            };
            match frames.next().await {
                Ok(Some(event)) => {
                    self.silent = 0;
                    if event.id.is_some() {
                        self.last = event.id;
                    }
                    return Ok(Some(event.data));
                }
                Ok(None) => self.broke(ClientError::Broken("the stream ended".to_owned())).await?,
                Err(error) => self.broke(error).await?,
            }
        }
    }

    /// Waits before the next try, unless trying is of no use.
    async fn broke(&mut self, error: ClientError) -> Result<()> {
        self.frames = None;
        self.silent += 1;
        let begun = self.last.is_some();
        let curable = match &error {
            ClientError::Broken(_) => true,
            // The daemon was there a moment ago.
            ClientError::Unreachable { .. } => begun,
            ClientError::Refused { status, .. } => *status == 503 || *status == 429,
            _ => false,
        };
        if !curable || self.silent > PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_with_and_without_their_parts() {
        let event = parse("id: 7\nevent: stage\ndata: {\"seq\":7}\n\n").unwrap();
        assert_eq!((event.id.as_deref(), event.data["seq"].as_u64()), (Some("7"), Some(7)));
        assert!(parse(": keep-alive\n\n").is_none() && parse("retry: 2000\n\n").is_none());
        assert_eq!(parse("data:{\"a\":\ndata: 1}\n\n").unwrap().data["a"], 1);
    }
}
