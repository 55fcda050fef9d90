//! What an agent is told of what was said before: the newest messages, as much as fits. A message that is too long is cut
//! where everybody sees it, so that one of them never empties the whole.

use nexus_plugin_api::payload::HistoryMessage;

use crate::domain::{
    session::{Message, Role},
    text::shorten_bytes,
};

/// Messages of the past that are looked at.
pub(crate) const MESSAGES: usize = 20;
/// Bytes of all of them together.
const BYTES: usize = 32 * 1024;
/// Bytes of one: others fit beside the longest.
const LONGEST: usize = BYTES / 2;
/// A piece shorter than this says nothing.
const SHORTEST: usize = 256;

/// The history of messages that are sorted from the oldest to the newest, in the same order.
pub(crate) fn of(messages: Vec<Message>) -> Vec<HistoryMessage> {
    let mut room = BYTES;
    let mut history = Vec::new();
    for message in messages.into_iter().rev().filter(|message| message.role != Role::System) {
        let most = room.min(LONGEST);
        if message.content.len() > most && most < SHORTEST {
            break;
        }
        let content = cut(message.content, most);
        room -= content.len();
        history.push(HistoryMessage { role: message.role.to_string(), content });
    }
    history.reverse();
    history
}

/// The text, at most `most` bytes of it, with a mark that says how much is missing.
fn cut(text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let mark = |left_out: usize| format!("\n[… {left_out} characters of this message are left out]");
    // The longest that the mark can be.
    let room = most.saturating_sub(mark(text.len()).len());
    let kept = shorten_bytes(&text, room);
    let left_out = text.get(kept.len()..).map_or(0, |rest| rest.chars().count());
    format!("{kept}{}", mark(left_out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ids::MessageId, time::Timestamp};

    fn message(role: Role, content: &str) -> Message {
        Message {
            session_id: "sess-1".parse().unwrap(),
            message_id: MessageId::from_ulid(ulid::Ulid::generate()),
            role,
            content: content.to_owned(),
            created_at: Timestamp::now(),
            metadata: None,
        }
    }

    fn told(messages: Vec<Message>) -> Vec<String> {
        of(messages).into_iter().map(|message| message.content).collect()
    }

    #[test]
    fn one_long_message_empties_nothing() {
        for long in ["x".repeat(33_000), "ä".repeat(33_000), "語".repeat(400_000)] {
            let all = vec![
                message(Role::User, "first"),
                message(Role::System, "not said"),
                message(Role::User, &long),
                message(Role::Assistant, "last"),
            ];
            let history = told(all);
            assert_eq!((history.len(), history[0].as_str(), history[2].as_str()), (3, "first", "last"));
            assert!(history[1].len() <= LONGEST && history[1].len() > LONGEST - 100, "{}", history[1].len());
            let kept = history[1].split_once("\n[… ").unwrap();
            let left_out: usize = kept.1.split_once(' ').unwrap().0.parse().unwrap();
            assert_eq!(kept.0.chars().count() + left_out, long.chars().count());
        }
        // Also when it is the newest, or the only one.
        assert_eq!(told(vec![message(Role::User, &"x".repeat(100_000))]).len(), 1);
    }

    #[test]
    fn the_newest_are_kept_as_far_as_they_fit() {
        let all = (0..20).map(|n| message(Role::User, &format!("{n:02}{}", "y".repeat(3_000)))).collect();
        let history = told(all);
        assert!(history.last().unwrap().starts_with("19"));
        assert!(history.iter().map(String::len).sum::<usize>() <= BYTES);
        assert!((10..=11).contains(&history.len()), "{}", history.len());
        assert!(told(Vec::new()).is_empty());
    }
}
