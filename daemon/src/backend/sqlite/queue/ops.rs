//! The queue's requests, as the store's writer runs them.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::queue::Receive;
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        queue::{DeadLetter, Delivery, Receipt},
        sqlite::{
            clock::Moment,
            queue::mailbox::Letter,
            state::Effect,
            tx::{Outgoing, Tx},
        },
    },
    domain::{queue::QueueName, time::Timestamp},
};

type Result<T> = std::result::Result<T, BackendError>;

const MAX_BYTES: usize = 262_144;
const MAX_RECEIVE: usize = 1_000;

pub(crate) fn send(tx: &mut Tx<'_>, queue: QueueName, body: &str, priority: u8) -> Result<()> {
    if body.len() > MAX_BYTES {
        return Err(BackendError::new(BackendErrorKind::Invalid, "a message has at most 262144 bytes"));
    }
    tx.send(&Outgoing { queue, priority: priority.clamp(1, 5), task: None, body: Some(body) })
}

/// Answers messages, and when the next hidden one becomes visible.
pub(crate) fn receive(
    tx: &mut Tx<'_>,
    queue: QueueName,
    max: usize,
    visibility: Duration,
) -> Result<(Vec<Delivery>, Option<Moment>)> {
    let mut found = Vec::new();
    let now = Moment::now();
    let until = now.plus(visibility);
    while found.len() < max.min(MAX_RECEIVE) {
        let Some(key) = tx.state.mail.take(queue, now, until) else { break };
        let Some(receipt) = tx.state.mail.receipt(key) else { continue };
        let limit = tx.state.max_receive_count;
        if receipt.receive_count > limit
            && let Some(dead) = queue.dead_letters()
        {
            bury(tx, key, dead, &format!("it was received {limit} times and never finished"), false)?;
            continue;
        }
        let mut take = tx.sql(
            "UPDATE queue_messages SET receive_count = ?2, in_flight = 1 WHERE message_key = ?1
             RETURNING coalesce(body, (SELECT payload FROM nexus_tasks t WHERE t.task_key = queue_messages.task_key))",
        )?;
        let body: Option<Option<String>> =
            take.query_row(params![key, receipt.receive_count], |row| row.get(0)).optional()?;
        match body {
            Some(Some(body)) => {
                let receive_count = receipt.receive_count;
                found.push(Delivery { receipt, body, receive_count });
            }
            // A message without body and task says nothing to anybody.
            Some(None) => {
                tx.delete_message(key)?;
            }
            // Deleted in this very transaction: the commit takes it from memory too.
            None => {}
        }
    }
    Ok((found, tx.state.mail.next_visible(queue)))
}

fn bury(tx: &mut Tx<'_>, key: i64, dead: QueueName, reason: &str, settled: bool) -> Result<()> {
    tx.sql(
        "UPDATE queue_messages SET queue = ?2, reason = ?3, settled = ?4, in_flight = 0, receive_count = 0,
             crash_points = 0, faults = 0, solo_crashes = 0, quarantine = 0, sent_at = ?5,
             body = coalesce(body, (SELECT payload FROM nexus_tasks t WHERE t.task_key = queue_messages.task_key))
         WHERE message_key = ?1",
    )?
    .execute(params![key, dead.as_str(), reason, settled, tx.now_text()])?;
    tx.at_commit(Effect::Moved(key, dead));
    Ok(())
}

pub(crate) fn extend(tx: &mut Tx<'_>, receipts: &[Receipt], visibility: Duration) -> Vec<bool> {
    let until = Moment::now().plus(visibility);
    let extend = |receipt: &Receipt| match tx.state.mail.held_by(receipt) {
        Some(key) => {
            tx.state.mail.extend(key, until);
            true
        }
        None => false,
    };
    receipts.iter().map(extend).collect()
}

pub(crate) fn delete(tx: &mut Tx<'_>, receipt: &Receipt) -> Result<()> {
    match tx.state.mail.held_by(receipt) {
        Some(key) => tx.delete_message(key).map(drop),
        None => Ok(()),
    }
}

pub(crate) fn release(tx: &mut Tx<'_>, receipt: &Receipt, delay: Duration, receive: Receive) -> Result<()> {
    let Some(key) = tx.state.mail.held_by(receipt) else { return Ok(()) };
    let at = (!delay.is_zero()).then(|| Moment::now().plus(delay));
    tx.state.mail.release(key, at, receive);
    let count = tx.state.mail.get(key).map_or(0, |letter| letter.count);
    tx.sql("UPDATE queue_messages SET in_flight = 0, receive_count = ?2 WHERE message_key = ?1")?
        .execute(params![key, count])?;
    Ok(())
}

pub(crate) fn dead_letter(tx: &mut Tx<'_>, receipt: &Receipt, reason: &str) -> Result<()> {
    let Some(key) = tx.state.mail.held_by(receipt) else { return Ok(()) };
    match receipt.queue.dead_letters() {
        // Who moves it by hand knows why and settles the task.
        Some(dead) => bury(tx, key, dead, reason, true),
        None => Ok(()),
    }
}

pub(crate) fn unsettled(conn: &Connection, queue: QueueName, max: usize) -> Result<Vec<DeadLetter>> {
    let mut find = conn.prepare_cached(
        "SELECT message_key, body, reason FROM queue_messages WHERE queue = ?1 AND settled = 0
         ORDER BY message_key LIMIT ?2",
    )?;
    // Asked by the queue or by its dead letters.
    let queue = queue.dead_letters().unwrap_or(queue);
    let found = find.query_map(params![queue.as_str(), i64::try_from(max).unwrap_or(i64::MAX)], |row| {
        Ok(DeadLetter {
            handle: String::new(),
            id: row.get::<_, i64>(0)?.to_string(),
            queue,
            body: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
            reason: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn settle(tx: &mut Tx<'_>, id: &str) -> Result<()> {
    let Ok(key) = id.parse::<i64>() else { return Ok(()) };
    tx.sql("UPDATE queue_messages SET settled = 1 WHERE message_key = ?1 AND settled = 0")?.execute([key])?;
    Ok(())
}

/// Moves what waited longer than its queue keeps it to the dead letters, whose tasks are then marked
/// failed, and deletes old dead letters. Answers how many messages.
pub(crate) fn expire(tx: &mut Tx<'_>, queue: QueueName, older_than: Duration) -> Result<u64> {
    let cutoff = Timestamp::from_micros(
        tx.now().as_micros().saturating_sub(i64::try_from(older_than.as_micros()).unwrap_or(i64::MAX)),
    );
    let mut moved = 0;
    for key in tx.state.mail.sent_before(queue, cutoff) {
        if tx.state.mail.get(key).is_some_and(Letter::is_held) {
            continue;
        }
        match queue.dead_letters() {
            Some(dead) => bury(tx, key, dead, "it waited longer than its queue keeps messages", false)?,
            None => {
                tx.delete_message(key)?;
            }
        }
        moved += 1;
    }
    Ok(moved)
}
