//! `POST /sessions/{id}/stream`: the user's message, and the agent's answer as it comes.
//!
//! A task asks the agent and stores what came of it; the connection only reads frames from a short
//! channel. A client that does not read holds the agent back; one that leaves closes the channel, which
//! cancels the job, and what was said until then is stored as an interrupted answer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream;
use nexus_plugin_api::payload::HistoryMessage;
use salvo::{Response, Writer as _, oapi::endpoint};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    agents, attachments,
    chat::{self, Call, Chat, Outcome},
    error::ApiError,
    extract::{Id, LargeBody, State},
    measure::OpenStream,
    messages::{self, AnswerMetadata, QuestionBody, Sent},
    sessions, sse,
    state::AppState,
};
use crate::{
    agents::Question,
    domain::{
        agent::Agent,
        ids::SessionId,
        session::{Message, Role},
    },
    store::{MessageRange, NewMessage},
};

/// Frames that wait for a slow client.
const WAITING: usize = 32;
/// Messages and bytes of the past that the agent is told.
const HISTORY_MESSAGES: usize = 20;
const HISTORY_BYTES: usize = 32 * 1024;

/// `POST /sessions/{id}/stream`
///
/// Send a message and read the agent's answer as it comes. The message is stored first; the answer is stored at its
/// end, also as far as it came when the client leaves.
#[endpoint(operation_id = "streamAnswer", tags("sessions"), responses((status_code = 409, description = "Not in this state.")))]
pub(super) async fn stream_answer(
    state: State,
    id: Id<SessionId>,
    body: LargeBody<QuestionBody>,
    res: &mut Response,
) -> Result<(), ApiError> {
    let (State(state), Id(id), LargeBody(body)) = (state, id, body);
    let sent = Sent::from(body);
    let session = sessions::open(&state, &id).await?;
    let agent = agents::askable(&state, &session.agent_id).await?;
    let chat = state.chats.begin(&id).ok_or_else(busy)?;
    let history = history(&state, &id).await?;
    messages::store(&state, &id, &sent).await?;

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
    let Sent { content, metadata, .. } = sent;
    let user_id = session.user_id.unwrap_or_else(|| "anonymous".to_owned());
    let metadata = metadata.map(Value::Object);
    let call = Call { agent, session: id.clone(), user_id, written: content, question, metadata, once: None };

    begin(&state, call, Some(chat), res);
    Ok(())
}

/// Asks an agent that has no record, on behalf of nobody: nothing is stored.
pub(super) fn pass_on(
    state: &Arc<AppState>,
    agent: Agent,
    session: SessionId,
    written: String,
    question: Question,
    res: &mut Response,
) {
    let user_id = "anonymous".to_owned();
    let call = Call { agent, session, user_id, written, question, metadata: None, once: None };
    begin(state, call, None, res);
}

/// Begins to ask, and makes the response the stream of what comes. Without a chat nothing is stored.
fn begin(state: &Arc<AppState>, call: Call, chat: Option<Chat>, res: &mut Response) {
    let (send, frames) = mpsc::channel(WAITING);
    let first = sse::data(&json!({ "event": "connected", "session_id": call.session }));
    let keep_alive = state.config.load().server.sse_keepalive_secs.duration().max(Duration::from_secs(1));
    state.tasks.spawn(answer(Arc::clone(state), call, chat, send));
    let reader = Reader { frames, first: Some(first), keep_alive, _open: OpenStream::begin("chat") };
    sse::send(res, stream::unfold(reader, |mut reader| async move { reader.next().await.map(|f| (f, reader)) }));
}

fn busy() -> ApiError {
    let message = "the agent is still answering in this session".to_owned();
    ApiError::Conflict { code: "SESSION_BUSY", message, details: None }
}

/// What the connection reads.
struct Reader {
    frames: mpsc::Receiver<Bytes>,
    first: Option<Bytes>,
    keep_alive: Duration,
    _open: OpenStream,
}

impl Reader {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        tokio::time::timeout(self.keep_alive, self.frames.recv()).await.unwrap_or(Some(sse::KEEP_ALIVE))
    }
}

/// The last messages, oldest first, as much as fits.
async fn history(state: &AppState, id: &SessionId) -> Result<Vec<HistoryMessage>, ApiError> {
    let range = MessageRange { limit: HISTORY_MESSAGES, before: None, after: None };
    let mut room = HISTORY_BYTES;
    let fits = |message: &Message| {
        let fits = message.content.len() <= room;
        room = room.saturating_sub(message.content.len());
        fits
    };
    let messages = state.store.messages(id, &range).await?;
    let spoken = messages.into_iter().rev().filter(|m| m.role != Role::System).take_while(fits);
    let mut history: Vec<_> = spoken.map(|m| HistoryMessage { role: m.role.to_string(), content: m.content }).collect();
    history.reverse();
    Ok(history)
}

async fn answer(state: Arc<AppState>, call: Call, chat: Option<Chat>, frames: mpsc::Sender<Bytes>) {
    let session = call.session.clone();
    let outcome = if chat.is_some() {
        let outcome = chat::ask(&state, call, Some(&frames), frames.closed()).await;
        store(&state, &session, &outcome).await;
        outcome
    } else {
        let agent = call.agent.clone();
        let outcome = chat::ask_unrecorded(&state, call, Some(&frames), frames.closed()).await;
        state.agents.remove_passing(&agent).await;
        outcome
    };
    // Who reads `done` may send the next message at once.
    drop(chat);
    let mut last = Vec::with_capacity(4);
    if outcome.failure.is_none() && !outcome.answer.streamed && !outcome.answer.text.is_empty() {
        last.push(json!({ "event": "message", "type": "text", "data": outcome.answer.text }));
    }
    if let Some(failure) = &outcome.failure {
        last.push(json!({ "event": "error", "error": chat::public_message(failure) }));
    }
    // Clients of the original take an event of its own for text.
    last.push(json!({ "event": "done", "metrics": metrics(&outcome) }));
    for frame in &last {
        if frames.send(sse::data(frame)).await.is_err() {
            return;
        }
    }
}

fn metrics(outcome: &Outcome) -> Value {
    let (input, output) = (outcome.answer.input_tokens, outcome.answer.output_tokens);
    json!({
        "input_tokens": input, "output_tokens": output, "total_tokens": input + output,
        "duration_ms": outcome.millis(), "tool_calls": outcome.answer.tools.len(), "invocation_id": outcome.id,
    })
}

/// Stores the answer, a partial one too; nothing said is nothing stored.
async fn store(state: &AppState, session: &SessionId, outcome: &Outcome) {
    let answer = &outcome.answer;
    if answer.text.is_empty() && answer.tools.is_empty() {
        return;
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
    };
    if let Err(error) = state.store.append_message(message).await {
        tracing::warn!(%session, %error, "an answer could not be stored");
    }
}
