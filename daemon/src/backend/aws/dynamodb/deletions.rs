//! The records of deletions, the notes of what is still to be done for them, and the store's id.
//!
//! Record and note are written in the unit that deletes. A note is the work list: whoever finds one does the rest. The
//! record stays, so that every daemon can see for a folder of its own that what it was of was deleted.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    DynamoStore,
    client::Query,
    codec::Reader,
    table::{EXPIRES, Table},
    unit::{Change, Guard, Refused, Unit},
    value::{self, Item},
};
use crate::domain::deletion::ProjectAgents;
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        store::{Deletions, Result},
    },
    domain::{
        deletion::{DeletedKind, Deletion, KEPT_FOR, Owned},
        time::Timestamp,
    },
};

/// Partition of the notes of what is being deleted.
const NOTES: &str = "deleting";

/// Begin of the partitions that list what was deleted, one a day: other daemons have folders and processes of it, too.
const LISTED: &str = "deleted-on#";
/// How long a line of such a list is kept. A daemon that was away for longer looks at all its folders when it starts.
const LISTED_FOR: Duration = Duration::from_secs(2 * 86_400);

/// Lines that are read at a time; a daemon that fell further behind looks at all its folders once a while.
const MOST_LISTED: usize = 10_000;

/// A note: something is left to be done for a deletion.
pub(crate) struct Note {
    pub(crate) kind: DeletedKind,
    pub(crate) id: String,
    pub(crate) fate: ProjectAgents,
}

fn record_key(kind: DeletedKind, id: &str) -> Item {
    Table::State.two(&format!("deleted#{kind}#{id}"), "-")
}

/// A project's note is named by its id alone, as daemons before this one wrote it.
pub(super) fn note_key(kind: DeletedKind, id: &str) -> Item {
    match kind {
        DeletedKind::Project => Table::State.two(NOTES, id),
        DeletedKind::Agent | DeletedKind::Session => Table::State.two(NOTES, &format!("{kind}#{id}")),
    }
}

/// The partition of a day.
fn listed_on(at: Timestamp) -> String {
    let day: String = at.to_string().chars().take(10).collect();
    format!("{LISTED}{day}")
}

fn line_of(deletion: &Deletion) -> String {
    format!("{}#{}#{}", deletion.deleted_at, deletion.kind, deletion.id)
}

fn parse(item: &Item) -> Option<Deletion> {
    let read = Reader(item);
    let partition = read.text("pk")?;
    let (kind, id) = partition.strip_prefix("deleted#")?.split_once('#')?;
    Some(Deletion {
        kind: kind.parse().ok()?,
        id: id.to_owned(),
        name: read.text("name").unwrap_or_default(),
        deleted_at: read.word("deleted_at")?,
        owned: serde_json::from_str(&read.text("owned")?).ok()?,
    })
}

fn owned(owned: &Owned) -> Result<aws_sdk_dynamodb::types::AttributeValue> {
    Ok(value::text(serde_json::to_string(owned)?))
}

impl DynamoStore {
    /// Writes record and note of a deletion into the unit that deletes.
    pub(crate) fn record_deletion(&self, unit: &mut Unit, deletion: &Deletion, fate: ProjectAgents) -> Result<()> {
        let mut item = record_key(deletion.kind, &deletion.id);
        item.insert("name".into(), value::text(deletion.name.chars().take(500).collect::<String>()));
        item.insert("deleted_at".into(), value::text(deletion.deleted_at.to_string()));
        item.insert("owned".into(), owned(&deletion.owned)?);
        let expires = deletion.deleted_at.plus(KEPT_FOR).as_micros() / 1_000_000;
        item.insert(EXPIRES.into(), value::whole(expires));
        unit.put(&self.tables, Table::State, item, &Guard::Open, Refused::Stale)?;
        if deletion.kind != DeletedKind::Session {
            let mut line = Table::State.two(&listed_on(deletion.deleted_at), &line_of(deletion));
            line.insert(EXPIRES.into(), value::whole(deletion.deleted_at.plus(LISTED_FOR).as_micros() / 1_000_000));
            unit.put(&self.tables, Table::State, line, &Guard::Open, Refused::Stale)?;
        }
        let mut note = note_key(deletion.kind, &deletion.id);
        note.insert("with_agents".into(), value::whole(u64::from(fate == ProjectAgents::Delete)));
        unit.put(&self.tables, Table::State, note, &Guard::Open, Refused::Stale)
    }

