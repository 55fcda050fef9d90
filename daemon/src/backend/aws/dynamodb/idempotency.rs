//! Requests that may come twice: what was answered to the first is kept beside what it created, for a day.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use super::{
    DynamoStore,
    codec::Reader,
    table::{EXPIRES, Table},
    transfer::{expires, lacks},
    unit::{Change, Guard, Refused, Unit},
    value::{self, Item},
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        files::Owner,
        store::{IdempotencyKeys, KeptAnswer, KeyRecord, Result, transfer::Record},
    },
    domain::time::Timestamp,
};

const DAY: i64 = 86_400;
/// Who works under a key that has no answer yet; one that has an answer names nobody.
pub(crate) const HOLDER: &str = "holder";

/// Seconds of a time: of the clock that all daemons share, where two of them may look at one key.
fn seconds(at: Timestamp) -> i64 {
    at.as_micros() / 1_000_000
}

pub(crate) fn item_key(key: &str) -> Item {
    Table::State.two(&format!("once#{key}"), "-")
}

fn item(once_key: &str, fingerprint: &str, answer: &Value, now: Timestamp) -> Item {
    let mut item = item_key(once_key);
    item.insert("fingerprint".into(), value::text(fingerprint));
    item.insert(EXPIRES.into(), value::whole(seconds(now) + DAY));
    item.insert("answer".into(), value::text(answer.to_string()));
    item
}

/// The record of an item, for the move to another backend: those that are answered and not past their time.
pub(crate) fn told(item: &Item, now: Timestamp) -> Result<Option<Record>> {
    let read = Reader(item);
    let (Some(partition), Some(expires)) = (read.text("pk"), read.count(EXPIRES)) else { return Ok(None) };
    let (Some(key), Some(answer)) = (partition.strip_prefix("once#"), read.text("answer")) else { return Ok(None) };
    let expires = i64::try_from(expires).unwrap_or(i64::MAX);
    if expires <= seconds(now) {
        return Ok(None);
    }
    let created = Timestamp::from_micros((expires - DAY).saturating_mul(1_000_000));
    Ok(Some(Record::from_iter([
        ("key".to_owned(), key.into()),
        ("fingerprint".to_owned(), read.text("fingerprint").unwrap_or_default().into()),
        ("answer".to_owned(), serde_json::from_str(&answer)?),
        ("created_at".to_owned(), created.to_string().into()),
    ])))
}

/// The item of a record that comes from another backend.
pub(crate) fn moved(record: &Record) -> Result<Item> {
    let text = |name: &str| record.get(name).and_then(Value::as_str).ok_or_else(|| lacks(name));
    let created: Timestamp = text("created_at")?.parse().map_err(|_| lacks("created_at"))?;
    let answer = record.get("answer").ok_or_else(|| lacks("answer"))?;
    let mut item = item(text("key")?, text("fingerprint")?, answer, created);
    expires(&mut item, created.plus(Duration::from_secs(DAY.unsigned_abs())));
    Ok(item)
}

/// The refusal of a request that was answered already.
pub(crate) fn repeated() -> BackendError {
    BackendError::new(BackendErrorKind::Repeated, "the request was answered already")
}

