//! Answers of the store's statistics.

use serde::Serialize;

use crate::domain::{agent::AgentStatus, ids::AgentId, time::Timestamp};

/// Figures over everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Overview {
    /// Projects there are.
    pub total_projects: u64,
    /// Being built now.
    pub building_projects: u64,
    /// Completed.
    pub completed_projects: u64,
    /// Failed.
    pub failed_projects: u64,
    /// Agents there are.
    pub total_agents: u64,
    /// Agents that can be asked.
    pub running_agents: u64,
    /// Questions to agents, those of deleted agents included.
    pub total_invocations: u64,
    /// Of these since midnight, UTC.
    pub today_invocations: u64,
    /// Completed projects among those that completed or failed, 0 to 100.
    pub success_rate: f64,
    /// Mean time from the start to the completion of a build.
    pub avg_build_time_minutes: f64,
}

/// Figures of one day, UTC. A build counts on the day it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct DayFigures {
    /// `2026-01-27`.
    pub date: String,
    /// Successful and failed ones.
    pub total: u64,
    /// Successful ones.
    pub successful: u64,
    /// Failed ones.
    pub failed: u64,
    /// Mean duration: of successful builds, of all invocations.
    pub avg_duration_ms: f64,
}

/// An agent among the most asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TopAgent {
    /// Which.
    pub agent_id: AgentId,
    /// Its name.
    pub agent_name: String,
    /// For grouping.
    pub category: String,
    /// How often it was asked.
    pub total_invocations: u64,
    /// Whether it can be asked.
    pub status: AgentStatus,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Activity {
    /// `project`, `agent` or `invocation`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of what: the project, or the agent, also that of an invocation.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its state now.
    pub status: String,
    /// When.
    pub timestamp: Timestamp,
    /// `created`, `completed`, `failed`, `cancelled` or `invoked`.
    pub action: String,
    /// The record of the question, for an `invocation`.
    pub invocation_id: Option<String>,
}
