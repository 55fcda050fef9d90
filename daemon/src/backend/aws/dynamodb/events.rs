//! Project events: one item for those of a unit, keyed by the number of the last, and a feed over all projects by
//! which a daemon hears of what others did.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{
    DynamoStore,
    aggregate::{TRIES, contended, pause},
    client::Query,
    codec::Reader,
    table::Table,
    transfer::{self, lacks, project_of},
    unit::{Guard, LONGEST_COMMIT, Refused, Unit},
    value::{self, Item},
};
use crate::{
    backend::{
        error::{fenced, not_found},
        store::{Events, Origin, Result, transfer::Record},
    },
    domain::{
        event::{NewEvent, ProjectEvent, Told},
        ids::ProjectId,
        time::Timestamp,
    },
};

/// Partitions of the feed: one takes about a thousand writes a second.
const FEEDS: u32 = 4;
/// Bytes of events in one item.
const MOST_BYTES: usize = 256 * 1024;
/// Bytes of events that one unit takes, nearly.
const MOST_AT_ONCE: usize = 1_000_000;
/// How far the feed is read again by each look: what one daemon wrote first may be seen last.
const OVERLAP: Duration = Duration::from_secs(5);
/// How far it is read again by a wide look. An event has the time at which its commit began, so it can be seen as late
/// as the longest commit is long; clocks that differ, the index and the network come on top.
const WIDE: Duration = LONGEST_COMMIT.saturating_add(Duration::from_secs(30));
/// Every how many looks one is wide.
const WIDE_EVERY: u64 = 8;
/// Items of a feed that one look takes.
const MOST_SEEN: usize = 20_000;
/// Pause between two looks at the feed.
const LOOK_EVERY: Duration = Duration::from_millis(700);
/// Projects whose last told number is kept.
const KEPT: usize = 20_000;

fn feed_of(id: &ProjectId) -> String {
    let sum = id.as_str().bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    format!("feed-{}", sum % FEEDS)
}

fn feed_at(at: Timestamp) -> String {
    format!("{:020}", at.as_micros())
}

/// Adds events to a unit, numbered from `first`; answers them as they will be told.
pub(crate) fn write(
    store: &DynamoStore,
    unit: &mut Unit,
    id: &ProjectId,
    first: u64,
    now: Timestamp,
    events: Vec<NewEvent>,
) -> Result<Vec<ProjectEvent>> {
    let told: Vec<Told> = events.into_iter().map(NewEvent::told).collect();
    for item in items(store, id, first, now, &told)? {
        unit.put(&store.tables, Table::Events, item, &Guard::Open, Refused::Stale)?;
    }
    Ok(Told::numbered_to((first + told.len() as u64).saturating_sub(1), told, id).collect())
}

