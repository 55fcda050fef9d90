//! Bodies of queue messages (SPEC section 2), also as the original's services write them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    domain::{
        ids::{AgentId, ProjectId, TaskId},
        project::Priority,
    },
    store::Continuation,
};

/// A body that is no message: it goes to the dead letters with this text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not JSON, or JSON of another shape.
    #[error("message is not understood: {0}")]
    Malformed(String),
    /// Longer than a queue allows.
    #[error("message of {0} bytes is longer than 262144")]
    TooLong(usize),
}

/// A message of the build queue. Unknown fields are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildMessage {
    /// The task; the original's messages may lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The project.
    pub project_id: ProjectId,
    /// For other readers of the queue; the daemon reads its own table.
    #[serde(default)]
    pub requirement: String,
    /// Likewise.
    #[serde(default)]
    pub user_id: String,
    /// 1 to 5.
    #[serde(default = "default_priority")]
    pub priority: i64,
    /// The original's: execute, resume or restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The original's: where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_stage: Option<String>,
}

/// A message of the deploy queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeployMessage {
    /// The task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The project.
    pub project_id: ProjectId,
    /// The agent.
    pub agent_id: AgentId,
    /// How.
    #[serde(default)]
    pub deployment_config: Value,
}

fn default_priority() -> i64 {
    i64::from(Priority::DEFAULT.get())
}

/// SQS's own limit on a message.
const MAX_BYTES: usize = 262_144;

fn parse<T: serde::de::DeserializeOwned>(body: &str) -> Result<T, MessageError> {
    if body.len() > MAX_BYTES {
        return Err(MessageError::TooLong(body.len()));
    }
    let malformed = |e: serde_json::Error| MessageError::Malformed(e.to_string());
    // Some senders wrap the JSON in a JSON string.
    let value: Value = serde_json::from_str(body).map_err(malformed)?;
    match value {
        Value::String(inner) => serde_json::from_str(&inner).map_err(malformed),
        value => serde_json::from_value(value).map_err(malformed),
    }
}

/// A body with the action of its message's attributes, which the original's services state there, too. Anything else
/// stays as it is.
#[cfg(feature = "aws")]
pub(crate) fn with_action(body: String, action: Option<&str>) -> String {
    let (Some(action), Ok(Value::Object(mut fields))) = (action, serde_json::from_str(&body)) else { return body };
    if fields.get("action").is_none_or(Value::is_null) {
        fields.insert("action".to_owned(), action.into());
    }
    Value::Object(fields).to_string()
}

impl BuildMessage {
    /// Reads a body.
    ///
    /// # Errors
    /// The body is no build message.
    pub fn parse(body: &str) -> Result<Self, MessageError> {
        parse(body)
    }

    /// What it asks besides the work itself.
    #[must_use]
    pub fn asked(&self) -> Continuation {
        let from = self.target_stage.clone().filter(|stage| !stage.is_empty());
        match self.action.as_deref() {
            Some("restart") => Continuation::Restart(from),
            Some("resume") => Continuation::Resume(from),
            _ => Continuation::Execute,
        }
    }

    /// The body to send.
    #[must_use]
    pub fn to_body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl DeployMessage {
    /// Reads a body.
    ///
    /// # Errors
    /// The body is no deploy message.
    pub fn parse(body: &str) -> Result<Self, MessageError> {
        parse(body)
    }

    /// The body to send.
    #[must_use]
    pub fn to_body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_originals_messages_are_understood() {
        let plain =
            r#"{"project_id":"proj_1","metadata":{"x":1},"action":"resume","priority":5,"execute_to_completion":true}"#;
        let message = BuildMessage::parse(plain).unwrap();
        assert_eq!(message.task_id, None);
        assert_eq!(message.action.as_deref(), Some("resume"));
        let wrapped = serde_json::to_string(plain).unwrap();
        assert_eq!(BuildMessage::parse(&wrapped).unwrap(), message);
    }

    #[test]
    fn poison_is_named() {
        for bad in ["", "{", "[]", "null", "{}", r#"{"project_id":"../etc"}"#, r#"{"project_id":7}"#] {
            assert!(matches!(BuildMessage::parse(bad), Err(MessageError::Malformed(_))), "{bad}");
        }
    }
}
