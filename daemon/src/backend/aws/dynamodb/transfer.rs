//! The tables given out by scans, and taken in item by item, each on condition that it is not there yet.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use aws_sdk_dynamodb::{operation::put_item::PutItemError, types::AttributeValue};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value, json};

use super::{
    DynamoStore,
    catalogue::without_offers,
    client::failed,
    codec::{Reader, Record as _, StoredProject, StoredTask},
    events, idempotency,
    table::{EXPIRES, Table},
    unit::{Guard, Refused, Unit},
    value::{self, Item},
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        store::{
            Deletions as _, Result,
            transfer::{Batch, Kind, Record, Source, Target, Written, being_deleted},
        },
    },
    domain::{
        agent::{Agent, Invocation},
        deletion::{COMMITS_WITHIN, DeletedKind},
        ids::{AgentId, ProjectId},
        session::{Message, Session},
        stage::Stage,
        time::Timestamp,
        tool::Tool,
    },
};

/// Items of one scan.
const PAGE: i32 = 200;
/// Items that are written at a time.
const SIDE_BY_SIDE: usize = 16;
/// Stages of a project that the embedded store numbers.
const MOST_STAGES: u32 = 1_023;
/// Shard of the figures that came from elsewhere.
const MOVED: &str = "moved";

/// A record as an item.
pub(crate) fn item(record: &Record) -> Item {
    let fields = record.iter().filter(|(_, field)| !field.is_null());
    fields.map(|(name, field)| (name.clone(), value::attribute(field))).collect()
}

/// An item as a record.
pub(crate) fn record(item: &Item) -> Record {
    let fields = item.iter().map(|(name, attribute)| (name.clone(), value::json(attribute)));
    fields.filter(|(_, field)| !field.is_null()).collect()
}

/// Whether an item is a record of its kind: an error says what it lacks.
fn check(kind: Kind, item: &Item) -> Result<()> {
    match kind {
        Kind::Projects => StoredProject::from_item(item).map(drop),
        Kind::Stages => match Stage::from_item(item)? {
            stage if stage.stage_name.is_empty() => Err(lacks("stage_name")),
            // As the other backend keeps them: what it would refuse is named here already.
            stage if !(1..=MOST_STAGES).contains(&stage.stage_number) => Err(lacks("stage_number")),
            _ => Ok(()),
        },
        Kind::Agents => Agent::from_item(item).map(drop),
        Kind::Tools => Tool::from_item(item).map(drop),
        Kind::Sessions => Session::from_item(item).map(drop),
        Kind::Messages => Message::from_item(item).map(drop),
        Kind::Invocations => Invocation::from_item(item).map(drop),
        Kind::Tasks => StoredTask::from_item(item).map(drop),
        Kind::Events | Kind::Figures | Kind::Answers | Kind::DeadLetters | Kind::Files => Ok(()),
    }
}

/// How an item is called where it cannot be read: its kind and its key.
fn called(kind: Kind, item: &Item) -> String {
    let (partition, sort) = table_of(kind).map_or(("", None), Table::key);
    let read = Reader(item);
    let key: Vec<String> = [Some(partition), sort].into_iter().flatten().filter_map(|name| read.text(name)).collect();
    format!("{} {}", kind.name(), key.join("/"))
}

/// The error of a record without a field that it needs.
pub(crate) fn lacks(field: &str) -> BackendError {
    BackendError::new(BackendErrorKind::Corrupt, format!("{field} is missing or not of its form"))
}

const fn table_of(kind: Kind) -> Option<Table> {
    Some(match kind {
        Kind::Projects => Table::Projects,
        Kind::Stages => Table::Stages,
        Kind::Agents => Table::Agents,
        Kind::Tools => Table::Tools,
        Kind::Sessions => Table::Sessions,
        Kind::Messages => Table::Messages,
        Kind::Invocations => Table::Invocations,
        Kind::Tasks => Table::Tasks,
        Kind::Events => Table::Events,
        Kind::Figures | Kind::Answers => Table::State,
        Kind::DeadLetters | Kind::Files => return None,
    })
}

