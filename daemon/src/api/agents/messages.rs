//! `/sessions/{id}/messages`: what was said. `POST` only stores a message, whatever its role, as the
//! original did; the agent answers at `/stream`.

use salvo::{Writer as _, oapi::endpoint};
use serde_json::Value;

use super::{attachments, invoke::METADATA_BYTES};
use crate::api::http::{
    idempotency::{Idempotency, kept},
    request::{
        extract::{Id, LargeBody, Query, State},
        fields::Fields,
        input,
        rules::{Count, Json, Verbatim, Word, fields_of, rule},
    },
    response::{Answer, Created, CreatedAnswer, Reply},
};
use crate::{
    agents::conversation::Sent,
    backend::store::MessageRange,
    domain::{
        ids::SessionId,
        session::{Message, Role},
        time::Timestamp,
    },
    idempotency::Repeatable,
};

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

/// `POST /sessions/{id}/messages`
///
/// Store a message. The agent does not answer; for that there is `/stream`.
#[endpoint(operation_id = "createMessage", tags("sessions"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn send(
    state: State,
    id: Id<SessionId>,
    body: LargeBody<MessageBody>,
    idempotency: Idempotency,
) -> CreatedAnswer<Message> {
    // The store keeps the message itself as the answer.
    let keyed = idempotency.answered_by(|(): &()| Value::Null);
    let stored = state.conversations.store_message(state.caller(), &id.0, Sent::from(body.0), keyed).await?;
    let (path, message) = (format!("/sessions/{}/messages", id.0), "message stored");
    Ok(match stored {
        Repeatable::New(stored) => Reply::new(stored).message(message).created(path),
        Repeatable::Again(stored) => Created::again(kept(&path, message, &stored)),
    })
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
    let MessagesQuery { limit, before, after } = query.0;
    let range = MessageRange { limit: usize::try_from(limit).unwrap_or(100), before, after };
    Ok(Reply::new(state.conversations.messages(state.caller(), &id.0, &range).await?))
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
