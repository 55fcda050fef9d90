//! Events of a project, as the live stream tells them and the store keeps them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ids::ProjectId, text::shorten_bytes, time::Timestamp};

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

    /// Bytes of its fields, nearly: as texts, not as the JSON that they become.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + weight(value)).sum()
    }

    /// The event as it can be stored and told everywhere: of one that is over-long the longest fields are cut, and
    /// `truncated` says how many bytes each had.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        // One character may take six bytes in JSON.
        if self.weight().saturating_mul(6) <= MAX_BYTES {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn size(event: &NewEvent) -> usize {
        Value::Object(event.fields.clone()).to_string().len()
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        for text in ["x".repeat(100), "x".repeat(MAX_BYTES - 200), "\u{1}".repeat(10_000)] {
            let event = NewEvent::new(EventType::Text, json!({"text": text, "stage_name": "a"}));
            assert_eq!(event.clone().bounded(), event);
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
            let event = NewEvent::new(EventType::Log, fields).bounded();
            assert!(size(&event) <= MAX_BYTES + 2_000, "{}", size(&event));
            assert!(event.fields.contains_key("truncated"));
            if let Some(Value::String(message)) = event.fields.get("message") {
                assert!(message.ends_with("bytes left out]") && message.len() > 1_000, "{}", message.len());
                assert_eq!(event.fields.get("stage_name"), Some(&json!("a")));
            }
        }
    }
}
