//! How many there are, by index: counted once in a while, and moved by what this daemon writes in between.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{DynamoStore, client::Query, table::Table, value};
use crate::{
    backend::store::{Result, StoreCounts},
    domain::{agent::AgentStatus, project::ProjectStatus},
};

/// How long a count holds at least and at most, and in between how many times the time that it took.
const HOLDS: Duration = Duration::from_secs(5);
const HOLDS_AT_MOST: Duration = Duration::from_secs(60);
const WORTH: u32 = 100;
/// Counts of users and categories that are kept.
const KEPT: usize = 10_000;

/// What is counted: a partition of an index.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Counted {
    table: Table,
    index: &'static str,
    key: &'static str,
    value: String,
}

impl Counted {
    pub(crate) fn new(table: Table, index: &'static str, key: &'static str, value: &str) -> Self {
        Self { table, index, key, value: value.to_owned() }
    }

    fn project(status: ProjectStatus) -> Self {
        Self::new(Table::Projects, "StatusIndex", "status", status.as_str())
    }

    fn agent(status: AgentStatus) -> Self {
        Self::new(Table::Agents, "StatusIndex", "status", status.as_str())
    }
}

struct Count {
    number: u64,
    until: Instant,
    /// Moves since the counting began.
    moved: i64,
}

#[derive(Default)]
pub(crate) struct Counts(Mutex<HashMap<Counted, Count>>);

impl Counts {
    /// One more or one less.
    pub(crate) fn moved(&self, what: &Counted, by: i64) {
        if let Some(count) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(what) {
            count.number = count.number.saturating_add_signed(by);
            count.moved += by;
        }
    }

    pub(crate) fn project_moved(&self, from: Option<ProjectStatus>, to: Option<ProjectStatus>) {
        if from != to {
            from.inspect(|status| self.moved(&Counted::project(*status), -1));
            to.inspect(|status| self.moved(&Counted::project(*status), 1));
        }
    }

    pub(crate) fn agent_moved(&self, from: Option<AgentStatus>, to: Option<AgentStatus>) {
        if from != to {
            from.inspect(|status| self.moved(&Counted::agent(*status), -1));
            to.inspect(|status| self.moved(&Counted::agent(*status), 1));
        }
    }

    fn known(&self, what: &Counted) -> Option<u64> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(what).filter(|count| count.until > Instant::now()).map(|count| count.number)
    }

    fn keep(&self, what: &Counted, number: u64, took: Duration) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= KEPT {
            counts.clear();
        }
        let until = Instant::now() + (took * WORTH).clamp(HOLDS, HOLDS_AT_MOST);
        counts.insert(what.clone(), Count { number, until, moved: 0 });
    }
}

impl DynamoStore {
    /// How many items partitions of an index have, each; counted at one time, so that what moves from one to another
    /// is in one of them.
    pub(crate) async fn counts_of(&self, all: &[Counted]) -> Result<Vec<u64>> {
        let known: Option<Vec<u64>> = all.iter().map(|what| self.counts.known(what)).collect();
        match known {
            Some(known) => Ok(known),
            None => futures::future::try_join_all(all.iter().map(|what| self.count_now(what))).await,
        }
    }

    async fn count_now(&self, what: &Counted) -> Result<u64> {
        let begun = Instant::now();
        let query = Query::by(what.table, what.index, what.key, value::text(&what.value));
        let number = self.tables.count(&query).await?;
        self.counts.keep(what, number, begun.elapsed());
        Ok(number)
    }

    pub(crate) async fn projects_by_status(&self) -> Result<Vec<(ProjectStatus, u64)>> {
        let all: Vec<Counted> = ProjectStatus::ALL.iter().map(|status| Counted::project(*status)).collect();
        Ok(ProjectStatus::ALL.iter().copied().zip(self.counts_of(&all).await?).collect())
    }

    pub(crate) async fn agents_by_status(&self) -> Result<Vec<(AgentStatus, u64)>> {
        let all: Vec<Counted> = AgentStatus::ALL.iter().map(|status| Counted::agent(*status)).collect();
        Ok(AgentStatus::ALL.iter().copied().zip(self.counts_of(&all).await?).collect())
    }

    pub(crate) async fn all_counts(&self) -> Result<StoreCounts> {
        let (mut projects, mut agents) = tokio::try_join!(self.projects_by_status(), self.agents_by_status())?;
        projects.retain(|(_, number)| *number > 0);
        agents.retain(|(_, number)| *number > 0);
        Ok(StoreCounts { projects, agents })
    }
}
