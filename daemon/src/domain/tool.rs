//! Tools: what agents are made of. The catalogue's come from plugins, others from builds.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    ids::{AgentId, ProjectId, ToolId},
    time::Timestamp,
};

super::words! {
    /// Where a tool comes from.
    ToolSource {
        /// From the catalogue of a plugin.
        System = "system",
        /// Made by a build for its agent.
        Generated = "generated",
        /// Brought in from elsewhere.
        Imported = "imported",
    }
}

/// A tool: one function that agents call.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Tool {
    pub tool_id: ToolId,
    /// By which agents call it.
    pub tool_name: String,
    pub display_name: String,
    pub description: String,
    /// Kind of work it is for.
    pub category: String,
    /// Where it comes from.
    pub source: ToolSource,
    pub version: String,
    /// Relative to the project's folder, or within the plugin.
    pub code_path: Option<String>,
    /// The JSON Schema of its arguments. Keywords that begin with `x-` are the daemon's own.
    pub schema: Option<Value>,
    /// Packages that it needs.
    pub dependencies: Vec<String>,
    /// How often agents called it.
    pub usage_count: u64,
    /// When it was first known.
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The agent that it was made for.
    pub agent_id: Option<AgentId>,
    /// The project that made it.
    pub project_id: Option<ProjectId>,
}

/// What is known of a tool when it comes in.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTool {
    /// The name by which agents call it.
    pub tool_name: String,
    pub display_name: String,
    pub description: String,
    /// Kind of work it is for.
    pub category: String,
    pub version: String,
    pub code_path: Option<String>,
    /// JSON schema of its arguments.
    pub schema: Option<Value>,
    /// Packages that it needs.
    pub dependencies: Vec<String>,
    /// Its source text, when no file of a project has it.
    pub code: Option<String>,
}
