//! An answer that another daemon is giving, for a client that asks here for it: nothing until it is stored, then the whole of
//! it at once.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use super::{Conversations, Metrics, Numbered, Piece};
use crate::{
    backend::store::{MessageRange, Result},
    domain::{
        ids::SessionId,
        session::{Message, Role},
    },
    jobs::ANSWER_LIMIT,
};

const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub struct Elsewhere {
    of: Arc<Conversations>,
    session: SessionId,
    told: Told,
    until: Instant,
}

enum Told {
    Nothing,
    Connected,
    All,
}

impl Elsewhere {
    pub(super) fn new(of: Arc<Conversations>, session: SessionId) -> Self {
        let until = Instant::now() + ANSWER_LIMIT.time + LOOK_AGAIN;
        Self { of, session, told: Told::Nothing, until }
    }

    /// The next pieces; none at the end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Vec<Numbered>> {
        let pieces = match self.told {
            Told::Nothing => {
                self.told = Told::Connected;
                vec![Piece::Connected { session_id: self.session.clone() }]
            }
            Told::Connected => {
                let whole = self.wait().await;
                self.told = Told::All;
                whole
            }
            Told::All => return None,
        };
        Some(pieces.into_iter().map(|piece| (None, Arc::new(piece))).collect())
    }

    async fn wait(&self) -> Vec<Piece> {
        loop {
            if self.of.shutdown.is_cancelled() || Instant::now() >= self.until {
                return vec![Piece::Closing];
            }
            // A store that does not answer now may later.
            if self.of.store.is_answering(&self.session).await.is_ok_and(|answering| !answering)
                && let Ok(pieces) = self.whole().await
            {
                return pieces;
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, self.of.shutdown.cancelled()).await;
        }
    }

    async fn whole(&self) -> Result<Vec<Piece>> {
        let range = MessageRange { limit: 1, before: None, after: None };
        let last: Option<Message> = self.of.store.messages(&self.session, &range).await?.pop();
        let answer = last.filter(|message| message.role == Role::Assistant);
        let mut pieces = Vec::new();
        let metadata = answer.as_ref().and_then(|answer| answer.metadata.clone()).unwrap_or_default();
        let nothing = answer.is_none().then(|| "there is no answer; ask again".to_owned());
        let error = metadata.get("error").and_then(Value::as_str).map(str::to_owned).or(nothing);
        pieces.extend(answer.map(|answer| Piece::text(answer.content)));
        pieces.extend(error.map(|error| Piece::Error { error, retry_after: None }));
        pieces.push(Piece::Done { metrics: metrics(&metadata), recorded: None });
        Ok(pieces)
    }
}

/// As the daemon that gave the answer told them.
fn metrics(metadata: &Value) -> Metrics {
    let number = |at: &str| metadata.pointer(at).and_then(Value::as_u64).unwrap_or(0);
    Metrics {
        input_tokens: number("/usage/input_tokens"),
        output_tokens: number("/usage/output_tokens"),
        total_tokens: number("/usage/total_tokens"),
        duration_ms: number("/duration_ms"),
        tool_calls: metadata.get("tool_calls").and_then(Value::as_array).map_or(0, Vec::len),
        invocation_id: metadata.get("invocation_id").and_then(|id| id.as_str()?.parse().ok()),
    }
}
