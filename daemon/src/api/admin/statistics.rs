//! `/statistics`: figures over everything, all of them counted, none made up.

use schemars::JsonSchema;
use std::time::Duration;

use salvo::{Router, Writer as _, oapi::endpoint};
use serde::Serialize;

use super::health::{Condition, check};
use crate::api::at;
use crate::api::http::{
    request::{
        extract::{Query, State},
        rules::{Count, fields_of},
    },
    response::{Answer, Reply},
};
use crate::{
    backend::store::{Activity, DayFigures, Overview, TopAgent},
    domain::{queue::QueueName, time::Timestamp},
};

/// The builds that ended on a day, UTC.
#[derive(Serialize, JsonSchema)]
struct BuildDay {
    date: String,
    /// Successful and failed ones.
    total_builds: u64,
    successful_builds: u64,
    failed_builds: u64,
    /// Of the successful ones.
    avg_duration_minutes: f64,
}

/// The questions to agents on a day, UTC.
#[derive(Serialize, JsonSchema)]
struct InvocationDay {
    date: String,
    total_invocations: u64,
    successful_invocations: u64,
    failed_invocations: u64,
    avg_duration_ms: f64,
}

/// How many agents are of a category.
#[derive(Serialize, JsonSchema)]
struct CategoryCount {
    category: String,
    count: u64,
}

pub(crate) fn paths() -> Router {
    Router::with_path("statistics")
        .push(at("overview", || show_overview))
        .push(at("builds", || builds))
        .push(at("invocations", || invocations))
        .push(at("agent-categories", || agent_categories))
        .push(at("top-agents", || top_agents))
        .push(at("recent-activities", || recent_activities))
        .push(at("system-health", || system_health))
}

fields_of! {
    /// How far back.
    pub(crate) DaysQuery {
        /// Today is the last of them.
        days: Count<1, 90, 7>,
    }
}

fields_of! {
    /// How many.
    pub(crate) TopQuery {
        limit: Count<1, 100, 10>,
    }
}

fn days_of(query: &DaysQuery) -> u32 {
    u32::try_from(query.days).unwrap_or(7)
}

fn limit_of(query: &TopQuery) -> usize {
    usize::try_from(query.limit).unwrap_or(10)
}

/// `GET /statistics/overview`
///
/// Read the figures over everything.
#[endpoint(operation_id = "getOverview", tags("statistics"))]
pub(crate) async fn show_overview(state: State) -> Answer<Overview> {
    Ok(Reply::new(state.store.overview(Timestamp::now()).await?))
}

/// `GET /statistics/builds`
///
/// Read the builds by day. Every day of the range is there.
#[endpoint(operation_id = "getBuildStatistics", tags("statistics"))]
pub(crate) async fn builds(state: State, query: Query<DaysQuery>) -> Answer<Vec<BuildDay>> {
    let days = state.store.build_days(days_of(&query.0), Timestamp::now()).await?;
    let shown = |day: DayFigures| BuildDay {
        date: day.date,
        total_builds: day.total,
        successful_builds: day.successful,
        failed_builds: day.failed,
        avg_duration_minutes: day.avg_duration_ms / 60_000.0,
    };
    Ok(Reply::new(days.into_iter().map(shown).collect()))
}

/// `GET /statistics/invocations`
///
/// Read the questions to agents by day. Every day of the range is there.
#[endpoint(operation_id = "getInvocationStatistics", tags("statistics"))]
pub(crate) async fn invocations(state: State, query: Query<DaysQuery>) -> Answer<Vec<InvocationDay>> {
    let days = state.store.invocation_days(days_of(&query.0), Timestamp::now()).await?;
    let shown = |day: DayFigures| InvocationDay {
        date: day.date,
        total_invocations: day.total,
        successful_invocations: day.successful,
        failed_invocations: day.failed,
        avg_duration_ms: day.avg_duration_ms,
    };
    Ok(Reply::new(days.into_iter().map(shown).collect()))
}

/// `GET /statistics/agent-categories`
///
/// Count the agents by category, the largest first.
#[endpoint(operation_id = "getAgentCategories", tags("statistics"))]
pub(crate) async fn agent_categories(state: State) -> Answer<Vec<CategoryCount>> {
    let all = state.store.agent_categories().await?;
    Ok(Reply::new(all.into_iter().map(|(category, count)| CategoryCount { category, count }).collect()))
}

/// `GET /statistics/top-agents`
///
/// List the agents that were asked most.
#[endpoint(operation_id = "getTopAgents", tags("statistics"))]
pub(crate) async fn top_agents(state: State, query: Query<TopQuery>) -> Answer<Vec<TopAgent>> {
    Ok(Reply::new(state.store.top_agents(limit_of(&query.0)).await?))
}

/// `GET /statistics/recent-activities`
///
/// List what happened last, newest first.
#[endpoint(operation_id = "getRecentActivities", tags("statistics"))]
pub(crate) async fn recent_activities(state: State, query: Query<TopQuery>) -> Answer<Vec<Activity>> {
    Ok(Reply::new(state.store.recent_activities(limit_of(&query.0)).await?))
}

crate::domain::words! {
    /// How the system is as a whole.
    SystemCondition {
        /// All is well.
        Healthy = "healthy",
        /// A part is slow or lacking.
        Degraded = "degraded",
        /// Many builds fail.
        Warning = "warning",
        /// The store or the queue is away.
        Critical = "critical",
    }
}

/// The system at a glance.
#[derive(Serialize, JsonSchema)]
struct SystemHealth {
    status: SystemCondition,
    database: Condition,
    /// Completed projects among those that completed or failed, 0 to 100; 100 when there are none.
    success_rate: f64,
    /// Agents that can be asked.
    active_agents: u64,
    building_projects: u64,
    last_check: Timestamp,
}

/// Below this share of completed builds the system needs a look.
const FEW_SUCCEED: f64 = 50.0;

/// `GET /statistics/system-health`
///
/// Read how the system is. It answers even when the store does not, and says so.
#[endpoint(operation_id = "getSystemHealth", tags("statistics"))]
pub(crate) async fn system_health(state: State) -> Answer<SystemHealth> {
    let now = Timestamp::now();
    let figures = tokio::time::timeout(Duration::from_millis(700), state.store.overview(now));
    let ((database, _), (queue, _), figures) = futures::join!(
        check("store", state.store.ping(), || state.store.trouble()),
        check("queue", state.queue.depth(QueueName::Build), || state.queue.trouble()),
        figures
    );
    let figures = figures.ok().and_then(Result::ok);
    let overview = figures.unwrap_or_default();
    let ended = overview.completed_projects + overview.failed_projects;
    let success_rate = if ended == 0 { 100.0 } else { overview.success_rate };
    let status = match database.max(queue) {
        Condition::Unhealthy | Condition::Stopping => SystemCondition::Critical,
        _ if figures.is_none() => SystemCondition::Critical,
        _ if success_rate < FEW_SUCCEED => SystemCondition::Warning,
        Condition::Degraded => SystemCondition::Degraded,
        Condition::Healthy => SystemCondition::Healthy,
    };
    Ok(Reply::new(SystemHealth {
        status,
        database,
        success_rate,
        active_agents: overview.running_agents,
        building_projects: overview.building_projects,
        last_check: now,
    }))
}
