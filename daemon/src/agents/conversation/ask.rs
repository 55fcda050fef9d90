//! A question in a session: its message is stored, the agent asked, its answer read while it comes.
//!
//! A task of the daemon asks the agent and stores what came of it; clients only read pieces. One that does not read holds
//! the agent back; one that leaves changes nothing: the answer goes on to its end, and is found again.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tokio::{sync::oneshot, time::Instant};

use super::{
    AgentError, Conversations, Numbered, Outcome, Piece, Result,
    answer::{Block, ToolUse},
    asking::Call,
    attachments,
    elsewhere::Elsewhere,
    history,
    lease::SessionHeld,
    lost,
    messages::Sent,
    of_session,
    ready::{self, Readiness},
    running::{Chat, Cut, NoChat, Reader, Running},
    settle,
};
use crate::{
    backend::store::{MessageRange, NewMessage},
    domain::{
        agent::Agent,
        caller::Caller,
        failure::{Failure, FailureKind},
        ids::{InvocationId, SessionId},
        session::{Role, Session},
    },
    jobs::{Question, public_message},
};

/// An answer, as one client reads it.
pub enum Pieces {
    /// It is given, or was given, by this daemon.
    Here(Reader),
    Elsewhere(Elsewhere),
}

impl Pieces {
    /// The next pieces; none at the end. Cancel-safe: nothing counts as read before it is returned.
    pub async fn next(&mut self) -> Option<Vec<Numbered>> {
        match self {
            Self::Here(reader) => reader.next().await,
            Self::Elsewhere(waiting) => waiting.next().await,
        }
    }
}

/// The answer to a question in a session, for its row's metadata.
#[derive(Serialize)]
struct AnswerMetadata<'a> {
    invocation_id: &'a InvocationId,
    tool_calls: &'a [ToolUse],
    content_blocks: &'a [Block],
    usage: Value,
    duration_ms: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    interrupted: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

struct Prepared {
    chat: Chat,
    held: SessionHeld,
    ready: Readiness,
    question: Question,
}

impl Conversations {
    /// Asks in a session. The message is stored first, the answer at its end, whether somebody reads it or not.
    pub async fn ask(self: &Arc<Self>, caller: &Caller, id: &SessionId, sent: Sent) -> Result<Pieces> {
        let session = self.open_session(caller, id).await?;
        let (told, begun) = oneshot::channel();
        let (this, caller) = (Arc::clone(self), caller.clone());
        self.tasks.spawn(async move { this.converse(caller, session, sent, told).await });
        begun.await.map_err(lost)?.map(Pieces::Here)
    }

    /// The answer that is being given, or was given a moment ago, behind the piece `after` or from its begin. None when
    /// there is none, or all of it was read: then the session's messages have it.
    pub async fn resume(
        self: &Arc<Self>,
        caller: &Caller,
        id: &SessionId,
        after: Option<u64>,
    ) -> Result<Option<Pieces>> {
        self.session(caller, id).await?;
        let found = self.chats.of(id);
        if let Some(running) = found.as_ref().filter(|running| !running.is_over()) {
            return Ok(Some(Pieces::Here(running.reader(after))));
        }
        if self.store.is_shared() && self.store.is_answering(id).await? {
            return Ok(Some(Pieces::Elsewhere(Elsewhere::new(Arc::clone(self), id.clone()))));
        }
        let unread = found.filter(|running| after.is_none_or(|after| !running.was_read(after)));
        Ok(unread.map(|running| Pieces::Here(running.reader(after))))
    }

    /// Stops the answer that is being given in a session, by whichever daemon; whether there is one. What was said until
    /// then is stored.
    pub async fn stop(&self, caller: &Caller, id: &SessionId) -> Result<bool> {
        self.session(caller, id).await?;
        Ok(self.chats.stop(id) || self.store.stop_session(id).await?)
    }

