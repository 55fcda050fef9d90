//! Agents that answer as a test says.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use nexus_daemon::{
    domain::failure::Failure,
    jobs::executor::{Executor, Job},
};
use nexus_plugin_api::payload::{Event, HandlerKind, Operation};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// How the next answers go.
#[derive(Clone)]
pub struct Script {
    /// Said in order.
    pub events: Vec<Event>,
    /// After them.
    pub outcome: Result<Value, Failure>,
    /// When set, each event waits for a permit.
    pub gate: Option<Arc<Semaphore>>,
    /// Panic instead of starting.
    pub panic: bool,
    /// When set, events come so far apart, and each text begins with the time at which it is said: `at=<microseconds>=`.
    pub pace: Option<Duration>,
}

impl Default for Script {
    fn default() -> Self {
        let said = |delta: &str| Event::Text { delta: delta.to_owned() };
        Self {
            events: vec![said("Hello "), said("there")],
            outcome: Ok(json!({ "output": "Hello there", "usage": { "input_tokens": 3, "output_tokens": 2 } })),
            gate: None,
            panic: false,
            pace: None,
        }
    }
}

#[derive(Default)]
pub struct ScriptedAgents {
    pub script: Mutex<Script>,
    /// What was asked, as `op` and body.
    pub asked: Mutex<Vec<Value>>,
    /// Jobs dropped before their end.
    pub cancelled: Arc<AtomicUsize>,
}

struct ScriptedJob {
    events: std::vec::IntoIter<Event>,
    outcome: Option<Result<Value, Failure>>,
    gate: Option<Arc<Semaphore>>,
    pace: Option<tokio::time::Interval>,
    cancelled: Arc<AtomicUsize>,
}

#[async_trait]
impl Executor for ScriptedAgents {
    async fn start(&self, _handler: &str, _kind: HandlerKind, operation: Operation) -> Result<Box<dyn Job>, Failure> {
        let asked = serde_json::to_value(&operation).unwrap();
        let is_invoke = asked["op"] == "invoke";
        // Of a runtime that others deployed one asks before anything else whether it is there.
        let is_adopted = asked["op"] == "status" && asked["body"]["details"]["adopted"] == true;
        let plain = if is_adopted { json!({ "state": "running", "message": "" }) } else { json!({}) };
        self.asked.lock().unwrap().push(asked);
        let script = if is_invoke {
            self.script.lock().unwrap().clone()
        } else {
            Script { events: Vec::new(), outcome: Ok(plain), ..Script::default() }
        };
        assert!(!script.panic, "a scripted panic with /secret/path");
        Ok(Box::new(ScriptedJob {
            events: script.events.into_iter(),
            outcome: Some(script.outcome),
            gate: script.gate,
            pace: script.pace.map(tokio::time::interval),
            cancelled: self.cancelled.clone(),
        }))
    }
}

#[async_trait]
impl Job for ScriptedJob {
    async fn next_event(&mut self) -> Option<Event> {
        if self.events.as_slice().is_empty() {
            return None;
        }
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        let mut event = self.events.next();
        if let (Some(pace), Some(Event::Text { delta })) = (&mut self.pace, &mut event) {
            pace.tick().await;
            let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
            *delta = format!("at={at}={delta}");
        }
        event
    }

    fn cancel(&self) {}

    async fn outcome(mut self: Box<Self>) -> Result<Value, Failure> {
        self.outcome.take().unwrap()
    }
}

impl Drop for ScriptedJob {
    fn drop(&mut self) {
        if self.outcome.is_some() {
            self.cancelled.fetch_add(1, Ordering::SeqCst);
        }
    }
}