/// What rows of a kind go with, and where they name it.
const fn parent_of(kind: Kind) -> Option<(DeletedKind, &'static str)> {
    Some(match kind {
        Kind::Stages | Kind::Events | Kind::Tasks => (DeletedKind::Project, "project_id"),
        Kind::Tools | Kind::Sessions | Kind::Invocations => (DeletedKind::Agent, "agent_id"),
        Kind::Messages => (DeletedKind::Session, "session_id"),
        _ => return None,
    })
}

/// Items of these partitions only.
const fn prefix_of(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Figures => Some("figures#"),
        Kind::Answers => Some("once#"),
        _ => None,
    }
}

fn text_of<'a>(record: &'a Record, name: &str) -> Result<&'a str> {
    record.get(name).and_then(Value::as_str).ok_or_else(|| lacks(name))
}

fn whole_of(record: &Record, name: &str) -> u64 {
    let number = record.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
    let whole = number.clamp(0.0, 1e15) as u64;
    whole
}

/// The items of a record: some kinds are stored otherwise than they travel.
fn items(store: &DynamoStore, kind: Kind, record: &Record) -> Result<Vec<(Table, Item)>> {
    let Some(table) = table_of(kind) else { return Ok(Vec::new()) };
    match kind {
        Kind::Events => Ok(events::moved(store, record)?.into_iter().map(|item| (table, item)).collect()),
        Kind::Answers => Ok(vec![(table, idempotency::moved(record)?)]),
        Kind::Figures => {
            let (of, day) = (text_of(record, "kind")?, text_of(record, "day")?);
            // By day, and of all days: a shard each, so that they are the same however often they come.
            let shard = |partition: &str, shard: &str| {
                let mut item = Table::State.two(&format!("figures#{of}#{partition}"), shard);
                for name in ["good", "bad", "spent_ms"] {
                    item.insert(name.to_owned(), value::whole(whole_of(record, name)));
                }
                (table, item)
            };
            Ok(vec![shard(day, MOVED), shard("all", &format!("{MOVED}#{day}"))])
        }
        _ => {
            let mut item = item(record);
            let keys = table.indexes().iter().flat_map(|index| [index.partition, index.sort]);
            for key in keys {
                if matches!(item.get(key), Some(AttributeValue::S(text)) if text.is_empty()) {
                    item.remove(key);
                }
            }
            check(kind, &item)?;
            Ok(vec![(table, item)])
        }
    }
}

/// Sums by kind and day over the shards.
fn figures(items: &[Item]) -> Vec<Record> {
    let mut sums: BTreeMap<(String, String), [u64; 3]> = BTreeMap::new();
    for item in items {
        let read = Reader(item);
        let Some(partition) = read.text("pk") else { continue };
        let mut parts = partition.splitn(3, '#').skip(1);
        let (Some(kind), Some(day)) = (parts.next(), parts.next()) else { continue };
        if day == "all" {
            continue;
        }
        let sum = sums.entry((kind.to_owned(), day.to_owned())).or_default();
        for (sum, name) in sum.iter_mut().zip(["good", "bad", "spent_ms"]) {
            *sum += read.count(name).unwrap_or(0);
        }
    }
    let told = |((kind, day), [good, bad, spent]): ((String, String), [u64; 3])| {
        Map::from_iter([
            ("kind".to_owned(), Value::String(kind)),
            ("day".to_owned(), Value::String(day)),
            ("good".to_owned(), good.into()),
            ("bad".to_owned(), bad.into()),
            ("spent_ms".to_owned(), spent.into()),
        ])
    };
    sums.into_iter().map(told).collect()
}

impl DynamoStore {
    pub(super) async fn scan(&self, kind: Kind, from: Option<Value>) -> Result<(Vec<Item>, Option<Value>)> {
        let Some(table) = table_of(kind) else { return Ok((Vec::new(), None)) };
        let from = from.as_ref().and_then(Value::as_object).map(item);
        let mut request = self
            .tables
            .client
            .scan()
            .table_name(self.tables.name(table))
            .consistent_read(true)
            .limit(PAGE)
            .set_exclusive_start_key(from);
        if let Some(prefix) = prefix_of(kind) {
            request = request
                .filter_expression("begins_with(#k, :p)")
                .expression_attribute_names("#k", table.key().0)
                .expression_attribute_values(":p", value::text(prefix));
        }
        let answer = self.tables.ask("scan", request.send()).await?.map_err(failed)?;
        let items = answer.items.unwrap_or_default();
        Ok((items, answer.last_evaluated_key.map(|key| Value::Object(record(&key)))))
    }

