//! `POST /invocations`.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use nexus_plugin_api::{
    Context,
    payload::{InvokeRequest, InvokeResult},
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    Address, AskError,
    answer::Answer,
    frame::{Flow, apply_frame, apply_whole},
    http::Exchange,
    json::{excerpt, reported_error},
    sse::{FrameTooLong, SseDecoder},
};

const SESSION_HEADER: &str = "x-amzn-bedrock-agentcore-runtime-session-id";
/// Of an answer with an error status only so much is read.
const MAX_ERROR_BODY_BYTES: usize = 64 * 1024;

/// How long an agent may keep the connection open after its last frame.
const FAREWELL: Duration = Duration::from_millis(50);

/// Where to ask, and how long and how much to take.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) address: Address,
    /// Seconds for the whole answer.
    pub(crate) total_secs: u64,
    /// Seconds between two bytes.
    pub(crate) idle_secs: u64,
    /// Bytes of the body.
    pub(crate) max_bytes: usize,
}

/// Asks, reports the answer's pieces to `cx` as they come, and returns the whole.
/// Dropping the future closes the connection.
pub(crate) async fn invoke(ask: Ask, request: &InvokeRequest, cx: &Context) -> Result<InvokeResult, AskError> {
    let (question, address) = (to_http(&ask.address, request)?, ask.address.clone());
    let mut clock = Clock { end: Instant::now() + Duration::from_secs(ask.total_secs), ask };
    let exchange = clock.within(Exchange::begin(&address, question)).await?;
    if !(200..300).contains(&exchange.status()) {
        return Err(rejection(exchange, &mut clock).await);
    }
    let mut answer = Answer::new(cx);
    if exchange.media_type() == "text/event-stream" {
        read_stream(exchange, &mut clock, &mut answer).await?;
    } else {
        read_whole(exchange, &mut clock, &mut answer).await?;
    }
    Ok(answer.finish(request.enable_trace))
}

fn to_http(address: &Address, request: &InvokeRequest) -> Result<Request<Full<Bytes>>, AskError> {
    let body = json!({
        "prompt": request.input_text,
        "session_id": request.session_id,
        "history": request.history,
    });
    Request::post("/invocations")
        .header("host", address.host())
        .header("authorization", address.authorization())
        .header("connection", "close")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream, application/json;q=0.9")
        .header(SESSION_HEADER, &request.session_id)
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|e| AskError::BadRequest(format!("the session id is no header value ({e})")))
}

/// Both deadlines of an answer.
struct Clock {
    end: Instant,
    ask: Ask,
}

impl Clock {
    async fn within<T>(&mut self, step: impl Future<Output = Result<T, AskError>>) -> Result<T, AskError> {
        let silence = Instant::now() + Duration::from_secs(self.ask.idle_secs);
        let first = silence.min(self.end);
        timeout_at(first, step).await.unwrap_or_else(|_| {
            Err(if first == self.end {
                AskError::Overtime(self.ask.total_secs)
            } else {
                AskError::Silent(self.ask.idle_secs)
            })
        })
    }
}

async fn read_stream(mut exchange: Exchange, clock: &mut Clock, answer: &mut Answer<'_>) -> Result<(), AskError> {
    let too_long = |_: FrameTooLong| AskError::TooMuch(FrameTooLong::LIMIT);
    let mut decoder = SseDecoder::default();
    let mut speaks_protocol = false;
    let mut total = 0_usize;
    while let Some(chunk) = clock.within(exchange.chunk()).await? {
        total += chunk.len();
        if total > clock.ask.max_bytes {
            return Err(AskError::TooMuch(clock.ask.max_bytes));
        }
        let flow = decoder.push(&chunk).map_err(too_long).and_then(|frames| apply_all(&frames, answer));
        // Also what came before a failure was said.
        answer.flush();
        match flow? {
            Flow::Done => {
                let _ = timeout(FAREWELL, read_off(&mut exchange)).await;
                return Ok(());
            }
            Flow::Protocol => speaks_protocol = true,
            Flow::Foreign => {}
        }
    }
    let last = decoder.finish().map_err(too_long)?;
    let done = match last {
        Some(frame) => apply_frame(&frame, answer)? == Flow::Done,
        None => false,
    };
    if speaks_protocol && !done {
        return Err(AskError::Cut("the stream ended without its last frame".to_owned()));
    }
    Ok(())
}

/// The strongest of what the frames mean; nothing counts after the last frame.
fn apply_all(frames: &[Vec<u8>], answer: &mut Answer<'_>) -> Result<Flow, AskError> {
    let mut all = Flow::Foreign;
    for frame in frames {
        match apply_frame(frame, answer)? {
            Flow::Done => return Ok(Flow::Done),
            Flow::Protocol => all = Flow::Protocol,
            Flow::Foreign => {}
        }
    }
    Ok(all)
}

/// Lets the agent write the end of its body: closing at once would give it an error for a whole answer.
async fn read_off(exchange: &mut Exchange) {
    let mut rest = 0;
    while let Ok(Some(chunk)) = exchange.chunk().await {
        rest += chunk.len();
        if rest > MAX_ERROR_BODY_BYTES {
            return;
        }
    }
}

async fn read_whole(mut exchange: Exchange, clock: &mut Clock, answer: &mut Answer<'_>) -> Result<(), AskError> {
    let media_type = exchange.media_type();
    let body = collect(&mut exchange, clock, clock.ask.max_bytes).await?;
    let is_json = media_type == "application/json" || media_type.ends_with("+json");
    match serde_json::from_slice::<Value>(&body) {
        Ok(value) => apply_whole(&value, answer),
        Err(e) if is_json => {
            Err(AskError::Garbage(format!("no valid JSON ({e}): {}", excerpt(&String::from_utf8_lossy(&body)))))
        }
        Err(_) => match String::from_utf8(body) {
            Ok(text) if !text.contains('\0') => {
                answer.text(&text);
                Ok(())
            }
            _ => Err(AskError::Garbage(format!("neither JSON nor text (content type {media_type:?})"))),
        },
    }
}

async fn collect(exchange: &mut Exchange, clock: &mut Clock, limit: usize) -> Result<Vec<u8>, AskError> {
    let mut body = Vec::new();
    while let Some(chunk) = clock.within(exchange.chunk()).await? {
        if body.len() + chunk.len() > limit {
            return Err(AskError::TooMuch(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

async fn rejection(mut exchange: Exchange, clock: &mut Clock) -> AskError {
    let status = exchange.status();
    let body = collect(&mut exchange, clock, MAX_ERROR_BODY_BYTES).await.unwrap_or_default();
    let reported = serde_json::from_slice::<Value>(&body).ok().and_then(|body| reported_error(&body));
    let message = match reported {
        Some(AskError::Reported { error_type, message }) => format!("{error_type}: {message}"),
        _ => excerpt(&String::from_utf8_lossy(&body)),
    };
    AskError::Rejected { status, message }
}
