//! Pages of projects, tasks and agents, from indexes only.
//!
//! No index holds all projects: each status has a partition, sorted by time, and a page is merged from their fronts. So
//! a page costs one request for each partition, however many items there are. What no index sorts (names, last
//! changes, texts) is sorted here, over a bounded number of items.

use std::fmt::Write as _;

use async_trait::async_trait;

use super::{
    DynamoStore,
    client::Query,
    codec::{Record as _, StoredProject, StoredTask, summary},
    counts::Counted,
    table::Table,
    value::{self, Item},
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind, invalid},
        store::{AgentFilter, Lists, Page, PageRequest, ProjectFilter, ProjectSort, Result, TaskFilter},
    },
    domain::{
        agent::{Agent, AgentStatus},
        project::{Project, ProjectStatus, ProjectSummary},
        task::{Task, TaskStatus},
    },
};

/// Items that one page looks at where no index has its order or its filter.
const MOST: usize = 20_000;

/// Items that are passed over before a page counts as a large list.
const DEEP: usize = 1_000;
/// Items of one moment that are expected at the edge of a page, at most.
const EDGE: usize = 8;

/// Where a page ended: the value it was sorted by, and the id.
type Place = (String, String);

/// Hexadecimal, so that it survives every URL and nobody builds on its parts.
fn encode(list: &str, (value, id): &Place) -> String {
    let mut text = String::new();
    for byte in format!("{list}\n{id}\n{value}").bytes() {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

fn decode(cursor: &str, list: &str) -> Result<Place> {
    let bad = || invalid("the cursor is not one of this list: take it from the page before, with the same sort");
    let byte = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(text, 16).ok()
    };
    let bytes: Option<Vec<u8>> = cursor.as_bytes().chunks(2).map(byte).collect();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad)?;
    let mut parts = text.splitn(3, '\n');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(of), Some(id), Some(value)) if of == list => Ok((value.to_owned(), id.to_owned())),
        _ => Err(bad()),
    }
}

/// A page of rows that are all here, in order.
pub(crate) fn slice<T>(
    list: &str,
    rows: Vec<T>,
    page: &PageRequest,
    ascending: bool,
    place: impl Fn(&T) -> Place,
) -> Result<Page<T>> {
    let total = rows.len() as u64;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let skip = match &page.cursor {
        Some(cursor) => {
            let last = decode(cursor, list)?;
            let passed = |row: &T| if ascending { place(row) <= last } else { place(row) >= last };
            rows.iter().position(|row| !passed(row)).unwrap_or(rows.len())
        }
        None => usize::try_from(page.page.max(1).saturating_sub(1).saturating_mul(page.limit)).unwrap_or(usize::MAX),
    };
    let more = rows.len() > skip.saturating_add(limit);
    let items: Vec<T> = rows.into_iter().skip(skip).take(limit).collect();
    let next_cursor = items.last().filter(|_| more).map(|row| encode(list, &place(row)));
    Ok(Page { items, total, next_cursor })
}

/// Partitions of an index that together hold a list, each sorted by the index.
struct Source<'a> {
    table: Table,
    index: &'static str,
    key: &'static str,
    values: Vec<&'a str>,
    newest_first: bool,
}

/// What a page is made of.
struct Merged {
    items: Vec<Item>,
    more: bool,
}

