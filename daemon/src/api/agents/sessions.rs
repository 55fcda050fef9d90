//! `/agents/{id}/sessions` and `/sessions/{id}`: conversations, without their messages.

use salvo::{Writer as _, oapi::endpoint};
use serde::Serialize;
use serde_json::{Value, json};

use super::invoke::METADATA_BYTES;
use crate::api::{
    agents,
    http::{
        error::{ApiError, Resource},
        idempotency::Idempotency,
        request::{
            extract::{Id, OptionalBody, Query, State},
            rules::{Count, Json, Text, fields_of},
        },
        response::{Answer, Created, CreatedAnswer, Reply},
    },
    openapi::describe,
    state::AppState,
};
use crate::{
    backend::error::BackendErrorKind,
    domain::{
        ids::{AgentId, SessionId},
        session::{Session, SessionStatus},
        time::Timestamp,
    },
};

/// A session as clients read it: `updated_at` is the time of the last message.
#[derive(Serialize)]
struct Shown {
    updated_at: Timestamp,
    #[serde(flatten)]
    session: Session,
}

impl From<Session> for Shown {
    fn from(session: Session) -> Self {
        Self { updated_at: session.last_active_at, session }
    }
}

describe! {
    /// A conversation with an agent.
    Shown as "Session" {
        ..session;
        /// The time of the last message.
        updated_at,
    }
}

fields_of! {
    /// What is known of a new session.
    pub(crate) NewSessionBody {
        /// Absent: the begin of the first message.
        display_name: Text<0, 200>,
        user_id: Text<0, 100>,
        /// The caller's own data.
        metadata: Json<METADATA_BYTES>,
    }
}

/// `POST /agents/{id}/sessions`
///
/// Begin a conversation with an agent.
#[endpoint(operation_id = "createSession", tags("sessions"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn create(
    state: State,
    id: Id<AgentId>,
    body: OptionalBody<NewSessionBody>,
    once: Idempotency,
) -> CreatedAnswer<Shown> {
    if let Some(earlier) = once.earlier(&state).await? {
        return Ok(Created::again(earlier));
    }
    let (Id(agent_id), OptionalBody(NewSessionBody { display_name, user_id, metadata })) = (id, body);
    let metadata = metadata.map(Value::Object);
    let now = Timestamp::now();
    let session = Session {
        session_id: SessionId::generate(),
        agent_id: agent_id.clone(),
        user_id,
        display_name,
        status: SessionStatus::Active,
        message_count: 0,
        created_at: now,
        last_active_at: now,
        metadata,
    };
    let (location, message) = (format!("/sessions/{}", session.session_id), "session created");
    let shown = Shown::from(session.clone());
    let kept = once.keep(&location, message, &shown);
    match state.store.create_session(session, kept).await {
        Ok(()) => Ok(Reply::new(shown).message(message).created(location)),
        Err(error) if error.kind() == BackendErrorKind::NotFound => {
            Err(ApiError::not_found(Resource::Agent, agent_id.as_str()))
        }
        Err(error) => once.or_earlier(&state, error).await,
    }
}

fields_of! {
    /// How many.
    pub(crate) SessionsQuery {
        limit: Count<1, 100, 20>,
    }
}

/// `GET /agents/{id}/sessions`
///
/// List an agent's sessions, the last used first.
#[endpoint(operation_id = "listSessions", tags("sessions"))]
pub(crate) async fn list(state: State, id: Id<AgentId>, query: Query<SessionsQuery>) -> Answer<Vec<Shown>> {
    let (Id(agent_id), Query(SessionsQuery { limit })) = (id, query);
    let sessions = state.store.list_sessions(&agent_id, usize::try_from(limit).unwrap_or(20)).await?;
    if sessions.is_empty() {
        agents::known(&state, &agent_id).await?;
    }
    Ok(Reply::new(sessions.into_iter().map(Shown::from).collect()))
}

/// `GET /sessions/{id}`
///
/// Read a session.
#[endpoint(operation_id = "getSession", tags("sessions"))]
pub(crate) async fn detail(state: State, id: Id<SessionId>) -> Answer<Shown> {
    let Id(id) = id;
    known(&state, &id).await.map(|session| Reply::new(session.into()))
}

/// The session, or 404.
pub(crate) async fn known(state: &AppState, id: &SessionId) -> Result<Session, ApiError> {
    let found = state.store.session(id).await?;
    found.ok_or_else(|| ApiError::not_found(Resource::Session, id.as_str()))
}

/// The session, when it takes messages.
pub(crate) async fn open(state: &AppState, id: &SessionId) -> Result<Session, ApiError> {
    let session = known(state, id).await?;
    if session.status == SessionStatus::Active {
        return Ok(session);
    }
    let details = Some(json!({ "status": session.status }));
    Err(ApiError::Conflict { code: "SESSION_CLOSED", message: "the session is closed".to_owned(), details })
}

#[derive(Serialize)]
struct Deleted {
    session_id: SessionId,
    deleted_messages_count: u64,
    status: &'static str,
}

describe! {
    /// What a session's deletion did.
    Deleted as "SessionDeleted" {
        session_id, deleted_messages_count,
        /// `deleted`.
        status,
    }
}

/// `DELETE /sessions/{id}`
///
/// Delete a session with its messages.
#[endpoint(operation_id = "deleteSession", tags("sessions"))]
pub(crate) async fn delete(state: State, id: Id<SessionId>) -> Answer<Deleted> {
    let Id(id) = id;
    state.chats.stop(&id);
    let count = state.deletions().session(&id).await?;
    let count = count.ok_or_else(|| ApiError::not_found(Resource::Session, id.as_str()))?;
    let deleted = Deleted { session_id: id, deleted_messages_count: count, status: "deleted" };
    Ok(Reply::new(deleted).message("session deleted"))
}
