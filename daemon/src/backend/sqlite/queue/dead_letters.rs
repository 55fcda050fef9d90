//! Dead letters of a file, read beside the daemon that holds it: `nexusd dlq`.

use std::path::Path;

use crate::{
    backend::{sqlite::open::connect, store::Result},
    domain::queue::QueueName,
};

/// A dead letter of the embedded queue, as people look at it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct KeptLetter {
    /// Number of the message.
    pub id: String,
    /// The dead-letter queue it is in.
    pub queue: String,
    /// Why it is here.
    pub reason: String,
    /// When it was sent first.
    pub sent_at: String,
    /// Its project, while its task is there.
    pub project_id: Option<String>,
    pub agent_id: Option<String>,
    /// The body as sent.
    pub body: String,
}

/// The dead letters of these queues, oldest first. Changes nothing and waits for nobody.
///
/// # Errors
/// The file cannot be read, or is of another version.
pub fn dead_letters(database: &Path, queues: &[QueueName]) -> Result<Vec<KeptLetter>> {
    let conn = connect(database, true)?;
    let mut find = conn.prepare(
        "SELECT m.message_key, coalesce(m.reason, ''), m.sent_at, t.project_id, t.agent_id, coalesce(m.body, t.payload, '')
         FROM queue_messages m LEFT JOIN nexus_tasks t ON t.task_key = m.task_key
         WHERE m.queue = ?1 ORDER BY m.message_key",
    )?;
    let mut found = Vec::new();
    for queue in queues.iter().filter_map(|queue| queue.dead_letters()) {
        let rows = find.query_map([queue.as_str()], |row| {
            Ok(KeptLetter {
                id: row.get::<_, i64>(0)?.to_string(),
                queue: queue.as_str().to_owned(),
                reason: row.get(1)?,
                sent_at: row.get(2)?,
                project_id: row.get(3)?,
                agent_id: row.get(4)?,
                body: row.get(5)?,
            })
        })?;
        for row in rows {
            found.push(row?);
        }
    }
    Ok(found)
}
