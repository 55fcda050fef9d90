//! `/agents/{id}/sessions` and `/sessions/{id}`: conversations, without their messages.

use salvo::{Depot, Request, handler};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    agents,
    error::{ApiError, Resource},
    input,
    invoke::METADATA_BYTES,
    reply::{Answer, Reply},
    state::AppState,
};
use crate::{
    domain::{
        ids::{AgentId, SessionId},
        session::{Session, SessionStatus},
        time::Timestamp,
    },
    store::StoreErrorKind,
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

/// `POST /agents/{id}/sessions`
#[handler]
pub(super) async fn create(req: &mut Request, depot: &mut Depot) -> Answer<Shown> {
    let state = AppState::of(depot)?;
    let agent_id: AgentId = input::id(req, Resource::Agent)?;
    let mut fields = input::optional_body(req, state.body_limit()).await?;
    let display_name = fields.text("display_name", 0..=200);
    let user_id = fields.text("user_id", 0..=100);
    let metadata = fields.object("metadata", METADATA_BYTES).map(Value::Object);
    fields.finish()?;
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
    state.store.create_session(session.clone()).await.map_err(|error| match error.kind() {
        StoreErrorKind::NotFound => ApiError::not_found(Resource::Agent, agent_id.as_str()),
        _ => error.into(),
    })?;
    let location = format!("/sessions/{}", session.session_id);
    Ok(Reply::new(session.into()).message("session created").created(&location))
}

/// `GET /agents/{id}/sessions`
#[handler]
pub(super) async fn list(req: &mut Request, depot: &mut Depot) -> Answer<Vec<Shown>> {
    let state = AppState::of(depot)?;
    let agent_id: AgentId = input::id(req, Resource::Agent)?;
    let mut query = input::query(req);
    let limit = query.integer("limit", 1..=100).and_then(|n| usize::try_from(n).ok()).unwrap_or(20);
    query.finish()?;
    let sessions = state.store.list_sessions(&agent_id, limit).await?;
    if sessions.is_empty() {
        agents::known(&state, &agent_id).await?;
    }
    Ok(Reply::new(sessions.into_iter().map(Shown::from).collect()))
}

/// `GET /sessions/{id}`
#[handler]
pub(super) async fn detail(req: &mut Request, depot: &mut Depot) -> Answer<Shown> {
    let state = AppState::of(depot)?;
    let id: SessionId = input::id(req, Resource::Session)?;
    known(&state, &id).await.map(|session| Reply::new(session.into()))
}

/// The session, or 404.
pub(super) async fn known(state: &AppState, id: &SessionId) -> Result<Session, ApiError> {
    let found = state.store.session(id).await?;
    found.ok_or_else(|| ApiError::not_found(Resource::Session, id.as_str()))
}

/// The session, when it takes messages.
pub(super) async fn open(state: &AppState, id: &SessionId) -> Result<Session, ApiError> {
    let session = known(state, id).await?;
    if session.status == SessionStatus::Active {
        return Ok(session);
    }
    let details = Some(json!({ "status": session.status }));
    Err(ApiError::Conflict { code: "SESSION_CLOSED", message: "the session is closed".to_owned(), details })
}

/// `DELETE /sessions/{id}`
#[handler]
pub(super) async fn delete(req: &mut Request, depot: &mut Depot) -> Answer<Value> {
    let state = AppState::of(depot)?;
    let id: SessionId = input::id(req, Resource::Session)?;
    let count = state.store.delete_session(&id).await?;
    let count = count.ok_or_else(|| ApiError::not_found(Resource::Session, id.as_str()))?;
    let data = json!({ "session_id": id, "deleted_messages_count": count, "status": "deleted" });
    Ok(Reply::new(data).message("session deleted"))
}
