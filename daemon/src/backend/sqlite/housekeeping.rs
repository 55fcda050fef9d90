//! Counts, retention, and whether the store can write.

use std::{
    str::FromStr,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{SqliteOptions, SqliteStore, credentials, deletions, idempotency, schema, sweep, tx::Tx, writer::Mode};
use crate::{
    backend::{
        sqlite::queue::expire,
        store::{Pressure, Result, StoreCounts, Upkeep},
    },
    domain::queue::QueueName,
};

/// Bytes that a ping writes: about what a request for a project does, so that a disk with a last free page is not called
/// a good one.
const PING: i64 = 32_768;

/// Writes, since only that says whether the file can be written.
pub(crate) fn ping(tx: &mut Tx<'_>) -> Result<()> {
    tx.sql("INSERT OR REPLACE INTO file_notes (name, value) VALUES ('ping', randomblob(?1))")?.execute([PING])?;
    Ok(())
}

/// That the writer answers, when it has just written.
pub(crate) fn nod(tx: &mut Tx<'_>) -> Result<()> {
    tx.sql("SELECT 1 FROM nexus_projects LIMIT 1")?.exists([])?;
    Ok(())
}

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

/// How long a commit speaks for the next.
const PING_EVERY: Duration = Duration::from_secs(1);

#[async_trait]
impl Upkeep for SqliteStore {
    async fn ping(&self) -> Result<()> {
        // A commit a moment ago says the same, and costs no further one.
        if self.inner.writer.wrote_within(PING_EVERY) {
            return self.write_as(Mode::Peek, nod).await;
        }
        self.write(ping).await
    }

    async fn counts(&self) -> Result<StoreCounts> {
        self.ask(counts).await
    }

    async fn clean(&self, older_than: Duration) -> Result<u64> {
        let options = self.inner.options.clone();
        let expired = self.write(move |tx| expire_messages(tx, &options)).await?;
        sweep::start(&self.inner);
        let mut cleaned = expired + self.write_as(Mode::Loose, |tx| deletions::clean(tx)).await?;
        cleaned += self.write_as(Mode::Loose, |tx| credentials::clean(tx)).await?;
        // In small bites, so that builds go on between them.
        loop {
            let begun = Instant::now();
            let gone = self.write_as(Mode::Loose, |tx| idempotency::clean(tx)).await?;
            cleaned += gone;
            if gone == 0 {
                break;
            }
            sweep::rest(begun.elapsed()).await;
        }
        loop {
            let begun = Instant::now();
            let (gone, more) = self.write_as(Mode::Loose, move |tx| sweep::clean_events(tx, older_than)).await?;
            cleaned += gone;
            if !more {
                break;
            }
            sweep::rest(begun.elapsed()).await;
        }
        if cleaned > 0 {
            // What is answered is durable.
            self.write(nod).await?;
        }
        sweep::start(&self.inner);
        Ok(cleaned)
    }

    async fn close(&self) -> Result<()> {
        self.inner.readers.close();
        self.inner.writer.close().await;
        Ok(())
    }

    fn pressure(&self) -> Pressure {
        let (waiting_writes, write_room, stalled_for) = self.inner.writer.pressure();
        let (waiting_reads, read_room) = self.inner.readers.pressure();
        Pressure { waiting_writes, write_room, waiting_reads, read_room, stalled_for, reads_stall: false }
    }

    fn describe(&self) -> Value {
        json!({
            "kind": "sqlite",
            "file": self.inner.path,
            "schema_version": schema::VERSION,
            "commits": self.commits(),
            "unreadable_rows": self.unreadable_rows(),
        })
    }
}
