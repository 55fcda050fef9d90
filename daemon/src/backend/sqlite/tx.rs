//! What a request works with on the writer thread: the open transaction, the time of the request,
//! and what happens at the commit.

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::{
    error::not_found,
    events,
    state::{Effect, Hot, State},
};
use crate::{
    backend::{sqlite::queue::mailbox::Letter, store::Result},
    domain::{
        event::{NewEvent, ProjectEvent, Told},
        ids::{ProjectId, TaskId},
        queue::QueueName,
        time::Timestamp,
    },
};

pub(crate) struct Tx<'a> {
    conn: &'a Connection,
    pub(crate) state: &'a mut State,
    events: &'a mut Vec<ProjectEvent>,
    effects: &'a mut Vec<Effect>,
    now: Timestamp,
    now_text: String,
}

/// A message to be written.
pub(crate) struct Outgoing<'a> {
    pub(crate) queue: QueueName,
    pub(crate) priority: u8,
    /// The task and its `task_key`.
    pub(crate) task: Option<(&'a TaskId, i64)>,
    /// `None`: the task's payload.
    pub(crate) body: Option<&'a str>,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(
        conn: &'a Connection,
        state: &'a mut State,
        events: &'a mut Vec<ProjectEvent>,
        effects: &'a mut Vec<Effect>,
    ) -> Self {
        let now = Timestamp::now();
        Self { conn, state, events, effects, now, now_text: now.to_string() }
    }

    pub(crate) fn conn(&self) -> &'a Connection {
        self.conn
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn now_text(&self) -> &str {
        &self.now_text
    }

    /// A prepared statement, kept for the next time.
    pub(crate) fn sql(&self, sql: &str) -> Result<CachedStatement<'a>> {
        Ok(self.conn.prepare_cached(sql)?)
    }

    /// Has `effect` happen at the commit.
    pub(crate) fn at_commit(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Where the project's rows are.
    pub(crate) fn hot(&mut self, id: &ProjectId) -> Result<Option<Hot>> {
        if let Some(hot) = self.state.hot(id) {
            return Ok(Some(hot));
        }
        let mut find = self.sql("SELECT project_key FROM nexus_projects WHERE project_id = ?1")?;
        let Some(key) = find.query_row([id.as_str()], |row| row.get::<_, i64>(0)).optional()? else {
            return Ok(None);
        };
        let (low, high) = events::key_range(key);
        let mut last = self.sql("SELECT max(event_key) FROM project_events WHERE event_key BETWEEN ?1 AND ?2")?;
        let last: Option<i64> = last.query_row([low, high], |row| row.get(0))?;
        let hot = Hot { key, seq: last.map_or(0, events::seq_of) };
        self.state.set_hot(id, hot);
        Ok(Some(hot))
    }

    /// Numbers and writes events of a project; the sink hears of them after the commit.
    pub(crate) fn emit(&mut self, id: &ProjectId, new: Vec<NewEvent>) -> Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        let Some(hot) = self.hot(id)? else { return Err(not_found("project")) };
        let told: Vec<Told> = new.into_iter().map(NewEvent::told).collect();
        let seq = events::write(self.conn, hot, self.now, &told)?;
        self.state.set_hot(id, Hot { key: hot.key, seq });
        self.events.extend(Told::numbered_to(seq, told, id));
        Ok(())
    }

    /// Tells the sink of the end of a project that leaves no rows.
    pub(crate) fn announce(&mut self, end: ProjectEvent) {
        self.events.push(end);
    }

    /// Writes a message; it can be received after the commit.
    pub(crate) fn send(&mut self, out: &Outgoing<'_>) -> Result<()> {
        let key = self.state.mail.new_key();
        let (task, task_key) = (out.task.map(|(id, _)| id), out.task.map(|(_, key)| key));
        self.sql(
            "INSERT INTO queue_messages (message_key, queue, priority, task_id, task_key, body, sent_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            key,
            out.queue.as_str(),
            out.priority,
            task.map(TaskId::as_str),
            task_key,
            out.body,
            self.now_text
        ])?;
        let letter = Letter::new(out.queue, out.priority, task.cloned(), self.now);
        self.at_commit(Effect::Sent(key, letter));
        Ok(())
    }

    /// Deletes the message of a task, if there is one still; answers whether there was.
    pub(crate) fn withdraw_message(&mut self, task: &TaskId) -> Result<bool> {
        match self.state.mail.key_of(task) {
            Some(key) => self.delete_message(key),
            None => Ok(false),
        }
    }

    /// Deletes a message by its key.
    pub(crate) fn delete_message(&mut self, key: i64) -> Result<bool> {
        let gone = self.sql("DELETE FROM queue_messages WHERE message_key = ?1")?.execute([key])? > 0;
        self.at_commit(Effect::Gone(key));
        Ok(gone)
    }
}
