//! A client that costs little: requests are ready-made, of answers only what is needed is looked at.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A connection that is kept.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A GET as it goes over the wire.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// A POST of JSON.
pub fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::with_capacity(1 << 16) }
    }

    /// Sends a request and reads its answer to the end; the status. A stream is read to its first frame and left.
    pub async fn ask(&mut self, request: &str) -> u16 {
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.buffer.clear();
        loop {
            assert!(self.stream.read_buf(&mut self.buffer).await.unwrap() > 0, "the daemon closed the connection");
            let Some(end) = find(&self.buffer, b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            let Some(length) = head.split("content-length: ").nth(1) else {
                // A stream: it has begun. The next one needs a connection of its own.
                let address = self.stream.peer_addr().unwrap();
                self.stream = TcpStream::connect(address).await.unwrap();
                return status;
            };
            let length: usize = length.split('\r').next().unwrap().parse().unwrap();
            while self.buffer.len() < end + 4 + length {
                assert!(self.stream.read_buf(&mut self.buffer).await.unwrap() > 0, "the answer broke off");
            }
            return status;
        }
    }

    /// The last answer's body.
    pub fn body(&self) -> &[u8] {
        &self.buffer[find(&self.buffer, b"\r\n\r\n").unwrap() + 4..]
    }

    /// The socket, for what comes after the head of a stream.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
