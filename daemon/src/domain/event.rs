//! Events of a project, as the live stream tells them and the store keeps them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    agent::AgentStatus,
    allowed_transitions::ProjectState,
    control::{ControlAction, ControlStatus},
    failure::ErrorInfo,
    ids::{AgentId, ProjectId},
    project::StageFigures,
    stage::StageStatus,
    text::shorten_bytes,
    time::Timestamp,
};

super::words! {
    /// What an event tells.
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

/// What happened to a build or its agent.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Status, progress, current stage or wish of a project changed.
    Project {
        state: ProjectState,
        progress: f64,
        current_stage: Option<String>,
        /// Why the build failed.
        error: Option<Box<ErrorInfo>>,
        /// What its user asked, if that is why.
        request: Option<Asked>,
    },
    /// A stage began, ended or was set back.
    Stage {
        name: String,
        status: StageStatus,
        attempt: u32,
        /// Of an attempt that its worker ended.
        figures: Option<StageFigures>,
        error: Option<String>,
    },
    /// An agent's record changed.
    Agent { id: AgentId, name: String, status: AgentStatus, error: Option<String> },
    /// What a plugin says of its work, in fields of its own.
    Report { kind: EventType, fields: Map<String, Value> },
}

/// A user's request, as far as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub action: ControlAction,
    pub reason: Option<String>,
}

/// An event that has no number yet; the store gives it one when it commits.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    pub at: Timestamp,
    pub event: Event,
}

impl NewEvent {
    /// A report of now. `fields` must be a JSON object; anything else becomes no fields.
    pub fn new(kind: EventType, fields: Value) -> Self {
        let fields = if let Value::Object(map) = fields { map } else { Map::new() };
        Self { at: Timestamp::now(), event: Event::Report { kind, fields } }
    }

    /// Bytes of a report's fields, nearly: as texts, not as the JSON that they become. The others are short.
    pub fn weight(&self) -> usize {
        match &self.event {
            Event::Report { fields, .. } => weight_of(fields),
            Event::Project { .. } | Event::Stage { .. } | Event::Agent { .. } => 256,
        }
    }

    /// The event as it is stored and told, none of it over-long.
    pub fn told(self) -> Told {
        let (kind, fields) = self.event.into_fields();
        Told { kind, at: self.at, fields }.bounded()
    }
}

impl From<Told> for NewEvent {
    fn from(Told { kind, at, fields }: Told) -> Self {
        Self { at, event: Event::Report { kind, fields } }
    }
}

impl Event {
    /// The wire's fields (API.md section 3).
    fn into_fields(self) -> (EventType, Map<String, Value>) {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        let kind = match self {
            Self::Project { state, progress, current_stage, error, request } => {
                put("status", state.status.as_str().into());
                put("progress", progress.into());
                put("current_stage", current_stage.into());
                if state.control != ControlStatus::Running || request.is_some() {
                    put("control_status", state.control.as_str().into());
                }
                if let Some(error) = error {
                    put("error_info", json!(error));
                }
                if let Some(Asked { action, reason }) = request {
                    put("action", action.as_str().into());
                    if let Some(reason) = reason {
                        put("reason", reason.into());
                    }
                }
                EventType::Project
            }
            Self::Stage { name, status, attempt, figures, error } => {
                put("stage_name", name.into());
                put("status", status.as_str().into());
                put("attempt", attempt.into());
                if let Some(figures) = figures {
                    put("duration_seconds", figures.duration_seconds.into());
                    put("input_tokens", figures.input_tokens.into());
                    put("output_tokens", figures.output_tokens.into());
                    put("tool_calls", figures.tool_calls.into());
                }
                if let Some(error) = error {
                    put("error", error.into());
                }
                EventType::Stage
            }
            Self::Agent { id, name, status, error } => {
                put("agent_id", id.as_str().into());
                put("agent_name", name.into());
                put("status", status.as_str().into());
                if let Some(error) = error {
                    put("error", error.into());
                }
                EventType::Agent
            }
            Self::Report { kind, fields } => return (kind, fields),
        };
        (kind, fields)
    }
}

/// An event as it is stored and told: its kind and the JSON of its fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    #[serde(rename = "type")]
    pub kind: EventType,
    pub at: Timestamp,
    pub fields: Map<String, Value>,
}

