//! What retention asks for: things that are past their time.

use serde_json::Value;

use crate::domain::time::Timestamp;

/// What the store has that retention may delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgedKind {
    /// Projects that ended and have no agent.
    Projects,
    /// Conversations, by their last use.
    Sessions,
    Invocations,
}

/// Some things that are past their time.
#[derive(Clone, Debug, Default)]
pub struct Aged {
    /// Their ids, and when they ended or were used last.
    pub items: Vec<(String, Timestamp)>,
    /// Where the next ones begin; none after the last.
    pub next: Option<Value>,
}
