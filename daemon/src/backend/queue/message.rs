//! Bodies of queue messages (SPEC section 2), also as the original's services write them.

use std::{borrow::Cow, collections::HashMap, fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use crate::{
    backend::store::Continuation,
    domain::{
        ids::{AgentId, ProjectId, TaskId},
        project::Priority,
    },
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

/// A message of the build queue. Only `project_id` decides: whatever else is null, missing or of another type counts as
/// missing, as the original's services leave it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BuildMessage {
    /// The task; the original's messages may lack it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    pub project_id: ProjectId,
    /// For other readers of the queue; the daemon reads its own table.
    pub requirement: String,
    pub user_id: String,
    /// 1 to 5.
    pub priority: i64,
    /// The original's: execute, resume or restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The original's: where to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_stage: Option<String>,
}

/// A message of the deploy queue; as lax as the other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeployMessage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    pub project_id: ProjectId,
    /// The agent; when the message names none, that which the project makes. The task knows better.
    pub agent_id: AgentId,
    pub deployment_config: Value,
}

/// What a queue of SQS may hold at most in a message, when it is set up so. (What the daemon sends stays below 256 KB.)
const MAX_BYTES: usize = 1 << 20;

/// A field as far as it is of use: what has another type is read over, however deep it is.
enum Lax {
    Text(String),
    Number(f64),
    Unusable,
}

struct LaxVisitor;

impl<'de> Visitor<'de> for LaxVisitor {
    type Value = Lax;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Lax, E> {
        Ok(Lax::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Lax, E> {
        Ok(Lax::Unusable)
    }

    fn visit_unit<E>(self) -> Result<Lax, E> {
        Ok(Lax::Unusable)
    }

    #[allow(clippy::cast_precision_loss)] // a priority
    fn visit_i64<E>(self, number: i64) -> Result<Lax, E> {
        Ok(Lax::Number(number as f64))
    }

    #[allow(clippy::cast_precision_loss)]
    fn visit_u64<E>(self, number: u64) -> Result<Lax, E> {
        Ok(Lax::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Lax, E> {
        Ok(Lax::Number(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Lax, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Lax::Unusable)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Lax, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Lax::Unusable)
    }
}

impl<'de> Deserialize<'de> for Lax {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LaxVisitor)
    }
}

/// The fields that a reader of messages knows, the last of several of one name.
#[derive(Default)]
struct Fields(HashMap<String, Lax>);

const KNOWN: [&str; 8] =
    ["task_id", "project_id", "requirement", "user_id", "priority", "action", "target_stage", "agent_id"];
const IDS: [&str; 3] = ["task_id", "project_id", "agent_id"];

/// Reads these fields, and reads over the others.
struct FieldsVisitor(&'static [&'static str]);

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = all.next_key::<String>()? {
            if self.0.contains(&name.as_str()) {
                let field = all.next_value()?;
                fields.0.insert(name, field);
            } else {
                all.next_value::<IgnoredAny>()?;
            }
        }
        Ok(fields)
    }
}

impl Fields {
    fn of(body: &str) -> Result<Self, MessageError> {
        if body.len() > MAX_BYTES {
            return Err(MessageError::TooLong(body.len()));
        }
        let malformed = |e: serde_json::Error| MessageError::Malformed(e.to_string());
        let body = unwrapped(body);
        // A text with half a character in it, or a number out of all range, is no reason to lose a build: it is missing.
        Self::some(&body, &KNOWN).or_else(|error| Self::some(&body, &IDS).map_err(|_| error)).map_err(malformed)
    }

