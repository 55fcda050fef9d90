//! Counts, retention, and whether the store can write.

use std::str::FromStr;

use rusqlite::Connection;

use super::{SqliteOptions, tx::Tx};
use crate::{
    backend::{
        sqlite::queue::expire,
        store::{Result, StoreCounts},
    },
    domain::queue::QueueName,
};

/// Bytes that a ping writes: about what a request for a project does, so that a disk with a last free page is not called
/// a good one.
const PING: i64 = 32_768;

/// `Store::ping`: writes, since only that says whether the file can be written.
pub(crate) fn ping(tx: &mut Tx<'_>) -> Result<()> {
    tx.sql("INSERT OR REPLACE INTO file_notes (name, value) VALUES ('ping', randomblob(?1))")?.execute([PING])?;
    Ok(())
}

/// That the writer answers, when it has just written.
pub(crate) fn nod(tx: &mut Tx<'_>) -> Result<()> {
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