impl Told {
    /// The event with its number.
    pub fn numbered(self, project_id: ProjectId, seq: u64) -> ProjectEvent {
        let Self { kind, at, fields } = self;
        ProjectEvent { seq, project_id, kind, at, fields }
    }

    /// Events of a row, of which the last has this number.
    pub fn numbered_to(last: u64, events: Vec<Self>, project_id: &ProjectId) -> impl Iterator<Item = ProjectEvent> {
        let first = (last + 1).saturating_sub(events.len() as u64);
        events.into_iter().zip(first..).map(|(event, seq)| event.numbered(project_id.clone(), seq))
    }

    /// The event as it can be stored and told everywhere: of one that is over-long the longest fields are cut, and
    /// `truncated` says how many bytes each had.
    pub fn bounded(mut self) -> Self {
        // One character may take six bytes in JSON.
        if weight_of(&self.fields).saturating_mul(6) <= MAX_BYTES {
            return self;
        }
        let long = |value: &Value| value.to_string().len();
        let mut sizes: Vec<(usize, String)> =
            self.fields.iter().map(|(name, value)| (name.len() + long(value) + 4, name.clone())).collect();
        let mut size: usize = sizes.iter().map(|(size, _)| size).sum();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let mut truncated = Map::new();
        for (of_field, name) in sizes.into_iter().take(MAX_CUT) {
            if size <= MAX_BYTES {
                break;
            }
            let Some(value) = self.fields.get_mut(&name) else { continue };
            let text = match value.take() {
                Value::String(text) => text,
                other => other.to_string(),
            };
            let room = of_field.saturating_sub(size - MAX_BYTES).saturating_sub(NOTE);
            // The same share of the text as of its JSON, which may be longer by far; and once more if that is unequal.
            let mut keep = text.len().saturating_mul(room) / of_field.max(1);
            let mut cut = Value::Null;
            for _ in 0..4 {
                let kept = shorten_bytes(&text, keep);
                cut = format!("{kept}… [{} bytes left out]", text.len() - kept.len()).into();
                if long(&cut) <= room + NOTE {
                    break;
                }
                keep /= 3;
            }
            size = size.saturating_sub(of_field) + name.len() + long(&cut) + 4;
            *value = cut;
            truncated.insert(name, text.len().into());
        }
        if size > MAX_BYTES {
            // So many fields that none of them is long.
            self.fields.retain(|name, _| name == "stage_name" || name == "status");
            truncated = Map::from_iter([("fields".to_owned(), size.into())]);
        }
        if !truncated.is_empty() {
            self.fields.insert("truncated".into(), truncated.into());
        }
        self
    }
}

/// Bytes of an event's fields as JSON, at most: a table's item holds 400 KB, and others with it.
pub const MAX_BYTES: usize = 128 * 1024;
/// Fields of an event that are cut, at most, and bytes that the note in one takes.
const MAX_CUT: usize = 16;
const NOTE: usize = 64;

fn weight_of(fields: &Map<String, Value>) -> usize {
    fields.iter().map(|(name, value)| name.len() + weight(value)).sum()
}

fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| 1 + weight(item)).sum::<usize>(),
        Value::Object(map) => 2 + map.iter().map(|(name, item)| name.len() + 4 + weight(item)).sum::<usize>(),
        _ => 24,
    }
}

