//! What a start settles under the file lock, when nobody else can live.
//!
//! Every message becomes visible and every lease free, so that builds go on at once. Messages that the last process
//! held when it ended get the receive back: it was not the build that failed. But a plugin can kill the daemon, and
//! must not do so for ever. What ran is in the file, written with the claim and with each step: tasks `running`, and
//! their stages. So whoever was worked on when a process ended without a word is a *suspect*:
//!
//! - Suspects wait apart and are given out one at a time (`queue::sqlite::mailbox`), the least blamed first. The first
//!   stage that ends clears one.
//! - A crash is held against all that were worked on, and *solely* against one that was the only suspect at work.
//! - A process that broke says so ([`ending`](super::ending)); one that was killed from outside, by an operator or for
//!   want of memory, cannot. [`FAULTS`] of the former or [`KILLS`] ends in all, [`SOLO`] of these solely, make a
//!   culprit: its message goes to the dead letters, and the reconciler says which stage of which handler it was.
//! - A crash in a crowd of more than [`CROWD`] sets nobody apart the first time: most are innocent, and it may have
//!   been the operator's kill.
//!
//! A process that closed the store properly handed everything back, and when the machine was started anew in between
//! (its boot id differs), nobody is to blame. Should handlers run in processes of their own one day, none of this
//! happens to them, and nothing here needs to know.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::rows;
use crate::{
    backend::{
        queue::DIED,
        sqlite::queue::mailbox::{Letter, Mailboxes},
        store::Result,
    },
    domain::{
        change::task as rules,
        ids::{ProjectId, TaskId},
        queue::QueueName,
        task::{TaskStatus, TaskType},
        time::Timestamp,
    },
};

/// Faults of the daemon after which a suspect is the culprit. The service's unit must allow more ends than these and
/// [`KILLS`] (`StartLimitBurst`), or nobody would be there to judge.
pub const FAULTS: u32 = 3;
/// Ends of the daemon after which a suspect is the culprit although nothing says that the daemon broke: whoever kills
/// it comes to an end with that, but a plugin that eats the machine's memory does not.
pub const KILLS: u32 = 8;
/// How many of them it must have been the only suspect at work.
const SOLO: u32 = 2;
/// The largest crowd of which a single crash makes suspects that wait.
const CROWD: usize = 16;
/// Suspects that are named in the log.
const NAMED: usize = 20;

/// See the module. Answers the queues as they are now.
pub(crate) fn settle(conn: &mut Connection, now: Timestamp, fault: Option<&str>) -> Result<Mailboxes> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if is_same_boot(&tx, boot.trim())? {
        judge_crash(&tx, fault)?;
    }
    tx.execute(
        "UPDATE queue_messages SET in_flight = 0, receive_count = max(receive_count - 1, 0) WHERE in_flight > 0",
        [],
    )?;
    free_leases(&tx, now)?;
    let mail = load(&tx)?;
    tx.commit()?;
    Ok(mail)
}

/// Whether the machine still runs that ran when the file was last opened; notes the one that runs now.
fn is_same_boot(tx: &Transaction<'_>, boot: &str) -> Result<bool> {
    let find = "SELECT value FROM file_notes WHERE name = 'boot_id'";
    let last: Option<String> = tx.query_row(find, [], |row| row.get(0)).optional()?;
    if last.as_deref() != Some(boot) {
        tx.execute("INSERT OR REPLACE INTO file_notes (name, value) VALUES ('boot_id', ?1)", [boot])?;
    }
    Ok(boot.is_empty() || last.is_none_or(|last| last == boot))
}

/// A message that was worked on when the process ended.
struct Suspect {
    key: i64,
    queue: QueueName,
    crashes: u32,
    faults: u32,
    solo: u32,
    /// It waited apart already, and so was the only one of these at work.
    apart: bool,
    task: Option<Task>,
}

struct Task {
    task_type: TaskType,
    project: ProjectId,
    project_key: i64,
    agent: Option<String>,
}

fn suspects(tx: &Transaction<'_>) -> Result<Vec<Suspect>> {
    let mut find = tx.prepare(
        "SELECT m.message_key, m.queue, m.crash_points, m.solo_crashes, m.quarantine, t.status, t.task_type,
             t.project_id, t.project_key, t.agent_id, m.faults
         FROM queue_messages m LEFT JOIN nexus_tasks t ON t.task_key = m.task_key
         WHERE m.in_flight > 0 ORDER BY m.message_key",
    )?;
    let mut found = find.query([])?;
    let mut suspects = Vec::new();
    while let Some(row) = found.next()? {
        let name: String = row.get(1)?;
        let Some(queue) = QueueName::ALL.into_iter().find(|queue| queue.as_str() == name) else { continue };
        let status: Option<TaskStatus> = rows::word_opt(row, 5)?;
        if queue.dead_letters().is_none() || status.is_some_and(|status| !rules::is_worked_on(status)) {
            continue;
        }
        let task = match status {
            Some(_) => Some(Task {
                task_type: rows::word(row, 6)?,
                project: rows::word(row, 7)?,
                project_key: row.get(8)?,
                agent: row.get(9)?,
            }),
            None => None,
        };
        let (key, crashes, solo, apart) = (row.get(0)?, row.get(2)?, row.get(3)?, row.get(4)?);
        suspects.push(Suspect { key, queue, crashes, faults: row.get(10)?, solo, apart, task });
    }
    Ok(suspects)
}

