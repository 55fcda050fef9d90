//! Watching all projects: what is wanted of their events, by the queries of `/events` and `/ws`.

use serde_json::{Value, json};

use crate::api::http::request::{
    fields::Fields,
    input,
    rules::{fields_of, rule},
};
use crate::{
    domain::{
        event::{EventType, ProjectEvent},
        ids::ProjectId,
        project::ProjectStatus,
    },
    events::Position,
};

/// Most projects that one listener may name.
const MAX_PROJECTS: usize = 100;

fields_of! {
    /// Which events.
    pub(crate) WatchQuery {
        /// Only of these projects: ids with commas between them.
        project_id: Projects,
        /// Only of these types, with commas between them.
        kinds as "type": Kinds,
        /// Of the events of type `project` only those that tell one of these states, with commas between them.
        status: States,
        /// As the header `Last-Event-ID`, for clients that cannot set it: the id of the last event that was read.
        last_event_id: After,
    }
}

/// The parts of a list with commas; none when absent or empty.
fn parts(fields: &mut Fields, name: &str) -> Vec<String> {
    // A page may name many ids, so this is longer than other values.
    let text = fields.text(name, 0..=MAX_PROJECTS * 129).unwrap_or_default();
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn words<T: std::str::FromStr>(fields: &mut Fields, name: &str, known: &str) -> Vec<T> {
    let mut words = Vec::new();
    for part in parts(fields, name) {
        match part.parse() {
            Ok(word) => words.push(word),
            Err(_) => fields.fault(name, "enum", format!("Input should be of {known}"), part.into()),
        }
    }
    words
}

fn listed<T: std::fmt::Display>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Words with commas between them, or nothing.
fn list_schema<T: std::fmt::Display>(all: &[T]) -> Value {
    let word = all.iter().map(ToString::to_string).collect::<Vec<_>>().join("|");
    json!({ "type": "string", "maxLength": 1000, "pattern": format!("^(?:(?:{word})(?:,(?:{word}))*)?$") })
}

rule! {
    /// Ids of projects.
    pub(crate) Projects -> Vec<ProjectId>,
    |fields, name| projects(fields, name),
    json!({ "type": "string", "maxLength": 12_900, "pattern": "^(?:[A-Za-z0-9_:-][A-Za-z0-9_.:-]{0,127})?$" })
}

fn projects(fields: &mut Fields, name: &str) -> Vec<ProjectId> {
    let ids: Vec<ProjectId> = words(fields, name, "ids of projects");
    if ids.len() > MAX_PROJECTS {
        fields.fault(name, "too_long", format!("At most {MAX_PROJECTS} projects can be named"), ids.len().into());
    }
    ids
}

rule! {
    /// Types of events.
    pub(crate) Kinds -> Vec<EventType>,
    |fields, name| words(fields, name, &listed(EventType::ALL)),
    list_schema(EventType::ALL)
}

rule! {
    /// States of projects.
    pub(crate) States -> Vec<ProjectStatus>,
    |fields, name| words(fields, name, &listed(ProjectStatus::ALL)),
    list_schema(ProjectStatus::ALL)
}

rule! {
    /// A place in the stream.
    pub(crate) After -> Option<Position>,
    |fields, name| after(fields, name),
    json!({ "type": "string", "pattern": "^(?:[0-9a-f]{8}-[0-9]{1,18})?$" })
}

fn after(fields: &mut Fields, name: &str) -> Option<Position> {
    let text = input::free(fields, name)?;
    let position = text.parse().ok();
    if position.is_none() {
        fields.fault(name, "value_error", "Input should be the id of an event of this stream", text.into());
    }
    position
}

/// Which events a listener wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    projects: Vec<ProjectId>,
    kinds: Vec<EventType>,
    states: Vec<ProjectStatus>,
}

impl WatchQuery {
    /// What is wanted, and from where on.
    pub(crate) fn split(self) -> (Wanted, Option<Position>) {
        (Wanted { projects: self.project_id, kinds: self.kinds, states: self.status }, self.last_event_id)
    }
}

impl Wanted {
    /// Whether it wants this one.
    pub(crate) fn wants(&self, event: &ProjectEvent) -> bool {
        let listed = self.kinds.is_empty() || self.kinds.contains(&event.kind);
        let of_project = || self.projects.is_empty() || self.projects.contains(&event.project_id);
        let in_state = || {
            let state = event.fields.get("status").and_then(Value::as_str).and_then(|word| word.parse().ok());
            state.is_none_or(|state: ProjectStatus| self.states.contains(&state))
        };
        let judged = event.kind != EventType::Project || self.states.is_empty();
        listed && of_project() && (judged || in_state())
    }
}

/// What is told to one that missed events: of no project, at no number.
pub(crate) fn resync(missed: Option<u64>) -> Value {
    let reason = "events were missed: read again what you show";
    json!({
        "seq": 0, "project_id": null, "type": EventType::Resync, "at": crate::domain::time::Timestamp::now(),
        "reason": reason, "missed": missed,
    })
}
