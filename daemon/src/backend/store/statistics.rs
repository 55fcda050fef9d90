//! Statistics and their answers.

use async_trait::async_trait;

use super::{Activity, DayFigures, Overview, Result, TopAgent};
use crate::domain::time::Timestamp;

#[async_trait]
pub trait Statistics: Send + Sync + 'static {
    /// Figures over everything; `now` says which day is today.
    async fn overview(&self, now: Timestamp) -> Result<Overview>;

    /// Builds by the day on which they ended: the last `days` days, every one there, today the last.
    async fn build_days(&self, days: u32, now: Timestamp) -> Result<Vec<DayFigures>>;

    /// Invocations by day, likewise.
    async fn invocation_days(&self, days: u32, now: Timestamp) -> Result<Vec<DayFigures>>;

    /// Categories of agents, the largest first.
    async fn agent_categories(&self) -> Result<Vec<(String, u64)>>;

    /// The agents that were asked most.
    async fn top_agents(&self, limit: usize) -> Result<Vec<TopAgent>>;

    /// What happened last, newest first.
    async fn recent_activities(&self, limit: usize) -> Result<Vec<Activity>>;
}
