//! Conversations: sessions, messages that are stored, and answers that stream.

use serde_json::{Value, json};

use super::{
    agents::{Mine, heard},
    client::{Client, post},
    support::sse,
};

/// A session with a message that is only stored and a question or two.
pub(super) async fn talk(client: &mut Client, mine: &mut Mine) {
    mine.asked += 1;
    let key = format!("{}-{}-session{}", client.name, mine.id, mine.asked);
    let path = format!("/agents/{}/sessions", mine.id);
    let body = json!({ "display_name": key });
    let said = client.insist(post(&path, &body, Some(&key))).await;
    let Some(session) = said.data().and_then(|data| data["session_id"].as_str()).map(str::to_owned) else { return };
    client.say(format!("{} has {session}", mine.id));
    client.world.ledger.session(&session, |noted| noted.agent = mine.id.clone());
    store(client, mine, &session).await;
    for _ in 0..2 {
        stream(client, mine, &session).await;
    }
}

async fn store(client: &mut Client, mine: &mut Mine, session: &str) {
    mine.asked += 1;
    let (path, key) = (format!("/sessions/{session}/messages"), format!("{session}-{}", mine.asked));
    let content = format!("remember {key}");
    let body = json!({ "content": content });
    let ask = post(&path, &body, Some(&key));
    let said = client.insist(ask.clone()).await;
    let id = said.data().and_then(|data| data["message_id"].as_str()).map(str::to_owned);
    client.world.ledger.session(session, |noted| match &id {
        Some(id) => drop(noted.messages.insert(id.clone(), content)),
        None => drop(noted.perhaps.insert(content)),
    });
    if client.chance(30) {
        let again = client.insist(ask).await;
        let second = again.data().and_then(|data| data["message_id"].as_str());
        if let (Some(first), Some(second)) = (&id, second) {
            client
                .world
                .ledger
                .check(first == second, &[session, first, second], || "one key, two messages".to_owned());
        }
    }
}

/// Asks in the session. A stream cannot be sent again: what comes of a broken one is open.
async fn stream(client: &mut Client, mine: &mut Mine, session: &str) {
    mine.asked += 1;
    let content = format!("{session} question {}", mine.asked);
    let (number, url) = client.world.reachable(None, mine.asked as usize).await;
    let request = reqwest::Client::new().post(format!("{url}/api/v2/sessions/{session}/stream"));
    let answered = request.json(&json!({ "content": content })).send().await;
    let refused = |status: u16| matches!(status, 400..500);
    let (frames, status) = match answered {
        Ok(response) if response.status() == 200 => (sse::Stream::new(response).all().await, 200),
        Ok(response) => (Vec::new(), response.status().as_u16()),
        Err(_) => (Vec::new(), 0),
    };
    client.say(format!("{session} stream at daemon{number}: {status}, {} frames", frames.len()));
    let of = |name: &str| frames.iter().map(|frame| &frame.data).find(|data| data["event"] == name);
    let text = |data: &&Value| data["type"] == "text";
    let answer = frames.iter().map(|frame| &frame.data).filter(text).filter_map(|data| data["data"].as_str());
    let answer: String = answer.collect();
    if of("done").is_some() && of("error").is_none() {
        let mut ids = frames.iter().filter_map(|frame| {
            let found = ["/invocation_id", "/data/invocation_id", "/metrics/invocation_id"];
            found.into_iter().find_map(|at| frame.data.pointer(at)).cloned()
        });
        let invocation = ids.next_back().unwrap_or_default();
        let durable = of("done").is_none_or(|done| done["recorded"] != json!(false));
        heard(client, mine, &answer.clone().into(), if durable { &invocation } else { &Value::Null }, &content);
        client.world.ledger.session(session, |noted| {
            noted.said.insert(content);
            if durable { &mut noted.said } else { &mut noted.perhaps }.insert(answer);
        });
        return;
    }
    if refused(status) {
        return;
    }
    client.world.ledger.agent(&mine.id, |agent| agent.unanswered += 1);
    client.world.ledger.session(session, |noted| {
        noted.perhaps.insert(content);
        noted.perhaps.insert(answer);
    });
}
