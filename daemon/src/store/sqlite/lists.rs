//! Pages of projects, tasks and agents. Filters are part of the question, so a page is full whenever
//! there are rows, and the total is that of the filter. A cursor names the last row of a page, so rows
//! that come in later do not shift what follows.

use std::fmt::Write as _;

use rusqlite::{Connection, Row, params_from_iter, types::Value as Sql};

use super::{error::invalid, rows};
use crate::{
    domain::{agent::Agent, project::ProjectSummary, task::Task},
    store::{AgentFilter, Page, PageRequest, ProjectFilter, ProjectSort, Result, TaskFilter},
};

/// A question for a page.
struct Question {
    table: &'static str,
    columns: &'static str,
    /// The row's integer key: breaks ties.
    key: &'static str,
    /// What it is sorted by, and whether the greatest comes first. `None`: by the key alone.
    sort: Option<&'static str>,
    descending: bool,
    conditions: Vec<&'static str>,
    values: Vec<Sql>,
}

impl Question {
    /// Adds a condition with `?` for the value.
    fn only(&mut self, condition: &'static str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.conditions.push(condition);
            self.values.push(Sql::Text(value.into()));
        }
    }

    fn filter(&self) -> String {
        let mut text = String::new();
        for (condition, glue) in
            self.conditions.iter().zip(std::iter::once(" WHERE ").chain(std::iter::repeat(" AND ")))
        {
            text.push_str(glue);
            text.push_str(condition);
        }
        text
    }

    fn run<T>(
        mut self,
        conn: &Connection,
        page: &PageRequest,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Page<T>> {
        let (table, key) = (self.table, self.key);
        let filter = self.filter();
        let total: i64 = conn
            .prepare_cached(&format!("SELECT count(*) FROM {table}{filter}"))?
            .query_row(params_from_iter(&self.values), |row| row.get(0))?;
        let total = total.unsigned_abs();
        if page.limit == 0 || total == 0 {
            return Ok(Page { total, ..rows::empty_page() });
        }
        let (order, than) = if self.descending { ("DESC", "<") } else { ("ASC", ">") };
        let sort = self.sort.unwrap_or(key);
        let mut sql = format!("SELECT {}, {key}, {sort} FROM {table}{filter}", self.columns);
        let mut skip = 0;
        if let Some(cursor) = &page.cursor {
            let (value, last) = decode(cursor, sort)?;
            let glue = if self.conditions.is_empty() { " WHERE " } else { " AND " };
            let _infallible = match self.sort {
                Some(_) => write!(sql, "{glue}({sort}, {key}) {than} (?, ?)"),
                None => write!(sql, "{glue}{key} {than} ?"),
            };
            if self.sort.is_some() {
                self.values.push(Sql::Text(value));
            }
            self.values.push(Sql::Integer(last));
        } else {
            skip = page.page.max(1).saturating_sub(1).saturating_mul(page.limit);
        }
        let _infallible = if self.sort.is_some() {
            write!(sql, " ORDER BY {sort} {order}, {key} {order} LIMIT ? OFFSET ?")
        } else {
            write!(sql, " ORDER BY {key} {order} LIMIT ? OFFSET ?")
        };
        // One row more tells whether there is a next page.
        self.values.push(Sql::Integer(rows::integer(page.limit.saturating_add(1))));
        self.values.push(Sql::Integer(rows::integer(skip)));
        let mut find = conn.prepare_cached(&sql)?;
        let width = find.column_count();
        let mut found = find.query(params_from_iter(&self.values))?;
        let (mut items, mut last, mut seen) = (Vec::new(), None, 0);
        while let Some(row) = found.next()? {
            if seen == page.limit {
                return Ok(Page { items, total, next_cursor: last });
            }
            seen += 1;
            let row_key: i64 = row.get(width - 2)?;
            last = Some(encode(sort, &sort_text(row, width - 1)?, row_key));
            match read(row) {
                Ok(item) => items.push(item),
                Err(error) => rows::skipped(table, &row_key.to_string(), &error),
            }
        }
        Ok(Page { items, total, next_cursor: None })
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

/// `Store::list_projects`.
pub(crate) fn projects(conn: &Connection, filter: &ProjectFilter, page: &PageRequest) -> Result<Page<ProjectSummary>> {
    let (sort, descending) = match filter.sort {
        ProjectSort::Newest => ("p.created_at", true),
        ProjectSort::Oldest => ("p.created_at", false),
        ProjectSort::RecentlyUpdated => ("p.updated_at", true),
        ProjectSort::Name => ("p.project_name", false),
    };
    let mut question = Question {
        table: "nexus_projects p",
        columns: rows::SUMMARY,
        key: "p.project_key",
        sort: Some(sort),
        descending,
        conditions: Vec::new(),
        values: Vec::new(),
    };
    question.only("p.status = ?", filter.status.map(|status| status.as_str()));
    question.only("p.user_id = ?", filter.user_id.as_deref());
    question.only("EXISTS (SELECT 1 FROM json_each(p.tags) WHERE value = ?)", filter.tag.as_deref());
    let search = filter.q.as_deref().map(str::trim).filter(|q| !q.is_empty()).map(str::to_lowercase);
    question
        .only("(SELECT instr(x.search_text, ?) FROM project_texts x WHERE x.project_key = p.project_key) > 0", search);
    question.run(conn, page, rows::summary)
}

/// `Store::list_tasks`: in the order in which they were written, newest first.
pub(crate) fn tasks(conn: &Connection, filter: &TaskFilter, page: &PageRequest) -> Result<Page<Task>> {
    let mut question = Question {
        table: "nexus_tasks",
        columns: rows::TASK,
        key: "task_key",
        sort: None,
        descending: true,
        conditions: Vec::new(),
        values: Vec::new(),
    };
    question.only("status = ?", filter.status.map(|status| status.as_str()));
    question.only("task_type = ?", filter.task_type.map(|task_type| task_type.as_str()));
    question.only(
        "project_key = (SELECT project_key FROM nexus_projects WHERE project_id = ?)",
        filter.project_id.as_ref().map(|id| id.as_str()),
    );
    question.run(conn, page, rows::task)
}

/// `Store::list_agents`.
pub(crate) fn agents(conn: &Connection, filter: &AgentFilter, page: &PageRequest) -> Result<Page<Agent>> {
    let mut question = Question {
        table: "nexus_agents",
        columns: rows::AGENT,
        key: "agent_key",
        sort: Some("created_at"),
        descending: true,
        conditions: Vec::new(),
        values: Vec::new(),
    };
    question.only("status = ?", filter.status.map(|status| status.as_str()));
    question.only("category = ?", filter.category.as_deref());
    question.only("project_id = ?", filter.project_id.as_ref().map(|id| id.as_str()));
    question.run(conn, page, rows::agent)
}
