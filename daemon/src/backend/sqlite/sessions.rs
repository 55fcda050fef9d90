//! Conversations and their messages.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params, types::Value as Sql};

use super::{
    SqliteStore,
    error::{fenced, invalid, not_found},
    held::Held,
    rows::{self, NewRow},
    tx::Tx,
};
use crate::{
    backend::store::{KeptAnswer, MessageRange, NewMessage, Result, Sessions, alike::name_from},
    domain::{
        ids::{AgentId, MessageId, SessionId},
        session::{Message, Role, Session, is_named_by_first_message},
        time::Timestamp,
    },
};

/// Of a session `s`: it is not about to be removed with its agent (see `sweep`).
pub(crate) const ALIVE: &str = " AND NOT EXISTS
    (SELECT 1 FROM doomed_agents d WHERE d.agent_id = s.agent_id AND s.session_key <= d.last_session)";

/// Key of a new session: above every key that a deletion under way has marked.
pub(crate) const NEXT_KEY: &str = "1 + max((SELECT coalesce(max(session_key), 0) FROM nexus_sessions),
    (SELECT coalesce(max(session_key), 0) FROM doomed_sessions),
    (SELECT coalesce(max(last_session), 0) FROM doomed_agents))";

pub(crate) fn create(tx: &mut Tx<'_>, session: &Session, idempotency: Option<&KeptAnswer>) -> Result<()> {
    super::idempotency::check(tx, idempotency)?;
    if !tx.sql("SELECT 1 FROM nexus_agents WHERE agent_id = ?1")?.exists([session.agent_id.as_str()])? {
        return Err(not_found("agent"));
    }
    let keys = [("session_key", NEXT_KEY)];
    NewRow { into: "INSERT INTO nexus_sessions", keys: &keys, ..NewRow::default() }.write(tx, session)?;
    super::idempotency::keep(tx, idempotency)
}

pub(crate) fn read(conn: &Connection, id: &SessionId) -> Result<Option<Session>> {
    let mut find =
        conn.prepare_cached(&format!("SELECT {} FROM nexus_sessions s WHERE session_id = ?1{ALIVE}", rows::SESSION))?;
    Ok(find.query_row([id.as_str()], rows::session).optional()?)
}

pub(crate) fn list(conn: &Connection, agent: &AgentId, limit: usize) -> Result<Vec<Session>> {
    let mut find = conn.prepare_cached(&format!(
        "SELECT {} FROM nexus_sessions s WHERE agent_id = ?1{ALIVE} ORDER BY last_active_at DESC, session_key DESC LIMIT ?2",
        rows::SESSION
    ))?;
    let mut found = find.query(params![agent.as_str(), rows::integer(limit as u64)])?;
    let mut sessions = Vec::new();
    while let Some(row) = found.next()? {
        match rows::session(row) {
            Ok(session) => sessions.push(session),
            Err(error) => rows::skipped("nexus_sessions", agent.as_str(), &error),
        }
    }
    Ok(sessions)
}

/// Removes a session and its messages; answers how many those were.
pub(crate) fn delete_by_key(tx: &Tx<'_>, key: i64) -> Result<u64> {
    let messages = tx.sql("DELETE FROM nexus_messages WHERE session_key = ?1")?.execute([key])?;
    tx.sql("DELETE FROM nexus_sessions WHERE session_key = ?1")?.execute([key])?;
    Ok(messages as u64)
}

/// An id above all of the session, also when the clock was set back.
fn next_id(tx: &mut Tx<'_>, session_key: i64) -> Result<MessageId> {
    let last: Option<String> = tx
        .sql("SELECT max(message_id) FROM nexus_messages WHERE session_key = ?1")?
        .query_row([session_key], |row| row.get(0))?;
    let new = match tx.state.ulids.generate() {
        Ok(ulid) => ulid,
        Err(overflow) => overflow.commit_overflow_increment(),
    };
    let last = last.and_then(|text| ulid::Ulid::from_string(&text).ok());
    let id = match last {
        Some(last) if last >= new => last.increment().unwrap_or(new),
        _ => new,
    };
    Ok(MessageId::from_ulid(id))
}

