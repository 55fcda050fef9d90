//! Sessions, without their messages.

use serde_json::Value;

use super::{AgentError, Conversations, Result};
use crate::{
    backend::error::BackendErrorKind,
    domain::{
        caller::Caller,
        ids::{AgentId, SessionId},
        session::{Session, SessionStatus},
        time::Timestamp,
    },
    idempotency::{self, Keyed, Repeatable},
};

/// Sessions of an agent among which a caller's own are looked for.
const MOST_LOOKED_AT: usize = 10_000;

pub struct NewSession {
    /// Absent: the begin of the first message.
    pub display_name: Option<String>,
    pub user_id: Option<String>,
    pub metadata: Option<Value>,
}

impl Conversations {
    /// Begins a conversation with an agent.
    pub async fn create_session(
        &self,
        caller: &Caller,
        agent_id: AgentId,
        new: NewSession,
        keyed: Option<Keyed<Session>>,
    ) -> Result<Repeatable<Session>> {
        let (store, keyed) = (self.store.as_ref(), keyed.as_ref());
        if let Some(earlier) = idempotency::earlier(store, keyed).await? {
            return Ok(Repeatable::Again(earlier));
        }
        let NewSession { display_name, user_id, metadata } = new;
        // Without access control a session belongs to nobody unless its client says whose it is.
        let user_id = if caller.is_anonymous() { user_id } else { Some(caller.acting_for(user_id)) };
        let now = Timestamp::now();
        let session = Session {
            session_id: SessionId::generate(),
            agent_id,
            user_id,
            display_name,
            status: SessionStatus::Active,
            message_count: 0,
            created_at: now,
            last_active_at: now,
            metadata,
        };
        let kept = keyed.map(|keyed| keyed.kept(&session));
        match store.create_session(session.clone(), kept).await {
            Ok(()) => Ok(Repeatable::New(session)),
            Err(error) if error.kind() == BackendErrorKind::NotFound => Err(AgentError::Unknown(session.agent_id)),
            Err(error) => Ok(Repeatable::Again(idempotency::or_earlier(store, keyed, error).await?)),
        }
    }

    /// An agent's sessions that are the caller's to see, the last used first.
    pub async fn sessions(&self, caller: &Caller, agent: &AgentId, limit: usize) -> Result<Vec<Session>> {
        let sessions = match caller.hears_only() {
            None => self.store.list_sessions(agent, limit).await?,
            Some(user) => {
                let mut own = self.store.list_sessions(agent, MOST_LOOKED_AT).await?;
                own.retain(|session| session.user_id.as_deref() == Some(user));
                own.truncate(limit);
                own
            }
        };
        if sessions.is_empty() && self.store.agent(agent).await?.is_none() {
            return Err(AgentError::Unknown(agent.clone()));
        }
        Ok(sessions)
    }

    pub async fn session(&self, _caller: &Caller, id: &SessionId) -> Result<Session> {
        self.store.session(id).await?.ok_or_else(|| AgentError::UnknownSession(id.clone()))
    }

    /// A session that takes messages.
    pub async fn open_session(&self, caller: &Caller, id: &SessionId) -> Result<Session> {
        let session = self.session(caller, id).await?;
        match session.status {
            SessionStatus::Active => Ok(session),
            status => Err(AgentError::SessionClosed(status)),
        }
    }

    /// Deletes a session, stops its answer, and says how many messages went.
    pub async fn delete_session(&self, _caller: &Caller, id: &SessionId) -> Result<u64> {
        self.chats.stop(id);
        self.deletions.session(id).await?.ok_or_else(|| AgentError::UnknownSession(id.clone()))
    }
}
