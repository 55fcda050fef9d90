//! Conversations and their messages.

use async_trait::async_trait;

use super::{
    DynamoStore,
    aggregate::{TRIES, contended, pause},
    client::Query,
    codec::{Reader, Record as _},
    session_leases::LAST_HOLDER,
    table::Table,
    unit::{Change, Guard, Refused, Unit},
    value,
};
use crate::{
    backend::{
        error::{fenced, invalid, not_found},
        files::Owner,
        store::{KeptAnswer, MessageRange, NewMessage, Result, Sessions, alike::name_from},
    },
    domain::{
        ids::{AgentId, MessageId, SessionId},
        session::{Message, Role, Session, is_named_by_first_message},
        time::Timestamp,
    },
};

/// The session's last message: ids grow, also when clocks differ.
const LAST: &str = "last_message_id";

/// A bound of a range.
enum Bound {
    Id(String),
    At(Timestamp),
}

fn bound(text: &str) -> Result<Bound> {
    if let Ok(ulid) = ulid::Ulid::from_string(text) {
        return Ok(Bound::Id(ulid.to_string()));
    }
    let at = text.parse().map_err(|_| invalid("before and after take a message id or an ISO-8601 timestamp"))?;
    Ok(Bound::At(at))
}

impl DynamoStore {
    /// Deletes the items that a query finds, with what lies elsewhere of them; answers how many those were.
    pub(crate) async fn delete_all(&self, mut query: Query<'_>) -> Result<u64> {
        let mut count = 0;
        loop {
            let page = self.tables.query(&query).await?;
            count += page.items.len() as u64;
            self.overflow.forget_of(&page.items).await?;
            let keys = page.items.iter().map(|item| query.table.key_of(item)).collect();
            self.tables.delete_many(query.table, keys).await?;
            match page.next {
                Some(next) => query.from = Some(next),
                None => return Ok(count),
            }
        }
    }
}

#[async_trait]
impl Sessions for DynamoStore {
    async fn create_session(&self, session: Session, idempotency: Option<KeptAnswer>) -> Result<()> {
        let session = &session;
        let idempotency = idempotency.as_ref();
        let mut unit = Unit::default();
        self.keep_key(&mut unit, idempotency, &Owner::from(&session.agent_id)).await?;
        let agent = Table::Agents.one(session.agent_id.as_str());
        unit.check(&self.tables, Table::Agents, agent, &Guard::Present, Refused::Gone)?;
        let mut item = session.to_item()?;
        self.overflow.shrink(&mut item).await?;
        unit.put(&self.tables, Table::Sessions, item, &Guard::Absent, Refused::Exists)?;
        match unit.commit(&self.tables).await? {
            Ok(()) => Ok(()),
            Err(Refused::Repeated) => Err(super::idempotency::repeated()),
            Err(Refused::Gone) => Err(not_found("agent")),
            Err(_) => Err(crate::backend::error::BackendError::new(
                crate::backend::error::BackendErrorKind::Conflict,
                "it exists already",
            )),
        }
    }

    async fn session(&self, id: &SessionId) -> Result<Option<Session>> {
        let Some(mut item) = self.tables.get(Table::Sessions, Table::Sessions.one(id.as_str())).await? else {
            return Ok(None);
        };
        self.overflow.restore_all(std::slice::from_mut(&mut item)).await?;
        Session::from_item(&item).map(Some)
    }

    async fn list_sessions(&self, agent: &AgentId, limit: usize) -> Result<Vec<Session>> {
        let query = Query {
            forward: false,
            limit: limit.clamp(1, 1_000),
            ..Query::by(Table::Sessions, "AgentIndex", "agent_id", value::text(agent.as_str()))
        };
        let mut items = self.tables.all(query, limit).await?;
        items.truncate(limit);
        self.overflow.restore_all(&mut items).await?;
        Ok(items.iter().filter_map(|item| Session::from_item(item).ok()).collect())
    }

