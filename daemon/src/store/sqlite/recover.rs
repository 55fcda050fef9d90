//! What a start settles under the file lock, when nobody else can live.
//!
//! Every message becomes visible and every lease free, so that builds go on at once. Messages that the
//! last process held when it ended get the receive back: it was not the build that failed. But a build
//! that kills the daemon must not do so for ever. So a message that was held, with no stage ended under
//! its claim, gets *crash points* at each such start: 8 when it was the only one held, 4 when there
//! were at most four, else 1. At 24 points it goes to the dead letters: after three starts when it is
//! alone, six among four, and 24 in a crowd, where it is most likely innocent. The first stage that
//! ends clears them. A process that closed the store properly handed everything back.

use rusqlite::{Connection, Transaction, params};

use super::{rows, tasks};
use crate::{
    domain::{ids::TaskId, task::TaskType, time::Timestamp},
    queue::{
        QueueName,
        sqlite::mailbox::{Letter, Mailboxes},
    },
    store::Result,
};

const DEAD_AT: u32 = 24;

const fn points(held: i64) -> u32 {
    match held {
        0 | 1 => 8,
        2..=4 => 4,
        _ => 1,
    }
}

/// See the module. Answers the queues as they are now.
pub(crate) fn settle(conn: &mut Connection, now: Timestamp) -> Result<Mailboxes> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    judge_crash(&tx)?;
    free_leases(&tx, now)?;
    let mail = load(&tx)?;
    tx.commit()?;
    Ok(mail)
}

fn judge_crash(tx: &Transaction<'_>) -> Result<()> {
    let held: i64 = tx.query_row("SELECT count(*) FROM queue_messages WHERE in_flight = 1", [], |row| row.get(0))?;
    // 2: a stage ended since the claim.
    tx.execute(
        "UPDATE queue_messages SET in_flight = 2
         WHERE in_flight = 1 AND EXISTS (
             SELECT 1 FROM nexus_tasks t JOIN nexus_stages s
                 ON s.stage_key BETWEEN (t.project_key << 10) AND (t.project_key << 10) + 1023
             WHERE t.task_key = queue_messages.task_key AND t.task_type = 'build_agent' AND t.status = 'running'
                 AND s.completed_at >= t.claimed_at AND s.status IN ('completed', 'skipped', 'failed'))",
        [],
    )?;
    tx.execute(
        "UPDATE queue_messages SET
             crash_points = CASE in_flight WHEN 2 THEN 0 ELSE crash_points + ?1 END,
             receive_count = CASE in_flight WHEN 2 THEN 0 ELSE max(receive_count - 1, 0) END,
             in_flight = 0
         WHERE in_flight > 0",
        [points(held)],
    )?;
    for queue in QueueName::ALL {
        let Some(dead) = queue.dead_letters() else { continue };
        tx.execute(
            "UPDATE queue_messages SET queue = ?2, settled = 0, receive_count = 0,
                 body = coalesce(body, (SELECT payload FROM nexus_tasks t WHERE t.task_key = queue_messages.task_key)),
                 reason = 'the daemon died again and again while it worked on this: see its log'
             WHERE queue = ?1 AND crash_points >= ?3",
            params![queue.as_str(), dead.as_str(), DEAD_AT],
        )?;
    }
    Ok(())
}

/// Tasks that were worked on are queued again, with their message; should that be missing, a new one.
fn free_leases(tx: &Transaction<'_>, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE nexus_projects SET lease_worker = NULL WHERE project_key IN
                    (SELECT project_key FROM nexus_tasks WHERE status = 'running')",
        [],
    )?;
    tx.execute(
        "UPDATE nexus_tasks SET status = 'queued', updated_at = ?1 WHERE status = 'running'",
        [now.to_string()],
    )?;
    let mut lost = tx.prepare(
        "SELECT task_key, task_id, task_type, priority FROM nexus_tasks
         WHERE status IN ('pending', 'queued')
             AND task_key NOT IN (SELECT task_key FROM queue_messages WHERE task_key IS NOT NULL)",
    )?;
    let mut insert = tx.prepare(
        "INSERT INTO queue_messages (queue, priority, task_id, task_key, sent_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut lost = lost.query([])?;
    while let Some(row) = lost.next()? {
        let (key, id, priority): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(3)?);
        let task_type: TaskType = rows::word(row, 2)?;
        insert.execute(params![tasks::queue_of(task_type).as_str(), priority, id, key, now.to_string()])?;
        tx.execute("UPDATE nexus_tasks SET status = 'queued' WHERE task_key = ?1", [key])?;
    }
    Ok(())
}

fn load(tx: &Transaction<'_>) -> Result<Mailboxes> {
    let last: Option<i64> = tx.query_row("SELECT max(message_key) FROM queue_messages", [], |row| row.get(0))?;
    let mut mail = Mailboxes::new(last.unwrap_or(0) + 1);
    let mut find = tx.prepare(
        "SELECT message_key, queue, priority, task_id, sent_at, receive_count, crash_points FROM queue_messages
         ORDER BY message_key",
    )?;
    let mut found = find.query([])?;
    while let Some(row) = found.next()? {
        let key: i64 = row.get(0)?;
        let name: String = row.get(1)?;
        let task: Option<TaskId> = rows::word_opt(row, 3)?;
        let Some(queue) = QueueName::ALL.into_iter().find(|queue| queue.as_str() == name) else {
            tracing::warn!(queue = name, "a message of an unknown queue is left alone");
            continue;
        };
        let mut letter = Letter::new(queue, row.get(2)?, task, rows::word(row, 4)?);
        letter.count = row.get(5)?;
        letter.crash_points = row.get(6)?;
        mail.insert(key, letter);
    }
    Ok(mail)
}
