//! `/sessions/{id}/messages`: what was said. `POST` only stores a message, whatever its role, as the
//! original did; the agent answers at `/stream`.

use salvo::{Writer as _, oapi::endpoint};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    attachments::{self, Attachment},
    invoke::METADATA_BYTES,
    sessions,
};
use crate::api::{
    http::{
        error::{ApiError, Resource},
        idempotency::Idempotency,
        request::{
            extract::{Id, LargeBody, Query, State},
            fields::Fields,
            input,
            rules::{Count, Json, Verbatim, Word, fields_of, rule},
        },
        response::{Answer, Created, CreatedAnswer, Reply},
    },
    state::AppState,
};
use crate::{
    backend::{
        error::BackendErrorKind,
        store::{MessageRange, NewMessage},
    },
    domain::{
        ids::SessionId,
        session::{Message, Role},
        time::Timestamp,
    },
};

/// What a client sends, to be stored or to be answered.
pub(crate) struct Sent {
    pub(crate) content: String,
    pub(crate) role: Role,
    pub(crate) metadata: Option<Map<String, Value>>,
    pub(crate) files: Vec<Attachment>,
}

fields_of! {
    /// A message that is stored.
    pub(crate) MessageBody {
        content: Verbatim<1, 50_000>,
        /// Absent: `user`.
        role: Word<Role>,
        /// The caller's own data.
        metadata: Json<METADATA_BYTES>,
        files: attachments::Files,
    }
}

fields_of! {
    /// A message that the agent answers.
    pub(crate) QuestionBody {
        content: Verbatim<1, 50_000>,
        /// `user`, when it is there.
        role: UserRole,
        /// The caller's own data.
        metadata: Json<METADATA_BYTES>,
        files: attachments::Files,
    }
}

rule! {
    /// Only users ask.
    pub(crate) UserRole -> Role,
    |fields, name| user(fields, name),
    serde_json::json!({ "type": "string", "enum": ["user", ""] })
}

fn user(fields: &mut Fields, name: &str) -> Role {
    let role = fields.word(name, &[Role::User]).unwrap_or(Role::User);
    if role != Role::User {
        fields.fault(name, "enum", "Input should be 'user'", role.as_str().into());
    }
    role
}

impl From<MessageBody> for Sent {
    fn from(body: MessageBody) -> Self {
        let role = body.role.unwrap_or(Role::User);
        Self { content: body.content, role, metadata: body.metadata, files: body.files }
    }
}

impl From<QuestionBody> for Sent {
    fn from(body: QuestionBody) -> Self {
        Self { content: body.content, role: body.role, metadata: body.metadata, files: body.files }
    }
}

/// A message for the store. Of its files the row keeps what they are, not their content.
pub(crate) fn new_message(id: &SessionId, sent: &Sent) -> NewMessage {
    let mut metadata = sent.metadata.clone().unwrap_or_default();
    if !sent.files.is_empty() {
        metadata.insert("files".to_owned(), sent.files.iter().map(Attachment::described).collect());
    }
    let metadata = (sent.metadata.is_some() || !metadata.is_empty()).then_some(Value::Object(metadata));
    NewMessage {
        session_id: id.clone(),
        role: sent.role,
        content: sent.content.clone(),
        metadata,
        once: None,
        holder: None,
    }
}

/// Stores a message.
pub(crate) async fn store(state: &AppState, id: &SessionId, sent: &Sent) -> Result<Message, ApiError> {
    state.store.append_message(new_message(id, sent)).await.map_err(|error| match error.kind() {
        BackendErrorKind::NotFound => ApiError::not_found(Resource::Session, id.as_str()),
        _ => error.into(),
    })
}