impl Source<'_> {
    fn place(&self, item: &Item) -> Place {
        let read = super::codec::Reader(item);
        let id = read.text(self.table.key().0).unwrap_or_default();
        (read.text("created_at").unwrap_or_default(), id)
    }

    /// The items behind `after` (or from the front), `skip` of them passed over.
    async fn merge(&self, store: &DynamoStore, after: Option<&Place>, skip: usize, limit: usize) -> Result<Merged> {
        let wanted = skip.saturating_add(limit).saturating_add(1);
        let fronts = self.values.iter().map(|partition| self.front(store, partition, after, wanted));
        let mut all: Vec<(Place, Item)> = futures::future::try_join_all(fronts).await?.into_iter().flatten().collect();
        all.sort_by(|a, b| if self.newest_first { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
        let more = all.len() > skip.saturating_add(limit);
        Ok(Merged { items: all.into_iter().skip(skip).take(limit).map(|(_, item)| item).collect(), more })
    }

    /// The first items of a partition behind `after`, at least as many as are wanted if there are so many.
    async fn front(
        &self,
        store: &DynamoStore,
        partition: &str,
        after: Option<&Place>,
        wanted: usize,
    ) -> Result<Vec<(Place, Item)>> {
        let mut query = Query {
            forward: !self.newest_first,
            // Some more, so that the edge is mostly clear at once.
            limit: wanted.saturating_add(EDGE).min(1_000),
            ..Query::by(self.table, self.index, self.key, value::text(partition))
        };
        if let Some((at, _)) = after {
            let than = if self.newest_first { "<=" } else { ">=" };
            query.sort = Some(("created_at", than, value::text(at)));
        }
        let mut found: Vec<(Place, Item)> = Vec::new();
        loop {
            let page = store.tables.query(&query).await?;
            for item in page.items {
                let place = self.place(&item);
                let passed = |last: &Place| if self.newest_first { place >= *last } else { place <= *last };
                if !after.is_some_and(passed) {
                    found.push((place, item));
                }
            }
            // Items of one moment come in no order: those at the edge are read whole.
            let edge = found.get(wanted.saturating_sub(1)).map(|(place, _)| &place.0);
            let clear = found.len() > wanted && found.last().map(|(place, _)| &place.0) != edge;
            match page.next {
                Some(next) if !clear => query.from = Some(next),
                _ => return Ok(found),
            }
        }
    }

    /// A page with its total. The count that is kept may be older than the rows, so it never decides what there is: the
    /// page is read, and corrects it.
    async fn page<T>(
        &self,
        store: &DynamoStore,
        total: u64,
        page: &PageRequest,
        read: impl Fn(&Item) -> Result<T>,
    ) -> Result<Page<T>> {
        let list = self.list();
        let after = page.cursor.as_deref().map(|cursor| decode(cursor, &list)).transpose()?;
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        if limit == 0 {
            return Ok(Page { items: Vec::new(), total, next_cursor: None });
        }
        let skip = page.page.max(1).saturating_sub(1).saturating_mul(page.limit);
        let skip = if after.is_some() { 0 } else { skip };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        if skip > MOST {
            // Too far to look: only a count of this moment can say that there is nothing.
            let total = self.count(store).await?;
            let beyond = u64::try_from(skip).is_ok_and(|skip| skip >= total);
            return if beyond { Ok(Page { items: Vec::new(), total, next_cursor: None }) } else { Err(too_far()) };
        }
        let _one_of_few = if skip > DEEP { Some(store.large_lists.acquire().await) } else { None };
        let merged = self.merge(store, after.as_ref(), skip, limit).await?;
        let last = merged.items.last().map(|item| self.place(item));
        let next_cursor = last.filter(|_| merged.more).map(|place| encode(&list, &place));
        let seen = skip.saturating_add(merged.items.len()).saturating_add(usize::from(merged.more));
        let seen = u64::try_from(seen).unwrap_or(u64::MAX);
        let to_the_end = after.is_none() && !merged.more && !merged.items.is_empty();
        let whole = to_the_end || (after.is_none() && skip == 0 && !merged.more);
        let at_least = if merged.items.is_empty() { 0 } else { seen };
        let total = if whole { seen } else { total.max(at_least) };
        Ok(Page { items: read_all(&merged.items, self.table, read), total, next_cursor })
    }

    /// How many there are now.
    async fn count(&self, store: &DynamoStore) -> Result<u64> {
        let mut total = 0;
        for partition in &self.values {
            let query = Query::by(self.table, self.index, self.key, value::text(*partition));
            total += store.tables.count(&query).await?;
        }
        Ok(total)
    }

    fn list(&self) -> String {
        let order = if self.newest_first { "newest" } else { "oldest" };
        format!("{} {order}", self.table.name())
    }

    /// Everything, for what is filtered or sorted here.
    async fn everything(&self, store: &DynamoStore) -> Result<Vec<Item>> {
        let _one_of_few = store.large_lists.acquire().await;
        let mut all = Vec::new();
        for partition in &self.values {
            let query = Query {
                forward: !self.newest_first,
                ..Query::by(self.table, self.index, self.key, value::text(*partition))
            };
            all.extend(store.tables.all(query, MOST).await?);
            if all.len() > MOST {
                return Err(invalid(format!(
                    "this backend sorts and filters at most {MOST} rows that way: ask for one status or user, sorted by time"
                )));
            }
        }
        Ok(all)
    }

    async fn total(&self, store: &DynamoStore) -> Result<u64> {
        let counted = |partition: &&str| Counted::new(self.table, self.index, self.key, partition);
        let all: Vec<Counted> = self.values.iter().map(counted).collect();
        Ok(store.counts_of(&all).await?.into_iter().sum())
    }
}

fn too_far() -> BackendError {
    BackendError::new(BackendErrorKind::Invalid, format!("pages beyond row {MOST} are reached by the cursor only"))
}

fn read_all<T>(items: &[Item], table: Table, read: impl Fn(&Item) -> Result<T>) -> Vec<T> {
    let one = |item: &Item| match read(item) {
        Ok(row) => Some(row),
        Err(error) => {
            tracing::warn!(table = table.name(), %error, "an item cannot be read and is left out of the list");
            None
        }
    };
    items.iter().filter_map(one).collect()
}

fn words<T: Copy>(all: &[T], one: Option<T>, word: impl Fn(T) -> &'static str) -> Vec<&'static str> {
    one.map_or_else(|| all.iter().map(|status| word(*status)).collect(), |one| vec![word(one)])
}

#[async_trait]
impl Lists for DynamoStore {
    async fn list_projects(&self, filter: &ProjectFilter, page: &PageRequest) -> Result<Page<ProjectSummary>> {
        let newest_first = filter.sort != ProjectSort::Oldest;
        let by_time = matches!(filter.sort, ProjectSort::Newest | ProjectSort::Oldest);
        let table = Table::Projects;
        let source = match &filter.user_id {
            Some(user) if !user.is_empty() => {
                Source { table, index: "UserIndex", key: "user_id", values: vec![user], newest_first }
            }
            _ => {
                let values = words(ProjectStatus::ALL, filter.status, ProjectStatus::as_str);
                Source { table, index: "StatusIndex", key: "status", values, newest_first }
            }
        };
        let q = filter.q.as_deref().map(str::trim).filter(|q| !q.is_empty()).map(str::to_lowercase);
        let status_too = filter.user_id.is_some() && filter.status.is_some();
        if by_time && q.is_none() && filter.tag.is_none() && !status_too {
            let total = source.total(self).await?;
            return source.page(self, total, page, summary).await;
        }
        let mut items = source.everything(self).await?;
        if q.is_some() {
            self.overflow.restore_all(&mut items).await?;
        }
        let mut projects: Vec<Project> = read_all(&items, table, |item| Ok(StoredProject::from_item(item)?.project));
        projects.retain(|project| {
            let text = || format!("{}\n{}", project.project_name, project.requirement).to_lowercase();
            filter.status.is_none_or(|status| status == project.status)
                && filter.user_id.as_ref().is_none_or(|user| *user == project.user_id)
                && filter.tag.as_ref().is_none_or(|tag| project.tags.contains(tag))
                && q.as_ref().is_none_or(|q| text().contains(q))
        });
        let sort = filter.sort;
        let place = move |project: &ProjectSummary| {
            let by = match sort {
                ProjectSort::Newest | ProjectSort::Oldest => project.created_at.to_string(),
                ProjectSort::RecentlyUpdated => project.updated_at.to_string(),
                ProjectSort::Name => project.project_name.clone(),
            };
            (by, project.project_id.to_string())
        };
        let ascending = matches!(sort, ProjectSort::Oldest | ProjectSort::Name);
        let mut rows: Vec<ProjectSummary> = projects.into_iter().map(ProjectSummary::from).collect();
        rows.sort_by_cached_key(&place);
        if !ascending {
            rows.reverse();
        }
        slice(&format!("projects {sort:?}"), rows, page, ascending, place)
    }

    async fn list_tasks(&self, filter: &TaskFilter, page: &PageRequest) -> Result<Page<Task>> {
        let table = Table::Tasks;
        let source = match &filter.project_id {
            Some(project) => {
                let values = vec![project.as_str()];
                Source { table, index: "ProjectIndex", key: "project_id", values, newest_first: true }
            }
            None => {
                let values = words(TaskStatus::ALL, filter.status, TaskStatus::as_str);
                Source { table, index: "StatusIndex", key: "status", values, newest_first: true }
            }
        };
        let read = |item: &Item| Ok(StoredTask::from_item(item)?.task);
        if filter.task_type.is_none() && filter.project_id.is_none() {
            // Tasks move too often for a count that is kept.
            let total = source.count(self).await?;
            return source.page(self, total, page, read).await;
        }
        let mut tasks: Vec<Task> = read_all(&source.everything(self).await?, table, read);
        tasks.retain(|task| {
            filter.status.is_none_or(|status| status == task.status)
                && filter.task_type.is_none_or(|of| of == task.task_type)
        });
        let place = |task: &Task| (task.created_at.to_string(), task.task_id.to_string());
        tasks.sort_by_cached_key(|task| std::cmp::Reverse(place(task)));
        slice("tasks", tasks, page, false, place)
    }

    async fn list_agents(&self, filter: &AgentFilter, page: &PageRequest) -> Result<Page<Agent>> {
        let table = Table::Agents;
        let source = match (&filter.project_id, &filter.category) {
            (Some(project), _) => Source {
                table,
                index: "ProjectIndex",
                key: "project_id",
                values: vec![project.as_str()],
                newest_first: true,
            },
            (None, Some(category)) if !category.is_empty() => Source {
                table,
                index: "CategoryIndex",
                key: "category",
                values: vec![category.as_str()],
                newest_first: true,
            },
            _ => {
                let values = words(AgentStatus::ALL, filter.status, AgentStatus::as_str);
                Source { table, index: "StatusIndex", key: "status", values, newest_first: true }
            }
        };
        if filter.project_id.is_none() && filter.category.is_none() {
            let total = source.total(self).await?;
            return source.page(self, total, page, Agent::from_item).await;
        }
        let mut agents: Vec<Agent> = read_all(&source.everything(self).await?, table, Agent::from_item);
        agents.retain(|agent| {
            filter.status.is_none_or(|status| status == agent.status)
                && filter.category.as_ref().is_none_or(|category| *category == agent.category)
        });
        let place = |agent: &Agent| (agent.created_at.to_string(), agent.agent_id.to_string());
        agents.sort_by_cached_key(|agent| std::cmp::Reverse(place(agent)));
        slice("agents", agents, page, false, place)
    }
}