    async fn append_message(&self, message: NewMessage) -> Result<Message> {
        let new = &message;
        let key = Table::Sessions.one(new.session_id.as_str());
        for round in 0..TRIES {
            let Some(session) = self.tables.get(Table::Sessions, key.clone()).await? else {
                return Err(not_found("session"));
            };
            let read = Reader(&session);
            if let (Some(holder), Some(last)) = (&new.holder, read.text(LAST_HOLDER))
                && *holder != last
            {
                return Err(fenced());
            }
            let (named, count) = (read.text("display_name"), read.count("message_count").unwrap_or(0));
            let (last, takes_name) = (read.text(LAST), is_named_by_first_message(named.as_deref(), count));
            let now = self.tables.clock();
            let moment = u64::try_from(now.as_micros() / 1_000).unwrap_or(0);
            let fresh = ulid::Ulid::from_parts(moment, rand::random());
            let above = last.as_ref().and_then(|text| ulid::Ulid::from_string(text).ok());
            let id = match above {
                Some(last) if last >= fresh => last.increment().unwrap_or(fresh),
                _ => fresh,
            };
            let message = Message {
                session_id: new.session_id.clone(),
                message_id: MessageId::from_ulid(id),
                role: new.role,
                content: new.content.clone(),
                created_at: now,
                metadata: new.metadata.clone(),
            };
            let mut unit = Unit::default();
            let idempotency = match &new.idempotency {
                // Its id is made here, so the answer is, too.
                Some(idempotency) => {
                    Some(KeptAnswer { answer: serde_json::to_value(&message)?, ..idempotency.clone() })
                }
                None => None,
            };
            self.keep_key(&mut unit, idempotency.as_ref(), &Owner::Session(new.session_id.clone())).await?;
            let mut item = message.to_item()?;
            self.overflow.shrink(&mut item).await?;
            unit.put(&self.tables, Table::Messages, item, &Guard::Absent, Refused::Stale)?;
            let mut set = vec![
                (LAST.to_owned(), value::text(message.message_id.as_str())),
                ("last_active_at".to_owned(), value::text(message.created_at.to_string())),
            ];
            let name = name_from(&new.content);
            if new.role == Role::User && takes_name && !name.is_empty() {
                set.push(("display_name".to_owned(), value::text(name)));
            }
            let mut change = Change { set, ..Change::default() };
            let mut read = vec![(LAST, session.get(LAST).cloned())];
            if new.holder.is_some() {
                read.push((LAST_HOLDER, session.get(LAST_HOLDER).cloned()));
            }
            read.extend(change.count(&session, "message_count", 1));
            unit.update(&self.tables, Table::Sessions, key.clone(), change, &Guard::AsRead(&read), Refused::Stale)?;
            match unit.commit(&self.tables).await? {
                Ok(()) => return Ok(message),
                Err(Refused::Repeated) => return Err(super::idempotency::repeated()),
                Err(_) => pause(round).await,
            }
        }
        Err(contended())
    }

    async fn messages(&self, session: &SessionId, range: &MessageRange) -> Result<Vec<Message>> {
        let before = range.before.as_deref().map(bound).transpose()?;
        let after = range.after.as_deref().map(bound).transpose()?;
        let query = Query {
            forward: false,
            limit: range.limit.clamp(1, 1_000),
            ..Query::of(Table::Messages, "session_id", value::text(session.as_str()))
        };
        let mut query = query;
        if let Some(Bound::Id(id)) = &before {
            query.sort = Some(("message_id", "<", value::text(id)));
        }
        let mut found: Vec<Message> = Vec::new();
        // Newest first, until there are enough or one is too old.
        'pages: loop {
            let mut page = self.tables.query(&query).await?;
            self.overflow.restore_all(&mut page.items).await?;
            for message in page.items.iter().filter_map(|item| Message::from_item(item).ok()) {
                let old = match &after {
                    Some(Bound::Id(id)) => message.message_id.as_str() <= id.as_str(),
                    Some(Bound::At(at)) => message.created_at <= *at,
                    None => false,
                };
                if old || found.len() >= range.limit {
                    break 'pages;
                }
                if !matches!(&before, Some(Bound::At(at)) if message.created_at >= *at) {
                    found.push(message);
                }
            }
            match page.next {
                Some(next) => query.from = Some(next),
                None => break,
            }
        }
        found.reverse();
        Ok(found)
    }
}
