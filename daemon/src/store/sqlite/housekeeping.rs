//! Counts, retention, and whether the store can write.

use std::{str::FromStr, time::Duration};

use rusqlite::{Connection, params};

use super::{SqliteOptions, tx::Tx};
use crate::{
    domain::time::Timestamp,
    queue::{QueueName, sqlite::expire},
    store::{Result, StoreCounts},
};

/// Projects whose events one bite of cleaning takes.
const BITE: u32 = 200;

/// `Store::ping`: the transaction that this runs in could be begun, so the file can be written.
pub(crate) fn ping(tx: &mut Tx<'_>) -> Result<()> {
    tx.sql("SELECT 1 FROM nexus_projects LIMIT 1")?.exists([])?;
    Ok(())
}

/// `Store::counts`.
pub(crate) fn counts(conn: &Connection) -> Result<StoreCounts> {
    Ok(StoreCounts {
        projects: by_status(conn, "SELECT status, count(*) FROM nexus_projects GROUP BY status")?,
        agents: by_status(conn, "SELECT status, count(*) FROM nexus_agents GROUP BY status")?,
    })
}

fn by_status<S: FromStr>(conn: &Connection, sql: &str) -> Result<Vec<(S, u64)>> {
    let mut find = conn.prepare_cached(sql)?;
    let mut rows = find.query([])?;
    let mut counts = Vec::new();
    while let Some(row) = rows.next()? {
        if let Ok(status) = row.get_ref(0)?.as_str().unwrap_or_default().parse() {
            counts.push((status, row.get::<_, i64>(1)?.unsigned_abs()));
        }
    }
    Ok(counts)
}

/// Messages that waited longer than their queue keeps them.
pub(crate) fn expire_messages(tx: &mut Tx<'_>, options: &SqliteOptions) -> Result<u64> {
    let mut expired = 0;
    for queue in QueueName::ALL {
        let kept = match queue {
            QueueName::Build => options.build_retention,
            QueueName::Deploy => options.deploy_retention,
            QueueName::BuildDead | QueueName::DeployDead => options.dead_retention,
        };
        expired += expire(tx, queue, kept)?;
    }
    Ok(expired)
}

/// One bite of old events of ended projects; 0 when none is left. The last row of a project stays: its
/// number must not be given again.
pub(crate) fn clean_events(tx: &mut Tx<'_>, older_than: Duration) -> Result<u64> {
    let age = i64::try_from(older_than.as_micros()).unwrap_or(i64::MAX);
    let cutoff = Timestamp::from_micros(tx.now().as_micros().saturating_sub(age)).to_string();
    let deleted = tx
        .sql(
            "DELETE FROM project_events WHERE event_key IN (
                 SELECT e.event_key
                 FROM (SELECT project_key, (SELECT max(event_key) FROM project_events
                               WHERE event_key BETWEEN (project_key << 28) AND (project_key << 28) + 268435455) AS last
                       FROM nexus_projects
                       WHERE status IN ('completed', 'failed', 'cancelled') AND completed_at < ?1
                           AND EXISTS (SELECT 1 FROM project_events WHERE event_key >= (project_key << 28)
                               AND event_key < (SELECT max(event_key) FROM project_events
                                   WHERE event_key BETWEEN (project_key << 28) AND (project_key << 28) + 268435455))
                       LIMIT ?2) p
                 JOIN project_events e ON e.event_key >= (p.project_key << 28) AND e.event_key < p.last)",
        )?
        .execute(params![cutoff, BITE])?;
    Ok(deleted as u64)
}
