//! `/agents/{id}/sessions` and `/sessions/{id}`: conversations, without their messages.

use salvo::{Router, Writer as _, oapi::endpoint};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{invoke::METADATA_BYTES, messages, stream, upload};
use crate::api::at;
use crate::api::http::{
    idempotency::{Idempotency, kept},
    request::{
        extract::{Id, OptionalBody, Query, State},
        rules::{Count, Json, Text, fields_of},
    },
    response::{Answer, Created, CreatedAnswer, Reply},
};
use crate::{
    agents::conversation::NewSession,
    domain::{
        ids::{AgentId, SessionId},
        session::Session,
        time::Timestamp,
    },
};

pub(crate) fn paths() -> Router {
    let stream = at("stream", || stream::resume_answer).post(stream::stream_answer).delete(stream::stop_answer);
    let one = at("{id}", || detail)
        .delete(delete)
        .push(at("messages", || messages::list).post(messages::send))
        .push(Router::with_path("upload").post(upload::upload))
        .push(stream);
    Router::with_path("sessions").push(one)
}

/// A conversation with an agent.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
struct Shown {
    /// The time of the last message.
    updated_at: Timestamp,
    #[serde(flatten)]
    session: Session,
}

impl From<Session> for Shown {
    fn from(session: Session) -> Self {
        Self { updated_at: session.last_active_at, session }
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
    idempotency: Idempotency,
) -> CreatedAnswer<Shown> {
    let NewSessionBody { display_name, user_id, metadata } = body.0;
    let new = NewSession { display_name, user_id, metadata: metadata.map(Value::Object) };
    let keyed =
        idempotency.answered_by(|session: &Session| kept(&path_of(session), CREATED, &Shown::from(session.clone())));
    let session = state.conversations.create_session(state.caller(), id.0, new, keyed).await?;
    Ok(Created::of(session, |session| {
        let path = path_of(&session);
        Reply::new(Shown::from(session)).message(CREATED).created(path)
    }))
}

const CREATED: &str = "session created";

fn path_of(session: &Session) -> String {
    format!("/sessions/{}", session.session_id)
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
    let limit = usize::try_from(query.0.limit).unwrap_or(20);
    let sessions = state.conversations.sessions(state.caller(), &id.0, limit).await?;
    Ok(Reply::new(sessions.into_iter().map(Shown::from).collect()))
}

/// `GET /sessions/{id}`
///
/// Read a session.
#[endpoint(operation_id = "getSession", tags("sessions"))]
pub(crate) async fn detail(state: State, id: Id<SessionId>) -> Answer<Shown> {
    Ok(Reply::new(state.conversations.session(state.caller(), &id.0).await?.into()))
}

/// What a session's deletion did.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SessionDeleted")]
struct Deleted {
    session_id: SessionId,
    deleted_messages_count: u64,
    /// `deleted`.
    status: &'static str,
}

/// `DELETE /sessions/{id}`
///
/// Delete a session with its messages.
#[endpoint(operation_id = "deleteSession", tags("sessions"))]
pub(crate) async fn delete(state: State, id: Id<SessionId>) -> Answer<Deleted> {
    let Id(session_id) = id;
    let deleted_messages_count = state.conversations.delete_session(state.caller(), &session_id).await?;
    Ok(Reply::new(Deleted { session_id, deleted_messages_count, status: "deleted" }).message("session deleted"))
}
