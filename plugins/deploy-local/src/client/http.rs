//! One HTTP/1 request over a connection of its own.
//!
//! Nothing is pooled: a local connection is cheap, and closing it is how an agent learns that
//! nobody waits for its answer any more.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use nexus_deploy::answer::{AskError, Body};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
};

use super::{Address, address::Place};

/// The response's head, and the read buffer.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;

/// A response whose connection is closed when this is dropped.
pub(crate) struct Exchange {
    response: Response<Incoming>,
    _driver: Driver,
}

impl Exchange {
    /// Connects to the agent, sends the request, reads the head of the response.
    pub(crate) async fn begin(address: &Address, request: Request<Full<Bytes>>) -> Result<Self, AskError> {
        let refused = |e: std::io::Error| AskError::Refused(e.to_string());
        match &address.place {
            Place::Socket(path) => Self::over(nexus_sandbox::connect(path).await.map_err(refused)?, request).await,
            Place::Port(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port)).await.map_err(refused)?;
                let _ = stream.set_nodelay(true);
                Self::over(stream, request).await
            }
        }
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        request: Request<Full<Bytes>>,
    ) -> Result<Self, AskError> {
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|e| AskError::Cut(e.to_string()))?;
        let driver = Driver(tokio::spawn(async move {
            let _ = connection.await;
        }));
        let response = sender.send_request(request).await.map_err(|e| classify(&e))?;
        Ok(Self { response, _driver: driver })
    }

    /// The whole body, if it is not larger than `limit`.
    pub(crate) async fn body(mut self, limit: usize) -> Result<Vec<u8>, AskError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > limit {
                return Err(AskError::TooMuch(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

impl Body for Exchange {
    fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    fn media_type(&self) -> String {
        let header = self.response.headers().get("content-type").and_then(|value| value.to_str().ok());
        header.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, AskError> {
        loop {
            match self.response.body_mut().frame().await {
                None => return Ok(None),
                Some(Err(e)) => return Err(classify(&e)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

/// The task that moves the connection's bytes; the connection closes with it.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// hyper says whether the bytes were no HTTP or the connection ended.
fn classify(error: &hyper::Error) -> AskError {
    let mut text = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        text = format!("{text}: {cause}");
    }
    if error.is_parse() || error.is_parse_status() {
        AskError::Garbage(format!("no valid HTTP ({text})"))
    } else {
        AskError::Cut(text)
    }
}
