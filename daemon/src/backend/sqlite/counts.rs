//! Counts of projects and agents, kept in memory: lists tell a true total without counting rows.
//!
//! Triggers of the writer's connection note every change beside the rows, in a table that lives in memory and
//! is rolled back with the transaction. After the commit the writer adds the notes to what readers see. This
//! process is the only one on the file, so nothing else changes rows.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use rusqlite::Connection;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Counted<'a> {
    Projects,
    /// Projects in a state.
    ProjectStatus(&'a str),
    /// Projects of a user.
    ProjectUser(&'a str),
    Agents,
    /// Agents in a state.
    AgentStatus(&'a str),
    /// Agents of a category.
    AgentCategory(&'a str),
}

impl Counted<'_> {
    fn key(&self) -> String {
        match self {
            Self::Projects => "p".to_owned(),
            Self::ProjectStatus(status) => format!("ps:{status}"),
            Self::ProjectUser(user) => format!("pu:{user}"),
            Self::Agents => "a".to_owned(),
            Self::AgentStatus(status) => format!("as:{status}"),
            Self::AgentCategory(category) => format!("ac:{category}"),
        }
    }
}

/// The counts as of the last commit.
#[derive(Clone, Default)]
pub(crate) struct Counts(Arc<RwLock<HashMap<String, i64>>>);

/// Notes of one transaction, summed up after it.
const TRIGGERS: &str = "
CREATE TEMP TABLE noted (name TEXT NOT NULL, change INTEGER NOT NULL);
CREATE TEMP TRIGGER project_added AFTER INSERT ON main.nexus_projects BEGIN
    INSERT INTO noted VALUES ('p', 1), ('ps:' || NEW.status, 1), ('pu:' || NEW.user_id, 1);
END;
CREATE TEMP TRIGGER project_moved AFTER UPDATE OF status ON main.nexus_projects WHEN NEW.status <> OLD.status BEGIN
    INSERT INTO noted VALUES ('ps:' || OLD.status, -1), ('ps:' || NEW.status, 1);
END;
CREATE TEMP TRIGGER project_gone AFTER DELETE ON main.nexus_projects BEGIN
    INSERT INTO noted VALUES ('p', -1), ('ps:' || OLD.status, -1), ('pu:' || OLD.user_id, -1);
END;
CREATE TEMP TRIGGER agent_added AFTER INSERT ON main.nexus_agents BEGIN
    INSERT INTO noted VALUES ('a', 1), ('as:' || NEW.status, 1), ('ac:' || NEW.category, 1);
END;
CREATE TEMP TRIGGER agent_moved AFTER UPDATE OF status, category ON main.nexus_agents
    WHEN NEW.status <> OLD.status OR NEW.category <> OLD.category BEGIN
    INSERT INTO noted VALUES ('as:' || OLD.status, -1), ('as:' || NEW.status, 1),
        ('ac:' || OLD.category, -1), ('ac:' || NEW.category, 1);
END;
CREATE TEMP TRIGGER agent_gone AFTER DELETE ON main.nexus_agents BEGIN
    INSERT INTO noted VALUES ('a', -1), ('as:' || OLD.status, -1), ('ac:' || OLD.category, -1);
END;
";

const EVERYTHING: &str = "
SELECT 'p', count(*) FROM nexus_projects
UNION ALL SELECT 'ps:' || status, count(*) FROM nexus_projects GROUP BY status
UNION ALL SELECT 'pu:' || user_id, count(*) FROM nexus_projects GROUP BY user_id
UNION ALL SELECT 'a', count(*) FROM nexus_agents
UNION ALL SELECT 'as:' || status, count(*) FROM nexus_agents GROUP BY status
UNION ALL SELECT 'ac:' || category, count(*) FROM nexus_agents GROUP BY category
";

impl Counts {
    /// Counts everything once and begins to take notes on the writer's connection.
    pub(crate) fn begin(conn: &Connection) -> rusqlite::Result<Self> {
        conn.execute_batch(TRIGGERS)?;
        let counts = Self::default();
        let mut all = conn.prepare(EVERYTHING)?;
        let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        counts.0.write().unwrap_or_else(PoisonError::into_inner).extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
        Ok(counts)
    }

    /// After a commit: adds what was noted.
    pub(crate) fn settle(&self, conn: &Connection) -> rusqlite::Result<()> {
        // Most commits move no project and no agent.
        if !conn.prepare_cached("SELECT 1 FROM temp.noted LIMIT 1")?.exists([])? {
            return Ok(());
        }
        let mut sums = conn.prepare_cached("SELECT name, sum(change) FROM temp.noted GROUP BY name")?;
        let sums: Vec<(String, i64)> =
            sums.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        conn.prepare_cached("DELETE FROM temp.noted")?.execute([])?;
        let mut counts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (name, change) in sums.into_iter().filter(|(_, change)| *change != 0) {
            let count = counts.get(&name).copied().unwrap_or(0) + change;
            if count > 0 {
                counts.insert(name, count);
            } else {
                counts.remove(&name);
            }
        }
        Ok(())
    }

    pub(crate) fn of(&self, what: &Counted<'_>) -> u64 {
        let counts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        counts.get(&what.key()).copied().unwrap_or(0).max(0).unsigned_abs()
    }

    /// Every category of agents with its count.
    pub(crate) fn categories(&self) -> Vec<(String, u64)> {
        let counts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let each = counts.iter().filter_map(|(name, count)| Some((name.strip_prefix("ac:")?.to_owned(), *count)));
        let mut all: Vec<_> = each.map(|(name, count)| (name, count.max(0).unsigned_abs())).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all
    }
}
