//! Conversations with an agent.

use serde::Serialize;
use serde_json::Value;

use super::{
    ids::{AgentId, MessageId, SessionId},
    time::Timestamp,
};

super::words! {
    /// Where a session is.
    SessionStatus {
        /// Takes messages.
        Active = "active",
        /// Ended.
        Closed = "closed",
    }
}

super::words! {
    /// Who speaks.
    Role {
        /// The person.
        User = "user",
        /// The agent.
        Assistant = "assistant",
        /// Neither.
        System = "system",
    }
}

/// A row of `nexus_sessions`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Session {
    /// Key.
    pub session_id: SessionId,
    /// With whom.
    pub agent_id: AgentId,
    /// Whose.
    pub user_id: Option<String>,
    /// For people; the first message names a session that has none.
    pub display_name: Option<String>,
    /// Where it is.
    pub status: SessionStatus,
    /// Messages stored.
    pub message_count: u64,
    /// When it began.
    pub created_at: Timestamp,
    /// Last message.
    pub last_active_at: Timestamp,
    /// The caller's own data.
    pub metadata: Option<Value>,
}

/// A row of `nexus_messages`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// Partition key.
    pub session_id: SessionId,
    /// Sort key.
    pub message_id: MessageId,
    /// Who.
    pub role: Role,
    /// What.
    pub content: String,
    /// When.
    pub created_at: Timestamp,
    /// Tool calls, content blocks, the caller's own data.
    pub metadata: Option<Value>,
}
