//! The way from a body of bytes to an answer, within its limits.

use std::time::Duration;

use bytes::Bytes;
use nexus_plugin_api::{
    Context,
    payload::{InvokeRequest, InvokeResult},
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    collected::Answer,
    error::AskError,
    frame::{Flow, apply_frame, apply_whole},
    json::{excerpt, reported_error},
    sse::{FrameTooLong, SseDecoder},
};

/// Of an answer with an error status only so much is read.
const MAX_ERROR_BODY_BYTES: usize = 64 * 1024;

/// How long an agent may keep the connection open after its last frame.
const FAREWELL: Duration = Duration::from_millis(50);

/// A response of which the head is here.
pub trait Body: Send {
    /// The HTTP status.
    fn status(&self) -> u16;
    /// The media type without parameters, in lower case; empty when not given.
    fn media_type(&self) -> String;
    /// The next piece; `None` at the end.
    fn chunk(&mut self) -> impl Future<Output = Result<Option<Bytes>, AskError>> + Send;
}

/// How long and how much to take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Seconds for the whole answer.
    pub total_secs: u64,
    /// Seconds between two bytes.
    pub idle_secs: u64,
    /// Bytes of the body.
    pub max_bytes: usize,
}

/// Both deadlines of an answer.
#[derive(Debug)]
pub struct Clock {
    end: Instant,
    bounds: Bounds,
}

impl Clock {
    /// Begins to count.
    #[must_use]
    pub fn start(bounds: Bounds) -> Self {
        Self { end: Instant::now() + Duration::from_secs(bounds.total_secs), bounds }
    }

    /// Waits for one step of the answer, which may take as long as an agent may be silent.
    ///
    /// # Errors
    /// Those of the step, [`AskError::Silent`], [`AskError::Overtime`].
    pub async fn within<T>(&mut self, step: impl Future<Output = Result<T, AskError>>) -> Result<T, AskError> {
        let silence = Instant::now() + Duration::from_secs(self.bounds.idle_secs);
        let first = silence.min(self.end);
        timeout_at(first, step).await.unwrap_or_else(|_| {
            Err(if first == self.end {
                AskError::Overtime(self.bounds.total_secs)
            } else {
                AskError::Silent(self.bounds.idle_secs)
            })
        })
    }
}

/// The body of `POST /invocations`.
#[must_use]
pub fn question(request: &InvokeRequest) -> Value {
    json!({
        "prompt": request.input_text,
        "session_id": request.session_id,
        "history": request.history,
    })
}

/// Reads a successful response, tells its pieces to `cx` as they come, and returns the whole.
///
/// # Errors
/// What went wrong; what was said before was told.
pub async fn read(
    body: impl Body,
    clock: &mut Clock,
    request: &InvokeRequest,
    cx: &Context,
) -> Result<InvokeResult, AskError> {
    let mut answer = Answer::new(cx);
    if body.media_type() == "text/event-stream" {
        read_stream(body, clock, &mut answer).await?;
    } else {
        read_whole(body, clock, &mut answer).await?;
    }
    Ok(answer.finish(request.enable_trace))
}

/// What a response with an error status says.
pub async fn rejection(mut body: impl Body, clock: &mut Clock) -> AskError {
    let status = body.status();
    let text = collect(&mut body, clock, MAX_ERROR_BODY_BYTES).await.unwrap_or_default();
    let reported = serde_json::from_slice::<Value>(&text).ok().and_then(|body| reported_error(&body));
    let message = match reported {
        Some(AskError::Reported { error_type, message }) => format!("{error_type}: {message}"),
        _ => excerpt(&String::from_utf8_lossy(&text)),
    };
    AskError::Rejected { status, message }
}

async fn read_stream(mut body: impl Body, clock: &mut Clock, answer: &mut Answer<'_>) -> Result<(), AskError> {
    let too_long = |_: FrameTooLong| AskError::TooMuch(FrameTooLong::LIMIT);
    let mut decoder = SseDecoder::default();
    let mut speaks_protocol = false;
    let mut total = 0_usize;
    while let Some(chunk) = clock.within(body.chunk()).await? {
        total += chunk.len();
        if total > clock.bounds.max_bytes {
            return Err(AskError::TooMuch(clock.bounds.max_bytes));
        }
        let flow = decoder.push(&chunk).map_err(too_long).and_then(|frames| apply_all(&frames, answer));
        // Also what came before a failure was said.
        answer.flush();
        match flow? {
            Flow::Done => {
                let _ = timeout(FAREWELL, read_off(&mut body)).await;
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
async fn read_off(body: &mut impl Body) {
    let mut rest = 0;
    while let Ok(Some(chunk)) = body.chunk().await {
        rest += chunk.len();
        if rest > MAX_ERROR_BODY_BYTES {
            return;
        }
    }
}

async fn read_whole(mut body: impl Body, clock: &mut Clock, answer: &mut Answer<'_>) -> Result<(), AskError> {
    let media_type = body.media_type();
    let whole = collect(&mut body, clock, clock.bounds.max_bytes).await?;
    let is_json = media_type == "application/json" || media_type.ends_with("+json");
    match serde_json::from_slice::<Value>(&whole) {
        Ok(value) => apply_whole(&value, answer),
        Err(e) if is_json => {
            Err(AskError::Garbage(format!("no valid JSON ({e}): {}", excerpt(&String::from_utf8_lossy(&whole)))))
        }
        Err(_) => match String::from_utf8(whole) {
            Ok(text) if !text.contains('\0') => {
                answer.text(&text);
                Ok(())
            }
            _ => Err(AskError::Garbage(format!("neither JSON nor text (content type {media_type:?})"))),
        },
    }
}

async fn collect(body: &mut impl Body, clock: &mut Clock, limit: usize) -> Result<Vec<u8>, AskError> {
    let mut whole = Vec::new();
    while let Some(chunk) = clock.within(body.chunk()).await? {
        if whole.len() + chunk.len() > limit {
            return Err(AskError::TooMuch(limit));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
}
