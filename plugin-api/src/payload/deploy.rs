use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ModelAccess, Usage};

/// The agent that a deploy handler is asked about. Every request carries all of it, so a handler
/// that lost its memory (a reload, a restart) can go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentRef {
    /// `agent_…`.
    pub agent_id: String,
    /// Short name.
    pub agent_name: String,
    /// `proj_…`; empty for an agent without a project.
    #[serde(default)]
    pub project_id: String,
    /// The agent's folder: absolute. May be gone when undeploying.
    pub agent_dir: PathBuf,
    /// A folder for the handler's own files on this agent (logs): absolute, exists.
    pub state_dir: PathBuf,
    /// The project's `deployment` as the user gave it, or the message's `deployment_config`.
    #[serde(default)]
    pub config: Value,
    /// `details` of the last [`DeployResult`].
    #[serde(default)]
    pub details: Map<String, Value>,
    /// Number of the agent's deployment, which grows with each, on whatever daemon that ran. A handler that keeps
    /// something running for the agent begins it anew, from `agent_dir` as it is now, when a request has a higher number
    /// than the one it was begun with. 0: never deployed, or the daemon is one that does not number them.
    #[serde(default)]
    pub generation: u64,
    /// The agent's files as they were when they were last written through the daemon: path below `agent_dir`, and its
    /// SHA-256 in hexadecimal digits (two, with a blank between, while the file is being replaced). A handler that starts
    /// something from the folder refuses one that differs, and code that is not listed. Empty: nothing is known of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// How the agent asks language models: on its own account, whoever asks it. Only for `deploy` and `invoke`, made anew
    /// for each, so that whatever is started then can ask for as long as the token lasts; absent when the daemon knows no
    /// model. An agent gets this and never a provider's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<ModelAccess>,
    /// A folder for what handlers make and can make again, shared by all agents: packages, for one. Absolute; it may have
    /// to be made, and may be emptied while the daemon does not run. Empty: there is none.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub cache_dir: PathBuf,
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

/// A deployment that succeeded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeployResult {
    /// Where the agent answers, for people.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// What later requests need (an ARN, a version); kept by the daemon and handed back.
    #[serde(default)]
    pub details: Map<String, Value>,
}

/// How an agent is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// In one word.
    pub state: AgentState,
    /// For people: why it is so.
    #[serde(default)]
    pub message: String,
    /// Whatever else is known (pid, port, restarts).
    #[serde(default)]
    pub details: Map<String, Value>,
}

/// States of a deployed agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Being made ready.
    Starting,
    /// Answers.
    Running,
    /// Not running now, would start on first use.
    Idle,
    /// Not deployed here.
    Offline,
    /// Failed and not recovering by itself.
    Error,
}

/// One question to an agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InvokeRequest {
    /// Whom.
    pub agent: AgentRef,
    /// The conversation; at least 33 characters (AgentCore's rule).
    pub session_id: String,
    /// The question.
    pub input_text: String,
    /// What was said before in this session, oldest first, bounded by the daemon.
    #[serde(default)]
    pub history: Vec<HistoryMessage>,
    /// Whether the caller wants `trace`.
    #[serde(default)]
    pub enable_trace: bool,
    /// The caller's own data.
    #[serde(default)]
    pub metadata: Value,
}

/// An earlier message of the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryMessage {
    /// `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

/// The whole answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InvokeResult {
    /// The answer's text, whole (what the text events said, in order).
    pub output: String,
    /// Tokens used.
    #[serde(default)]
    pub usage: Usage,
    /// Tools used, in order.
    #[serde(default)]
    pub tool_calls: Vec<ToolCall>,
    /// Steps, when asked for.
    #[serde(default)]
    pub trace: Option<Value>,
}

/// One use of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Unique within the answer.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub input: Value,
    /// Its result as text.
    pub result: String,
    /// `success` or `error`.
    pub status: String,
}
