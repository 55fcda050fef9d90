//! Events of a project, as the live stream tells them and the store keeps them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ids::ProjectId, time::Timestamp};

super::words! {
    /// Kinds of event (API.md section 3).
    EventType {
        /// Status, progress or current stage changed.
        Project = "project",
        /// A stage began or ended.
        Stage = "stage",
        /// A log line of a stage.
        Log = "log",
        /// Model output.
        Text = "text",
        /// A tool was used.
        Tool = "tool",
        /// A file was written.
        File = "file",
        /// The agent's record changed.
        Agent = "agent",
        /// Somebody is asked for a decision.
        Approval = "approval",
        /// Events were missed: read the project again.
        Resync = "resync",
        /// The stream is over.
        End = "end",
    }
}

/// An event that has no number yet; the store gives it one when it commits.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Which kind.
    pub kind: EventType,
    /// When it happened.
    pub at: Timestamp,
    /// The fields of its kind.
    pub fields: Map<String, Value>,
}

impl NewEvent {
    /// An event of now. `fields` must be a JSON object; anything else becomes no fields.
    #[must_use]
    pub fn new(kind: EventType, fields: Value) -> Self {
        let fields = if let Value::Object(map) = fields { map } else { Map::new() };
        Self { kind, at: Timestamp::now(), fields }
    }
}

/// A committed event. `seq` grows by one per project and never repeats, across restarts too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectEvent {
    /// Number within the project, from 1.
    pub seq: u64,
    /// Whose.
    pub project_id: ProjectId,
    /// Which kind.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When it happened.
    pub at: Timestamp,
    /// The fields of its kind.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}