    /// What is left to be done.
    pub(crate) async fn notes(&self) -> Result<Vec<Note>> {
        let items = self.tables.all(Query::of(Table::State, "pk", value::text(NOTES)), usize::MAX).await?;
        let note = |item: &Item| {
            let read = Reader(item);
            let name = read.text("sk")?;
            let (kind, id) = match name.split_once('#') {
                Some((kind, id)) => (kind.parse().ok()?, id.to_owned()),
                None => (DeletedKind::Project, name),
            };
            let with_agents = read.count("with_agents") == Some(1);
            let fate = if with_agents { ProjectAgents::Delete } else { ProjectAgents::Keep };
            Some(Note { kind, id, fate })
        };
        Ok(items.iter().filter_map(note).collect())
    }

    /// Whether something is left to be done for a deletion.
    pub(crate) async fn has_note(&self, kind: DeletedKind, id: &str) -> Result<bool> {
        Ok(self.tables.get(Table::State, note_key(kind, id)).await?.is_some())
    }

    /// Something is left to be done again, for a deletion that is recorded.
    pub(crate) async fn write_note(&self, kind: DeletedKind, id: &str) -> Result<()> {
        let mut note = note_key(kind, id);
        note.insert("with_agents".into(), value::whole(0));
        let mut unit = Unit::default();
        unit.put(&self.tables, Table::State, note, &Guard::Absent, Refused::Exists)?;
        // There already: nobody has come to it yet.
        let _there = unit.commit(&self.tables).await?;
        Ok(())
    }

    /// Nothing is left to be done.
    pub(crate) async fn remove_note(&self, kind: DeletedKind, id: &str) -> Result<()> {
        self.tables.delete_many(Table::State, vec![note_key(kind, id)]).await
    }
}

#[async_trait]
impl Deletions for DynamoStore {
    async fn identity(&self) -> Result<String> {
        let key = Table::State.two("store", "id");
        for _ in 0..3 {
            let known = self.tables.get(Table::State, key.clone()).await?;
            if let Some(id) = known.as_ref().and_then(|item| Reader(item).text("store_id")) {
                return Ok(id);
            }
            let mut item = key.clone();
            item.insert("store_id".into(), value::text(format!("{:032x}", rand::random::<u128>())));
            let mut unit = Unit::default();
            unit.put(&self.tables, Table::State, item, &Guard::Absent, Refused::Exists)?;
            // Whoever was first made it.
            let _made = unit.commit(&self.tables).await?;
        }
        Err(BackendError::new(BackendErrorKind::Corrupt, "the store's id in nexus_daemon_state cannot be read"))
    }

    async fn deletion(&self, kind: DeletedKind, id: &str) -> Result<Option<Deletion>> {
        Ok(self.tables.get(Table::State, record_key(kind, id)).await?.as_ref().and_then(parse))
    }

    /// What a store cannot do by itself is to take an agent out of service.
    async fn open_deletions(&self, limit: usize) -> Result<Vec<Deletion>> {
        let notes = self.notes().await?;
        let agents = notes.iter().filter(|note| note.kind == DeletedKind::Agent).take(limit);
        let keys = agents.map(|note| record_key(note.kind, &note.id)).collect();
        let mut found: Vec<Deletion> =
            self.tables.get_many(Table::State, keys).await?.iter().filter_map(parse).collect();
        found.sort_by_key(|deletion| deletion.deleted_at);
        Ok(found)
    }

    async fn deletions_since(&self, since: Timestamp) -> Result<Vec<(DeletedKind, String)>> {
        let since = self.tables.shared(since);
        let mut days = vec![listed_on(since), listed_on(self.tables.clock())];
        days.dedup();
        let mut found = Vec::new();
        for day in days {
            let mut query = Query::of(Table::State, "pk", value::text(day));
            query.sort = Some(("sk", ">=", value::text(since.to_string())));
            let lines = self.tables.all(query, MOST_LISTED).await?;
            found.extend(lines.iter().filter_map(|line| {
                let line = Reader(line).text("sk")?;
                let (kind, id) = line.split_once('#')?.1.split_once('#')?;
                Some((kind.parse().ok()?, id.to_owned()))
            }));
        }
        Ok(found)
    }

    async fn settle_deletion(&self, kind: DeletedKind, id: &str) -> Result<()> {
        if let Some(found) = self.deletion(kind, id).await? {
            let mut unit = Unit::default();
            let set = vec![("owned".to_owned(), owned(&found.owned.settled())?)];
            let (key, change) = (record_key(kind, id), Change { set, ..Change::default() });
            unit.update(&self.tables, Table::State, key, change, &Guard::Present, Refused::Gone)?;
            // Gone: its time was up.
            let _expired = unit.commit(&self.tables).await?;
        }
        self.remove_note(kind, id).await
    }
}
