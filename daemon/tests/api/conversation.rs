//! The conversation service itself, without HTTP: over the real store, with a scripted handler.

use std::sync::Arc;

use nexus_daemon::{
    agents::{
        AgentError,
        conversation::{Invoke, Outcome, Piece, Pieces, Sent},
    },
    domain::{
        caller::Caller,
        failure::{Failure, FailureKind},
        ids::SessionId,
        session::Role,
    },
    idempotency::{IdempotencyKey, KeyError, Keyed, Repeatable},
};
use nexus_plugin_api::payload::Event;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::api::{Api, Script};

/// A session with an agent that says two words, each when the gate lets it.
async fn gated(api: &Api) -> (SessionId, Arc<Semaphore>) {
    let session = api.session(&api.agent().await).await.parse().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let said = |delta: &str| Event::Text { delta: delta.to_owned() };
    let script = Script { events: vec![said("four"), said("teen")], gate: Some(gate.clone()), ..Script::default() };
    *api.agents.script.lock().unwrap() = script;
    (session, gate)
}

async fn ask(api: &Api, session: &SessionId) -> Result<Pieces, AgentError> {
    let sent = Sent { content: "What?".to_owned(), role: Role::User, metadata: None, files: Vec::new() };
    api.state.conversations.ask(&Caller::anonymous(), session, sent).await
}

async fn resume(api: &Api, session: &SessionId, after: Option<u64>) -> Option<Pieces> {
    api.state.conversations.resume(&Caller::anonymous(), session, after).await.unwrap()
}

/// All that is read of an answer to its end, and the last number.
async fn read(mut pieces: Pieces) -> (Vec<Piece>, u64) {
    let (mut all, mut last) = (Vec::new(), 0);
    while let Some(some) = pieces.next().await {
        for (number, piece) in some {
            last = number.unwrap();
            all.push(piece.as_ref().clone());
        }
    }
    (all, last)
}

async fn stored(api: &Api, session: &SessionId) -> Vec<(Role, String)> {
    let range = nexus_daemon::backend::store::MessageRange { limit: 10, before: None, after: None };
    let messages = api.state.conversations.messages(&Caller::anonymous(), session, &range).await.unwrap();
    messages.into_iter().map(|message| (message.role, message.content)).collect()
}

fn text(data: &str) -> Piece {
    Piece::text(data.to_owned())
}

#[tokio::test]
async fn an_answer_goes_on_without_its_reader_and_is_found_again() {
    let api = Api::start().await;
    let (session, gate) = gated(&api).await;
    drop(ask(&api, &session).await.unwrap());
    gate.add_permits(2);
    let (pieces, last) = read(resume(&api, &session, None).await.unwrap()).await;
    assert_eq!(pieces[..3], [Piece::Connected { session_id: session.clone() }, text("four"), text("teen")]);
    let Piece::Done { metrics, recorded: None } = &pieces[3] else { panic!("{pieces:?}") };
    assert!(metrics.invocation_id.is_some() && pieces.len() == 4, "{pieces:?}");
    let said = [(Role::User, "What?".to_owned()), (Role::Assistant, "fourteen".to_owned())];
    assert_eq!(stored(&api, &session).await, said);
    assert!(resume(&api, &session, Some(last)).await.is_none(), "all of it was read");
}

#[tokio::test]
async fn a_session_is_answered_in_once_at_a_time_until_it_is_stopped() {
    let api = Api::start().await;
    let (session, gate) = gated(&api).await;
    let first = ask(&api, &session).await.unwrap();
    assert!(matches!(ask(&api, &session).await, Err(AgentError::SessionBusy)));
    gate.add_permits(1);
    let (mut reader, mut heard) = (resume(&api, &session, None).await.unwrap(), Vec::new());
    while heard.len() < 2 {
        heard.extend(reader.next().await.unwrap());
    }
    assert!(api.state.conversations.stop(&Caller::anonymous(), &session).await.unwrap());
    drop(reader);
    let (pieces, _) = read(first).await;
    let stopped = Piece::Error { error: "the answer was stopped".to_owned(), retry_after: None };
    assert!(pieces.contains(&stopped), "{pieces:?}");
    assert_eq!(stored(&api, &session).await[1], (Role::Assistant, "four".to_owned()));
    // And then the next may ask.
    gate.add_permits(2);
    assert!(read(ask(&api, &session).await.unwrap()).await.0.contains(&text("teen")));
}

#[tokio::test]
async fn a_question_under_a_key_is_asked_once() {
    let api = Api::start().await;
    let agent = api.agent().await;
    let ask = async |question: &str| {
        let key = IdempotencyKey { key: "k".to_owned(), fingerprint: question.to_owned() };
        let keyed = Keyed { key, answer: |outcome: &Outcome| outcome.answer.text.clone().into() };
        let (session_id, user_id, metadata) = (None, None, None);
        let asked = Invoke { input_text: question.to_owned(), session_id, enable_trace: false, user_id, metadata };
        api.state.conversations.invoke(Caller::anonymous(), agent.clone(), asked, Some(keyed)).await
    };
    let away = Err(Failure::new(FailureKind::Transient, "away"));
    *api.agents.script.lock().unwrap() = Script { events: Vec::new(), outcome: away, ..Script::default() };
    assert!(matches!(ask("What?").await, Err(AgentError::NoAnswer(_))), "a failure leaves no key behind");
    *api.agents.script.lock().unwrap() =
        Script { events: Vec::new(), outcome: Ok(json!({ "output": "four" })), ..Script::default() };
    let mut first = ask("What?").await;
    while matches!(first, Err(AgentError::Key(KeyError::InProgress))) {
        // The key of the failure is still being given back.
        tokio::task::yield_now().await;
        first = ask("What?").await;
    }
    let Ok(Repeatable::New(outcome)) = first else { panic!("{first:?}") };
    assert_eq!((outcome.answer.text.as_str(), outcome.recorded), ("four", true));
    let again = ask("What?").await;
    assert!(matches!(&again, Ok(Repeatable::Again(Value::String(text))) if text == "four"), "{again:?}");
    let other = ask("Another?").await;
    assert!(matches!(other, Err(AgentError::Key(KeyError::Reused))), "{other:?}");
    assert_eq!(api.agents.asked.lock().unwrap().len(), 2);
}
