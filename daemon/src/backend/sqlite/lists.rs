//! Pages of projects, tasks and agents. Filters are part of the question, so a page is full whenever
//! there are rows, and the total is that of the filter. A cursor names the last row of a page, so rows
//! that come in later do not shift what follows.

use std::fmt::Write as _;

use async_trait::async_trait;
use rusqlite::{Connection, Row, params_from_iter, types::Value as Sql};

use super::{
    SqliteStore,
    counts::{Counted, Counts},
    error::invalid,
    rows,
};
use crate::{
    backend::store::{
        AgentFilter, Lists, Page, PageRequest, ProjectFilter, ProjectSort, Result, TaskFilter, ToolFilter,
    },
    domain::{agent::Agent, project::ProjectSummary, task::Task, tool::Tool},
};

/// A question for a page.
///
/// The page's keys are found first, by an index alone, from whichever end is nearer; only then are the rows of the
/// page read. So a page costs the same wherever it is, but for the walk along the index.
struct Question {
    table: &'static str,
    columns: &'static str,
    /// The row's integer key: breaks ties.
    key: &'static str,
    /// What it is sorted by, and whether the greatest comes first. `None`: by the key alone.
    sort: Option<&'static str>,
    descending: bool,
    /// Two halves that are each sorted by an index; their pages are merged.
    halves: &'static [&'static str],
    conditions: Vec<&'static str>,
    values: Vec<Sql>,
    /// The total, where it is known without counting.
    total: Option<u64>,
    /// Another table that keys and order are found in: it, its key and its order. Conditions are on it, then.
    keys_from: Option<(&'static str, &'static str, &'static str)>,
}

/// Where a page is: from the begin or, mirrored, from the end.
struct Window {
    mirrored: bool,
    skip: u64,
    take: u64,
    /// Whether there is a page behind it.
    more: Option<bool>,
}

impl Question {
    /// Adds a condition with `?` for the value.
    fn only(&mut self, condition: &'static str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.conditions.push(condition);
            self.values.push(Sql::Text(value.into()));
        }
    }

    fn filter(&self, further: Option<&str>) -> String {
        let all = self.conditions.iter().copied().chain(further);
        let mut text = String::new();
        for (condition, glue) in all.zip(std::iter::once(" WHERE ").chain(std::iter::repeat(" AND "))) {
            text.push_str(glue);
            text.push_str(condition);
        }
        text
    }

    fn count(&self, conn: &Connection) -> Result<u64> {
        if let Some(total) = self.total {
            return Ok(total);
        }
        let table = self.keys_from.map_or(self.table, |(table, ..)| table);
        let sql = format!("SELECT count(*) FROM {table}{}", self.filter(None));
        let total: i64 = conn.prepare_cached(&sql)?.query_row(params_from_iter(&self.values), |row| row.get(0))?;
        Ok(total.unsigned_abs())
    }

    /// The keys of a page, as a query with the question's values once for each half.
    fn keys(&self, mirrored: bool, beyond: Option<&str>) -> String {
        let own = (self.table, self.key, self.sort.unwrap_or(self.key));
        let (table, key, sort) = self.keys_from.unwrap_or(own);
        let direction = if self.descending == mirrored { "ASC" } else { "DESC" };
        let half = |half: Option<&str>| {
            let mut filter = self.filter(half);
            if let Some(beyond) = beyond {
                filter.push_str(if filter.is_empty() { " WHERE " } else { " AND " });
                filter.push_str(beyond);
            }
            format!("SELECT {key} AS k, {sort} AS s FROM {table}{filter}")
        };
        let body = match self.halves {
            [] => half(None),
            halves => halves.iter().map(|one| half(Some(one))).collect::<Vec<_>>().join(" UNION ALL "),
        };
        let order =
            if self.sort.is_some() { format!("s {direction}, k {direction}") } else { format!("k {direction}") };
        format!("{body} ORDER BY {order} LIMIT ? OFFSET ?")
    }

    fn run<T>(
        self,
        conn: &Connection,
        page: &PageRequest,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Page<T>> {
        let total = self.count(conn)?;
        if page.limit == 0 || total == 0 {
            return Ok(Page { total, ..rows::empty_page() });
        }
        let (key, sort) = (self.key, self.sort.unwrap_or(self.key));
        let mut last = None;
        if let Some(cursor) = &page.cursor {
            last = Some(decode(cursor, sort)?);
        }
        let than = if self.descending { "<" } else { ">" };
        let (_, at_key, at_sort) = self.keys_from.unwrap_or((self.table, key, sort));
        let beyond = last.as_ref().map(|_| match self.sort {
            Some(_) => format!("({at_sort}, {at_key}) {than} (?, ?)"),
            None => format!("{key} {than} ?"),
        });
        let window = if last.is_some() { Window::first(page.limit) } else { Window::of(page, total) };
        if window.take == 0 {
            return Ok(Page { total, ..rows::empty_page() });
        }
        let mut values = Vec::new();
        for _ in 0..self.halves.len().max(1) {
            values.extend(self.values.iter().cloned());
            if let Some((value, row_key)) = &last {
                if self.sort.is_some() {
                    values.push(Sql::Text(value.clone()));
                }
                values.push(Sql::Integer(*row_key));
            }
        }
        values.push(Sql::Integer(rows::integer(window.take)));
        values.push(Sql::Integer(rows::integer(window.skip)));
        let order = if self.descending { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT {}, {key}, {sort} FROM ({}) page JOIN {} ON {key} = page.k ORDER BY page.s {order}, page.k {order}",
            self.columns,
            self.keys(window.mirrored, beyond.as_deref()),
            self.table,
        );
        let mut find = conn.prepare_cached(&sql)?;
        let width = find.column_count();
        let mut found = find.query(params_from_iter(&values))?;
        let (mut items, mut last, mut seen, mut more) = (Vec::new(), None, 0, window.more == Some(true));
        while let Some(row) = found.next()? {
            if seen == page.limit {
                more = true;
                break;
            }
            seen += 1;
            let row_key: i64 = row.get(width - 2)?;
            if seen == page.limit {
                // Of the page's last row only: written out, it costs as much as the row.
                last = Some((sort_text(row, width - 1)?, row_key));
            }
            match read(row) {
                Ok(item) => items.push(item),
                Err(error) => rows::skipped(self.table, &row_key.to_string(), &error),
            }
        }
        let next_cursor = last.filter(|_| more).map(|(value, row_key)| encode(sort, &value, row_key));
        Ok(Page { items, total, next_cursor })
    }
}

