//! `/tools/mcp/servers`: the MCP servers that people have written down, shown and switched.

use salvo::{Writer as _, http::StatusCode, oapi::endpoint};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    api::http::{
        error::{ApiError, Resource},
        request::{
            extract::{Body, Part, State, path_parts},
            rules::{MaybeFlag, MaybeTexts, fields_of},
        },
        response::{Answer, Reply},
    },
    tools::mcp::{McpChange, McpError, McpServer},
};

path_parts! {
    /// The MCP server's name.
    pub(crate) McpName = "name";
}

/// MCP servers.
#[derive(Serialize, JsonSchema)]
struct McpServerList {
    servers: Vec<McpServer>,
    total: usize,
    /// How many may be used.
    enabled: usize,
    /// How many may not.
    disabled: usize,
}

impl McpServerList {
    fn of(servers: Vec<McpServer>) -> Self {
        let disabled = servers.iter().filter(|server| server.disabled).count();
        Self { total: servers.len(), enabled: servers.len() - disabled, disabled, servers }
    }
}

fields_of! {
    /// What changes; the rest stays.
    pub(crate) McpChangeBody {
        /// Whether it is not to be used.
        disabled: MaybeFlag,
        /// Names of its tools that need no approval.
        auto_approve: MaybeTexts<200, 200>,
    }
}

/// A file that cannot be read is the operator's to put right.
fn fault(error: McpError) -> ApiError {
    tracing::warn!(%error, cause = ?std::error::Error::source(&error), "MCP servers");
    match error {
        McpError::Invalid => ApiError::plain(StatusCode::CONFLICT, "MCP_SERVERS_INVALID", error.to_string()),
        McpError::Io(_) => ApiError::Unavailable { code: "MCP_SERVERS_UNAVAILABLE", message: error.to_string() },
    }
}

/// `GET /tools/mcp/servers`
///
/// List the MCP servers of `mcp_servers.json`.
#[endpoint(
    operation_id = "listMcpServers",
    tags("tools"),
    responses((status_code = 409, description = "The file is not of the right form."))
)]
pub(crate) async fn list(state: State) -> Answer<McpServerList> {
    let servers = state.mcp_servers.list().await.map_err(fault)?;
    Ok(Reply::new(McpServerList::of(servers)))
}

/// `GET /tools/mcp/servers/{name}`
///
/// Read an MCP server.
#[endpoint(
    operation_id = "getMcpServer",
    tags("tools"),
    responses((status_code = 409, description = "The file is not of the right form."))
)]
pub(crate) async fn detail(state: State, name: Part<McpName>) -> Answer<McpServer> {
    let servers = state.mcp_servers.list().await.map_err(fault)?;
    let found = servers.into_iter().find(|server| server.name == name.text);
    found.map(Reply::new).ok_or_else(|| ApiError::not_found(Resource::McpServer, &name.text))
}

/// `PUT /tools/mcp/servers/{name}`
///
/// Switch an MCP server, or change which of its tools need no approval. The daemon starts none: agents and clients that read the file do.
#[endpoint(
    operation_id = "updateMcpServer",
    tags("tools"),
    responses((status_code = 409, description = "The file is not of the right form."))
)]
pub(crate) async fn change(state: State, name: Part<McpName>, body: Body<McpChangeBody>) -> Answer<McpServer> {
    let Body(McpChangeBody { disabled, auto_approve }) = body;
    let wanted = McpChange { disabled, auto_approve };
    let changed = state.mcp_servers.change(&name.text, wanted).await.map_err(fault)?;
    changed.map(Reply::new).ok_or_else(|| ApiError::not_found(Resource::McpServer, &name.text))
}
