//! An answer that another daemon is giving, for a client that asks here for it: signs of life until it is stored, then the
//! whole of it at once.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream;
use salvo::Response;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::{
    http::{measure::OpenStream, sse},
    state::AppState,
};
use crate::{
    agents::ANSWER_LIMIT,
    backend::store::{MessageRange, Result},
    domain::{
        ids::SessionId,
        session::{Message, Role},
    },
};

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

struct Waiting {
    state: Arc<AppState>,
    session: SessionId,
    told: Told,
    until: Instant,
    keep_alive: Duration,
    _open: OpenStream,
}

enum Told {
    Nothing,
    Connected,
    All,
}

/// Makes the response a stream that waits for the answer.
pub(crate) fn follow(state: Arc<AppState>, session: SessionId, res: &mut Response) {
    let keep_alive = state.keep_alive();
    let until = Instant::now() + ANSWER_LIMIT + LOOK_AGAIN;
    let waiting = Waiting { state, session, told: Told::Nothing, until, keep_alive, _open: OpenStream::begin("chat") };
    sse::send(res, stream::unfold(waiting, |mut waiting| async move { waiting.next().await.map(|f| (f, waiting)) }));
}

impl Waiting {
    async fn next(&mut self) -> Option<Bytes> {
        match self.told {
            Told::Nothing => {
                self.told = Told::Connected;
                Some(sse::data(&json!({ "event": "connected", "session_id": self.session })))
            }
            Told::Connected => Some(self.wait().await),
            Told::All => None,
        }
    }

    /// A sign of life, or everything.
    async fn wait(&mut self) -> Bytes {
        let alive = Instant::now() + self.keep_alive;
        loop {
            if self.state.shutdown.is_cancelled() || Instant::now() >= self.until {
                self.told = Told::All;
                return sse::CLOSING;
            }
            // A store that does not answer now may later.
            if self.state.store.is_answering(&self.session).await.is_ok_and(|answering| !answering)
                && let Ok(frames) = self.whole().await
            {
                self.told = Told::All;
                return frames;
            }
            if Instant::now() >= alive {
                return sse::KEEP_ALIVE;
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, self.state.shutdown.cancelled()).await;
        }
    }

    async fn whole(&self) -> Result<Bytes> {
        let range = MessageRange { limit: 1, before: None, after: None };
        let last: Option<Message> = self.state.store.messages(&self.session, &range).await?.pop();
        let answer = last.filter(|message| message.role == Role::Assistant);
        let mut frames = Vec::new();
        if let Some(answer) = &answer {
            frames.push(json!({ "event": "message", "type": "text", "data": answer.content }));
        }
        let error = answer.as_ref().and_then(|answer| answer.metadata.as_ref()?.get("error").cloned());
        match (&answer, error) {
            (_, Some(error)) => frames.push(json!({ "event": "error", "error": error })),
            (None, None) => frames.push(json!({ "event": "error", "error": "there is no answer; ask again" })),
            (Some(_), None) => {}
        }
        frames.push(json!({ "event": "done", "metrics": metrics(answer.as_ref()) }));
        Ok(frames.iter().flat_map(sse::data).collect())
    }
}

/// As the daemon that gave it told them.
fn metrics(answer: Option<&Message>) -> Value {
    let metadata = answer.and_then(|answer| answer.metadata.clone()).unwrap_or_default();
    let number = |at: &str| metadata.pointer(at).and_then(Value::as_u64).unwrap_or(0);
    json!({
        "input_tokens": number("/usage/input_tokens"), "output_tokens": number("/usage/output_tokens"),
        "total_tokens": number("/usage/total_tokens"), "duration_ms": number("/duration_ms"),
        "tool_calls": metadata.get("tool_calls").and_then(Value::as_array).map_or(0, Vec::len),
        "invocation_id": metadata.get("invocation_id"),
    })
}