impl Window {
    /// The rows behind a cursor; one more tells whether there is a next page.
    const fn first(limit: u64) -> Self {
        Self { mirrored: false, skip: 0, take: limit.saturating_add(1), more: None }
    }

    /// A page by its number.
    fn of(page: &PageRequest, total: u64) -> Self {
        let skip = page.page.max(1).saturating_sub(1).saturating_mul(page.limit);
        if skip <= total / 2 {
            return Self { skip, ..Self::first(page.limit) };
        }
        let take = total.saturating_sub(skip).min(page.limit);
        let behind = total.saturating_sub(skip).saturating_sub(take);
        Self { mirrored: true, skip: behind, take, more: Some(behind > 0) }
    }
}

fn sort_text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(column)? {
        rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    })
}

/// Hexadecimal, so that it survives every URL and nobody builds on its parts.
fn encode(sort: &str, value: &str, key: i64) -> String {
    let mut text = String::new();
    for byte in format!("{sort}\n{key}\n{value}").bytes() {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

fn decode(cursor: &str, sort: &str) -> Result<(String, i64)> {
    let bad = || invalid("the cursor is not one of this list: take it from the page before, with the same sort");
    let bytes: Option<Vec<u8>> = cursor
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            std::str::from_utf8(pair).ok().filter(|p| p.len() == 2).and_then(|p| u8::from_str_radix(p, 16).ok())
        })
        .collect();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad)?;
    let mut parts = text.splitn(3, '\n');
    match (parts.next(), parts.next().and_then(|key| key.parse().ok()), parts.next()) {
        (Some(of), Some(key), Some(value)) if of == sort => Ok((value.to_owned(), key)),
        _ => Err(bad()),
    }
}

pub(crate) fn projects(
    conn: &Connection,
    counts: &Counts,
    filter: &ProjectFilter,
    page: &PageRequest,
) -> Result<Page<ProjectSummary>> {
    let (sort, descending) = match filter.sort {
        ProjectSort::Newest => ("p.created_at", true),
        ProjectSort::Oldest => ("p.created_at", false),
        ProjectSort::RecentlyUpdated => ("p.updated_at", true),
        ProjectSort::Name => ("p.project_name", false),
    };
    let halves: &[&str] = match filter.sort {
        // What is being built changes all the time and is in no index by its change.
        ProjectSort::RecentlyUpdated => &["p.status <> 'building'", "p.status = 'building'"],
        _ => &[],
    };
    let search = filter.q.as_deref().map(str::trim).filter(|q| !q.is_empty()).map(str::to_lowercase);
    let total = match (filter.status, &filter.user_id, &filter.tag, &search) {
        (None, None, None, None) => Some(Counted::Projects),
        (Some(status), None, None, None) => Some(Counted::ProjectStatus(status.as_str())),
        (None, Some(user), None, None) => Some(Counted::ProjectUser(user)),
        _ => None,
    };
    let mut question = Question {
        table: "nexus_projects p",
        columns: rows::SUMMARY,
        key: "p.project_key",
        sort: Some(sort),
        descending,
        halves,
        conditions: Vec::new(),
        values: Vec::new(),
        total: total.as_ref().map(|what| counts.of(what)),
        keys_from: None,
    };
    // A plus keeps the condition from choosing an index that has not the order that is wanted.
    let by_state = filter.user_id.is_none() && matches!(filter.sort, ProjectSort::Newest | ProjectSort::Oldest);
    let state = if by_state { "p.status = ?" } else { "+p.status = ?" };
    let user = if sort == "p.created_at" { "p.user_id = ?" } else { "+p.user_id = ?" };
    question.only(state, filter.status.map(|status| status.as_str()));
    question.only(user, filter.user_id.as_deref());
    if total.is_none()
        && sort == "p.created_at"
        && filter.status.is_none()
        && filter.user_id.is_none()
        && search.is_none()
    {
        // Only the tag: its own table has the order.
        question.keys_from = Some(("project_tags g", "g.project_key", "g.created_at"));
        question.only("g.tag = ?", filter.tag.as_deref());
        return question.run(conn, page, rows::summary);
    }
    question.only("p.project_key IN (SELECT project_key FROM project_tags WHERE tag = ?)", filter.tag.as_deref());
    question
        .only("(SELECT instr(x.search_text, ?) FROM project_texts x WHERE x.project_key = p.project_key) > 0", search);
    question.run(conn, page, rows::summary)
}

