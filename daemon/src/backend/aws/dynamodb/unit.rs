//! One atomic write: what changes, under which conditions, and what it means when one does not hold.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem, Update},
};

use super::{
    client::{Tables, failed, unbuilt},
    codec::StoredTask,
    table::Table,
    value::Item,
};
use crate::backend::{
    aws::clients::REQUEST,
    error::{BackendError, BackendErrorKind},
    store::Result,
};

/// Writes of one transaction.
pub(crate) const MOST_WRITES: usize = 100;
/// Bytes of one transaction: DynamoDB takes 4 MB, and this counts only nearly.
pub(crate) const MOST_BYTES: usize = 3_800_000;
/// For how long a transaction that met others on its items is tried again.
const TRIED_FOR: Duration = Duration::from_secs(10);
/// From the first try of a transaction to the end of the last: what was committed is committed within this time, as far
/// as this daemon knows.
pub(crate) const LONGEST_COMMIT: Duration = TRIED_FOR.saturating_add(REQUEST).saturating_add(LONGEST_PAUSE);
const LONGEST_PAUSE: Duration = Duration::from_millis(1_280);

/// What it means when a condition does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// What was read has changed: read it again.
    Stale,
    /// It is there already.
    Exists,
    /// The request was answered already.
    Repeated,
    /// Another thing that it needs is gone.
    Gone,
    /// The task is not as its lease has it: another claimed, ended or gave back what this writer held.
    Fenced,
}