    /// Asks an agent that has no record: nothing is stored, and nobody finds the answer again, so it ends with its reader.
    pub fn ask_passing(self: &Arc<Self>, caller: &Caller, agent: Agent, session: SessionId, written: String) -> Pieces {
        let running = Arc::new(Running::new(0));
        let reader = running.reader(None);
        let question = Question { input_text: written.clone(), ..Question::default() };
        let (user_id, session_id) = (caller.acting_for(None), session.clone());
        let asked_by = caller.name.clone();
        let mut call = Call { agent, session, user_id, asked_by, written, question, metadata: None, held: None };
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            running.tell(Piece::Connected { session_id }).await;
            let left = async {
                running.unread().await;
                Cut::Left
            };
            let outcome = this.ask_unrecorded(&mut call, Some(&running), left).await;
            this.deployed.remove_passing(&call.agent).await;
            outcome.finish(&running).await;
            running.end();
        });
        Pieces::Here(reader)
    }

    /// The whole of one question: the session taken, the message stored, the agent asked, the answer stored. `told` hears
    /// when the answer can be read, or why there will be none.
    async fn converse(
        self: Arc<Self>,
        caller: Caller,
        session: Session,
        sent: Sent,
        told: oneshot::Sender<Result<Reader>>,
    ) {
        let Prepared { chat, held, ready, question } = match self.prepare(&caller, &session, &sent).await {
            Ok(prepared) => prepared,
            Err(error) => return drop(told.send(Err(error))),
        };
        let running = Arc::clone(chat.running());
        let reader = running.reader(None);
        running.tell(Piece::Connected { session_id: session.session_id.clone() }).await;
        // A client that has left by now reads the answer later.
        let _ = told.send(Ok(reader));
        let begun = Instant::now();
        let agent = match ready {
            Readiness::Ready(agent) => Ok(*agent),
            Readiness::Soon(agent) => {
                let gone = async {
                    running.cancelled().await;
                };
                self.askable_soon(&caller, &agent.agent_id, ready::STREAM_WAITS, gone).await
            }
        };
        let session_id = session.session_id;
        let mut outcome = match agent {
            Ok(agent) => {
                let user_id = caller.acting_for(session.user_id);
                let Sent { content, metadata, .. } = sent;
                let metadata = metadata.map(Value::Object);
                let session = session_id.clone();
                let asked_by = caller.name.clone();
                let call = Call { agent, session, user_id, asked_by, written: content, question, metadata, held: None };
                self.ask_recorded(call, Some(&running), running.cancelled()).await
            }
            Err(error) => {
                let failure = Failure::new(FailureKind::Transient, error.to_string());
                Outcome::unasked(session_id, failure, running.was_cut(), begun.elapsed())
            }
        };
        outcome.recorded &= self.store_answer(&outcome, &held).await;
        // Who reads `done` may send the next message at once, to any daemon.
        held.release().await;
        outcome.finish(&running).await;
        drop(chat);
    }

    async fn prepare(self: &Arc<Self>, caller: &Caller, session: &Session, sent: &Sent) -> Result<Prepared> {
        let id = &session.session_id;
        let chat = self.chats.begin(id).map_err(|no| match no {
            NoChat::Busy => AgentError::SessionBusy,
            NoChat::Full => AgentError::Overloaded,
        })?;
        let held = SessionHeld::take(self, id, chat.running()).await?;
        let ready = self.readiness(caller, &session.agent_id).await?;
        let range = MessageRange { limit: history::MESSAGES, before: None, after: None };
        let history = history::of(self.store.messages(id, &range).await?);
        self.store.append_message(sent.to_store(id)).await.map_err(of_session(id))?;
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
        Ok(Prepared { chat, held, ready, question })
    }

    /// Stores the answer, a partial one too; nothing said is nothing stored. Whether it is durable. One whose session was
    /// lost meanwhile is marked.
    async fn store_answer(&self, outcome: &Outcome, held: &SessionHeld) -> bool {
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
            error: outcome.failure.as_ref().map(public_message),
        };
        let message = NewMessage {
            session_id: outcome.session_id.clone(),
            role: Role::Assistant,
            content: answer.text.clone(),
            metadata: serde_json::to_value(metadata).ok(),
            idempotency: None,
            holder: Some(held.holder().to_owned()),
        };
        settle::answer(self, message, &outcome.id).await
    }
}
