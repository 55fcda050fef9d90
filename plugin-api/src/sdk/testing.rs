//! For a plugin's own tests, without a daemon: runs its handlers, and checks how it describes its settings.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Map, Value};
use tokio::sync::watch;

use super::{Context, Plugin, context::EventSink};
use crate::payload::Event;

/// Collects what a handler reports and can cancel it.
pub struct Recorder {
    events: Arc<Mutex<Vec<Event>>>,
    cancel: watch::Sender<bool>,
}

impl Recorder {
    /// A recorder and the context to hand to the handler.
    #[must_use]
    pub fn new() -> (Self, Context) {
        let events = Arc::new(Mutex::new(Vec::new()));
        let (cancel, cancelled) = watch::channel(false);
        let cx = Context::new(Box::new(Sink(Arc::clone(&events))), cancelled);
        (Self { events, cancel }, cx)
    }

    /// Asks the handler to end.
    pub fn cancel(&self) {
        self.cancel.send_replace(true);
    }

    /// What was reported so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The text events so far, joined.
    #[must_use]
    pub fn text(&self) -> String {
        self.events()
            .iter()
            .filter_map(|e| if let Event::Text { delta } = e { Some(delta.as_str()) } else { None })
            .collect()
    }
}

struct Sink(Arc<Mutex<Vec<Event>>>);

impl EventSink for Sink {
    fn send(&self, event: &Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
    }
}

/// The endings of keys that count something; only these have a `unit` in their description.
const COUNTING: [&str; 4] = ["_secs", "_ms", "_mb", "_bytes"];

/// Checks what a plugin says of its settings, so that the daemon can show and refuse them: every key has a type, a
/// text, its default, and a unit where it counts something; other keys are refused; and the defaults that are told are
/// those that the plugin has.
///
/// # Errors
/// Everything that is wrong. Else the number of keys.
pub fn check_settings<P: Plugin<Settings: Debug + Default>>() -> Result<usize, Vec<String>> {
    let schema = P::describe().settings.unwrap_or_default();
    let mut faults = Vec::new();
    if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
        faults.push("other keys are not refused".to_owned());
    }
    let keys = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut defaults = Map::new();
    for (key, described) in &keys {
        let text = |name: &str| described.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("type").is_empty() {
            faults.push(format!("{key}: no type"));
        }
        // A default within the text would be a second one beside `default`.
        if text("description").len() <= 10 || text("description").contains("Default") {
            faults.push(format!("{key}: no description that will do: {:?}", text("description")));
        }
        let counts = COUNTING.iter().any(|end| key.ends_with(end));
        if counts == text("unit").is_empty() {
            faults.push(format!("{key}: {}", if counts { "no unit" } else { "a unit, but its name has none" }));
        }
        match described.get("default") {
            None | Some(Value::Null) => faults.push(format!("{key}: no default")),
            Some(default) => drop(defaults.insert(key.clone(), default.clone())),
        }
    }
    let own = format!("{:?}", P::Settings::default());
    match serde_json::from_value::<P::Settings>(defaults.into()) {
        Ok(told) if format!("{told:?}") == own => {}
        Ok(told) => faults.push(format!("the defaults are {own}, but those that are told are {told:?}")),
        Err(error) => faults.push(format!("the defaults that are told are refused: {error}")),
    }
    if faults.is_empty() { Ok(keys.len()) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::{
        payload::{Description, Failure},
        sdk::Handlers,
    };

    /// Says of its settings what is not so.
    struct Odd;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Settings {
        wait_secs: u64,
        name: String,
    }

    impl Plugin for Odd {
        type Settings = Settings;

        fn describe() -> Description {
            let settings = json!({ "properties": {
                "wait_secs": { "type": "integer", "description": "How long it waits.", "default": 7 },
                "name": { "type": "string", "description": "", "unit": "letters" },
            } });
            Description::new("odd", "0.0.1", "is told wrongly").settings(settings)
        }

        fn configure(_settings: Settings) -> Result<Handlers, Failure> {
            Ok(Handlers::new())
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let faults = check_settings::<Odd>().unwrap_err();
        let told = [
            "other keys",
            "name: no description",
            "name: a unit",
            "name: no default",
            "wait_secs: no unit",
            "that are told are Settings { wait_secs: 7",
        ];
        assert_eq!(faults.len(), told.len(), "{faults:#?}");
        for (fault, told) in faults.iter().zip(told) {
            assert!(fault.contains(told), "{told}: {faults:#?}");
        }
    }
}