fn judge_crash(tx: &Transaction<'_>, fault: Option<&str>) -> Result<()> {
    let suspects = suspects(tx)?;
    let (crowd, how) = (suspects.len(), fault.unwrap_or("killed from outside, or for want of memory"));
    for (place, suspect) in suspects.iter().enumerate() {
        let crashes = suspect.crashes.saturating_add(1);
        let faults = suspect.faults.saturating_add(u32::from(fault.is_some()));
        let solo = suspect.solo.saturating_add(u32::from(crowd == 1 || suspect.apart));
        let apart = suspect.apart || crashes > 1 || crowd <= CROWD;
        tx.execute(
            "UPDATE queue_messages SET crash_points = ?2, solo_crashes = ?3, quarantine = ?4, faults = ?5
             WHERE message_key = ?1",
            params![suspect.key, crashes, solo, apart, faults],
        )?;
        let work = describe(tx, suspect.task.as_ref())?;
        if (faults >= FAULTS || crashes >= KILLS) && solo >= SOLO {
            bury(tx, suspect, &format!("{DIED} {crashes} times while it worked on this ({work})"))?;
            tracing::error!(
                crashes,
                how,
                work,
                "the daemon crashed again and again while this task ran: the task is given up"
            );
        } else if place < NAMED {
            tracing::warn!(
                crashes,
                how,
                work,
                "the last process ended without a word while this ran: it is a suspect and runs apart from others"
            );
        }
    }
    if crowd > NAMED {
        tracing::warn!(suspects = crowd, "more tasks ran during the crash than are listed here");
    }
    Ok(())
}

/// In words, what a suspect was about.
fn describe(tx: &Transaction<'_>, task: Option<&Task>) -> Result<String> {
    let Some(task) = task else { return Ok("a message that names no task".into()) };
    if task.task_type == TaskType::DeployAgent {
        let agent = task.agent.as_deref().unwrap_or_default();
        return Ok(format!("the deployment of agent {agent}"));
    }
    let (low, high) = super::stages::key_range(task.project_key);
    let mut find = tx.prepare_cached(
        "SELECT stage_name, attempt FROM nexus_stages WHERE stage_key BETWEEN ?1 AND ?2 AND status = 'running'",
    )?;
    let running = find.query_map([low, high], |row| {
        Ok(format!("stage {}, attempt {}", row.get::<_, String>(0)?, row.get::<_, u32>(1)?))
    })?;
    let running = running.collect::<rusqlite::Result<Vec<_>>>()?.join("; ");
    Ok(format!("project {}: {}", task.project, if running.is_empty() { "between two stages" } else { &running }))
}

fn bury(tx: &Transaction<'_>, suspect: &Suspect, reason: &str) -> Result<()> {
    let Some(dead) = suspect.queue.dead_letters() else { return Ok(()) };
    tx.execute(
        "UPDATE queue_messages SET queue = ?2, settled = 0, receive_count = 0, in_flight = 0, crash_points = 0, faults = 0,
             solo_crashes = 0, quarantine = 0, reason = ?3,
             body = coalesce(body, (SELECT payload FROM nexus_tasks t WHERE t.task_key = queue_messages.task_key))
         WHERE message_key = ?1",
        params![suspect.key, dead.as_str(), reason],
    )?;
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
        insert.execute(params![task_type.queue().as_str(), priority, id, key, now.to_string()])?;
        tx.execute("UPDATE nexus_tasks SET status = 'queued' WHERE task_key = ?1", [key])?;
    }
    Ok(())
}

fn load(tx: &Transaction<'_>) -> Result<Mailboxes> {
    let last: Option<i64> = tx.query_row("SELECT max(message_key) FROM queue_messages", [], |row| row.get(0))?;
    let mut mail = Mailboxes::new(last.unwrap_or(0) + 1);
    let mut find = tx.prepare(
        "SELECT message_key, queue, priority, task_id, sent_at, receive_count, crash_points, solo_crashes, quarantine
         FROM queue_messages ORDER BY message_key",
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
        (letter.crashes, letter.solo, letter.quarantined) = (row.get(6)?, row.get(7)?, row.get(8)?);
        mail.insert(key, letter);
    }
    Ok(mail)
}
