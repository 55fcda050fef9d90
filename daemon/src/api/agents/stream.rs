//! `/sessions/{id}/stream`: `POST` takes the user's message and streams the agent's answer, `GET` finds the answer again
//! after a reload, `DELETE` stops it.
//!
//! A task of the daemon asks the agent and stores what came of it; connections only read frames. A client that does not
//! read holds the agent back; one that leaves changes nothing: the answer goes on to its end.

use std::sync::Arc;

use futures::stream;
use salvo::{Request, Response, Writer as _, http::StatusCode, oapi::endpoint};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{sync::oneshot, time::Instant};

use super::{
    answers::{Chat, Cut, NoChat, Reader, Running},
    attachments,
    chat::{self, Call, Outcome},
    elsewhere, history,
    messages::{self, AnswerMetadata, QuestionBody, Sent},
    ready::{self, Readiness},
    session_lease::{Held, busy},
    sessions, settle,
};
use crate::api::{
    http::{
        error::ApiError,
        request::extract::{Id, LargeBody, State},
        response::{Answer, Reply},
        sse,
    },
    openapi::describe,
    projects::events::last_event_id,
    state::AppState,
};
use crate::{
    agents::Question,
    backend::store::{MessageRange, NewMessage},
    domain::{
        agent::Agent,
        failure::{Failure, FailureKind},
        ids::SessionId,
        session::{Role, Session},
    },
};

/// `POST /sessions/{id}/stream`
///
/// Send a message and read the agent's answer as it comes. The message is stored first; the answer is stored at its
/// end, also when the client leaves: `GET` finds it again, `DELETE` stops it.
#[endpoint(operation_id = "streamAnswer", tags("sessions"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn stream_answer(
    state: State,
    id: Id<SessionId>,
    body: LargeBody<QuestionBody>,
    res: &mut Response,
) -> Result<(), ApiError> {
    let (State(state), Id(id), LargeBody(body)) = (state, id, body);
    let session = sessions::open(&state, &id).await?;
    let (told, begun) = oneshot::channel();
    let tasks = state.tasks.clone();
    tasks.spawn(converse(state, session, Sent::from(body), told));
    send(begun.await.map_err(ApiError::internal)??, res);
    Ok(())
}