    /// Whether it was written; it may be there already.
    async fn put_new(&self, table: Table, mut item: Item) -> Result<bool> {
        self.overflow.shrink(&mut item).await?;
        let request = self
            .tables
            .client
            .put_item()
            .table_name(self.tables.name(table))
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#k)")
            .expression_attribute_names("#k", table.key().0);
        match self.tables.ask("put_item", request.send()).await? {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(failed(error)),
            },
        }
    }

    /// The same of what may have been deleted before: while something of that is still to be removed, it is refused.
    async fn put_undeleted(&self, kind: DeletedKind, table: Table, mut item: Item) -> Result<bool> {
        self.overflow.shrink(&mut item).await?;
        let id = Reader(&item).text(table.key().0).unwrap_or_default();
        let mut unit = Unit::default();
        unit.put(&self.tables, table, item, &Guard::Absent, Refused::Exists)?;
        let note = super::deletions::note_key(kind, &id);
        unit.check(&self.tables, Table::State, note, &Guard::Absent, Refused::Gone)?;
        match unit.commit(&self.tables).await? {
            Ok(()) => Ok(true),
            Err(Refused::Exists) => Ok(false),
            Err(_) => Err(being_deleted(kind, &id)),
        }
    }

    /// What was deleted while an import went on may have come after its deletion looked for it: it is looked for again.
    ///
    /// # Errors
    /// The tables cannot be read or written.
    pub async fn finish_import(&self, begun: Timestamp) -> Result<()> {
        // It may have been recorded with a moment of before, and committed after.
        let since = begun.as_micros().saturating_sub(i64::try_from(COMMITS_WITHIN.as_micros()).unwrap_or(i64::MAX));
        for (kind, id) in self.deletions_since(Timestamp::from_micros(since)).await? {
            if !self.is_there(kind, &id).await? {
                self.write_note(kind, &id).await?;
            }
        }
        self.finish_deletions().await.map(drop)
    }

    async fn is_there(&self, kind: DeletedKind, id: &str) -> Result<bool> {
        let table = match kind {
            DeletedKind::Project => Table::Projects,
            DeletedKind::Agent => Table::Agents,
            DeletedKind::Session => Table::Sessions,
        };
        self.lives_again(table, id).await
    }

    /// What is being removed now, of things that were deleted: to whoever reads it is gone already.
    async fn doomed(&self, kind: Kind) -> Result<HashSet<String>> {
        let Some((of, _)) = parent_of(kind) else { return Ok(HashSet::new()) };
        let mut doomed = HashSet::new();
        for note in self.notes().await?.into_iter().filter(|note| note.kind == of) {
            if !self.is_there(of, &note.id).await? {
                doomed.insert(note.id);
            }
        }
        Ok(doomed)
    }

    async fn put_record(&self, kind: Kind, record: Record) -> Result<Written> {
        let mut written = Written::default();
        let mut new = false;
        for (table, item) in items(self, kind, &record)? {
            new |= match kind {
                Kind::Projects => self.put_undeleted(DeletedKind::Project, table, item).await?,
                Kind::Agents => self.put_undeleted(DeletedKind::Agent, table, item).await?,
                Kind::Sessions => self.put_undeleted(DeletedKind::Session, table, item).await?,
                _ => self.put_new(table, item).await?,
            };
        }
        if kind == Kind::Agents
            && let Some(name) = record.get("display_name").and_then(Value::as_str)
        {
            self.keep_name(name).await?;
        }
        if new {
            written.written = 1;
        } else {
            written.present = 1;
        }
        Ok(written)
    }

    /// The names of the tools that builds made, kept by agent so that they go with it.
    async fn remember_tools(&self, records: &[Record]) -> Result<()> {
        let mut by_agent: BTreeMap<AgentId, Vec<String>> = BTreeMap::new();
        for record in records {
            let agent = record.get("agent_id").and_then(Value::as_str).and_then(|id| id.parse().ok());
            if let (Some(agent), Some(name)) = (agent, record.get("tool_name").and_then(Value::as_str)) {
                by_agent.entry(agent).or_default().push(name.to_owned());
            }
        }
        for (agent, names) in by_agent {
            let mut item = Table::State.two(&format!("tools#{agent}"), "-");
            let known = self.tables.get(Table::State, item.clone()).await?;
            let mut all = known.map(|item| Reader(&item).texts("names")).unwrap_or_default();
            let new = names.into_iter().filter(|name| !all.contains(name)).collect::<Vec<_>>();
            if new.is_empty() {
                continue;
            }
            all.extend(new);
            item.insert("names".into(), value::attribute(&json!(all)));
            let mut unit = Unit::default();
            unit.put(&self.tables, Table::State, item, &Guard::Open, Refused::Stale)?;
            unit.commit(&self.tables).await?.map_err(|_| super::aggregate::contended())?;
        }
        Ok(())
    }
}

