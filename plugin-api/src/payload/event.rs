use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a running job reports. Longer ones than the daemon's
/// `max_event_bytes` are dropped and counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A line for the stage's log.
    Log {
        /// Severity.
        level: LogLevel,
        /// One line.
        message: String,
    },
    /// How far the job is.
    Progress {
        /// From 0 to 1.
        value: f64,
        /// What it does now.
        #[serde(default)]
        message: String,
    },
    /// Tokens used since the last such event; the daemon adds them up.
    Tokens {
        /// Tokens read by the model.
        input: u64,
        /// Tokens written by the model.
        output: u64,
    },
    /// A piece of text: model output of a stage, the answer of an invocation.
    Text {
        /// The piece, in order.
        delta: String,
    },
    /// A tool is about to be used.
    ToolStart {
        /// Unique within the job.
        id: String,
        /// The tool's name.
        name: String,
    },
    /// The tool's arguments, whole or in pieces of JSON text.
    ToolInput {
        /// As in `ToolStart`.
        id: String,
        /// A piece of JSON text.
        delta: String,
    },
    /// The tool answered.
    ToolEnd {
        /// As in `ToolStart`.
        id: String,
        /// The tool's name.
        name: String,
        /// The arguments.
        input: Value,
        /// The result as text.
        result: String,
        /// Whether the tool failed.
        #[serde(default)]
        failed: bool,
    },
    /// A file was written into the workspace.
    File {
        /// Relative to the workspace, `/` as separator.
        path: String,
    },
}

/// Severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// For the plugin's author.
    Debug,
    /// Normal.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

impl LogLevel {
    /// The word for it in a line of text.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}
