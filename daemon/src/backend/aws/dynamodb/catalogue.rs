//! The tools that plugins bring along, in tables of a fleet. Its daemons need not have the same plugins: each daemon
//! offers what its own have, for some days at a time, and a tool is on the list as long as anybody offers it. Rows that
//! the original's services wrote are theirs.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use super::{
    DynamoStore,
    aggregate::{TRIES, contended, pause},
    codec::Reader,
    table::Table,
    tools::{USES, change, id_of},
    unit::{Change, Guard, Refused, Unit},
    value::{self, Item},
};
use crate::{
    backend::store::Result,
    domain::{
        ids::ToolId,
        time::Timestamp,
        tool::{NewTool, ToolSource},
    },
};

/// Begin of the attributes that say until when a daemon offers a tool, in seconds; then its name.
const OFFER: &str = "offer#";
/// Changes with every offer.
const OFFERED: &str = "offered_at";
/// How long an offer lasts. A daemon that is gone for good takes nothing back.
const LASTS: Duration = Duration::from_secs(7 * 86_400);
/// How often it is made anew while the daemon runs.
const ANEW: Duration = Duration::from_secs(86_400);
/// What is kept of a tool that nobody offers.
const KEPT: [&str; 2] = [USES, "created_at"];

/// What this daemon offers.
#[derive(Default)]
pub(super) struct Offers {
    daemon: OnceLock<String>,
    listed: Mutex<Option<(Instant, Vec<NewTool>)>>,
}

impl Offers {
    fn attribute(&self) -> String {
        let daemon = self.daemon.get_or_init(|| format!("{:032x}", rand::random::<u128>()));
        format!("{OFFER}{daemon}")
    }
}

fn retired_key(id: &str) -> Item {
    Table::State.two(&format!("retired#{id}"), "-")
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_micros() / 1_000_000).unwrap_or(0)
}

/// Whether a daemon put it there, and not the original.
fn is_ours(item: &Item) -> bool {
    let read = Reader(item);
    let (id, name) = (read.text("tool_id"), read.text("tool_name").unwrap_or_default());
    id.as_deref() == Some(id_of(ToolSource::System, None, &name).as_str())
}

/// Takes away what only a fleet needs to know.
pub(super) fn without_offers(item: &mut Item) {
    item.retain(|name, _| !name.starts_with(OFFER) && name != OFFERED);
}

impl DynamoStore {
    /// Under which name this daemon offers tools: the same after a restart.
    pub fn offer_as(&self, daemon: String) {
        let _known = self.offers.daemon.set(daemon);
    }

