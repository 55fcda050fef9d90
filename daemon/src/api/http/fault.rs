//! What is wrong with a field, in the form that old clients read (`type`, `loc`, `msg`, `input`).

use serde::Serialize;
use serde_json::{Value, json};

/// Largest input that a fault echoes, in characters of a text or entries of anything else.
const ECHO_LIMIT: usize = 200;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fault {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) loc: Vec<Value>,
    /// For people.
    pub msg: String,
    input: Value,
}

impl Fault {
    /// A fault of one field.
    #[must_use]
    pub fn new(place: &'static str, field: &str, kind: &'static str, msg: impl Into<String>, input: Value) -> Self {
        Self { kind, loc: vec![place.into(), field.into()], msg: msg.into(), input: echo(input) }
    }

    /// A fault of the place as a whole.
    #[must_use]
    pub fn bare(place: &'static str, kind: &'static str, msg: impl Into<String>) -> Self {
        Self { kind, loc: vec![place.into()], msg: msg.into(), input: Value::Null }
    }

    /// Says no more what was given.
    pub(crate) fn hide(&mut self) {
        if !self.input.is_null() {
            self.input = "***".into();
        }
    }

    /// Puts a position behind the field, for an item of a list, or the name of a field of the item.
    pub(crate) fn at(mut self, inner: impl Into<Value>) -> Self {
        self.loc.push(inner.into());
        self
    }

    /// Makes the place as a whole the one at fault.
    pub(crate) fn whole(&mut self) {
        self.loc.truncate(1);
    }

    /// The field's name, for a message.
    #[must_use]
    pub fn field(&self) -> String {
        let part = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        let path: Vec<String> = self.loc.iter().skip(usize::from(self.loc.len() > 1)).map(part).collect();
        path.join(".")
    }
}

/// Bounds what is sent back of what came in.
fn echo(input: Value) -> Value {
    match input {
        Value::String(text) => Value::String(crate::domain::text::shorten(&text, ECHO_LIMIT)),
        Value::Array(items) if items.len() > 16 => json!(format!("<list of {}>", items.len())),
        Value::Object(map) if map.len() > 16 => json!(format!("<object of {}>", map.len())),
        Value::Array(_) | Value::Object(_) => {
            let text = input.to_string();
            if text.len() > ECHO_LIMIT * 4 { json!(format!("<{} bytes>", text.len())) } else { input }
        }
        small => small,
    }
}