/// `GET /sessions/{id}/stream`
///
/// Read the answer that is being given, or was given a moment ago, behind `Last-Event-ID` or from its begin. `204` when
/// there is none: then the session's messages have it.
#[endpoint(
    operation_id = "resumeAnswer",
    tags("sessions"),
    parameters(("last_event_id" = Option<u64>, Query, maximum = 9007199254740991, description = "As the header `Last-Event-ID`, for clients that cannot set it.")),
    responses((status_code = 204, description = "Nothing is being answered, or all of it was read."))
)]
pub(crate) async fn resume_answer(
    state: State,
    id: Id<SessionId>,
    req: &mut Request,
    res: &mut Response,
) -> Result<(), ApiError> {
    let (State(state), Id(id)) = (state, id);
    let after = last_event_id(req)?;
    sessions::known(&state, &id).await?;
    let keep_alive = state.keep_alive();
    match state.chats.of(&id) {
        Some(running) if !running.is_over() => send(running.reader(after, keep_alive), res),
        found => {
            if state.store.is_shared() && state.store.is_answering(&id).await? {
                elsewhere::follow(state, id, res);
                return Ok(());
            }
            match found.filter(|running| after.is_none_or(|after| !running.was_read(after))) {
                Some(running) => send(running.reader(after, keep_alive), res),
                None => {
                    res.status_code(StatusCode::NO_CONTENT);
                }
            }
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Stopped {
    session_id: SessionId,
    stopped: bool,
}

describe! {
    /// What came of stopping an answer.
    Stopped as "AnswerStopped" {
        session_id,
        /// Whether one was being given. What was said until then is stored, marked as interrupted.
        stopped,
    }
}

/// `DELETE /sessions/{id}/stream`
///
/// Stop the answer that is being given in a session. What was said until then is stored.
#[endpoint(operation_id = "stopAnswer", tags("sessions"))]
pub(crate) async fn stop_answer(state: State, id: Id<SessionId>) -> Answer<Stopped> {
    let (State(state), Id(id)) = (state, id);
    sessions::known(&state, &id).await?;
    let stopped = state.chats.stop(&id) || state.store.stop_session(&id).await?;
    let message = if stopped { "the answer is stopped" } else { "no answer is being given" };
    Ok(Reply::new(Stopped { session_id: id, stopped }).message(message))
}

/// Makes the response the stream of what a reader reads.
fn send(reader: Reader, res: &mut Response) {
    sse::send(res, stream::unfold(reader, |mut reader| async move { reader.next().await.map(|f| (f, reader)) }));
}

/// The whole of one question: the session taken, the message stored, the agent asked, the answer stored. `told` hears when
/// the answer can be read, or why there will be none.
async fn converse(state: Arc<AppState>, session: Session, sent: Sent, told: oneshot::Sender<Result<Reader, ApiError>>) {
    let (chat, held, ready, question) = match prepare(&state, &session, &sent).await {
        Ok(prepared) => prepared,
        Err(error) => return drop(told.send(Err(error))),
    };
    let running = Arc::clone(chat.running());
    let reader = running.reader(None, state.keep_alive());
    running.tell(&connected(&session.session_id)).await;
    // A client that has left by now reads the answer later.
    let _ = told.send(Ok(reader));
    let begun = Instant::now();
    let agent = match ready {
        Readiness::Ready(agent) => Ok(*agent),
        Readiness::Soon(agent) => {
            let gone = async {
                running.cancelled().await;
            };
            ready::askable_soon(&state, &agent.agent_id, ready::STREAM_WAITS, gone).await
        }
    };
    let mut outcome = match agent {
        Ok(agent) => {
            let user_id = session.user_id.unwrap_or_else(|| "anonymous".to_owned());
            let Sent { content, metadata, .. } = sent;
            let metadata = metadata.map(Value::Object);
            let session = session.session_id.clone();
            let call = Call { agent, session, user_id, written: content, question, metadata, once: None };
            chat::ask(&state, call, Some(&running), running.cancelled()).await
        }
        Err(error) => {
            let failure = Failure::new(FailureKind::Transient, error.to_string());
            Outcome::unasked(failure, running.was_cut(), begun.elapsed())
        }
    };
    outcome.recorded &= store(&state, &session.session_id, &outcome, &held).await;
    // Who reads `done` may send the next message at once, to any daemon.
    held.release().await;
    finish(&running, &outcome).await;
    drop(chat);
}

type Prepared = (Chat, Held, Readiness, Question);

async fn prepare(state: &Arc<AppState>, session: &Session, sent: &Sent) -> Result<Prepared, ApiError> {
    let id = &session.session_id;
    let chat = state.chats.begin(id).map_err(|no| match no {
        NoChat::Busy => busy(),
        NoChat::Full => {
            let message = "more answers are being given than the daemon can hold; try again".to_owned();
            ApiError::Unavailable { code: "OVERLOADED", message }
        }
    })?;
    let held = Held::take(state, id, chat.running()).await?;
    let ready = ready::readiness(state, &session.agent_id).await?;
    let range = MessageRange { limit: history::MESSAGES, before: None, after: None };
    let history = history::of(state.store.messages(id, &range).await?);
    messages::store(state, id, sent).await?;
    let mut metadata = sent.metadata.clone().unwrap_or_default();
    if let Some(files) = attachments::for_handler(&sent.files) {
        metadata.insert("files".to_owned(), files);
    }
    let question = Question {
        input_text: attachments::question(&sent.content, &sent.files),
        history,
        enable_trace: false,
        metadata: Value::Object(metadata),
    };
    Ok((chat, held, ready, question))
}

/// Asks an agent that has no record, on behalf of nobody: nothing is stored, and nobody finds the answer again, so it ends
/// with its client.
pub(crate) fn pass_on(
    state: &Arc<AppState>,
    agent: Agent,
    session: SessionId,
    written: String,
    question: Question,
    res: &mut Response,
) {
    let running = Arc::new(Running::new(0));
    send(running.reader(None, state.keep_alive()), res);
    let user_id = "anonymous".to_owned();
    let called = agent.clone();
    let first = connected(&session);
    let call = Call { agent, session, user_id, written, question, metadata: None, once: None };
    let (tasks, state) = (state.tasks.clone(), Arc::clone(state));
    tasks.spawn(async move {
        running.tell(&first).await;
        let left = async {
            running.unread().await;
            Cut::Left
        };
        let outcome = chat::ask_unrecorded(&state, call, Some(&running), left).await;
        state.agents.remove_passing(&called).await;
        finish(&running, &outcome).await;
        running.end();
    });
}

fn connected(session: &SessionId) -> Value {
    json!({ "event": "connected", "session_id": session })
}

/// The last frames of an answer.
async fn finish(running: &Running, outcome: &Outcome) {
    if outcome.failure.is_none() && !outcome.answer.streamed && !outcome.answer.text.is_empty() {
        running.tell(&json!({ "event": "message", "type": "text", "data": outcome.answer.text })).await;
    }
    if let Some(failure) = &outcome.failure {
        let error = chat::public_message(failure);
        let error = match failure.kind {
            FailureKind::Transient => json!({ "event": "error", "error": error, "retry_after": 1 }),
            _ => json!({ "event": "error", "error": error }),
        };
        running.tell(&error).await;
    }
    let mut done = json!({ "event": "done", "metrics": metrics(outcome) });
    if let (false, Value::Object(done)) = (outcome.recorded, &mut done) {
        done.insert("recorded".to_owned(), false.into());
    }
    running.tell(&done).await;
}

fn metrics(outcome: &Outcome) -> Value {
    let (input, output) = (outcome.answer.input_tokens, outcome.answer.output_tokens);
    json!({
        "input_tokens": input, "output_tokens": output, "total_tokens": input + output,
        "duration_ms": outcome.millis(), "tool_calls": outcome.answer.tools.len(), "invocation_id": outcome.id,
    })
}

/// Stores the answer, a partial one too; nothing said is nothing stored. Whether it is durable. One whose session was lost
/// meanwhile is marked.
async fn store(state: &Arc<AppState>, session: &SessionId, outcome: &Outcome, held: &Held) -> bool {
    let answer = &outcome.answer;
    if answer.text.is_empty() && answer.tools.is_empty() {
        return true;
    }
    let metadata = AnswerMetadata {
        invocation_id: &outcome.id,
        tool_calls: &answer.tools,
        content_blocks: &answer.blocks,
        usage: outcome.usage(),
        duration_ms: outcome.millis(),
        interrupted: outcome.interrupted,
        truncated: answer.cut,
        error: outcome.failure.as_ref().map(chat::public_message),
    };
    let message = NewMessage {
        session_id: session.clone(),
        role: Role::Assistant,
        content: answer.text.clone(),
        metadata: serde_json::to_value(metadata).ok(),
        once: None,
        holder: Some(held.holder().to_owned()),
    };
    settle::answer(state, message, &outcome.id).await
}