    fn some(body: &str, known: &'static [&'static str]) -> serde_json::Result<Self> {
        let mut reader = serde_json::Deserializer::from_str(body);
        let fields = reader.deserialize_map(FieldsVisitor(known))?;
        reader.end().map(|()| fields)
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Lax::Text(text) => Some(text.clone()),
            Lax::Number(number) => Some(number.to_string()),
            Lax::Unusable => None,
        }
    }

    fn word<T: FromStr>(&self, name: &str) -> Option<T> {
        match self.0.get(name)? {
            Lax::Text(text) => text.trim().parse().ok(),
            Lax::Number(_) | Lax::Unusable => None,
        }
    }

    fn project(&self) -> Result<ProjectId, MessageError> {
        self.word("project_id").ok_or_else(|| match self.0.get("project_id") {
            Some(Lax::Text(text)) => MessageError::Malformed(format!("project_id {text:?} is no id")),
            Some(_) => MessageError::Malformed("project_id is no text".to_owned()),
            None => MessageError::Malformed("project_id is missing".to_owned()),
        })
    }

    fn priority(&self) -> i64 {
        let number = match self.0.get("priority") {
            Some(Lax::Number(number)) => Some(*number),
            Some(Lax::Text(text)) => text.trim().parse().ok(),
            Some(Lax::Unusable) | None => None,
        };
        #[allow(clippy::cast_possible_truncation)] // saturates, and is clamped by its readers
        let whole = |number: f64| number as i64;
        number.filter(|number: &f64| number.is_finite()).map_or_else(|| Priority::DEFAULT.get().into(), whole)
    }
}

/// The JSON itself, where a sender wrapped it in a JSON string, or began it with a byte order mark.
fn unwrapped(body: &str) -> Cow<'_, str> {
    let body = body.trim_start_matches('\u{feff}');
    if body.trim_start().starts_with('"')
        && let Ok(inner) = serde_json::from_str::<String>(body)
    {
        return inner.trim_start_matches('\u{feff}').to_owned().into();
    }
    body.into()
}

/// Whom a body is about, as far as that can be read of it: for letters that are no message.
pub fn subject(body: &str) -> (Option<TaskId>, Option<ProjectId>) {
    let fields = Fields::of(body).unwrap_or_default();
    (fields.word("task_id"), fields.word("project_id"))
}

/// A body with the action of its message's attributes, which the original's services state there, too. Anything else
/// stays as it is.
#[cfg(feature = "aws")]
pub(crate) fn with_action(body: String, action: Option<&str>) -> String {
    let (Some(action), Ok(Value::Object(mut fields))) = (action, serde_json::from_str(&unwrapped(&body))) else {
        return body;
    };
    if !fields.get("action").is_some_and(Value::is_string) {
        fields.insert("action".to_owned(), action.into());
    }
    Value::Object(fields).to_string()
}

impl BuildMessage {
    pub fn parse(body: &str) -> Result<Self, MessageError> {
        let fields = Fields::of(body)?;
        Ok(Self {
            task_id: fields.word("task_id"),
            project_id: fields.project()?,
            requirement: fields.text("requirement").unwrap_or_default(),
            user_id: fields.text("user_id").unwrap_or_default(),
            priority: fields.priority(),
            action: fields.text("action"),
            target_stage: fields.text("target_stage"),
        })
    }

    /// What it asks besides the work itself.
    pub fn asked(&self) -> Continuation {
        let from = self.target_stage.as_deref().map(str::trim).filter(|stage| !stage.is_empty()).map(str::to_owned);
        match self.action.as_deref().map(str::trim) {
            Some("restart") => Continuation::Restart(from),
            Some("resume") => Continuation::Resume(from),
            _ => Continuation::Execute,
        }
    }

    /// The body to send.
    pub fn to_body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl DeployMessage {
    pub fn parse(body: &str) -> Result<Self, MessageError> {
        #[derive(Deserialize)]
        struct Config {
            #[serde(default)]
            deployment_config: Value,
        }
        let fields = Fields::of(body)?;
        let project_id = fields.project()?;
        let config = serde_json::from_str::<Config>(&unwrapped(body)).map(|config| config.deployment_config);
        Ok(Self {
            task_id: fields.word("task_id"),
            agent_id: fields.word("agent_id").unwrap_or_else(|| AgentId::of_project(&project_id)),
            project_id,
            deployment_config: config.unwrap_or_default(),
        })
    }

    /// The body to send.
    pub fn to_body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
