//! Tools: the catalogue of the plugins, and what builds made for their agents.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{SqliteStore, lists, rows, tx::Tx};
use crate::{
    backend::store::{Page, PageRequest, Result, ToolFilter, Tools},
    domain::{
        ids::{AgentId, ProjectId, ToolId},
        tool::{NewTool, Tool, ToolSource},
    },
};

pub(crate) const TOOL: &str = "tool_id, tool_name, display_name, description, category, source, version, code_path, \
     schema, dependencies, usage_count, created_at, updated_at, agent_id, project_id";

pub(crate) fn tool(row: &Row<'_>) -> rusqlite::Result<Tool> {
    Ok(Tool {
        tool_id: rows::word(row, 0)?,
        tool_name: row.get(1)?,
        display_name: row.get(2)?,
        description: row.get(3)?,
        category: row.get(4)?,
        source: rows::word(row, 5)?,
        version: row.get(6)?,
        code_path: row.get(7)?,
        schema: rows::json_opt(row, 8)?,
        dependencies: rows::json(row, 9)?,
        usage_count: rows::count(row, 10)?,
        created_at: rows::word(row, 11)?,
        updated_at: rows::word(row, 12)?,
        agent_id: rows::word_opt(row, 13)?,
        project_id: rows::word_opt(row, 14)?,
    })
}

/// Whose tools are written.
struct Owner<'a> {
    source: ToolSource,
    agent: Option<&'a AgentId>,
    project: Option<&'a ProjectId>,
}

/// Writes a tool; one that is known keeps its use and its birth, and an unchanged one is left alone.
fn put(tx: &Tx<'_>, owner: &Owner<'_>, new: &NewTool) -> Result<ToolId> {
    let id = ToolId::of(owner.source.as_str(), owner.agent.map_or("", AgentId::as_str), &new.tool_name);
    tx.sql(
        "INSERT INTO nexus_tools (tool_id, tool_name, display_name, description, category, source, version, code_path,
             schema, dependencies, created_at, updated_at, agent_id, project_id, code)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12, ?13, ?14)
         ON CONFLICT (tool_id) DO UPDATE SET display_name = excluded.display_name, description = excluded.description,
             category = excluded.category, version = excluded.version, code_path = excluded.code_path,
             schema = excluded.schema, dependencies = excluded.dependencies, updated_at = excluded.updated_at,
             project_id = excluded.project_id, code = excluded.code
         WHERE (display_name, description, category, version, code_path, schema, dependencies, project_id, code) IS NOT
             (excluded.display_name, excluded.description, excluded.category, excluded.version, excluded.code_path,
              excluded.schema, excluded.dependencies, excluded.project_id, excluded.code)",
    )?
    .execute(params![
        id.as_str(),
        new.tool_name,
        new.display_name,
        new.description,
        new.category,
        owner.source.as_str(),
        new.version,
        new.code_path,
        rows::to_json_opt(new.schema.as_ref())?,
        rows::list_json(&new.dependencies)?,
        tx.now_text(),
        owner.agent.map(AgentId::as_str),
        owner.project.map(ProjectId::as_str),
        new.code,
    ])?;
    Ok(id)
}

/// A tool whose plugin is away leaves its use and its birth for the plugin's return.
pub(crate) fn put_system(tx: &mut Tx<'_>, tools: &[NewTool]) -> Result<()> {
    let owner = Owner { source: ToolSource::System, agent: None, project: None };
    let mut kept = Vec::with_capacity(tools.len());
    for new in tools {
        let id = put(tx, &owner, new)?;
        tx.sql(
            "UPDATE nexus_tools SET usage_count = nexus_tools.usage_count + was.usage_count, created_at = was.created_at
             FROM retired_tools was WHERE nexus_tools.tool_id = ?1 AND was.tool_id = ?1",
        )?
        .execute([id.as_str()])?;
        tx.sql("DELETE FROM retired_tools WHERE tool_id = ?1")?.execute([id.as_str()])?;
        kept.push(id);
    }
    let kept = rows::to_json(&kept)?;
    tx.sql(
        "INSERT OR REPLACE INTO retired_tools (tool_id, usage_count, created_at)
         SELECT tool_id, usage_count, created_at FROM nexus_tools
         WHERE source = 'system' AND tool_id NOT IN (SELECT value FROM json_each(?1))",
    )?
    .execute([&kept])?;
    tx.sql("DELETE FROM nexus_tools WHERE source = 'system' AND tool_id NOT IN (SELECT value FROM json_each(?1))")?
        .execute([kept])?;
    Ok(())
}