/// The items that hold events, numbered from `first`, each of its size.
fn items(store: &DynamoStore, id: &ProjectId, first: u64, at: Timestamp, events: &[Told]) -> Result<Vec<Item>> {
    let (mut items, mut row, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut item = |last: u64, row: &[String]| {
        let mut item = Item::from([
            ("project_id".to_owned(), value::text(id.as_str())),
            ("seq".to_owned(), value::whole(last)),
            ("count".to_owned(), value::whole(row.len() as u64)),
            ("events".to_owned(), value::text(format!("[{}]", row.join(",")))),
            ("feed".to_owned(), value::text(feed_of(id))),
            ("feed_at".to_owned(), value::text(feed_at(at))),
        ]);
        transfer::expires(&mut item, at.plus(store.retention));
        items.push(item);
    };
    for (event, number) in events.iter().zip(first..) {
        let text = serde_json::to_string(event)?;
        if !row.is_empty() && bytes + text.len() > MOST_BYTES {
            item(number - 1, &row);
            row.clear();
            bytes = 0;
        }
        bytes += text.len();
        row.push(text);
    }
    if !row.is_empty() {
        item(first + events.len() as u64 - 1, &row);
    }
    Ok(items)
}

/// Events in parts of which a unit holds one each.
fn parts(events: Vec<NewEvent>) -> Vec<Vec<NewEvent>> {
    let (mut parts, mut part, mut bytes) = (Vec::new(), Vec::new(), 0);
    for event in events {
        let event = event.told();
        let text: usize = event.fields.iter().map(|(name, value)| name.len() + value.to_string().len() + 8).sum();
        if bytes > 0 && bytes + text > MOST_AT_ONCE {
            parts.push(std::mem::take(&mut part));
            bytes = 0;
        }
        bytes += text;
        part.push(event.into());
    }
    parts.push(part);
    parts
}

/// The events of an item.
fn read(item: &Item) -> Vec<ProjectEvent> {
    let reader = Reader(item);
    let (Ok(project_id), Some(last)) = (reader.key::<ProjectId>("project_id"), reader.count("seq")) else {
        return Vec::new();
    };
    let stored: Vec<Told> = match serde_json::from_str(&reader.text("events").unwrap_or_default()) {
        Ok(stored) => stored,
        Err(error) => {
            tracing::warn!(%project_id, %error, "events of a project cannot be read and are left out");
            return Vec::new();
        }
    };
    Told::numbered_to(last, stored, &project_id).collect()
}

/// The record of an item, for the move to another backend.
pub(crate) fn told(item: &Item) -> Result<Option<Record>> {
    let read = Reader(item);
    let project: ProjectId = read.key("project_id")?;
    let (Some(seq), Some(text)) = (read.count("seq"), read.text("events")) else { return Err(lacks("events")) };
    let micros = read.text("feed_at").and_then(|text| text.parse().ok()).unwrap_or(0);
    let events: Value = serde_json::from_str(&text)?;
    Ok(Some(Map::from_iter([
        ("project_id".to_owned(), project.as_str().into()),
        ("seq".to_owned(), seq.into()),
        ("at".to_owned(), Timestamp::from_micros(micros).to_string().into()),
        ("events".to_owned(), events),
    ])))
}

/// The items of a record that comes from another backend: one row there may be more than one item holds.
pub(crate) fn moved(store: &DynamoStore, record: &Record) -> Result<Vec<Item>> {
    let id = project_of(record)?;
    let seq = record.get("seq").and_then(Value::as_u64).ok_or_else(|| lacks("seq"))?;
    let at = record.get("at").and_then(Value::as_str).and_then(|text| text.parse().ok());
    let at: Timestamp = at.ok_or_else(|| lacks("at"))?;
    let events = record.get("events").cloned().unwrap_or_default();
    let stored: Vec<Told> = serde_json::from_value(events).map_err(|_| lacks("events"))?;
    items(store, &id, (seq + 1).saturating_sub(stored.len() as u64), at, &stored)
}

/// What was told of which project.
#[derive(Default)]
pub(crate) struct ToldUntil(Mutex<HashMap<ProjectId, u64>>);

impl ToldUntil {
    fn last(&self, id: &ProjectId) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }
}

impl DynamoStore {
    /// Tells the sink of events of a project, each once and in order, those between that others wrote too.
    pub(crate) async fn tell(&self, id: &ProjectId, mut events: Vec<ProjectEvent>) {
        let Some(first) = events.first().map(|event| event.seq) else { return };
        if let Some(last) = self.told.last(id).filter(|last| last + 1 < first)
            && self.sink.listening()
        {
            let between = usize::try_from(first - last - 1).unwrap_or(usize::MAX).min(10_000);
            match self.events_after(id, last, between).await {
                Ok(mut missed) => {
                    missed.retain(|event| event.seq < first);
                    missed.append(&mut events);
                    events = missed;
                }
                Err(error) => {
                    tracing::debug!(project_id = %id, %error, "events between two commits could not be read; their streams read them later");
                    self.sink.missed();
                }
            }
        }
        self.tell_in_order(id, events);
    }

    fn tell_in_order(&self, id: &ProjectId, mut events: Vec<ProjectEvent>) {
        let mut told = self.told.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = told.get(id) {
            events.retain(|event| event.seq > *last);
        }
        let Some(last) = events.last().map(|event| event.seq) else { return };
        if told.len() >= KEPT && !told.contains_key(id) {
            told.clear();
        }
        told.insert(id.clone(), last);
        // Under the lock: else another's later event could come first.
        self.sink.committed(&events);
    }