    /// Not one unit: a catalogue may be larger than that, and is written whole at each start.
    /// A tool whose plugin is away leaves its use and its birth for the plugin's return.
    pub(crate) async fn put_catalogue(&self, tools: &[NewTool]) -> Result<()> {
        let now = self.tables.clock();
        let known: HashMap<String, Item> = self
            .tools_of(ToolSource::System)
            .await?
            .into_iter()
            .filter_map(|item| Some((Reader(&item).text("tool_id")?, item)))
            .collect();
        let offer = self.offers.attribute();
        let mut mine = HashSet::new();
        for new in tools {
            let id = id_of(ToolSource::System, None, &new.tool_name);
            let (key, mut change) = change(new, ToolSource::System, None, None, now)?;
            mine.insert(id.to_string());
            let row = known.get(id.as_str());
            let same = row.is_some_and(|item| {
                change.set.iter().all(|(name, value)| name == "updated_at" || item.get(name) == Some(value))
                    && Reader(item).count(&offer).is_some_and(|until| until > seconds(now.plus(LASTS - ANEW)))
            });
            if same {
                continue;
            }
            change.set.push((offer.clone(), value::whole(seconds(now.plus(LASTS)))));
            change.set.push((OFFERED.to_owned(), value::text(format!("{now} {offer}"))));
            if row.is_some() {
                let mut unit = Unit::default();
                unit.update(&self.tables, Table::Tools, key.clone(), change.clone(), &Guard::Present, Refused::Gone)?;
                if unit.commit(&self.tables).await?.is_ok() {
                    continue;
                }
                // The last one else that offered it took it off meanwhile.
            }
            self.bring_back(&id, key, change).await?;
        }
        let others = known.iter().filter(|(id, item)| !mine.contains(*id) && is_ours(item));
        for (id, _) in others {
            self.take_back(id, &offer).await?;
        }
        *self.offers.listed.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), tools.to_vec()));
        Ok(())
    }

    /// Makes the offers of this daemon anew when it is time, and takes off the list what nobody offers any more.
    pub(crate) async fn offer_anew(&self) -> Result<()> {
        let due = match &*self.offers.listed.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((at, tools)) if at.elapsed() >= ANEW => tools.clone(),
            _ => return Ok(()),
        };
        self.put_catalogue(&due).await
    }

    /// Offers a tool no more. It goes off the list when nobody else does; what it was used for is kept.
    async fn take_back(&self, id: &str, offer: &str) -> Result<()> {
        for round in 0..TRIES {
            let Some(item) = self.tables.get(Table::Tools, Table::Tools.one(id)).await? else { return Ok(()) };
            let now = seconds(self.tables.clock());
            let is_live = |name: &String| Reader(&item).count(name).is_some_and(|until| until > now);
            let offered = item.keys().any(|name| name.starts_with(OFFER) && name != offer && is_live(name));
            let mut unit = Unit::default();
            // As it was read: nobody offered or used it meanwhile.
            let read = [USES, OFFERED].map(|name| (name, item.get(name).cloned()));
            let (key, guard) = (Table::Tools.one(id), Guard::AsRead(&read));
            if offered {
                if !item.contains_key(offer) {
                    return Ok(());
                }
                let change = Change { remove: vec![offer.to_owned()], ..Change::default() };
                unit.update(&self.tables, Table::Tools, key, change, &guard, Refused::Stale)?;
            } else {
                let mut kept = retired_key(id);
                kept.extend(KEPT.iter().filter_map(|name| Some(((*name).to_owned(), item.get(*name)?.clone()))));
                unit.put(&self.tables, Table::State, kept, &Guard::Open, Refused::Stale)?;
                unit.delete(&self.tables, Table::Tools, key, &guard, Refused::Stale)?;
            }
            if unit.commit(&self.tables).await?.is_ok() {
                return Ok(());
            }
            pause(round).await;
        }
        Err(contended())
    }

    /// Writes a tool that is not on the list, with what it was used for before.
    async fn bring_back(&self, id: &ToolId, key: Item, change: Change) -> Result<()> {
        for round in 0..TRIES {
            let kept = self.tables.get(Table::State, retired_key(id.as_str())).await?;
            let (mut unit, mut change, mut read) = (Unit::default(), change.clone(), None);
            if let Some(kept) = &kept {
                // Another daemon may have written it, and the index not know it yet.
                let there = self.tables.get(Table::Tools, key.clone()).await?.unwrap_or_default();
                change.init.retain(|(name, _)| name != USES);
                read = change.count(&there, USES, Reader(kept).count(USES).unwrap_or(0));
                if let (Some(born), Some(init)) =
                    (kept.get("created_at"), change.init.iter_mut().find(|(name, _)| name == "created_at"))
                {
                    init.1 = born.clone();
                }
                unit.delete(&self.tables, Table::State, retired_key(id.as_str()), &Guard::Present, Refused::Stale)?;
            }
            let read: Vec<_> = read.into_iter().collect();
            let guard = if read.is_empty() { Guard::Open } else { Guard::AsRead(&read) };
            unit.update(&self.tables, Table::Tools, key.clone(), change, &guard, Refused::Stale)?;
            if unit.commit(&self.tables).await?.is_ok() {
                return Ok(());
            }
            // Another daemon brought it back.
            pause(round).await;
        }
        Err(contended())
    }
}
