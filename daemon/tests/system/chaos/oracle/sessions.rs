//! Sessions: every message that was acknowledged is there once, and the counts say so.

use serde_json::Value;

use super::{Client, Fate, get, ledger};

pub(super) async fn judge(client: &mut Client) {
    let (sessions, agents) = {
        let state = client.world.ledger.state();
        (state.sessions.clone(), state.agents.clone())
    };
    for (id, session) in &sessions {
        let agent = agents.get(&session.agent).map_or(Fate::Gone, |agent| agent.fate);
        if agent == Fate::Here && session.fate == Fate::Here {
            there(client, id, session).await;
        } else {
            let said = client.insist(get(&format!("/sessions/{id}"))).await;
            client.world.ledger.check(said.status() == 404, &[id, &session.agent], || {
                format!("its agent was deleted and it is there: {}", said.brief())
            });
        }
    }
}

async fn there(client: &mut Client, id: &str, session: &ledger::Session) {
    let said = client.insist(get(&format!("/sessions/{id}"))).await;
    let messages = client.insist(get(&format!("/sessions/{id}/messages?limit=500"))).await;
    let ledger = &client.world.ledger;
    let (Some(row), Some(messages)) = (said.data(), messages.data().and_then(Value::as_array)) else {
        return ledger.violation(format!("an acknowledged session is lost: {}", said.brief()), &[id, &session.agent]);
    };
    ledger.check(row["message_count"] == messages.len(), &[id], || {
        format!("{} messages are counted and {} there", row["message_count"], messages.len())
    });
    for (message, content) in &session.messages {
        let found = messages.iter().filter(|row| row["message_id"] == message.as_str()).map(|row| &row["content"]);
        let found: Vec<&Value> = found.collect();
        ledger.check(found == [content.as_str()], &[id, message], || {
            format!("message {content:?} was acknowledged and is there as {found:?}")
        });
    }
    let times = |content: &String| messages.iter().filter(|row| row["content"] == content.as_str()).count();
    for content in session.messages.values().chain(&session.said) {
        ledger.check(times(content) == 1, &[id], || format!("message {content:?} is there {} times", times(content)));
    }
    for content in session.perhaps.iter().filter(|content| !content.is_empty()) {
        ledger.check(times(content) <= 1, &[id], || format!("message {content:?} is there {} times", times(content)));
    }
}