/// `POST /sessions/{id}/messages`
///
/// Store a message. The agent does not answer; for that there is `/stream`.
#[endpoint(operation_id = "createMessage", tags("sessions"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn send(
    state: State,
    id: Id<SessionId>,
    body: LargeBody<MessageBody>,
    once: Idempotency,
) -> CreatedAnswer<Message> {
    if let Some(earlier) = once.earlier(&state).await? {
        return Ok(again(&id.0, earlier));
    }
    let (Id(id), LargeBody(body)) = (id, body);
    let sent = Sent::from(body);
    sessions::open(&state, &id).await?;
    let mut new = new_message(&id, &sent);
    new.once = once.keep("", "", &());
    match state.store.append_message(new).await {
        Ok(stored) => Ok(Reply::new(stored).message(STORED).created(format!("/sessions/{id}/messages"))),
        Err(error) if error.kind() == BackendErrorKind::NotFound => {
            Err(ApiError::not_found(Resource::Session, id.as_str()))
        }
        Err(error) if error.kind() == BackendErrorKind::Repeated => {
            let earlier = once.earlier(&state).await?.ok_or_else(|| ApiError::from(error))?;
            Ok(again(&id, earlier))
        }
        Err(error) => Err(error.into()),
    }
}

const STORED: &str = "message stored";

/// The store keeps the message itself as the answer.
fn again(id: &SessionId, message: Value) -> Created<Message> {
    let path = format!("/sessions/{id}/messages");
    Created::again(serde_json::json!({ "path": path, "message": STORED, "data": message }))
}

fields_of! {
    /// Which messages.
    pub(crate) MessagesQuery {
        /// The newest are kept.
        limit: Count<1, 500, 100>,
        /// Only older than this message id or ISO-8601 time.
        before: Bound,
        /// Only newer than this message id or ISO-8601 time.
        after: Bound,
    }
}

rule! {
    /// A message id or a time.
    pub(crate) Bound -> Option<String>,
    |fields, name| bound(fields, name),
    serde_json::json!({ "anyOf": [
        { "type": "string", "pattern": "^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$" },
        { "type": "string", "format": "date-time" },
        { "type": "string", "enum": [""] },
    ] })
}

/// `GET /sessions/{id}/messages`
///
/// List the messages of a session, oldest first.
#[endpoint(operation_id = "listMessages", tags("sessions"))]
pub(crate) async fn list(state: State, id: Id<SessionId>, query: Query<MessagesQuery>) -> Answer<Vec<Message>> {
    let (Id(id), Query(query)) = (id, query);
    let limit = usize::try_from(query.limit).unwrap_or(100);
    let range = MessageRange { limit, before: query.before, after: query.after };
    let messages = state.store.messages(&id, &range).await?;
    if messages.is_empty() {
        sessions::known(&state, &id).await?;
    }
    Ok(Reply::new(messages.into_iter().map(as_text).collect()))
}

/// What tools took and gave is text for clients; rows of earlier versions hold structures.
fn as_text(mut message: Message) -> Message {
    let calls = match (message.role, &mut message.metadata) {
        (Role::Assistant, Some(metadata)) => metadata.get_mut("tool_calls").and_then(Value::as_array_mut),
        _ => None,
    };
    for call in calls.into_iter().flatten().filter_map(Value::as_object_mut) {
        for key in ["input", "result"] {
            match call.get_mut(key) {
                None | Some(Value::String(_)) => {}
                Some(value) => {
                    let structured = value.take();
                    *value = crate::domain::text::text_of(&structured).into();
                    call.insert(format!("{key}_json"), structured);
                }
            }
        }
    }
    message
}

/// A message id or a timestamp. A `+` that nobody encoded has become a space on the way.
fn bound(query: &mut Fields, name: &str) -> Option<String> {
    let text = input::free(query, name)?;
    if let Ok(id) = ulid::Ulid::from_string(&text) {
        return Some(id.to_string());
    }
    let at: Option<Timestamp> = text.replace(' ', "+").parse().ok();
    if at.is_none() {
        query.fault(name, "value_error", "Input should be a message id or an ISO-8601 timestamp", text.into());
    }
    at.map(|at| at.to_string())
}

/// The answer to a stream, for its row's metadata.
#[derive(Serialize)]
pub(crate) struct AnswerMetadata<'a> {
    pub(crate) invocation_id: &'a crate::domain::ids::InvocationId,
    pub(crate) tool_calls: &'a [crate::agents::ToolUse],
    pub(crate) content_blocks: &'a [crate::agents::Block],
    pub(crate) usage: Value,
    pub(crate) duration_ms: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) interrupted: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}