/// An attribute as it was read; `None`: not there.
pub(crate) type Read = (&'static str, Option<AttributeValue>);
/// Attributes that must be as they were read.
pub(crate) type AsRead<'a> = &'a [(&'a str, Option<AttributeValue>)];

/// What must hold of an item.
pub(crate) enum Guard<'a> {
    Absent,
    Present,
    /// There is one, and these are as they were read.
    AsRead(AsRead<'a>),
    /// There is one, a task, under the same lease: its state, the number of its last claim and whose that was.
    SameLease(&'a StoredTask),
    /// None, or one that has expired by now (seconds).
    AbsentOrExpired(u64),
    /// None, or one that is this holder's, or that its holder has let expire by now (seconds).
    FreeOrHeldBy(&'a str, u64),
    Open,
}

/// What changes in an item.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) set: Vec<(String, AttributeValue)>,
    pub(crate) remove: Vec<String>,
    pub(crate) add: Vec<(String, AttributeValue)>,
    /// Set where there is nothing yet.
    pub(crate) init: Vec<(String, AttributeValue)>,
    /// Added to what is there, or to the first value where there is nothing yet.
    pub(crate) sum: Vec<(String, AttributeValue, AttributeValue)>,
}

impl Change {
    /// From one form of an item to another.
    pub(crate) fn between(before: &Item, after: &Item) -> Self {
        let set = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
        let remove = before.keys().filter(|name| !after.contains_key(*name)).cloned().collect();
        Self { set: set.map(|(name, value)| (name.clone(), value.clone())).collect(), remove, ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.set.is_empty()
            && self.remove.is_empty()
            && self.add.is_empty()
            && self.init.is_empty()
            && self.sum.is_empty()
    }

    /// Counts `by` more, whoever else counts meanwhile. The item is as it was read: an attribute of the original's that
    /// is no number (null, or a number as text) cannot be added to, so it is replaced as long as it is still that; the
    /// answer is what must hold then.
    pub(crate) fn count(&mut self, read: &Item, name: &'static str, by: u64) -> Option<Read> {
        match read.get(name) {
            None | Some(AttributeValue::N(_)) => {
                self.add.push((name.to_owned(), super::value::whole(by)));
                None
            }
            Some(odd) => {
                let known = super::codec::Reader(read).count(name).unwrap_or(0);
                self.set.push((name.to_owned(), super::value::whole(known.saturating_add(by))));
                Some((name, Some(odd.clone())))
            }
        }
    }

    fn bytes(&self) -> usize {
        let pairs = self.set.iter().chain(&self.add).chain(&self.init);
        pairs.map(|(name, value)| name.len() + super::value::size(value)).sum()
    }
}

#[derive(Default)]
pub(crate) struct Unit {
    writes: Vec<TransactWriteItem>,
    meanings: Vec<Refused>,
    bytes: usize,
}

/// Placeholders of an expression.
#[derive(Default)]
struct Names {
    names: Vec<(String, String)>,
    values: Vec<(String, AttributeValue)>,
}

impl Names {
    fn name(&mut self, name: &str) -> String {
        let holder = format!("#n{}", self.names.len());
        self.names.push((holder.clone(), name.to_owned()));
        holder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let holder = format!(":v{}", self.values.len());
        self.values.push((holder.clone(), value));
        holder
    }

    fn condition(&mut self, table: Table, guard: &Guard<'_>) -> Option<String> {
        let key = table.key().0;
        Some(match guard {
            Guard::Open => return None,
            Guard::Absent => format!("attribute_not_exists({})", self.name(key)),
            Guard::Present => format!("attribute_exists({})", self.name(key)),
            Guard::AbsentOrExpired(now) => {
                let (key, expires) = (self.name(key), self.name(super::table::EXPIRES));
                let now = self.value(super::value::whole(*now));
                format!("attribute_not_exists({key}) OR {expires} <= {now}")
            }
            Guard::FreeOrHeldBy(holder, now) => {
                let (key, held) = (self.name(key), self.name(super::idempotency::HOLDER));
                let expires = self.name(super::table::EXPIRES);
                let (holder, now) = (self.value(super::value::text(*holder)), self.value(super::value::whole(*now)));
                format!(
                    "attribute_not_exists({key}) OR {held} = {holder} OR (attribute_exists({held}) AND {expires} <= {now})"
                )
            }
            Guard::SameLease(task) => {
                let (status, epoch) = (self.name("status"), self.name("lease_epoch"));
                // The word as it stands in the row: the original's may be none of ours, or missing.
                let stands = task.stated.clone();
                let stands = stands.unwrap_or_else(|| Some(super::value::text(task.task.status.as_str())));
                let as_read = match stands {
                    Some(word) => format!("{status} = {}", self.value(word)),
                    None => format!("attribute_not_exists({status})"),
                };
                let number = self.value(super::value::whole(task.epoch));
                let mut text = format!("attribute_exists({}) AND {as_read}", self.name(key));
                // A task of the original's has no number.
                let unnumbered =
                    if task.epoch == 0 { format!(" OR attribute_not_exists({epoch})") } else { String::new() };
                text.push_str(&format!(" AND ({epoch} = {number}{unnumbered})"));
                if let Some(worker) = &task.task.worker_id {
                    let (name, worker) = (self.name("worker_id"), self.value(super::value::text(worker.as_str())));
                    text.push_str(&format!(" AND {name} = {worker}"));
                }
                text
            }
            Guard::AsRead(read) => {
                let mut text = format!("attribute_exists({})", self.name(key));
                for (name, value) in *read {
                    let name = self.name(name);
                    match value {
                        Some(value) => {
                            let value = self.value(value.clone());
                            text.push_str(&format!(" AND {name} = {value}"));
                        }
                        None => text.push_str(&format!(" AND attribute_not_exists({name})")),
                    }
                }
                text
            }
        })
    }

    fn names(&mut self) -> Option<std::collections::HashMap<String, String>> {
        (!self.names.is_empty()).then(|| self.names.drain(..).collect())
    }

    fn values(&mut self) -> Option<Item> {
        (!self.values.is_empty()).then(|| self.values.drain(..).collect())
    }
}

impl Unit {
    /// Bytes of what it writes, nearly.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Room for further writes.
    pub(crate) fn room(&self) -> usize {
        MOST_WRITES.saturating_sub(self.writes.len())
    }

    fn push(&mut self, write: TransactWriteItem, meaning: Refused) {
        self.writes.push(write);
        self.meanings.push(meaning);
    }

    pub(crate) fn put(
        &mut self,
        tables: &Tables,
        table: Table,
        item: Item,
        guard: &Guard<'_>,
        meaning: Refused,
    ) -> Result<()> {
        let mut names = Names::default();
        let condition = names.condition(table, guard);
        self.bytes += super::value::item_size(&item);
        let put = Put::builder()
            .table_name(tables.name(table))
            .set_item(Some(item))
            .set_condition_expression(condition)
            .set_expression_attribute_names(names.names())
            .set_expression_attribute_values(names.values())
            .build()
            .map_err(unbuilt)?;
        self.push(TransactWriteItem::builder().put(put).build(), meaning);
        Ok(())
    }

    pub(crate) fn update(
        &mut self,
        tables: &Tables,
        table: Table,
        key: Item,
        change: Change,
        guard: &Guard<'_>,
        meaning: Refused,
    ) -> Result<()> {
        if change.is_empty() {
            return self.check(tables, table, key, guard, meaning);
        }
        self.bytes += change.bytes();
        let mut names = Names::default();
        let (mut set, mut add) = (Vec::new(), Vec::new());
        for (name, value) in change.set {
            set.push(format!("{} = {}", names.name(&name), names.value(value)));
        }
        for (name, value) in change.init {
            let name = names.name(&name);
            set.push(format!("{name} = if_not_exists({name}, {})", names.value(value)));
        }
        for (name, first, by) in change.sum {
            let name = names.name(&name);
            let (first, by) = (names.value(first), names.value(by));
            set.push(format!("{name} = if_not_exists({name}, {first}) + {by}"));
        }
        for (name, value) in change.add {
            add.push(format!("{} {}", names.name(&name), names.value(value)));
        }
        let remove: Vec<String> = change.remove.iter().map(|name| names.name(name)).collect();
        let clauses =
            [("SET", set), ("REMOVE", remove), ("ADD", add)].into_iter().filter(|(_, parts)| !parts.is_empty());
        let clauses: Vec<String> = clauses.map(|(word, parts)| format!("{word} {}", parts.join(", "))).collect();
        let condition = names.condition(table, guard);
        let update = Update::builder()
            .table_name(tables.name(table))
            .set_key(Some(key))
            .update_expression(clauses.join(" "))
            .set_condition_expression(condition)
            .set_expression_attribute_names(names.names())
            .set_expression_attribute_values(names.values())
            .build()
            .map_err(unbuilt)?;
        self.push(TransactWriteItem::builder().update(update).build(), meaning);
        Ok(())
    }

    pub(crate) fn delete(
        &mut self,
        tables: &Tables,
        table: Table,
        key: Item,
        guard: &Guard<'_>,
        meaning: Refused,
    ) -> Result<()> {
        let mut names = Names::default();
        let condition = names.condition(table, guard);
        let delete = Delete::builder()
            .table_name(tables.name(table))
            .set_key(Some(key))
            .set_condition_expression(condition)
            .set_expression_attribute_names(names.names())
            .set_expression_attribute_values(names.values())
            .build()
            .map_err(unbuilt)?;
        self.push(TransactWriteItem::builder().delete(delete).build(), meaning);
        Ok(())
    }

    pub(crate) fn check(
        &mut self,
        tables: &Tables,
        table: Table,
        key: Item,
        guard: &Guard<'_>,
        meaning: Refused,
    ) -> Result<()> {
        let mut names = Names::default();
        let Some(condition) = names.condition(table, guard) else { return Ok(()) };
        let check = ConditionCheck::builder()
            .table_name(tables.name(table))
            .set_key(Some(key))
            .condition_expression(condition)
            .set_expression_attribute_names(names.names())
            .set_expression_attribute_values(names.values())
            .build()
            .map_err(unbuilt)?;
        self.push(TransactWriteItem::builder().condition_check(check).build(), meaning);
        Ok(())
    }

    /// Writes all of it or nothing. The inner error names the first condition that does not hold.
    ///
    /// A token makes a request that is sent twice (its answer was lost) one write.
    pub(crate) async fn commit(self, tables: &Tables) -> Result<std::result::Result<(), Refused>> {
        if self.writes.is_empty() {
            return Ok(Ok(()));
        }
        if self.writes.len() > MOST_WRITES {
            return Err(BackendError::new(
                BackendErrorKind::Invalid,
                "this changes more than one unit of the store holds",
            ));
        }
        if self.bytes > MOST_BYTES {
            return Err(BackendError::new(
                BackendErrorKind::Invalid,
                "this writes more than one unit of the store holds",
            ));
        }
        let begun = Instant::now();
        let mut round = 0_u32;
        loop {
            let token = ulid::Ulid::generate().to_string();
            let request = tables.client.transact_write_items().set_transact_items(Some(self.writes.clone()));
            let answer = tables.ask("transact_write_items", request.client_request_token(token).send()).await?;
            let error = match answer {
                Ok(_) => return Ok(Ok(())),
                Err(error) => error,
            };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
            else {
                return Err(failed(error));
            };
            let codes: Vec<&str> =
                cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None")).collect();
            let unmet = codes.iter().position(|code| *code == "ConditionalCheckFailed");
            if let Some(meaning) = unmet.and_then(|index| self.meanings.get(index)) {
                return Ok(Err(*meaning));
            }
            let may_pass = |code: &&str| {
                matches!(*code, "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
            };
            if !codes.iter().any(may_pass) {
                tracing::warn!(?codes, "a transaction was refused");
                return Err(BackendError::new(
                    BackendErrorKind::Invalid,
                    "the store refuses this: it is too large, or not of its form",
                )
                .because(error));
            }
            if begun.elapsed() >= TRIED_FOR {
                let text = "too many write the same thing at once: try again";
                return Err(BackendError::new(BackendErrorKind::Unavailable, text));
            }
            let most = (Duration::from_millis(20) * (1 << round.min(6))).min(LONGEST_PAUSE);
            tokio::time::sleep(most.mul_f64(rand::random_range(0.5..=1.0))).await;
            round += 1;
        }
    }
}
