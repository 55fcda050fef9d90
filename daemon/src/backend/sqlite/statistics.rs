//! Figures over everything: from the counts in memory and the sums by day, never by reading all rows.

use std::collections::HashMap;

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use super::{
    SqliteStore,
    counts::{Counted, Counts},
    rows,
};
use crate::{
    backend::store::{Activity, DayFigures, Overview, Result, Statistics, TopAgent},
    domain::time::Timestamp,
};

fn percent(part: u64, whole: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)] // counts of rows
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

fn mean(sum: f64, count: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)] // counts of rows
    if count == 0 { 0.0 } else { sum / count as f64 }
}

/// The day of a time, as its text begins.
fn day_of(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

struct Sums {
    good: u64,
    bad: u64,
    spent: f64,
}

fn sums(row: &Row<'_>, from: usize) -> rusqlite::Result<Sums> {
    Ok(Sums { good: rows::count(row, from)?, bad: rows::count(row, from + 1)?, spent: row.get(from + 2)? })
}

pub(crate) fn overview(conn: &Connection, counts: &Counts, now: Timestamp) -> Result<Overview> {
    let mut all = conn.prepare_cached(
        "SELECT coalesce(sum(good), 0), coalesce(sum(bad), 0), coalesce(sum(spent), 0.0) FROM day_figures WHERE kind = ?1",
    )?;
    let builds = all.query_row(["build"], |row| sums(row, 0))?;
    let invocations = all.query_row(["invocation"], |row| sums(row, 0))?;
    let mut today = conn.prepare_cached(
        "SELECT coalesce(sum(good), 0), coalesce(sum(bad), 0), 0.0 FROM day_figures WHERE kind = 'invocation' AND day = ?1",
    )?;
    let today = today.query_row([day_of(now)], |row| sums(row, 0))?;
    let status = |word| counts.of(&Counted::ProjectStatus(word));
    let (completed, failed) = (status("completed"), status("failed"));
    Ok(Overview {
        total_projects: counts.of(&Counted::Projects),
        building_projects: status("building"),
        completed_projects: completed,
        failed_projects: failed,
        total_agents: counts.of(&Counted::Agents),
        running_agents: counts.of(&Counted::AgentStatus("running")),
        total_invocations: invocations.good + invocations.bad,
        today_invocations: today.good + today.bad,
        success_rate: percent(completed, completed + failed),
        avg_build_time_minutes: mean(builds.spent, builds.good) / 60_000.0,
    })
}

/// The last `days` days, today the last, each there.
pub(crate) fn days(conn: &Connection, kind: &str, days: u32, now: Timestamp) -> Result<Vec<DayFigures>> {
    const DAY: i64 = 86_400_000_000;
    let back = |days: u32| day_of(Timestamp::from_micros(now.as_micros() - i64::from(days) * DAY));
    let first = back(days.saturating_sub(1));
    let mut find =
        conn.prepare_cached("SELECT day, good, bad, spent FROM day_figures WHERE kind = ?1 AND day >= ?2")?;
    let found = find.query_map(params![kind, first], |row| Ok((row.get::<_, String>(0)?, sums(row, 1)?)))?;
    let mut found: HashMap<String, Sums> = found.collect::<rusqlite::Result<_>>()?;
    let each = (0..days).rev().map(|ago| {
        let date = back(ago);
        let Sums { good, bad, spent } = found.remove(&date).unwrap_or(Sums { good: 0, bad: 0, spent: 0.0 });
        let measured = if kind == "build" { good } else { good + bad };
        DayFigures { date, total: good + bad, successful: good, failed: bad, avg_duration_ms: mean(spent, measured) }
    });
    Ok(each.collect())
}

pub(crate) fn top_agents(conn: &Connection, limit: usize) -> Result<Vec<TopAgent>> {
    let mut find = conn.prepare_cached(
        "SELECT agent_id, agent_name, category, total_invocations, status FROM nexus_agents
         ORDER BY total_invocations DESC LIMIT ?1",
    )?;
    let found = find.query_map([rows::integer(limit as u64)], |row| {
        Ok(TopAgent {
            agent_id: rows::word(row, 0)?,
            agent_name: row.get(1)?,
            category: row.get(2)?,
            total_invocations: rows::count(row, 3)?,
            status: rows::word(row, 4)?,
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Each part reads as many as can be shown; together they are sorted.
const ACTIVITIES: &str = "
SELECT * FROM (SELECT 'project', project_id, project_name, status, created_at AS at, 'created', NULL
    FROM nexus_projects ORDER BY created_at DESC LIMIT ?1)
UNION ALL SELECT * FROM (SELECT 'project', project_id, project_name, status, completed_at AS at, status, NULL
    FROM nexus_projects WHERE completed_at IS NOT NULL ORDER BY completed_at DESC LIMIT ?1)
UNION ALL SELECT * FROM (SELECT 'agent', agent_id, agent_name, status, created_at AS at, 'created', NULL
    FROM nexus_agents ORDER BY created_at DESC LIMIT ?1)
UNION ALL SELECT * FROM (SELECT 'invocation', i.agent_id, coalesce(a.agent_name, i.agent_id), i.status,
        i.created_at AS at, 'invoked', i.invocation_id
    FROM nexus_invocations i LEFT JOIN nexus_agents a USING (agent_id)
    WHERE NOT EXISTS (SELECT 1 FROM doomed_agents d
        WHERE d.agent_id = i.agent_id AND i.invocation_key <= d.last_invocation) ORDER BY i.created_at DESC LIMIT ?1)
ORDER BY at DESC LIMIT ?1";

pub(crate) fn activities(conn: &Connection, limit: usize) -> Result<Vec<Activity>> {
    let mut find = conn.prepare_cached(ACTIVITIES)?;
    let found = find.query_map([rows::integer(limit as u64)], |row| {
        Ok(Activity {
            kind: row.get(0)?,
            id: row.get(1)?,
            name: row.get(2)?,
            status: row.get(3)?,
            timestamp: rows::word(row, 4)?,
            action: row.get(5)?,
            invocation_id: row.get(6)?,
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

#[async_trait]
impl Statistics for SqliteStore {
    async fn overview(&self, now: Timestamp) -> Result<Overview> {
        let counts = self.inner.counts.clone();
        self.ask(move |conn| overview(conn, &counts, now)).await
    }

    async fn build_days(&self, days: u32, now: Timestamp) -> Result<Vec<DayFigures>> {
        self.ask(move |conn| self::days(conn, "build", days, now)).await
    }

    async fn invocation_days(&self, days: u32, now: Timestamp) -> Result<Vec<DayFigures>> {
        self.ask(move |conn| self::days(conn, "invocation", days, now)).await
    }

    async fn agent_categories(&self) -> Result<Vec<(String, u64)>> {
        Ok(self.inner.counts.categories())
    }

    async fn top_agents(&self, limit: usize) -> Result<Vec<TopAgent>> {
        self.ask(move |conn| top_agents(conn, limit)).await
    }

    async fn recent_activities(&self, limit: usize) -> Result<Vec<Activity>> {
        self.ask(move |conn| activities(conn, limit)).await
    }
}
