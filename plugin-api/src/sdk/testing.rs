//! Runs handlers in a plugin's own tests, without a daemon.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::{Context, context::EventSink};
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
