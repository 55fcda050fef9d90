//! What was said in a session.

use serde_json::{Map, Value};

use super::{AgentError, Conversations, Result, attachments::Attachment};
use crate::{
    backend::{
        error::BackendErrorKind,
        store::{MessageRange, NewMessage},
    },
    domain::{
        caller::Caller,
        ids::SessionId,
        session::{Message, Role},
    },
    idempotency::{self, Keyed, Repeatable},
};

/// A message that is stored, or is to be answered.
pub struct Sent {
    pub content: String,
    pub role: Role,
    pub metadata: Option<Map<String, Value>>,
    pub files: Vec<Attachment>,
}

impl Sent {
    /// A message for the store. Of its files the row keeps what they are, not their content.
    pub(super) fn to_store(&self, id: &SessionId) -> NewMessage {
        let mut metadata = self.metadata.clone().unwrap_or_default();
        if !self.files.is_empty() {
            metadata.insert("files".to_owned(), self.files.iter().map(Attachment::described).collect());
        }
        let metadata = (self.metadata.is_some() || !metadata.is_empty()).then_some(Value::Object(metadata));
        let (session_id, content) = (id.clone(), self.content.clone());
        NewMessage { session_id, role: self.role, content, metadata, idempotency: None, holder: None }
    }
}

impl Conversations {
    /// Stores a message. The agent does not answer.
    pub async fn store_message(
        &self,
        caller: &Caller,
        id: &SessionId,
        sent: Sent,
        keyed: Option<Keyed<()>>,
    ) -> Result<Repeatable<Message>> {
        let (store, keyed) = (self.store.as_ref(), keyed.as_ref());
        if let Some(earlier) = idempotency::earlier(store, keyed).await? {
            return Ok(Repeatable::Again(earlier));
        }
        self.open_session(caller, id).await?;
        // The store keeps the message itself as the answer.
        let idempotency = keyed.map(|keyed| keyed.kept(&()));
        match store.append_message(NewMessage { idempotency, ..sent.to_store(id) }).await {
            Ok(stored) => Ok(Repeatable::New(stored)),
            Err(error) if error.kind() == BackendErrorKind::NotFound => Err(AgentError::UnknownSession(id.clone())),
            Err(error) => Ok(Repeatable::Again(idempotency::or_earlier(store, keyed, error).await?)),
        }
    }

    /// The messages of a session, oldest first.
    pub async fn messages(&self, caller: &Caller, id: &SessionId, range: &MessageRange) -> Result<Vec<Message>> {
        let messages = self.store.messages(id, range).await?;
        if messages.is_empty() {
            self.session(caller, id).await?;
        }
        Ok(messages.into_iter().map(as_text).collect())
    }
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