    /// Tells of what other daemons wrote, as long as somebody listens here.
    pub(crate) async fn follow(self, stop: tokio_util::sync::CancellationToken) {
        // From where the first look of this waking read, and until where the last one did.
        let (mut awake, mut seen_until): (Option<Timestamp>, Option<Timestamp>) = (None, None);
        let mut looks = 0_u64;
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = stop.cancelled() => return,
            }
            if !self.sink.listening() {
                (awake, seen_until, looks) = (None, None, 0);
                continue;
            }
            let now = self.tables.clock();
            let back = |from: Timestamp, by: Duration| {
                Timestamp::from_micros(from.as_micros().saturating_sub(i64::try_from(by.as_micros()).unwrap_or(0)))
            };
            let awake = *awake.get_or_insert_with(|| back(now, OVERLAP));
            looks += 1;
            let overlap = if looks.is_multiple_of(WIDE_EVERY) { WIDE } else { OVERLAP };
            let from = back(seen_until.unwrap_or(now), overlap).max(awake);
            match self.look_at_feed(from).await {
                Ok(()) => seen_until = Some(now),
                Err(error) => tracing::debug!(%error, "events of other daemons were not read"),
            }
        }
    }

    async fn look_at_feed(&self, from: Timestamp) -> Result<()> {
        let after = feed_at(from);
        for feed in 0..FEEDS {
            let mut query = Query::by(Table::Events, "FeedIndex", "feed", value::text(format!("feed-{feed}")));
            query.sort = Some(("feed_at", ">", value::text(&after)));
            let items = self.tables.all(query, MOST_SEEN).await?;
            if items.len() >= MOST_SEEN {
                // What came after these is not read again.
                self.sink.missed();
            }
            let mut by_project: HashMap<ProjectId, Vec<ProjectEvent>> = HashMap::new();
            for event in items.iter().flat_map(read) {
                by_project.entry(event.project_id.clone()).or_default().push(event);
            }
            for (id, mut events) in by_project {
                if self.told.last(&id).is_some_and(|last| events.iter().all(|event| event.seq <= last)) {
                    continue;
                }
                events.sort_by_key(|event| event.seq);
                // A number that is missing is not seen yet, in the feed or at all: the next look finds it.
                let expected = self.told.last(&id).map_or(events.first().map_or(0, |event| event.seq), |last| last + 1);
                events.retain(|event| event.seq >= expected);
                let whole = events.iter().zip(expected..).take_while(|(event, seq)| event.seq == *seq).count();
                if whole == 0 {
                    self.tell(&id, events).await;
                    continue;
                }
                events.truncate(whole);
                self.tell_in_order(&id, events);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Events for DynamoStore {
    async fn append_events(&self, project: &ProjectId, origin: Origin<'_>, events: Vec<NewEvent>) -> Result<()> {
        let id = project;
        let mut held = self.slots.hold(id).await;
        let mut parts = parts(events).into_iter();
        let mut part = parts.next().unwrap_or_default();
        let mut round = 0;
        loop {
            let Some(mut plan) = self.plan(&mut held).await? else { return Err(not_found("project")) };
            if let Origin::Lease(lease) = origin
                && (lease.project_id != *id || !plan.after.admits(lease))
            {
                *held.known = None;
                return Err(fenced());
            }
            if part.is_empty() {
                return Ok(());
            }
            plan.events.clone_from(&part);
            plan.settle_stop()?;
            // The project's revision is a condition, so a lease that ends meanwhile is seen by the next round.
            match self.commit(&mut held, plan).await? {
                Ok(()) => match parts.next() {
                    Some(next) => (part, round) = (next, 0),
                    None => return Ok(()),
                },
                Err(_) if round >= TRIES => return Err(contended()),
                Err(_) => {
                    pause(round).await;
                    round += 1;
                }
            }
        }
    }

    async fn events_after(&self, project: &ProjectId, after: u64, limit: usize) -> Result<Vec<ProjectEvent>> {
        let id = project;
        let mut query = Query::of(Table::Events, "project_id", value::text(id.as_str()));
        query.sort = Some(("seq", ">", value::whole(after)));
        let mut found = Vec::new();
        loop {
            let page = self.tables.query(&query).await?;
            for event in page.items.iter().flat_map(read).filter(|event| event.seq > after) {
                if found.len() >= limit {
                    return Ok(found);
                }
                found.push(event);
            }
            match page.next {
                Some(next) => query.from = Some(next),
                None => return Ok(found),
            }
        }
    }
}
