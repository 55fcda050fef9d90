//! Figures over everything: counts by index, and sums by day that are moved with what they sum.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    DynamoStore,
    aggregate::Plan,
    client::Query,
    codec::{Reader, Record as _, StoredProject},
    table::Table,
    unit::{Change, Guard, Refused, Unit},
    value::{self, Item},
};
use crate::{
    backend::store::{Activity, DayFigures, Overview, Result, Statistics, TopAgent},
    domain::{
        agent::{Agent, AgentStatus, Invocation},
        project::ProjectStatus,
        time::Timestamp,
    },
};

/// Items that sums of a day are spread over, so that units seldom meet on one.
const SHARDS: u32 = 16;
/// Agents that the figures over agents look at.
const MOST_AGENTS: usize = 5_000;
/// Agents whose last questions are looked at for the activities.
const LAST_ASKED: usize = 5;
const DAY: i64 = 86_400_000_000;
/// Days that are asked for at a time.
const SIDE_BY_SIDE: usize = 16;

fn day_of(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

fn percent(part: u64, whole: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)] // counts of items
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

fn mean(sum: f64, count: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)] // counts of items
    if count == 0 { 0.0 } else { sum / count as f64 }
}

#[derive(Clone, Copy, Default)]
struct Sums {
    good: u64,
    bad: u64,
    /// Milliseconds.
    spent: u64,
}

impl Sums {
    fn add(&mut self, other: &Item) {
        let read = Reader(other);
        self.good += read.count("good").unwrap_or(0);
        self.bad += read.count("bad").unwrap_or(0);
        self.spent += read.count("spent_ms").unwrap_or(0);
    }

    fn spent(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)] // milliseconds
        let spent = self.spent as f64;
        spent
    }
}

impl DynamoStore {
    fn figures(&self, unit: &mut Unit, kind: &str, day: &str, good: bool, spent: f64) -> Result<()> {
        let shard = rand::random_range(0..SHARDS).to_string();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
        let spent = spent.clamp(0.0, 1e12) as u64;
        for day in [day, "all"] {
            let key = Table::State.two(&format!("figures#{kind}#{day}"), &shard);
            let add = vec![
                (if good { "good" } else { "bad" }.to_owned(), value::whole(1)),
                ("spent_ms".to_owned(), value::whole(spent)),
            ];
            let change = Change { add, ..Change::default() };
            unit.update(&self.tables, Table::State, key, change, &Guard::Open, Refused::Stale)?;
        }
        Ok(())
    }

    /// A build that ends counts on the day it ends.
    pub(crate) fn build_figures(&self, plan: &mut Plan) -> Result<()> {
        let status = plan.after.state().status;
        if !status.is_outcome() {
            return Ok(());
        }
        let good = status == ProjectStatus::Completed;
        // From the task's own start: an earlier build of the project is none of its time.
        let task = plan.after.task.as_ref().and_then(|task| task.task.started_at);
        let begun = task.or(plan.after.stored.project.started_at).unwrap_or(plan.now);
        let took = if good { plan.now.since(begun).as_secs_f64() * 1_000.0 } else { 0.0 };
        plan.after.stored.counted = Some(plan.now);
        self.figures(&mut plan.unit, "build", &day_of(plan.now), good, took)
    }

    /// Counts a build that another's worker ended, on the day it ended, once: the project's row says so.
    pub(crate) async fn count_build(&self, stored: &StoredProject) -> Result<bool> {
        let project = &stored.project;
        let (Some(ended), false) = (project.completed_at, stored.counted == project.completed_at) else {
            return Ok(false);
        };
        let good = project.status == ProjectStatus::Completed;
        let begun = project.started_at.unwrap_or(ended);
        let took = if good { ended.since(begun).as_secs_f64() * 1_000.0 } else { 0.0 };
        let mut unit = Unit::default();
        self.figures(&mut unit, "build", &day_of(ended), good, took)?;
        let set = vec![("counted_build".to_owned(), value::text(ended.to_string()))];
        let change = Change { set, ..Change::default() };
        let read = [
            ("revision", stored.read_revision()),
            ("counted_build", stored.counted.map(|at| value::text(at.to_string()))),
        ];
        let key = Table::Projects.one(project.project_id.as_str());
        unit.update(&self.tables, Table::Projects, key, change, &Guard::AsRead(&read), Refused::Stale)?;
        Ok(unit.commit(&self.tables).await?.is_ok())
    }

    /// An invocation counts on the day it is recorded.
    pub(crate) fn invocation_figures(&self, unit: &mut Unit, good: bool, took: f64) -> Result<()> {
        self.figures(unit, "invocation", &day_of(self.tables.clock()), good, took)
    }

    async fn sums(&self, kind: &str, day: &str) -> Result<Sums> {
        let query = Query::of(Table::State, "pk", value::text(format!("figures#{kind}#{day}")));
        let mut sums = Sums::default();
        for item in self.tables.all(query, 1_000).await? {
            sums.add(&item);
        }
        Ok(sums)
    }

    pub(crate) async fn days(&self, kind: &str, days: u32, now: Timestamp) -> Result<Vec<DayFigures>> {
        let dates: Vec<String> =
            (0..days).rev().map(|ago| day_of(Timestamp::from_micros(now.as_micros() - i64::from(ago) * DAY))).collect();
        let each = dates.clone().into_iter().map(|date| async move { self.sums(kind, &date).await });
        let sums = stream::iter(each).buffered(SIDE_BY_SIDE);
        let sums: Vec<Sums> = sums.try_collect().await?;
        let mut all = Vec::new();
        for (date, sums) in dates.into_iter().zip(sums) {
            let (good, bad) = (sums.good, sums.bad);
            let measured = if kind == "build" { good } else { good + bad };
            let avg_duration_ms = mean(sums.spent(), measured);
            all.push(DayFigures { date, total: good + bad, successful: good, failed: bad, avg_duration_ms });
        }
        Ok(all)
    }