/// Writes the tools that a build made for its agent; those of an earlier build that are gone go.
pub(crate) fn put_generated(tx: &Tx<'_>, agent: &AgentId, project: &ProjectId, tools: &[NewTool]) -> Result<()> {
    let owner = Owner { source: ToolSource::Generated, agent: Some(agent), project: Some(project) };
    let mut kept = Vec::with_capacity(tools.len());
    for new in tools {
        kept.push(put(tx, &owner, new)?);
    }
    let kept = rows::to_json(&kept)?;
    tx.sql("DELETE FROM nexus_tools WHERE agent_id = ?1 AND tool_id NOT IN (SELECT value FROM json_each(?2))")?
        .execute(params![agent.as_str(), kept])?;
    Ok(())
}

/// The tools of an agent go with it.
pub(crate) fn delete_of(tx: &Tx<'_>, agent: &AgentId) -> Result<u64> {
    Ok(tx.sql("DELETE FROM nexus_tools WHERE agent_id = ?1")?.execute([agent.as_str()])? as u64)
}

/// Counts calls: of the agent's own tool of that name, and of the catalogue's.
pub(crate) fn count_use(tx: &Tx<'_>, agent: &AgentId, names: &[String]) -> Result<()> {
    for name in names {
        // Two statements, each by its own index: many agents can have a tool of one name.
        tx.sql("UPDATE nexus_tools SET usage_count = usage_count + 1 WHERE agent_id = ?1 AND tool_name = ?2")?
            .execute(params![agent.as_str(), name])?;
        tx.sql("UPDATE nexus_tools SET usage_count = usage_count + 1 WHERE source = 'system' AND tool_name = ?1")?
            .execute([name])?;
    }
    Ok(())
}

pub(crate) fn read(conn: &Connection, id: &ToolId) -> Result<Option<Tool>> {
    let mut find = conn.prepare_cached(&format!("SELECT {TOOL} FROM nexus_tools WHERE tool_id = ?1"))?;
    Ok(find.query_row([id.as_str()], tool).optional()?)
}

pub(crate) fn code(conn: &Connection, id: &ToolId) -> Result<Option<String>> {
    let mut find = conn.prepare_cached("SELECT code FROM nexus_tools WHERE tool_id = ?1")?;
    Ok(find.query_row([id.as_str()], |row| row.get(0)).optional()?.flatten())
}

pub(crate) fn categories(conn: &Connection) -> Result<Vec<(String, u64)>> {
    let mut all =
        conn.prepare_cached("SELECT category, count(*) FROM nexus_tools GROUP BY category ORDER BY category")?;
    let found = all.query_map([], |row| Ok((row.get(0)?, rows::count(row, 1)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

#[async_trait]
impl Tools for SqliteStore {
    async fn put_system_tools(&self, new: Vec<NewTool>) -> Result<()> {
        self.write(move |tx| put_system(tx, &new)).await
    }

    async fn list_tools(&self, filter: &ToolFilter, page: &PageRequest) -> Result<Page<Tool>> {
        let (filter, page) = (filter.clone(), page.clone());
        self.ask(move |conn| lists::tools(conn, &filter, &page)).await
    }

    async fn tool(&self, id: &ToolId) -> Result<Option<Tool>> {
        let id = id.clone();
        self.ask(move |conn| read(conn, &id)).await
    }

    async fn tool_code(&self, id: &ToolId) -> Result<Option<String>> {
        let id = id.clone();
        self.ask(move |conn| code(conn, &id)).await
    }

    async fn tool_categories(&self) -> Result<Vec<(String, u64)>> {
        self.ask(categories).await
    }
}
