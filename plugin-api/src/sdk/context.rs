use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::Value;
use tokio::sync::watch;

use crate::payload::{Event, LogLevel};

/// Where a job's events go. The boundary implements it; tests have their own.
pub(crate) trait EventSink: Send + Sync {
    fn send(&self, event: &Event);
}

/// A running job's line to the daemon. Cheap to clone; may be moved to other tasks and threads.
///
/// After the job is done every call is ignored.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

struct Inner {
    sink: Box<dyn EventSink>,
    cancelled: watch::Receiver<bool>,
    closed: AtomicBool,
}

impl Context {
    pub(crate) fn new(sink: Box<dyn EventSink>, cancelled: watch::Receiver<bool>) -> Self {
        Self { inner: Arc::new(Inner { sink, cancelled, closed: AtomicBool::new(false) }) }
    }

    /// A line for the stage's log.
    pub fn log(&self, level: LogLevel, message: impl Into<String>) {
        self.send(&Event::Log { level, message: message.into() });
    }

    /// An ordinary log line.
    pub fn info(&self, message: impl Into<String>) {
        self.log(LogLevel::Info, message);
    }

    /// A log line about something to look at.
    pub fn warn(&self, message: impl Into<String>) {
        self.log(LogLevel::Warn, message);
    }

    /// How far the job is, from 0 to 1, and what it does now.
    pub fn progress(&self, value: f64, message: impl Into<String>) {
        self.send(&Event::Progress { value: value.clamp(0.0, 1.0), message: message.into() });
    }

    /// Tokens used since the last call.
    pub fn tokens(&self, input: u64, output: u64) {
        self.send(&Event::Tokens { input, output });
    }

    /// A piece of text, shown as it comes.
    pub fn text(&self, delta: impl Into<String>) {
        self.send(&Event::Text { delta: delta.into() });
    }

    /// A tool is about to be used; `id` is unique within the job.
    pub fn tool_start(&self, id: &str, name: &str) {
        self.send(&Event::ToolStart { id: id.into(), name: name.into() });
    }

    /// A piece of the tool's arguments as JSON text.
    pub fn tool_input(&self, id: &str, delta: impl Into<String>) {
        self.send(&Event::ToolInput { id: id.into(), delta: delta.into() });
    }

    /// The tool answered.
    pub fn tool_end(&self, id: &str, name: &str, input: Value, result: impl Into<String>, failed: bool) {
        self.send(&Event::ToolEnd { id: id.into(), name: name.into(), input, result: result.into(), failed });
    }

    /// A whole tool call at once, for tools that are quick.
    pub fn tool_call(&self, id: &str, name: &str, input: Value, result: impl Into<String>, failed: bool) {
        self.tool_start(id, name);
        self.tool_end(id, name, input, result, failed);
    }

    /// A file was written; `path` is relative to the workspace.
    pub fn file(&self, path: impl Into<String>) {
        self.send(&Event::File { path: path.into() });
    }

    /// Whether the daemon asked the job to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.inner.cancelled.borrow()
    }

    /// Resolves when the daemon asks the job to end. Use it in `tokio::select!` beside the work.
    pub async fn cancelled(&self) {
        let mut cancelled = self.inner.cancelled.clone();
        if cancelled.wait_for(|c| *c).await.is_err() {
            // The handle is gone, so nobody can cancel any more.
            std::future::pending::<()>().await;
        }
    }

    /// Ignores all further events, so that a task left behind cannot speak for a finished job.
    pub(crate) fn close(&self) {
        self.inner.closed.store(true, Ordering::Release);
    }

    fn send(&self, event: &Event) {
        if !self.inner.closed.load(Ordering::Acquire) {
            self.inner.sink.send(event);
        }
    }
}
