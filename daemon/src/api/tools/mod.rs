//! `/tools`: the plugins' catalogue, and what builds made of it for their agents. `compat` has the
//! original's forms of the list, `trial` calls a tool, `mcp` shows the servers that people wrote down.

mod compat;
mod mcp;
mod trial;

use salvo::{Router, Writer as _, oapi::endpoint};

use super::{
    at,
    error::{ApiError, Resource},
    extract::{Id, Query, State},
    input,
    reply::{Answer, PageAnswer, Paged, Reply},
    rules::{Count, Cursor, Search, Word, fields_of},
};
use crate::{
    domain::{
        ids::ToolId,
        tool::{Tool, ToolSource},
    },
    store::{PageRequest, ToolFilter},
};

/// The paths. The fixed names stand before the id, which would take them.
pub(super) fn paths() -> Router {
    let servers = at("servers", || mcp::list).push(at("{name}", || mcp::detail).put(mcp::change));
    at("tools", || list)
        .push(at("list", || compat::list))
        .push(at("categories", || compat::categories))
        .push(Router::with_path("mcp").push(servers))
        .push(Router::with_path("{name}/test").post(trial::test))
        .push(at("{id}", || detail))
}

fields_of! {
    /// Which tools.
    pub(super) ToolsQuery {
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
pub(super) async fn list(state: State, query: Query<ToolsQuery>) -> PageAnswer<Tool> {
    let Query(query) = query;
    let page = PageRequest { page: query.page, limit: query.limit, cursor: query.cursor };
    let filter = ToolFilter { source: query.source, category: query.category, q: query.q, name: None };
    let found = state.store.list_tools(&filter, &page).await.map_err(input::cursor_fault)?;
    Ok(Paged::new(found, &page))
}

/// `GET /tools/{id}`
///
/// Read a tool.
#[endpoint(operation_id = "getTool", tags("tools"))]
pub(super) async fn detail(state: State, id: Id<ToolId>) -> Answer<Tool> {
    let Id(id) = id;
    let tool = state.store.tool(&id).await?;
    tool.map(Reply::new).ok_or_else(|| ApiError::not_found(Resource::Tool, id.as_str()))
}