/// In the order in which they were written, newest first.
pub(crate) fn tasks(conn: &Connection, filter: &TaskFilter, page: &PageRequest) -> Result<Page<Task>> {
    let mut question = Question {
        table: "nexus_tasks",
        columns: rows::TASK,
        key: "task_key",
        sort: None,
        descending: true,
        halves: &[],
        conditions: Vec::new(),
        values: Vec::new(),
        total: None,
        keys_from: None,
    };
    question.only("status = ?", filter.status.map(|status| status.as_str()));
    question.only("task_type = ?", filter.task_type.map(|task_type| task_type.as_str()));
    question.only(
        "project_key = (SELECT project_key FROM nexus_projects WHERE project_id = ?)",
        filter.project_id.as_ref().map(|id| id.as_str()),
    );
    question.run(conn, page, rows::task)
}

pub(crate) fn agents(
    conn: &Connection,
    counts: &Counts,
    filter: &AgentFilter,
    page: &PageRequest,
) -> Result<Page<Agent>> {
    let total = match (filter.status, &filter.category, &filter.project_id) {
        (None, None, None) => Some(Counted::Agents),
        (Some(status), None, None) => Some(Counted::AgentStatus(status.as_str())),
        (None, Some(category), None) => Some(Counted::AgentCategory(category)),
        _ => None,
    };
    let mut question = Question {
        table: "nexus_agents",
        columns: rows::AGENT,
        key: "agent_key",
        sort: Some("created_at"),
        descending: true,
        halves: &[],
        conditions: Vec::new(),
        values: Vec::new(),
        total: total.map(|what| counts.of(&what)),
        keys_from: None,
    };
    question.only("status = ?", filter.status.map(|status| status.as_str()));
    question.only("category = ?", filter.category.as_deref());
    question.only("project_id = ?", filter.project_id.as_ref().map(|id| id.as_str()));
    question.run(conn, page, rows::agent)
}

pub(crate) fn tools(conn: &Connection, filter: &ToolFilter, page: &PageRequest) -> Result<Page<Tool>> {
    let mut question = Question {
        table: "nexus_tools",
        columns: super::tools::TOOL,
        key: "tool_key",
        sort: Some("tool_name"),
        descending: false,
        halves: &[],
        conditions: Vec::new(),
        values: Vec::new(),
        total: None,
        keys_from: None,
    };
    question.only("source = ?", filter.source.map(|source| source.as_str()));
    question.only("category = ?", filter.category.as_deref());
    question.only("tool_name = ?", filter.name.as_deref());
    let search = filter.q.as_deref().map(str::trim).filter(|q| !q.is_empty()).map(str::to_ascii_lowercase);
    // ASCII is folded on both sides; other letters are compared as they are.
    question.only("instr(lower(tool_name || char(10) || display_name || char(10) || description), ?) > 0", search);
    question.run(conn, page, super::tools::tool)
}

#[async_trait]
impl Lists for SqliteStore {
    async fn list_projects(&self, filter: &ProjectFilter, page: &PageRequest) -> Result<Page<ProjectSummary>> {
        let (filter, page, counts) = (filter.clone(), page.clone(), self.inner.counts.clone());
        self.ask(move |conn| projects(conn, &counts, &filter, &page)).await
    }

    async fn list_tasks(&self, filter: &TaskFilter, page: &PageRequest) -> Result<Page<Task>> {
        let (filter, page) = (filter.clone(), page.clone());
        self.ask(move |conn| tasks(conn, &filter, &page)).await
    }

    async fn list_agents(&self, filter: &AgentFilter, page: &PageRequest) -> Result<Page<Agent>> {
        let (filter, page, counts) = (filter.clone(), page.clone(), self.inner.counts.clone());
        self.ask(move |conn| agents(conn, &counts, &filter, &page)).await
    }
}
