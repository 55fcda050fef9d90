//! One question, one answer, really asked and recorded. It keeps no conversation: for that there are sessions.

use std::{future::pending, sync::Arc};

use serde_json::Value;

use super::{AgentError, Conversations, NoAnswer, Outcome, Result, asking::Call, lost, ready};
use crate::{
    domain::{
        caller::Caller,
        ids::{AgentId, SessionId},
    },
    idempotency::{Begun, Keyed, Repeatable},
    jobs::Question,
};

/// A question that stands alone.
pub struct Invoke {
    pub input_text: String,
    /// Ties questions together for the agent; made when absent.
    pub session_id: Option<SessionId>,
    pub enable_trace: bool,
    /// For whom, when it is not the caller himself.
    pub user_id: Option<String>,
    pub metadata: Option<Value>,
}

impl Conversations {
    /// Asks an agent and waits for its whole answer. It is recorded whatever comes of it, also when the caller leaves, and
    /// its key is answered or given back. An agent that is being deployed is waited for.
    pub async fn invoke(
        self: &Arc<Self>,
        caller: Caller,
        agent: AgentId,
        asked: Invoke,
        keyed: Option<Keyed<Outcome>>,
    ) -> Result<Repeatable<Outcome>> {
        self.may_speak_in(&caller, asked.session_id.as_ref()).await?;
        let this = Arc::clone(self);
        self.tasks.spawn(async move { this.invoke_all(&caller, &agent, asked, keyed).await }).await.map_err(lost)?
    }

    /// A session that exists is its owner's to speak in; one that does not is whoever's names it.
    async fn may_speak_in(&self, caller: &Caller, session: Option<&SessionId>) -> Result<()> {
        let (Some(user), Some(id)) = (caller.hears_only(), session) else { return Ok(()) };
        match self.store.session(id).await? {
            Some(found) if found.user_id.as_deref() != Some(user) => Err(AgentError::UnknownSession(id.clone())),
            _ => Ok(()),
        }
    }

    /// The whole work of one request: the key, the question, the answer, the record.
    async fn invoke_all(
        &self,
        caller: &Caller,
        agent: &AgentId,
        asked: Invoke,
        keyed: Option<Keyed<Outcome>>,
    ) -> Result<Repeatable<Outcome>> {
        let Invoke { input_text, session_id, enable_trace, user_id, metadata } = asked;
        let held = match keyed {
            None => None,
            Some(Keyed { key, answer }) => match self.keys.take(key).await? {
                Begun::Held(held) => Some((held, answer)),
                Begun::Answered(earlier) => return Ok(Repeatable::Again(earlier)),
            },
        };
        let agent = self.askable_soon(caller, agent, ready::INVOKE_WAITS, pending()).await?;
        let session = session_id.unwrap_or_else(SessionId::generate);
        let question = Question {
            input_text: input_text.clone(),
            history: Vec::new(),
            enable_trace,
            metadata: metadata.clone().unwrap_or_default(),
        };
        let user_id = caller.acting_for(user_id);
        let asked_by = caller.name.clone();
        let call = Call { agent, session, user_id, asked_by, written: input_text, question, metadata, held };
        let mut outcome = self.ask_recorded(call, None, pending()).await;
        match outcome.failure.take() {
            None => Ok(Repeatable::New(outcome)),
            Some(failure) => {
                let duration_ms = outcome.millis();
                let (invocation_id, session_id) = (outcome.id, outcome.session_id);
                Err(AgentError::NoAnswer(Box::new(NoAnswer { failure, invocation_id, session_id, duration_ms })))
            }
        }
    }
}