pub(crate) fn append(tx: &mut Tx<'_>, held: &Held, new: &NewMessage) -> Result<Message> {
    super::idempotency::check(tx, new.idempotency.as_ref())?;
    if new.holder.as_ref().is_some_and(|holder| held.was_taken_from(&new.session_id, holder)) {
        return Err(fenced());
    }
    let found = {
        let mut find = tx.sql(&format!(
            "SELECT session_key, display_name, message_count FROM nexus_sessions s WHERE session_id = ?1{ALIVE}"
        ))?;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs()));
        find.query_row([new.session_id.as_str()], read).optional()?
    };
    let Some((session_key, named, count)): Option<(i64, Option<String>, u64)> = found else {
        return Err(not_found("session"));
    };
    let message_id = next_id(tx, session_key)?;
    tx.sql(
        "INSERT INTO nexus_messages (session_key, message_id, role, content, created_at, metadata)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        session_key,
        message_id.as_str(),
        new.role.as_str(),
        new.content,
        tx.now_text(),
        rows::to_json_opt(new.metadata.as_ref())?
    ])?;
    let gives_name = new.role == Role::User && is_named_by_first_message(named.as_deref(), count);
    let name = gives_name.then(|| name_from(&new.content)).filter(|name| !name.is_empty());
    tx.sql(
        "UPDATE nexus_sessions SET message_count = message_count + 1, last_active_at = ?2,
             display_name = coalesce(?3, display_name)
         WHERE session_key = ?1",
    )?
    .execute(params![session_key, tx.now_text(), name])?;
    let message = Message {
        session_id: new.session_id.clone(),
        message_id,
        role: new.role,
        content: new.content.clone(),
        created_at: tx.now(),
        metadata: new.metadata.clone(),
    };
    if let Some(idempotency) = &new.idempotency {
        // Its id is made here, so the answer is, too.
        let idempotency = KeptAnswer { answer: serde_json::to_value(&message)?, ..idempotency.clone() };
        super::idempotency::keep(tx, Some(&idempotency))?;
    }
    Ok(message)
}

/// A bound of a range: a message id or a point in time.
fn bound(text: &str, op: &str, place: usize) -> Result<(String, Sql)> {
    if let Ok(ulid) = ulid::Ulid::from_string(text) {
        return Ok((format!("m.message_id {op} ?{place}"), Sql::Text(ulid.to_string())));
    }
    let at: Timestamp =
        text.parse().map_err(|_| invalid("before and after take a message id or an ISO-8601 timestamp"))?;
    Ok((format!("m.created_at {op} ?{place}"), Sql::Text(at.to_string())))
}

pub(crate) fn messages(conn: &Connection, session: &SessionId, range: &MessageRange) -> Result<Vec<Message>> {
    let mut values = vec![Sql::Text(session.as_str().to_owned()), Sql::Integer(rows::integer(range.limit as u64))];
    let mut conditions = String::new();
    for (text, op) in [(&range.before, "<"), (&range.after, ">")] {
        if let Some(text) = text {
            let (condition, value) = bound(text, op, values.len() + 1)?;
            conditions.push_str(" AND ");
            conditions.push_str(&condition);
            values.push(value);
        }
    }
    let mut find = conn.prepare_cached(&format!(
        "SELECT {} FROM nexus_sessions s JOIN nexus_messages m USING (session_key)
         WHERE s.session_id = ?1{ALIVE}{conditions} ORDER BY m.message_id DESC LIMIT ?2",
        rows::MESSAGE
    ))?;
    let mut found = find.query(rusqlite::params_from_iter(values))?;
    let mut messages = Vec::new();
    while let Some(row) = found.next()? {
        match rows::message(row) {
            Ok(message) => messages.push(message),
            Err(error) => rows::skipped("nexus_messages", session.as_str(), &error),
        }
    }
    messages.reverse();
    Ok(messages)
}

#[async_trait]
impl Sessions for SqliteStore {
    async fn create_session(&self, session: Session, idempotency: Option<KeptAnswer>) -> Result<()> {
        self.write(move |tx| create(tx, &session, idempotency.as_ref())).await
    }

    async fn session(&self, id: &SessionId) -> Result<Option<Session>> {
        let id = id.clone();
        self.ask(move |conn| read(conn, &id)).await
    }

    async fn list_sessions(&self, agent: &AgentId, limit: usize) -> Result<Vec<Session>> {
        let agent = agent.clone();
        self.ask(move |conn| list(conn, &agent, limit)).await
    }

    async fn append_message(&self, message: NewMessage) -> Result<Message> {
        let held = Arc::clone(&self.inner.held);
        self.write(move |tx| append(tx, &held, &message)).await
    }

    async fn messages(&self, session: &SessionId, range: &MessageRange) -> Result<Vec<Message>> {
        let (session, range) = (session.clone(), range.clone());
        self.ask(move |conn| messages(conn, &session, &range)).await
    }
}
