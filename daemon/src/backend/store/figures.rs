//! Answers of the store's statistics.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{agent::AgentStatus, ids::AgentId, time::Timestamp};

/// Figures over everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Overview {
    pub total_projects: u64,
    pub building_projects: u64,
    pub completed_projects: u64,
    pub failed_projects: u64,
    pub total_agents: u64,
    /// Agents that can be asked.
    pub running_agents: u64,
    /// Those of deleted agents included.
    pub total_invocations: u64,
    /// Since midnight, UTC.
    pub today_invocations: u64,
    /// Completed projects among those that completed or failed, 0 to 100.
    pub success_rate: f64,
    /// From the start of a build to its completion.
    pub avg_build_time_minutes: f64,
}

/// Figures of one day, UTC. A build counts on the day it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct DayFigures {
    /// `2026-01-27`.
    pub date: String,
    /// Successful and failed ones.
    pub total: u64,
    pub successful: u64,
    pub failed: u64,
    /// Mean duration: of successful builds, of all invocations.
    pub avg_duration_ms: f64,
}

/// An agent among the most asked.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TopAgent {
    pub agent_id: AgentId,
    pub agent_name: String,
    pub category: String,
    /// How often it was asked.
    pub total_invocations: u64,
    /// Whether it can be asked.
    pub status: AgentStatus,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Activity {
    /// `project`, `agent` or `invocation`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The project's, or the agent's, also of an invocation.
    pub id: String,
    pub name: String,
    pub status: String,
    pub timestamp: Timestamp,
    /// `created`, `completed`, `failed`, `cancelled` or `invoked`.
    pub action: String,
    /// The record of the question, for an `invocation`.
    pub invocation_id: Option<String>,
}
