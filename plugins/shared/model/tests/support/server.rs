//! A provider on loopback whose answers the test writes chunk by chunk: nothing is sent before the test says so.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Nothing in these tests takes that long; without it a fault would hang the suite.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Server {
    listener: TcpListener,
    pub url: String,
}

/// A request that has come, and the connection for its answer.
pub struct Exchange {
    pub path: String,
    pub headers: String,
    pub body: serde_json::Value,
    pub raw_body: String,
    connection: TcpStream,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    /// The next request.
    pub async fn request(&self) -> Exchange {
        let next = async {
            let (mut connection, _) = self.listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let head = loop {
                if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                    break end + 4;
                }
                assert_ne!(connection.read_buf(&mut bytes).await.unwrap(), 0, "the request ended within its head");
            };
            let headers = String::from_utf8(bytes[..head].to_vec()).unwrap();
            let lower = headers.to_lowercase();
            let length = lower
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .map_or(0, |n| n.trim().parse().unwrap());
            while bytes.len() < head + length {
                assert_ne!(connection.read_buf(&mut bytes).await.unwrap(), 0, "the request ended within its body");
            }
            let raw_body = String::from_utf8(bytes[head..].to_vec()).unwrap();
            let body =
                if raw_body.is_empty() { serde_json::Value::Null } else { serde_json::from_str(&raw_body).unwrap() };
            let path = headers.split(' ').nth(1).unwrap().to_owned();
            Exchange { path, headers: lower, body, raw_body, connection }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("no request came")
    }

    /// Whether no request has come: connections are accepted in the order in which they were made, so that one of our own is next.
    pub async fn is_idle(&self) -> bool {
        let mut own = TcpStream::connect(self.url.trim_start_matches("http://")).await.unwrap();
        own.write_all(b"GET /own HTTP/1.1\r\n\r\n").await.unwrap();
        self.request().await.path == "/own"
    }
}

impl Exchange {
    /// A whole answer with a length.
    pub async fn answer(mut self, status: u16, headers: &[(&str, &str)], body: &str) {
        let mut head = format!("HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        self.connection.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
    }

    /// The head of a streamed answer.
    pub async fn begin(&mut self, content_type: &str) {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        self.connection.write_all(head.as_bytes()).await.unwrap();
    }

    pub async fn chunk(&mut self, bytes: &[u8]) {
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.connection.write_all(&chunk).await.unwrap();
        self.connection.flush().await.unwrap();
    }

    /// The transport ends in good order.
    pub async fn end(mut self) {
        self.connection.write_all(b"0\r\n\r\n").await.unwrap();
    }

    /// The transport breaks: the last chunk never comes.
    pub fn cut(self) {}

    /// Waits until the client has closed the connection.
    pub async fn client_is_gone(mut self) {
        let mut rest = [0; 64];
        let gone = async { while matches!(self.connection.read(&mut rest).await, Ok(1..)) {} };
        tokio::time::timeout(PATIENCE, gone).await.expect("the client kept the connection");
    }
}