    async fn some_agents(&self) -> Result<Vec<Agent>> {
        let mut agents: Vec<Agent> = Vec::new();
        for status in AgentStatus::ALL {
            let query = Query {
                forward: false,
                ..Query::by(Table::Agents, "StatusIndex", "status", value::text(status.as_str()))
            };
            let items = self.tables.all(query, MOST_AGENTS).await?;
            agents.extend(items.iter().filter_map(|item| Agent::from_item(item).ok()));
        }
        Ok(agents)
    }
}

#[async_trait]
impl Statistics for DynamoStore {
    async fn overview(&self, now: Timestamp) -> Result<Overview> {
        let (projects, agents) = tokio::try_join!(self.projects_by_status(), self.agents_by_status())?;
        let projects: HashMap<_, _> = projects.into_iter().collect();
        let agents: HashMap<_, _> = agents.into_iter().collect();
        let today = day_of(now);
        let (builds, invocations, today) = tokio::try_join!(
            self.sums("build", "all"),
            self.sums("invocation", "all"),
            self.sums("invocation", &today)
        )?;
        let of = |status| projects.get(&status).copied().unwrap_or(0);
        let (completed, failed) = (of(ProjectStatus::Completed), of(ProjectStatus::Failed));
        Ok(Overview {
            total_projects: projects.values().sum(),
            building_projects: of(ProjectStatus::Building),
            completed_projects: completed,
            failed_projects: failed,
            total_agents: agents.values().sum(),
            running_agents: agents.get(&AgentStatus::Running).copied().unwrap_or(0),
            total_invocations: invocations.good + invocations.bad,
            today_invocations: today.good + today.bad,
            success_rate: percent(completed, completed + failed),
            avg_build_time_minutes: mean(builds.spent(), builds.good) / 60_000.0,
        })
    }

    async fn build_days(&self, days: u32, now: Timestamp) -> Result<Vec<DayFigures>> {
        self.days("build", days, now).await
    }

    async fn invocation_days(&self, days: u32, now: Timestamp) -> Result<Vec<DayFigures>> {
        self.days("invocation", days, now).await
    }

    async fn agent_categories(&self) -> Result<Vec<(String, u64)>> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for agent in self.some_agents().await? {
            *counts.entry(agent.category).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(counts)
    }

    async fn top_agents(&self, limit: usize) -> Result<Vec<TopAgent>> {
        let mut agents = self.some_agents().await?;
        agents.sort_by_key(|agent| std::cmp::Reverse(agent.total_invocations));
        let top = agents.into_iter().take(limit).map(|agent| TopAgent {
            agent_id: agent.agent_id,
            agent_name: agent.agent_name,
            category: agent.category,
            total_invocations: agent.total_invocations,
            status: agent.status,
        });
        Ok(top.collect())
    }

    /// No index has the order of ends or of questions: ends are those of the projects that
    /// were posted last, questions those to the agents that were asked last.
    async fn recent_activities(&self, limit: usize) -> Result<Vec<Activity>> {
        let mut found = Vec::new();
        for status in ProjectStatus::ALL {
            let query = Query {
                forward: false,
                limit: limit.clamp(1, 1_000),
                ..Query::by(Table::Projects, "StatusIndex", "status", value::text(status.as_str()))
            };
            for item in self.tables.query(&query).await?.items {
                let Ok(StoredProject { project, .. }) = StoredProject::from_item(&item) else { continue };
                let activity = |timestamp, action: &str| Activity {
                    kind: "project".into(),
                    id: project.project_id.to_string(),
                    name: project.project_name.clone(),
                    status: project.status.to_string(),
                    timestamp,
                    action: action.into(),
                    invocation_id: None,
                };
                found.push(activity(project.created_at, "created"));
                found.extend(project.completed_at.map(|at| activity(at, project.status.as_str())));
            }
        }
        let mut agents = self.some_agents().await?;
        found.extend(agents.iter().map(|agent| Activity {
            kind: "agent".into(),
            id: agent.agent_id.to_string(),
            name: agent.agent_name.clone(),
            status: agent.status.to_string(),
            timestamp: agent.created_at,
            action: "created".into(),
            invocation_id: None,
        }));
        agents.retain(|agent| agent.last_invoked_at.is_some());
        agents.sort_by_key(|agent| std::cmp::Reverse(agent.last_invoked_at));
        for agent in agents.iter().take(LAST_ASKED) {
            let query = Query {
                forward: false,
                limit: limit.clamp(1, 100),
                ..Query::by(Table::Invocations, "AgentIndex", "agent_id", value::text(agent.agent_id.as_str()))
            };
            let items = self.tables.query(&query).await?.items;
            let asked = items.iter().filter_map(|item| Invocation::from_item(item).ok());
            found.extend(asked.map(|asked| Activity {
                kind: "invocation".into(),
                id: agent.agent_id.to_string(),
                name: agent.agent_name.clone(),
                status: asked.status.to_string(),
                timestamp: asked.created_at,
                action: "invoked".into(),
                invocation_id: Some(asked.invocation_id.to_string()),
            }));
        }
        found.sort_by_key(|activity| std::cmp::Reverse(activity.timestamp));
        found.truncate(limit);
        Ok(found)
    }
}
