//! What comes late: the words of a holder that was stopped, or held up in the network, until another had taken its place.

use nexus_daemon::{
    backend::{
        error::BackendErrorKind,
        store::{KeptAnswer, MessageRange, NewMessage, SessionLease},
    },
    domain::{agent::InvocationStatus, control::ControlAction, deletion::DeletedKind, session::Role, time::Timestamp},
};
use serde_json::json;

use super::{
    figures::kept,
    records::{LEASE, a_session, an_agent, until},
    talk::*,
    world::*,
};

pub async fn an_answer_under_a_lost_key_changes_nothing(f: &Fixture) {
    let agent = an_agent(f).await;
    let end = async |holder: &str, answer: i64| {
        let idempotency = KeptAnswer { holder: Some(holder.to_owned()), ..kept("k", json!(answer)) };
        f.store.record_invocation(invocation(&agent, InvocationStatus::Success, 100), Some(idempotency)).await.unwrap();
        f.store.key_record("k").await.unwrap().unwrap().answer
    };
    let begin = async |holder: &str| f.store.take_key("k", "f", holder, LEASE).await.unwrap();
    assert_eq!(begin("one").await, None);
    // Its holder is stopped for longer than the key lasts, and another begins.
    until(async || begin("two").await.is_none()).await;
    assert_eq!(end("one", 1).await, None, "the key is another's, who is at work");
    assert!(f.store.extend_key("k", "two", LEASE).await.unwrap());
    assert_eq!(end("two", 2).await, Some(json!(2)));
    assert_eq!(end("one", 1).await, Some(json!(2)), "it is answered");
    // What the agent did it did all the same.
    assert_eq!(f.store.agent(&agent).await.unwrap().unwrap().total_invocations, 3);
    // One whose key has run out, but that nobody took, ends what it began.
    assert_eq!(f.store.take_key("j", "f", "one", LEASE).await.unwrap(), None);
    tokio::time::sleep(LEASE + std::time::Duration::from_secs(2)).await;
    let idempotency = KeptAnswer { holder: Some("one".to_owned()), ..kept("j", json!(3)) };
    f.store.record_invocation(invocation(&agent, InvocationStatus::Success, 100), Some(idempotency)).await.unwrap();
    assert_eq!(f.store.key_record("j").await.unwrap().unwrap().answer, Some(json!(3)));
    // Who names nobody takes a free key, and no other.
    let free = f.store.record_invocation(
        invocation(&agent, InvocationStatus::Success, 100),
        Some(KeptAnswer { holder: None, ..kept("j", json!(4)) }),
    );
    assert_eq!(free.await.unwrap_err().kind(), BackendErrorKind::Repeated);
}

pub async fn an_answer_of_a_lost_session_is_refused(f: &Fixture) {
    let agent = an_agent(f).await;
    let session = a_session(f, &agent, None).await;
    let take = async |holder: &str| f.store.lease_session(&session, holder, LEASE).await.unwrap();
    let say = async |holder: &str, text: &str| {
        let answer = NewMessage { holder: Some(holder.to_owned()), ..message(&session, Role::Assistant, text) };
        f.store.append_message(answer).await.map(drop).map_err(|error| error.kind())
    };
    assert_eq!(take("one").await, SessionLease::Held);
    assert_eq!(say("one", "first").await, Ok(()));
    until(async || take("two").await == SessionLease::Held).await;
    assert_eq!(say("one", "late").await, Err(BackendErrorKind::Fenced));
    assert_eq!(say("two", "second").await, Ok(()));
    f.store.release_session(&session, "two").await.unwrap();
    assert_eq!(say("one", "later").await, Err(BackendErrorKind::Fenced), "given back, yet it was another's since");
    assert_eq!(say("two", "third").await, Ok(()), "nobody took it since");
    // A user's message is under no lease.
    f.store.append_message(message(&session, Role::User, "fourth")).await.unwrap();
    let range = MessageRange { limit: 10, before: None, after: None };
    let said = f.store.messages(&session, &range).await.unwrap();
    let said: Vec<&str> = said.iter().map(|message| message.content.as_str()).collect();
    assert_eq!(said, ["first", "second", "third", "fourth"]);
    assert_eq!(f.store.session(&session).await.unwrap().unwrap().message_count, 4);
}

pub async fn what_was_touched_since_is_not_past_its_time(f: &Fixture) {
    let ended = f.failed().await;
    let found = f.store.project(&ended).await.unwrap().unwrap();
    // As it was found, it was past its time.
    let before = found.completed_at.unwrap().plus(std::time::Duration::from_millis(1));
    f.control(&ended, ControlAction::Restart).await.unwrap();
    assert!(f.store.expire_project(&ended, before).await.unwrap().is_none(), "it is being built again");
    assert!(f.store.expire_project(&ended, in_one_minute()).await.unwrap().is_none());
    f.control(&ended, ControlAction::Stop).await.unwrap();
    assert!(f.store.expire_project(&ended, before).await.unwrap().is_none(), "it ended anew");
    assert!(f.store.project(&ended).await.unwrap().is_some());
    assert!(f.store.deletion(DeletedKind::Project, ended.as_str()).await.unwrap().is_none());
    assert!(f.store.expire_project(&ended, in_one_minute()).await.unwrap().is_some());
    assert!(f.store.project(&ended).await.unwrap().is_none());
    assert!(f.store.deletion(DeletedKind::Project, ended.as_str()).await.unwrap().is_some());
    // An agent's code is never past anything.
    let (code, agent) = f.completed().await;
    assert!(f.store.expire_project(&code, in_one_minute()).await.unwrap().is_none());

    let session = a_session(f, &agent, None).await;
    let before = Timestamp::now();
    f.store.append_message(message(&session, Role::User, "hi")).await.unwrap();
    assert_eq!(f.store.expire_session(&session, before).await.unwrap(), None, "somebody went on with it");
    assert_eq!(f.store.lease_session(&session, "one", LEASE).await.unwrap(), SessionLease::Held);
    assert_eq!(f.store.expire_session(&session, in_one_minute()).await.unwrap(), None, "somebody answers in it");
    f.store.release_session(&session, "one").await.unwrap();
    assert_eq!(f.store.expire_session(&session, in_one_minute()).await.unwrap(), Some(1));
    assert!(f.store.session(&session).await.unwrap().is_none());
}