/// A committed event. `seq` grows by one per project and never repeats, across restarts too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectEvent {
    /// Number within the project, from 1.
    pub seq: u64,
    pub project_id: ProjectId,
    #[serde(rename = "type")]
    pub kind: EventType,
    pub at: Timestamp,
    /// The fields of its kind.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{failure::FailureKind, project::ProjectStatus};

    fn size(event: &Told) -> usize {
        Value::Object(event.fields.clone()).to_string().len()
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        for text in ["x".repeat(100), "x".repeat(MAX_BYTES - 200), "\u{1}".repeat(10_000)] {
            let event = NewEvent::new(EventType::Text, json!({"text": text, "stage_name": "a"}));
            assert_eq!(NewEvent::from(event.clone().told()), event);
        }
    }

    #[test]
    fn what_does_not_says_what_is_missing() {
        let many: Map<String, Value> = (0..20_000).map(|n| (format!("field_{n}"), n.into())).collect();
        let mut deep = json!("x".repeat(10_000));
        for _ in 0..40 {
            deep = json!([deep, "y".repeat(10_000)]);
        }
        for fields in [
            json!({"message": "ä".repeat(400_000), "stage_name": "a"}),
            json!({"message": "\u{1}".repeat(400_000), "stage_name": "a"}),
            json!({"message": format!("{}{}", "\u{1}".repeat(100_000), "x".repeat(900_000)), "stage_name": "a"}),
            json!({"one": "x".repeat(200_000), "two": "y".repeat(300_000), "stage_name": "a"}),
            json!({"deep": deep, "stage_name": "a"}),
            Value::Object(many),
        ] {
            let event = NewEvent::new(EventType::Log, fields).told();
            assert!(size(&event) <= MAX_BYTES + 2_000, "{}", size(&event));
            assert!(event.fields.contains_key("truncated"));
            if let Some(Value::String(message)) = event.fields.get("message") {
                assert!(message.ends_with("bytes left out]") && message.len() > 1_000, "{}", message.len());
                assert_eq!(event.fields.get("stage_name"), Some(&json!("a")));
            }
        }
    }

    #[test]
    fn the_wire_says_of_each_event_what_it_always_did() {
        let state = |status, control| ProjectState { status, control };
        let (building, failed) = (ProjectStatus::Building, ProjectStatus::Failed);
        let project = |state, error, request| Event::Project {
            state,
            progress: 12.5,
            current_stage: Some("a".into()),
            error,
            request,
        };
        let info = ErrorInfo::outside(FailureKind::Permanent, "no");
        let ask = |reason: Option<&str>| Asked { action: ControlAction::Resume, reason: reason.map(str::to_owned) };
        let figures =
            StageFigures { input_tokens: 1, output_tokens: 2, tool_calls: 3, duration_seconds: 4.5, cost_usd: 9.0 };
        let stage = |figures, error: Option<&str>| Event::Stage {
            name: "a".into(),
            status: StageStatus::Running,
            attempt: 2,
            figures,
            error: error.map(str::to_owned),
        };
        let id: AgentId = "agent_1".parse().unwrap();
        let agent = |error: Option<&str>| Event::Agent {
            id: id.clone(),
            name: "n".into(),
            status: AgentStatus::Error,
            error: error.map(str::to_owned),
        };
        for (event, kind, fields) in [
            (
                project(state(building, ControlStatus::Running), None, None),
                "project",
                json!({"status": "building", "progress": 12.5, "current_stage": "a"}),
            ),
            (
                project(state(building, ControlStatus::Paused), None, None),
                "project",
                json!({"status": "building", "progress": 12.5, "current_stage": "a", "control_status": "paused"}),
            ),
            (
                project(state(failed, ControlStatus::Running), Some(Box::new(info)), None),
                "project",
                json!({"status": "failed", "progress": 12.5, "current_stage": "a", "error_info":
                    {"stage": null, "kind": "permanent", "message": "no", "details": null, "attempt": 0}}),
            ),
            (
                project(state(building, ControlStatus::Running), None, Some(ask(Some("why")))),
                "project",
                json!({"status": "building", "progress": 12.5, "current_stage": "a", "control_status": "running",
                    "action": "resume", "reason": "why"}),
            ),
            (
                project(state(building, ControlStatus::Running), None, Some(ask(None))),
                "project",
                json!({"status": "building", "progress": 12.5, "current_stage": "a", "control_status": "running",
                    "action": "resume"}),
            ),
            (stage(None, None), "stage", json!({"stage_name": "a", "status": "running", "attempt": 2})),
            (
                stage(Some(figures), Some("no")),
                "stage",
                json!({"stage_name": "a", "status": "running", "attempt": 2, "duration_seconds": 4.5,
                    "input_tokens": 1, "output_tokens": 2, "tool_calls": 3, "error": "no"}),
            ),
            (agent(None), "agent", json!({"agent_id": id, "agent_name": "n", "status": "error"})),
            (agent(Some("no")), "agent", json!({"agent_id": id, "agent_name": "n", "status": "error", "error": "no"})),
        ] {
            let told = NewEvent { at: Timestamp::from_micros(0), event }.told();
            assert_eq!((told.kind.as_str(), Value::Object(told.fields)), (kind, fields));
        }
    }
}
