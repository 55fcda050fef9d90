//! `/sessions/{id}/messages`: what was said. `POST` only stores a message, whatever its role, as the
//! original did; the agent answers at `/stream`.

use salvo::{Depot, Request, handler};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    attachments::{self, Attachment},
    error::{ApiError, Resource},
    fields::Fields,
    input,
    invoke::{INPUT_CHARS, METADATA_BYTES},
    reply::{Answer, Reply},
    sessions,
    state::AppState,
};
use crate::{
    domain::{
        ids::{MessageId, SessionId},
        session::{Message, Role},
        time::Timestamp,
    },
    store::{MessageRange, NewMessage, StoreErrorKind},
};

/// What a client sends, to be stored or to be answered.
pub(super) struct Sent {
    pub(super) content: String,
    pub(super) role: Role,
    pub(super) metadata: Option<Map<String, Value>>,
    pub(super) files: Vec<Attachment>,
}

/// Reads a message off the body; `roles` are those that may speak here.
pub(super) async fn read(req: &mut Request, state: &AppState, roles: &[Role]) -> Result<Sent, ApiError> {
    let mut fields = input::body(req, state.upload_limit()).await?;
    let content = fields.required_verbatim("content", INPUT_CHARS);
    let role = fields.word("role", roles).unwrap_or(Role::User);
    if !roles.contains(&role) {
        fields.fault("role", "enum", "Input should be 'user'", role.as_str().into());
    }
    let metadata = fields.object("metadata", METADATA_BYTES);
    let files = attachments::take(&mut fields);
    fields.finish()?;
    Ok(Sent { content, role, metadata, files })
}

/// Stores a message. Of its files the row keeps what they are, not their content.
pub(super) async fn store(state: &AppState, id: &SessionId, sent: &Sent) -> Result<Message, ApiError> {
    let mut metadata = sent.metadata.clone().unwrap_or_default();
    if !sent.files.is_empty() {
        metadata.insert("files".to_owned(), sent.files.iter().map(Attachment::described).collect());
    }
    let metadata = (sent.metadata.is_some() || !metadata.is_empty()).then_some(Value::Object(metadata));
    let new = NewMessage { session_id: id.clone(), role: sent.role, content: sent.content.clone(), metadata };
    state.store.append_message(new).await.map_err(|error| match error.kind() {
        StoreErrorKind::NotFound => ApiError::not_found(Resource::Session, id.as_str()),
        _ => error.into(),
    })
}

/// `POST /sessions/{id}/messages`
#[handler]
pub(super) async fn send(req: &mut Request, depot: &mut Depot) -> Answer<Message> {
    let state = AppState::of(depot)?;
    let id: SessionId = input::id(req, Resource::Session)?;
    let sent = read(req, &state, Role::ALL).await?;
    sessions::open(&state, &id).await?;
    let stored = store(&state, &id, &sent).await?;
    Ok(Reply::new(stored).message("message stored").created(&format!("/sessions/{id}/messages")))
}

/// `GET /sessions/{id}/messages`
#[handler]
pub(super) async fn list(req: &mut Request, depot: &mut Depot) -> Answer<Vec<Message>> {
    let state = AppState::of(depot)?;
    let id: SessionId = input::id(req, Resource::Session)?;
    let mut query = input::query(req);
    let range = MessageRange {
        limit: query.integer("limit", 1..=500).and_then(|n| usize::try_from(n).ok()).unwrap_or(100),
        before: bound(&mut query, "before"),
        after: bound(&mut query, "after"),
    };
    query.finish()?;
    let messages = state.store.messages(&id, &range).await?;
    if messages.is_empty() {
        sessions::known(&state, &id).await?;
    }
    Ok(Reply::new(messages))
}

/// A message id or a timestamp. A `+` that nobody encoded has become a space on the way.
fn bound(query: &mut Fields, name: &str) -> Option<String> {
    let text = input::free(query, name)?;
    if text.parse::<MessageId>().is_ok() && !text.contains('-') {
        return Some(text);
    }
    let at: Option<Timestamp> = text.replace(' ', "+").parse().ok();
    if at.is_none() {
        query.fault(name, "value_error", "Input should be a message id or an ISO-8601 timestamp", text.into());
    }
    at.map(|at| at.to_string())
}

/// The answer to a stream, for its row's metadata.
#[derive(Serialize)]
pub(super) struct AnswerMetadata<'a> {
    pub(super) invocation_id: &'a crate::domain::ids::InvocationId,
    pub(super) tool_calls: &'a [crate::agents::ToolUse],
    pub(super) content_blocks: &'a [crate::agents::Block],
    pub(super) usage: Value,
    pub(super) duration_ms: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) interrupted: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}