impl DynamoStore {
    fn expired(&self) -> Guard<'static> {
        Guard::AbsentOrExpired(self.shared_seconds())
    }

    /// Keeps the answer of a unit, which fails when the key is taken.
    pub(crate) async fn keep_key(
        &self,
        unit: &mut Unit,
        idempotency: Option<&KeptAnswer>,
        owner: &Owner,
    ) -> Result<()> {
        self.write_key(unit, idempotency, owner, &self.expired()).await
    }

    /// Keeps the answer of what was begun, on condition that the key is its holder's still.
    pub(crate) async fn end_key(&self, unit: &mut Unit, idempotency: Option<&KeptAnswer>, owner: &Owner) -> Result<()> {
        let guard = match idempotency.and_then(|idempotency| idempotency.holder.as_deref()) {
            Some(holder) => Guard::FreeOrHeldBy(holder, self.shared_seconds()),
            None => self.expired(),
        };
        self.write_key(unit, idempotency, owner, &guard).await
    }

    async fn write_key(
        &self,
        unit: &mut Unit,
        idempotency: Option<&KeptAnswer>,
        owner: &Owner,
        guard: &Guard<'_>,
    ) -> Result<()> {
        let Some(idempotency) = idempotency else { return Ok(()) };
        let mut item = item(&idempotency.key, &idempotency.fingerprint, &idempotency.answer, self.tables.clock());
        // What was answered goes with what it was about.
        self.overflow.shrink_for(&mut item, owner).await?;
        unit.put(&self.tables, Table::State, item, guard, Refused::Repeated)
    }

    /// Now in seconds, by the clock that all daemons share: what one holds for seconds no other may find ended.
    fn shared_seconds(&self) -> u64 {
        seconds(self.tables.clock()).unsigned_abs()
    }

    fn ends(&self, lasts: Duration) -> AttributeValue {
        // Up to the next whole second.
        value::whole(self.shared_seconds() + lasts.as_secs() + 1)
    }
}

#[async_trait]
impl IdempotencyKeys for DynamoStore {
    async fn key_record(&self, key: &str) -> Result<Option<KeyRecord>> {
        let Some(mut item) = self.tables.get(Table::State, item_key(key)).await? else { return Ok(None) };
        match self.overflow.restore(&mut item).await {
            // The answer went with what it was about, which was deleted.
            Err(error) if error.kind() == BackendErrorKind::Corrupt => {}
            restored => drop(restored?),
        }
        let read = Reader(&item);
        // DynamoDB deletes what has expired when it finds the time.
        if read.count(EXPIRES).is_some_and(|at| at <= self.shared_seconds()) {
            return Ok(None);
        }
        let fingerprint = read.text("fingerprint").unwrap_or_default();
        let answer = match item.get("answer").map(value::json) {
            Some(Value::String(text)) => Some(serde_json::from_str(&text)?),
            other => other,
        };
        Ok(Some(KeyRecord { fingerprint, answer }))
    }

    /// The item is the key's lease until it has an answer.
    async fn take_key(&self, key: &str, fingerprint: &str, holder: &str, lasts: Duration) -> Result<Option<KeyRecord>> {
        for _ in 0..3 {
            let mut taken = item_key(key);
            taken.insert("fingerprint".into(), value::text(fingerprint));
            taken.insert(HOLDER.into(), value::text(holder));
            taken.insert(EXPIRES.into(), self.ends(lasts));
            let mut unit = Unit::default();
            unit.put(&self.tables, Table::State, taken, &self.expired(), Refused::Repeated)?;
            if unit.commit(&self.tables).await?.is_ok() {
                return Ok(None);
            }
            if let Some(known) = self.key_record(key).await? {
                return Ok(Some(known));
            }
        }
        Err(super::aggregate::contended())
    }

    async fn extend_key(&self, key: &str, holder: &str, lasts: Duration) -> Result<bool> {
        let change = Change { set: vec![(EXPIRES.to_owned(), self.ends(lasts))], ..Change::default() };
        let mut unit = Unit::default();
        let read = [("answer", None), (HOLDER, Some(value::text(holder)))];
        unit.update(&self.tables, Table::State, item_key(key), change, &Guard::AsRead(&read), Refused::Stale)?;
        Ok(unit.commit(&self.tables).await?.is_ok())
    }

    async fn release_key(&self, key: &str, holder: &str) -> Result<()> {
        let mut unit = Unit::default();
        let read = [("answer", None), (HOLDER, Some(value::text(holder)))];
        unit.delete(&self.tables, Table::State, item_key(key), &Guard::AsRead(&read), Refused::Stale)?;
        // An answer stays, what is another's stays, and what is gone is gone.
        let _refused = unit.commit(&self.tables).await?;
        Ok(())
    }
}
