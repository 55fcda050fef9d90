//! Keys and sessions of callers, in the daemon's own table: keys in one partition, so that they can be listed, each session
//! in one of its own, removed by DynamoDB some time after its end.

use async_trait::async_trait;
use serde_json::Value;

use super::{
    DynamoStore,
    client::Query,
    codec::Reader,
    table::{EXPIRES, Table},
    unit::{Change, Guard, Refused, Unit},
    value::{self, Item},
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        store::{CredentialClass, CredentialRecord, Credentials, Result},
    },
    domain::time::Timestamp,
};

/// Partition of the keys.
const KEYS: &str = "keys";
const REVISION: &str = "revision";
const LAST_USED: &str = "last_used_at";

fn item_key(class: CredentialClass, id: &str) -> Item {
    match class {
        CredentialClass::Key => Table::State.two(KEYS, id),
        CredentialClass::Session => Table::State.two(&format!("session#{id}"), "-"),
    }
}

fn parse(class: CredentialClass, id: &str, item: &Item) -> Result<CredentialRecord> {
    let read = Reader(item);
    let record: Option<Value> = read.text("record").and_then(|text| serde_json::from_str(&text).ok());
    let (Some(revision), Some(record)) = (read.count(REVISION), record) else {
        return Err(BackendError::new(BackendErrorKind::Corrupt, "the record of a key or session cannot be read"));
    };
    let (ends, last_used) = (read.word("ends_at"), read.word(LAST_USED));
    Ok(CredentialRecord { class, id: id.to_owned(), revision, ends, last_used, record })
}

#[async_trait]
impl Credentials for DynamoStore {
    async fn credential(&self, class: CredentialClass, id: &str) -> Result<Option<CredentialRecord>> {
        let item = self.tables.get(Table::State, item_key(class, id)).await?;
        item.map(|item| parse(class, id, &item)).transpose()
    }

    async fn keys(&self) -> Result<Vec<CredentialRecord>> {
        let items = self.tables.all(Query::of(Table::State, "pk", value::text(KEYS)), usize::MAX).await?;
        let found = items.iter().filter_map(|item| {
            let id = Reader(item).text("sk")?;
            match parse(CredentialClass::Key, &id, item) {
                Ok(record) => Some(record),
                Err(error) => {
                    tracing::warn!(%error, id, "a key is left out of the list");
                    None
                }
            }
        });
        Ok(found.collect())
    }

    async fn keep_credential(&self, new: CredentialRecord, from: Option<u64>) -> Result<bool> {
        let mut set = vec![
            (REVISION.to_owned(), value::whole(new.revision)),
            ("record".to_owned(), value::text(new.record.to_string())),
        ];
        let mut remove = Vec::new();
        match new.ends {
            Some(at) => set.push(("ends_at".to_owned(), value::text(at.to_string()))),
            None => remove.push("ends_at".to_owned()),
        }
        if let (CredentialClass::Session, Some(at)) = (new.class, new.ends) {
            set.push((EXPIRES.to_owned(), value::whole(at.as_micros() / 1_000_000)));
        }
        let key = item_key(new.class, &new.id);
        let known = [(REVISION, from.map(value::whole))];
        let guard = if from.is_some() { Guard::AsRead(&known) } else { Guard::Absent };
        let change = Change { set, remove, ..Change::default() };
        let mut unit = Unit::default();
        unit.update(&self.tables, Table::State, key, change, &guard, Refused::Stale)?;
        Ok(unit.commit(&self.tables).await?.is_ok())
    }

    async fn remove_credential(&self, class: CredentialClass, id: &str) -> Result<bool> {
        let mut unit = Unit::default();
        unit.delete(&self.tables, Table::State, item_key(class, id), &Guard::Present, Refused::Gone)?;
        Ok(unit.commit(&self.tables).await?.is_ok())
    }

    async fn note_uses(&self, uses: Vec<(CredentialClass, String, Timestamp)>) -> Result<()> {
        for (class, id, at) in uses {
            let set = vec![(LAST_USED.to_owned(), value::text(at.to_string()))];
            let mut unit = Unit::default();
            let change = Change { set, ..Change::default() };
            unit.update(&self.tables, Table::State, item_key(class, &id), change, &Guard::Present, Refused::Gone)?;
            // Removed meanwhile: nothing to note.
            let _gone = unit.commit(&self.tables).await?;
        }
        Ok(())
    }
}
