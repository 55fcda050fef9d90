//! Conversations with agents.

use std::time::Duration;

use async_trait::async_trait;

use super::{KeptAnswer, MessageRange, NewMessage, Result, SessionLease};
use crate::domain::{
    ids::{AgentId, SessionId},
    session::{Message, Session},
};

/// Conversations and their messages.
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// Writes a session.
    ///
    /// # Errors
    /// `BackendErrorKind::NotFound` when the agent is unknown.
    async fn create_session(&self, session: Session, idempotency: Option<KeptAnswer>) -> Result<()>;

    async fn session(&self, id: &SessionId) -> Result<Option<Session>>;

    /// An agent's sessions, newest `last_active_at` first.
    async fn list_sessions(&self, agent: &AgentId, limit: usize) -> Result<Vec<Session>>;

    /// Appends a message, counts it, moves `last_active_at`, and names an unnamed session after its
    /// first user message (30 characters and `...`), in one unit. The store makes the message's id, so
    /// that ids sort in the order of the commits.
    ///
    /// # Errors
    /// `BackendErrorKind::NotFound` when the session is unknown; `BackendErrorKind::Fenced` when it names a holder and
    /// another took the session since: what was said under a lost lease never stands among the other's messages as if
    /// nothing had happened.
    async fn append_message(&self, message: NewMessage) -> Result<Message>;

    /// Messages oldest first; the limit keeps the newest of those between `after` and `before`.
    async fn messages(&self, session: &SessionId, range: &MessageRange) -> Result<Vec<Message>>;
}

/// The right to answer in a conversation, one at a time.
#[async_trait]
pub trait Answering: Send + Sync + 'static {
    /// Takes the right to answer in a session, so that never two answer at once, whichever daemons they are of. It ends
    /// by itself unless it is extended.
    ///
    /// # Errors
    /// `BackendErrorKind::NotFound` when the session is unknown.
    async fn lease_session(&self, id: &SessionId, holder: &str, lasts: Duration) -> Result<SessionLease>;

    /// Extends it, and tells what the holder must know.
    async fn extend_session(&self, id: &SessionId, holder: &str, lasts: Duration) -> Result<SessionLease>;

    /// Gives it back, when it is the holder's.
    async fn release_session(&self, id: &SessionId, holder: &str) -> Result<()>;

    /// Asks whoever answers in a session to stop; whether anybody does.
    async fn stop_session(&self, id: &SessionId) -> Result<bool>;

    /// Whether anybody answers in a session.
    async fn is_answering(&self, id: &SessionId) -> Result<bool>;
}
