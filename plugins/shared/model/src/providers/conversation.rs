//! A conversation in the form that strict providers take: roles in turn, nothing empty, the user first.

use crate::{Content, Message, Role};

/// Neighbours of the same role become one message; empty texts and empty messages go.
pub(super) fn in_turn(messages: &[Message]) -> Vec<(Role, Vec<&Content>)> {
    let mut turns: Vec<(Role, Vec<&Content>)> = Vec::new();
    for message in messages {
        let parts =
            message.content.iter().filter(|content| !matches!(content, Content::Text(text) if text.trim().is_empty()));
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            continue;
        }
        match turns.last_mut() {
            Some((role, content)) if *role == message.role => content.extend(parts),
            _ => turns.push((message.role, parts.collect())),
        }
    }
    for (_, content) in &mut turns {
        // Results belong before the words that follow them.
        content.sort_by_key(|content| !matches!(content, Content::ToolResult { .. }));
    }
    turns
}

/// Tool names that every provider takes: `[a-zA-Z0-9_-]{1,64}`.
pub(super) fn is_tool_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'_' || sign == b'-')
}
