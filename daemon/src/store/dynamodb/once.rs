//! Requests that may come twice: what was answered to the first is kept beside what it created, for a day.

use serde_json::Value;

use super::{
    DynamoStore,
    codec::Reader,
    table::{EXPIRES, Table},
    transfer::{expires, lacks},
    unit::{Guard, Refused, Unit},
    value::{self, Item},
};
use crate::{
    artifacts::Owner,
    domain::time::Timestamp,
    store::{Once, OnceRecord, Result, StoreError, StoreErrorKind, transfer::Record},
};

const DAY: i64 = 86_400;
/// What nobody answers in this time was begun by a daemon that is gone.
const UNANSWERED: i64 = 900;

fn seconds() -> i64 {
    Timestamp::now().as_micros() / 1_000_000
}

pub(crate) fn key(once: &str) -> Item {
    Table::State.two(&format!("once#{once}"), "-")
}

fn item(once_key: &str, fingerprint: &str, answer: Option<&Value>) -> Item {
    let mut item = key(once_key);
    item.insert("fingerprint".into(), value::text(fingerprint));
    let lasts = if answer.is_some() { DAY } else { UNANSWERED };
    item.insert(EXPIRES.into(), value::whole(seconds() + lasts));
    if let Some(answer) = answer {
        item.insert("answer".into(), value::text(answer.to_string()));
    }
    item
}

/// The record of an item, for the move to another backend: those that are answered and not past their time.
pub(crate) fn told(item: &Item) -> Result<Option<Record>> {
    let read = Reader(item);
    let (Some(partition), Some(expires)) = (read.text("pk"), read.count(EXPIRES)) else { return Ok(None) };
    let (Some(key), Some(answer)) = (partition.strip_prefix("once#"), read.text("answer")) else { return Ok(None) };
    let expires = i64::try_from(expires).unwrap_or(i64::MAX);
    if expires <= seconds() {
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
    let mut item = item(text("key")?, text("fingerprint")?, Some(answer));
    expires(&mut item, created.plus(std::time::Duration::from_secs(DAY.unsigned_abs())));
    Ok(item)
}

/// The refusal of a request that was answered already.
pub(crate) fn repeated() -> StoreError {
    StoreError::new(StoreErrorKind::Repeated, "the request was answered already")
}

impl DynamoStore {
    /// Keeps the answer of a unit, which fails when the key is taken.
    pub(crate) async fn keep_once(&self, unit: &mut Unit, once: Option<&Once>, owner: &Owner) -> Result<()> {
        self.write_once(unit, once, owner, &Guard::AbsentOrExpired(seconds().unsigned_abs())).await
    }

    /// Keeps the answer of what was begun.
    pub(crate) async fn end_once(&self, unit: &mut Unit, once: Option<&Once>, owner: &Owner) -> Result<()> {
        self.write_once(unit, once, owner, &Guard::Open).await
    }

    async fn write_once(&self, unit: &mut Unit, once: Option<&Once>, owner: &Owner, guard: &Guard<'_>) -> Result<()> {
        let Some(once) = once else { return Ok(()) };
        let mut item = item(&once.key, &once.fingerprint, Some(&once.answer));
        // What was answered goes with what it was about.
        self.overflow.shrink_for(&mut item, owner).await?;
        unit.put(&self.tables, Table::State, item, guard, Refused::Repeated)
    }

    /// `Store::once`.
    pub(crate) async fn read_once(&self, once: &str) -> Result<Option<OnceRecord>> {
        let Some(mut item) = self.tables.get(Table::State, key(once)).await? else { return Ok(None) };
        match self.overflow.restore(&mut item).await {
            // The answer went with what it was about, which was deleted.
            Err(error) if error.kind() == StoreErrorKind::Corrupt => {}
            restored => drop(restored?),
        }
        let read = Reader(&item);
        // DynamoDB deletes what has expired when it finds the time.
        if read.count(EXPIRES).is_some_and(|at| at <= seconds().unsigned_abs()) {
            return Ok(None);
        }
        let fingerprint = read.text("fingerprint").unwrap_or_default();
        let answer = match item.get("answer").map(value::json) {
            Some(Value::String(text)) => Some(serde_json::from_str(&text)?),
            other => other,
        };
        Ok(Some(OnceRecord { fingerprint, answer }))
    }

    /// `Store::begin_once`.
    pub(crate) async fn take_once(&self, once: &str, fingerprint: &str) -> Result<Option<OnceRecord>> {
        for _ in 0..3 {
            let mut unit = Unit::default();
            let guard = Guard::AbsentOrExpired(seconds().unsigned_abs());
            unit.put(&self.tables, Table::State, item(once, fingerprint, None), &guard, Refused::Repeated)?;
            if unit.commit(&self.tables).await?.is_ok() {
                return Ok(None);
            }
            if let Some(known) = self.read_once(once).await? {
                return Ok(Some(known));
            }
        }
        Err(super::aggregate::contended())
    }

    /// `Store::abandon_once`.
    pub(crate) async fn give_back_once(&self, once: &str) -> Result<()> {
        let mut unit = Unit::default();
        let read = [("answer", None)];
        unit.delete(&self.tables, Table::State, key(once), &Guard::AsRead(&read), Refused::Stale)?;
        // An answer stays, and what is gone is gone.
        let _refused = unit.commit(&self.tables).await?;
        Ok(())
    }
}
