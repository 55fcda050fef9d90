//! What a running job reports, on its way into the store: events in small batches, the last log lines,
//! the sums of tokens and tool calls.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use nexus_plugin_api::payload::{Event, LogLevel};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    backend::{error::BackendErrorKind, store::Origin},
    domain::{
        event::{EventType, NewEvent},
        project::StageFigures,
        rel_path::RelPath,
        task::Lease,
        text::shorten,
        time::Timestamp,
    },
    jobs::Listener,
    workers::environment::Environment,
};

/// Events stored together at most.
const BATCH: usize = 64;
/// Bytes of events stored together, nearly.
const BATCH_BYTES: usize = 512 * 1024;
/// Longest text of one event, in bytes.
const MAX_DELTA: usize = 64 * 1024;
/// How long an event waits for others at most.
const DELAY: Duration = Duration::from_millis(20);
/// Log lines kept in the stage's row.
const MAX_LOG_LINES: usize = 200;
/// Longest log line, tool input or tool result that is kept, in characters.
const MAX_TEXT: usize = 4_000;

/// Collects the events of one job.
pub struct Journal {
    env: Arc<Environment>,
    /// Under which its events are stored.
    lease: Lease,
    stage: String,
    waiting: Vec<NewEvent>,
    /// Of what waits, nearly.
    bytes: usize,
    /// When the oldest waiting event must be stored.
    due: Option<Instant>,
    log: VecDeque<String>,
    figures: StageFigures,
}

impl Listener for Journal {
    /// Waits for the store when a batch is full: that is the plugin's backpressure.
    async fn hear(&mut self, event: Event) {
        match event {
            // Text may be split anywhere: nothing of a long one is lost.
            Event::Text { delta } if delta.len() > MAX_DELTA => {
                let mut rest = delta.as_str();
                while !rest.is_empty() {
                    let (part, after) = rest.split_at(rest.floor_char_boundary(MAX_DELTA));
                    self.note_one(Event::Text { delta: part.to_owned() }).await;
                    rest = after;
                }
            }
            event => self.note_one(event).await,
        }
    }

    /// Never while nothing waits.
    async fn due(&self) {
        match self.due {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Stores what waits. Events are a report, not the work: a store that is away loses them, with a
    /// line in the daemon's log, and does not fail the stage.
    async fn flush(&mut self) {
        self.due = None;
        if self.waiting.is_empty() {
            return;
        }
        let events = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        let project = &self.lease.project_id;
        let Err(error) = self.env.store.append_events(project, Origin::Lease(&self.lease), events).await else {
            return;
        };
        // Cancelled, or taken over: whoever did that has told of it.
        if error.kind() == BackendErrorKind::Fenced {
            tracing::debug!(project_id = %project, stage = %self.stage, "the lease of a build was lost; its last events were dropped");
        } else {
            tracing::warn!(project_id = %project, stage = %self.stage, %error, "events of a stage were not stored");
        }
    }
}

impl Journal {
    /// An empty journal of a stage.
    pub fn new(env: Arc<Environment>, lease: Lease, stage: String) -> Self {
        let log = VecDeque::new();
        Self { env, lease, stage, waiting: Vec::new(), bytes: 0, due: None, log, figures: StageFigures::default() }
    }

    async fn note_one(&mut self, event: Event) {
        let Some((kind, mut fields)) = self.translate(event) else { return };
        if let Value::Object(map) = &mut fields {
            map.insert("stage_name".into(), self.stage.clone().into());
        }
        let event = NewEvent::new(kind, fields);
        self.bytes += event.weight();
        self.waiting.push(event);
        self.due.get_or_insert_with(|| Instant::now() + DELAY);
        if self.waiting.len() >= BATCH || self.bytes >= BATCH_BYTES {
            self.flush().await;
        }
    }

    /// Tokens and tool calls reported by events so far.
    pub const fn figures(&self) -> StageFigures {
        self.figures
    }

    /// The last log lines.
    pub fn into_log(self) -> Vec<String> {
        self.log.into()
    }

    fn translate(&mut self, event: Event) -> Option<(EventType, Value)> {
        Some(match event {
            Event::Log { level, message } => {
                let message = shorten(&message, MAX_TEXT);
                self.log_line(level, &message);
                (EventType::Log, json!({"level": level, "message": message}))
            }
            Event::Progress { value, message } => {
                let percent = (value.clamp(0.0, 1.0) * 1000.0).round() / 10.0;
                (EventType::Stage, json!({"status": "running", "stage_progress": percent, "message": message}))
            }
            Event::Tokens { input, output } => {
                self.figures.input_tokens = self.figures.input_tokens.saturating_add(input);
                self.figures.output_tokens = self.figures.output_tokens.saturating_add(output);
                let (total_in, total_out) = (self.figures.input_tokens, self.figures.output_tokens);
                (EventType::Stage, json!({"status": "running", "input_tokens": total_in, "output_tokens": total_out}))
            }
            Event::Text { delta } => (EventType::Text, json!({"text": delta})),
            Event::ToolStart { id, name } => {
                self.figures.tool_calls += 1;
                (EventType::Tool, json!({"phase": "start", "tool_id": id, "tool_name": name}))
            }
            Event::ToolInput { id, delta } => {
                (EventType::Tool, json!({"phase": "input", "tool_id": id, "data": shorten(&delta, MAX_TEXT)}))
            }
            Event::ToolEnd { id, name, input, result, failed } => {
                let input = bounded(input);
                let result = shorten(&result, MAX_TEXT);
                let fields = json!({
                    "phase": "end", "tool_id": id, "tool_name": name, "tool_input": input, "tool_result": result, "failed": failed,
                });
                (EventType::Tool, fields)
            }
            Event::File { path } => {
                // Within the workspace, and fit for a line of the log.
                if let Some(file) = RelPath::parse(&path).ok().filter(|_| !path.contains('\n')) {
                    return Some((EventType::File, json!({"path": file.as_str()})));
                }
                let message = format!("a file outside of the workspace was named: {}", shorten(&path, 200));
                self.log_line(LogLevel::Warn, &message);
                (EventType::Log, json!({"level": LogLevel::Warn, "message": message}))
            }
        })
    }

    fn log_line(&mut self, level: LogLevel, message: &str) {
        if self.log.len() == MAX_LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(format!("{} {} {message}", Timestamp::now(), level.word()));
    }
}

fn bounded(value: Value) -> Value {
    let text = value.to_string();
    if text.len() <= MAX_TEXT { value } else { shorten(&text, MAX_TEXT).into() }
}
