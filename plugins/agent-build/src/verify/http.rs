//! The few lines of HTTP that verifying an agent needs: over the socket that was made for it.

use std::{io, path::Path, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

const MAX_ANSWER: u64 = 8 * 1024 * 1024;

/// Sends one request and reads the JSON answer: status and body.
pub(super) async fn request(
    socket: &Path,
    token: &str,
    head: &str,
    body: &str,
    limit: Duration,
) -> io::Result<(u16, Value)> {
    timeout(limit, exchange(socket, token, head, body))
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")))
}

async fn exchange(socket: &Path, token: &str, head: &str, body: &str) -> io::Result<(u16, Value)> {
    let mut stream = nexus_sandbox::connect(socket).await?;
    let message = format!(
        "{head} HTTP/1.1\r\nHost: agent\r\nAuthorization: Bearer {token}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(message.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut bytes).await?;
    parse(&String::from_utf8_lossy(&bytes))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP with a JSON body"))
}

fn parse(answer: &str) -> Option<(u16, Value)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_answers() {
        assert_eq!(
            parse("HTTP/1.1 200 OK\r\nA: b\r\n\r\n{\"a\":1}").map(|(status, body)| (status, body["a"].clone())),
            Some((200, 1.into()))
        );
        assert!(parse("nonsense").is_none());
        assert!(parse("HTTP/1.1 200 OK\r\n\r\n<html>").is_none());
    }
}