#[async_trait]
impl Source for DynamoStore {
    async fn batch(&self, kind: Kind, from: Option<Value>) -> Result<Batch> {
        if kind == Kind::Figures {
            // Few, and spread over shards: all at once.
            let (mut all, mut from) = (Vec::new(), None);
            loop {
                let (items, next) = self.scan(kind, from).await?;
                all.extend(items);
                let Some(next) = next else { break };
                from = Some(next);
            }
            return Ok(Batch { records: figures(&all), ..Batch::default() });
        }
        let (items, next) = self.scan(kind, from).await?;
        let mut batch = Batch { next, ..Batch::default() };
        let doomed = if items.is_empty() { HashSet::new() } else { self.doomed(kind).await? };
        let parent = parent_of(kind).map_or("", |(_, name)| name);
        for mut item in items {
            if !doomed.is_empty() && Reader(&item).text(parent).is_some_and(|id| doomed.contains(&id)) {
                continue;
            }
            // One object that is lost does not keep the others here.
            if let Err(error) = self.overflow.restore(&mut item).await {
                batch.unreadable.push(format!("{}: {error}", called(kind, &item)));
                continue;
            }
            let told = match kind {
                Kind::Events => events::told(&item),
                Kind::Answers => idempotency::told(&item, self.tables.clock()),
                _ => {
                    if kind == Kind::Tools {
                        without_offers(&mut item);
                    }
                    check(kind, &item).map(|()| Some(record(&item)))
                }
            };
            match told {
                Ok(Some(record)) => batch.records.push(record),
                Ok(None) => {}
                Err(error) => batch.unreadable.push(format!("{}: {error}", called(kind, &item))),
            }
        }
        Ok(batch)
    }

    async fn behind(&self, kind: Kind, last: &Record) -> Result<Value> {
        let Some(table) = table_of(kind) else { return Ok(Value::Null) };
        let key = match kind {
            // All at once, so again from the start.
            Kind::Figures => return Ok(Value::Null),
            Kind::Answers => idempotency::item_key(text_of(last, "key")?),
            _ => table.key_of(&item(last)),
        };
        Ok(Value::Object(record(&key)))
    }
}

#[async_trait]
impl Target for DynamoStore {
    async fn put(&self, kind: Kind, records: Vec<Record>) -> Result<Written> {
        if kind == Kind::Tools {
            self.remember_tools(&records).await?;
        }
        let puts = stream::iter(records.into_iter().map(|record| self.put_record(kind, record)));
        let each: Vec<Written> = puts.buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
        let mut sum = Written::default();
        for one in each {
            sum.add(one);
        }
        Ok(sum)
    }
}

/// Reads an item's project; of no use without.
pub(crate) fn project_of(record: &Record) -> Result<ProjectId> {
    text_of(record, "project_id")?.parse().map_err(|_| lacks("project_id"))
}

/// Seconds of `EXPIRES`, as an attribute.
pub(crate) fn expires(item: &mut Item, at: Timestamp) {
    item.insert(EXPIRES.to_owned(), value::whole(at.as_micros() / 1_000_000));
}
