//! Conversations with an agent.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    ids::{AgentId, MessageId, SessionId},
    time::Timestamp,
};

super::words! {
    /// Whether a session takes messages.
    SessionStatus {
        Active = "active",
        Closed = "closed",
    }
}

super::words! {
    Role {
        User = "user",
        Assistant = "assistant",
        System = "system",
    }
}

/// What clients call a session before anybody has spoken; a number or a time may follow.
const DEFAULT_NAMES: [&str; 6] = ["新对话", "新会话", "new chat", "new session", "new conversation", "session"];

/// Whether the first message of a session may name it: it has no name, or one that a client gave it by default.
/// One that a person chose stays, and so does one that an earlier message gave.
pub fn is_named_by_first_message(display_name: Option<&str>, message_count: u64) -> bool {
    let name = display_name.unwrap_or_default().trim().to_lowercase();
    name.is_empty() || (message_count == 0 && is_default_name(&name))
}

fn is_default_name(name: &str) -> bool {
    // Numbers, times and their parts, `…`, and the first characters of an id.
    let adds_nothing = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        let is_id = word.len() >= 4 && word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        word.is_empty() || is_id || ["am", "pm", "上午", "下午"].contains(&word) || {
            word.starts_with(|c: char| c.is_ascii_digit())
                && word.chars().all(|c| c.is_ascii_digit() || "/-:.,年月日时分秒tz".contains(c))
        }
    };
    let rest = DEFAULT_NAMES.iter().find_map(|default| name.strip_prefix(default));
    let begins_anew = |rest: &&str| !rest.starts_with(char::is_alphabetic);
    rest.filter(begins_anew).is_some_and(|rest| rest.split_whitespace().all(adds_nothing))
}

/// A conversation with an agent.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "SessionRecord")]
pub struct Session {
    pub session_id: SessionId,
    pub agent_id: AgentId,
    pub user_id: Option<String>,
    /// For people; the first message names a session that has none.
    pub display_name: Option<String>,
    pub status: SessionStatus,
    pub message_count: u64,
    pub created_at: Timestamp,
    pub last_active_at: Timestamp,
    /// The caller's own data.
    pub metadata: Option<Value>,
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Message {
    pub session_id: SessionId,
    pub message_id: MessageId,
    pub role: Role,
    pub content: String,
    pub created_at: Timestamp,
    /// The caller's own data; of an answer its `tool_calls`, `content_blocks` and `usage`.
    pub metadata: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::is_named_by_first_message;

    #[test]
    fn only_names_that_nobody_chose_give_way() {
        for default in [
            "",
            "  ",
            "新对话",
            "新对话 3",
            "新对话12",
            "New chat",
            "NEW CHAT",
            "new chat (2)",
            "Session 1",
            "Session",
            "Session 2026/1/27 10:14:29",
            "Session 1/27/2026, 10:14:29 AM",
            "Session 2026-01-27T10:14:29",
            "Session a81f3c",
            "Session …",
            "session-17",
            "New conversation",
        ] {
            assert!(is_named_by_first_message(Some(default), 0), "{default:?}");
        }
        for chosen in [
            "mine",
            "新对话记录",
            "Session notes",
            "Sessions",
            "New chatter",
            "Session with Ann",
            "Prices 2026",
            "my session",
        ] {
            assert!(!is_named_by_first_message(Some(chosen), 0), "{chosen:?}");
        }
        assert!(is_named_by_first_message(None, 3), "a system message came first");
        assert!(!is_named_by_first_message(Some("New chat"), 1), "the first message was `New chat`");
    }
}
