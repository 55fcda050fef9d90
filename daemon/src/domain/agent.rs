//! Agents that came out of builds, and the record of asking them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    assessment::Assessment,
    ids::{AgentId, InvocationId, ProjectId, SessionId},
    time::Timestamp,
};

super::words! {
    /// Where an agent is (SPEC: `nexus_agents.status`).
    AgentStatus {
        /// Its project is being built.
        Building = "building",
        /// A deploy task is under way.
        Deploying = "deploying",
        /// Answers, or starts by itself on first use.
        Running = "running",
        /// Taken out of service.
        Offline = "offline",
        /// Its deployment failed.
        Error = "error",
    }
}

/// A row of `nexus_agents`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agent {
    /// Key.
    pub agent_id: AgentId,
    /// The project it came from; none for one that was registered by hand.
    pub project_id: Option<ProjectId>,
    /// Short name.
    pub agent_name: String,
    /// What people call it, and no other (the daemon's own attribute).
    pub display_name: String,
    /// One or two sentences.
    pub description: String,
    /// For grouping.
    pub category: String,
    /// The agent's version.
    pub version: String,
    /// Where it is.
    pub status: AgentStatus,
    /// Name of its deployment target: local, agentcore.
    pub deployment_type: String,
    /// ARN and alias on AgentCore.
    pub agentcore_config: Option<Value>,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// How much of its requirement it serves: `coverage`, `not_served`, `acceptance` (SPEC, section 7).
    #[serde(flatten)]
    pub assessment: Assessment,
    /// Names of its tools.
    pub tools: Vec<String>,
    /// Relative to the project's folder.
    pub prompt_path: Option<String>,
    /// Relative to the project's folder.
    pub code_path: Option<String>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Last successful deployment.
    pub deployed_at: Option<Timestamp>,
    /// AgentCore runtime.
    pub agentcore_runtime_arn: Option<String>,
    /// AgentCore alias.
    pub agentcore_runtime_alias: Option<String>,
    /// AgentCore region.
    pub agentcore_region: Option<String>,
    /// Number of its deployment, raised when one is claimed: a process of another number does not answer for it (the
    /// daemon's own attribute).
    pub generation: u64,
    /// Invocations in all.
    pub total_invocations: u64,
    /// Those that succeeded.
    pub successful_invocations: u64,
    /// Those that failed.
    pub failed_invocations: u64,
    /// Mean time of an invocation, milliseconds.
    pub avg_duration_ms: f64,
    /// When it was asked last.
    pub last_invoked_at: Option<Timestamp>,
    /// Why it is in `error`.
    pub error_message: Option<String>,
    /// The agent's folder, relative to the project's (the daemon's own attribute).
    pub agent_dir: String,
    /// The deployment request, as the user gave it (the daemon's own attribute).
    #[serde(skip)]
    pub deployment_config: Option<Value>,
    /// What the deploy handler wants back with every request (the daemon's own attribute).
    #[serde(skip)]
    pub deployment_details: Option<Value>,
}

/// What a build says of the agent it made; the record is made from it when the build ends.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAgent {
    /// Key.
    pub agent_id: AgentId,
    /// Short name.
    pub agent_name: String,
    /// What people call it; empty: the short name in words. Of several with one name all but the first get a number.
    pub display_name: String,
    /// One or two sentences.
    pub description: String,
    /// For grouping.
    pub category: String,
    /// Version.
    pub version: String,
    /// Name of the deployment target.
    pub deployment_type: String,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// What the build found out about it.
    pub assessment: Assessment,
    /// Names of its tools.
    pub tools: Vec<String>,
    /// Relative to the project's folder.
    pub prompt_path: Option<String>,
    /// Relative to the project's folder.
    pub code_path: Option<String>,
    /// Relative to the project's folder.
    pub agent_dir: String,
    /// The project's `deployment`.
    pub deployment_config: Option<Value>,
    /// What is to be known of the tools that were made for it.
    pub generated_tools: Vec<super::tool::NewTool>,
}

super::words! {
    /// How an invocation ended.
    InvocationStatus {
        /// Answered.
        Success = "success",
        /// Not, or not to the end.
        Failed = "failed",
    }
}

/// A row of `nexus_invocations`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    /// Key.
    pub invocation_id: InvocationId,
    /// Who was asked.
    pub agent_id: AgentId,
    /// In which conversation.
    pub session_id: Option<SessionId>,
    /// By whom.
    pub user_id: String,
    /// The question.
    pub input_text: String,
    /// The answer.
    pub output_text: Option<String>,
    /// How it ended.
    pub status: InvocationStatus,
    /// Milliseconds.
    pub duration_ms: u64,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Why it failed.
    pub error_message: Option<String>,
    /// When it was asked.
    pub created_at: Timestamp,
    /// The caller's own data.
    pub metadata: Option<Value>,
    /// Names of the tools that were called, once for each call.
    #[serde(skip)]
    pub tool_names: Vec<String>,
}
