//! Agents that came out of builds, and the record of asking them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    assessment::Assessment,
    ids::{AgentId, InvocationId, ProjectId, SessionId},
    time::Timestamp,
};

super::words! {
    /// Whether an agent can be asked.
    AgentStatus {
        /// Its project is being built.
        Building = "building",
        /// A deploy task is under way.
        Deploying = "deploying",
        /// Answers, or starts by itself on first use.
        Running = "running",
        /// Taken out of service.
        Offline = "offline",
        Error = "error",
    }
}

/// Where an agent runs, or is to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployment {
    /// The deployment target, such as `local`; empty when none is known.
    pub target: String,
    /// What the target's vendor calls things by, as the deploy handler said: the ARN of a runtime, say.
    pub options: Map<String, Value>,
}

/// Where an agent is to run from its next deployment on.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPlace {
    /// The deployment target.
    pub target: String,
    /// The deployment request, as the user gave it.
    pub config: Value,
}

impl Deployment {
    /// To this target, of which nothing is known yet.
    pub fn to(target: impl Into<String>) -> Self {
        Self { target: target.into(), options: Map::new() }
    }

    /// What its record says of a deployment by others, in the form in which a deploy handler says it; nothing when it says
    /// nothing.
    pub fn as_details(&self) -> Option<Value> {
        (!self.options.is_empty()).then(|| serde_json::json!({ "details": self.options }))
    }

    /// An option that is text.
    pub fn text(&self, option: &str) -> Option<String> {
        self.options.get(option)?.as_str().map(str::to_owned)
    }
}

/// An agent that came out of a build.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Agent {
    pub agent_id: AgentId,
    /// The project it came from; none for one that was registered by hand.
    pub project_id: Option<ProjectId>,
    /// By which programs know it; several may have one.
    pub agent_name: String,
    /// For people: no other agent is called so.
    pub display_name: String,
    /// One or two sentences.
    pub description: String,
    pub category: String,
    pub version: String,
    pub status: AgentStatus,
    /// Where it runs, or is to run.
    #[serde(skip)]
    pub deployment: Deployment,
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
    pub updated_at: Timestamp,
    pub deployed_at: Option<Timestamp>,
    /// Number of its deployment, raised by each: whichever daemon is asked answers with the code of that one.
    // A process of another number does not answer for it.
    pub generation: u64,
    pub total_invocations: u64,
    pub successful_invocations: u64,
    pub failed_invocations: u64,
    /// Mean time of an invocation, milliseconds.
    pub avg_duration_ms: f64,
    /// When it was asked last.
    pub last_invoked_at: Option<Timestamp>,
    /// Why it is in `error`.
    pub error_message: Option<String>,
    /// Its folder, relative to the project's.
    pub agent_dir: String,
    /// The deployment request, as the user gave it (the daemon's own attribute).
    #[serde(skip)]
    pub deployment_config: Option<Value>,
    /// What the deploy handler wants back with every request (the daemon's own attribute).
    #[serde(skip)]
    pub deployment_details: Option<Value>,
    /// Its files as they were when a build or a person last wrote them: path within its folder, and SHA-256 (the daemon's
    /// own attribute). Empty: nobody recorded them.
    #[serde(skip)]
    pub files: BTreeMap<String, String>,
}

impl Agent {
    /// An agent of which nothing is known yet but its id.
    pub fn unused(agent_id: AgentId, now: Timestamp) -> Self {
        Self {
            agent_id,
            project_id: None,
            agent_name: String::new(),
            display_name: String::new(),
            description: String::new(),
            category: String::new(),
            version: String::new(),
            status: AgentStatus::Building,
            deployment: Deployment::default(),
            capabilities: Vec::new(),
            assessment: Assessment::default(),
            tools: Vec::new(),
            prompt_path: None,
            code_path: None,
            created_at: now,
            updated_at: now,
            deployed_at: None,
            generation: 0,
            total_invocations: 0,
            successful_invocations: 0,
            failed_invocations: 0,
            avg_duration_ms: 0.0,
            last_invoked_at: None,
            error_message: None,
            agent_dir: String::new(),
            deployment_config: None,
            deployment_details: None,
            files: BTreeMap::new(),
        }
    }
}

/// What is to change of an agent; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentChange {
    pub agent_name: Option<String>,
    pub description: Option<String>,
    pub category: Option<String>,
    pub version: Option<String>,
    /// What it can do.
    pub capabilities: Option<Vec<String>>,
    /// Names of its tools.
    pub tools: Option<Vec<String>>,
    /// Its state, by the agent machine.
    pub status: Option<AgentStatus>,
    /// Hashes of files that are written, beside those of the others.
    pub files: BTreeMap<String, String>,
}

/// What a build says of the agent it made; the record is made from it when the build ends.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAgent {
    pub agent_id: AgentId,
    pub agent_name: String,
    /// What people call it; empty: the short name in words. Of several with one name all but the first get a number.
    pub display_name: String,
    /// One or two sentences.
    pub description: String,
    pub category: String,
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
    pub deployment_config: Option<Value>,
    /// What is to be known of the tools that were made for it.
    pub generated_tools: Vec<super::tool::NewTool>,
    /// Its files by their hashes.
    pub files: BTreeMap<String, String>,
}

super::words! {
    /// How a question to an agent ended.
    InvocationStatus {
        Success = "success",
        /// Not, or not to the end.
        Failed = "failed",
    }
}

/// A row of `nexus_invocations`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    pub invocation_id: InvocationId,
    pub agent_id: AgentId,
    pub session_id: Option<SessionId>,
    pub user_id: String,
    pub input_text: String,
    pub output_text: Option<String>,
    pub status: InvocationStatus,
    /// Milliseconds.
    pub duration_ms: u64,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    pub error_message: Option<String>,
    /// When it was asked.
    pub created_at: Timestamp,
    /// The caller's own data.
    pub metadata: Option<Value>,
    /// Names of the tools that were called, once for each call.
    #[serde(skip)]
    pub tool_names: Vec<String>,
}
