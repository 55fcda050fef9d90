//! `/tools`: the plugins' catalogue, and what builds made of it for their agents. `trial` calls a tool, `mcp` shows the servers
//! that people wrote down.

mod mcp;
mod trial;

use std::sync::Arc;

use salvo::{Router, Writer as _, oapi::endpoint};
use trial::ToolName;

use crate::api::{
    at,
    http::{
        error::{ApiError, Resource},
        request::{
            extract::{Part, Query, State},
            input,
            rules::{Count, Cursor, Search, Word, fields_of},
        },
        response::{Answer, PageAnswer, Paged, Reply},
    },
    projects::files::blocking,
    state::AppState,
    v2_compat::tools::ToolDetail,
};
use crate::{
    backend::store::{PageRequest, ToolFilter},
    domain::tool::{Tool, ToolSource},
    tools::catalogue,
};

pub(crate) fn paths() -> Router {
    let servers = at("servers", || mcp::list).push(at("{name}", || mcp::detail).put(mcp::change));
    at("tools", || list)
        .push(Router::with_path("mcp").push(servers))
        .push(Router::with_path("{name}/test").post(trial::test))
        .push(at("{name}", || detail))
}

fields_of! {
    /// Which tools.
    pub(crate) ToolsQuery {
        /// Only from there.
        source: Word<ToolSource>,
        /// Only of this category.
        category: Search,
        /// Only with this text in name or description.
        q: Search,
        page: Count<1, { input::MAX_PAGE }, 1>,
        limit: Count<1, 100, 20>,
        /// `next_cursor` of the page before, in place of `page`.
        cursor: Cursor,
    }
}

/// `GET /tools`
///
/// List tools by name. `system` ones are the plugins' catalogue, `generated` ones were made by builds for their agents.
#[endpoint(operation_id = "listTools", tags("tools"))]
pub(crate) async fn list(state: State, query: Query<ToolsQuery>) -> PageAnswer<Tool> {
    let Query(query) = query;
    let page = PageRequest { page: query.page, limit: query.limit, cursor: query.cursor };
    let filter = ToolFilter { source: query.source, category: query.category, q: query.q, name: None };
    let found = state.store.list_tools(&filter, &page).await.map_err(input::cursor_fault)?;
    Ok(Paged::new(found, &page))
}

/// `GET /tools/{name}`
///
/// Read a tool with its code, by its id or its name. Of several tools with one name the newest is meant.
#[endpoint(operation_id = "getTool", tags("tools"))]
pub(crate) async fn detail(state: State, name: Part<ToolName>) -> Answer<ToolDetail> {
    let tool = find(&state, &name.text).await?;
    let tool = tool.ok_or_else(|| ApiError::not_found(Resource::Tool, &name.text))?;
    let reader = Arc::clone(&state);
    let agent = match &tool.agent_id {
        Some(id) => state.store.agent(id).await?,
        None => None,
    };
    let data = state.config.load().data.clone();
    let read = blocking(move || {
        let sources = catalogue::sources(&tool, &reader.plugins, agent.as_ref().map(|agent| (agent, &data))).ok();
        (sources.and_then(|sources| sources.code()), tool)
    });
    let (code, tool) = read.await?;
    Ok(Reply::new(ToolDetail::of(tool, code)))
}

/// The tool of this id; else the newest of this name; else the first of this package.
async fn find(state: &AppState, name: &str) -> Result<Option<Tool>, ApiError> {
    if let Ok(id) = name.parse()
        && let Some(tool) = state.store.tool(&id).await?
    {
        return Ok(Some(tool));
    }
    if let Some(tool) = newest(state, name).await? {
        return Ok(Some(tool));
    }
    let package = state.plugins.tools().into_iter().find(|tool| tool.info.package == name);
    match package.map(|tool| tool.info.name.as_str()) {
        Some(name) => newest(state, name).await,
        None => Ok(None),
    }
}

/// The newest tool of this name. Lists are by name, so all of them are looked at.
async fn newest(state: &AppState, name: &str) -> Result<Option<Tool>, ApiError> {
    let filter = ToolFilter { name: Some(name.to_owned()), ..ToolFilter::default() };
    let mut newest: Option<Tool> = None;
    let mut cursor = None;
    loop {
        let page = state.store.list_tools(&filter, &PageRequest { page: 1, limit: 100, cursor }).await?;
        for tool in page.items {
            if newest.as_ref().is_none_or(|best| best.created_at < tool.created_at) {
                newest = Some(tool);
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(newest);
        }
    }
}
