//! `/tools/list` and `/tools/categories`: the forms that clients of the original read.

use schemars::JsonSchema;
use std::collections::BTreeMap;

use salvo::{Writer as _, oapi::endpoint};
use serde::Serialize;
use serde_json::Value;

use crate::{
    api::http::{
        request::{
            extract::{Query, State},
            rules::{Search, Word, fields_of},
        },
        response::{Answer, Reply},
    },
    backend::store::{PageRequest, ToolFilter},
    domain::{
        ids::ToolId,
        tool::{Tool, ToolSource},
        words,
    },
    tools::{catalogue, typing},
};

/// The list has no pages; what is beyond this is only counted.
const MOST: u64 = 1000;

words! {
    /// The original's kinds of tool.
    ToolType {
        /// Of the agents' framework; the daemon has none.
        Builtin = "builtin",
        /// Made by a build.
        Generated = "generated",
        /// Of the plugins' catalogue.
        System = "system",
        /// Brought in from elsewhere.
        Template = "template",
        /// Of an MCP server.
        Mcp = "mcp",
    }
}

impl ToolType {
    const fn source(self) -> Option<ToolSource> {
        match self {
            Self::System => Some(ToolSource::System),
            Self::Generated => Some(ToolSource::Generated),
            Self::Template => Some(ToolSource::Imported),
            Self::Builtin | Self::Mcp => None,
        }
    }
}

fields_of! {
    /// Which tools.
    pub(crate) ToolListQuery {
        /// Only of this kind.
        kind as "type": Word<ToolType>,
        /// Only of this category.
        category: Search,
        /// Only with this text in name or description.
        search: Search,
    }
}

/// An argument of a tool.
#[derive(Serialize, JsonSchema)]
struct ToolParameter {
    name: String,
    /// In Python's words: `str`, `int`, `float`, `bool`, `list`, `dict`, `List[str]`, `Optional[int]`.
    #[serde(rename = "type")]
    kind: String,
    description: String,
    required: bool,
    /// What the tool takes when it is left out.
    default: Value,
}

/// What the original's clients read of a tool.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ToldTool")]
struct Told {
    /// As `tool_name`.
    name: String,
    /// builtin, generated, system, template or mcp.
    #[serde(rename = "type")]
    kind: &'static str,
    /// As `code_path`: relative to the project's folder, or within the plugin.
    file_path: Option<String>,
    parameters: Vec<ToolParameter>,
    /// What it came with.
    package: Option<String>,
    enabled: bool,
    /// The server that has it.
    mcp_server: Option<String>,
    /// In Python's words.
    return_type: Option<String>,
}

/// A tool as the original's clients read it.
#[derive(Serialize, JsonSchema)]
struct ListedTool {
    #[serde(flatten)]
    told: Told,
    category: String,
    description: String,
    /// For `/tools/{id}`; an MCP server has none.
    tool_id: Option<ToolId>,
}

/// Tools of every kind.
#[derive(Serialize, JsonSchema)]
struct ToolList {
    /// The first 1000.
    tools: Vec<ListedTool>,
    /// Tools in all of the wanted kinds.
    total: u64,
    /// Tools of each kind.
    by_type: BTreeMap<String, u64>,
}

/// Categories of tools.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ToolCategories")]
struct Categories {
    /// By name.
    categories: Vec<String>,
    total: usize,
    /// Tools of each.
    counts: BTreeMap<String, u64>,
}

/// `GET /tools/list`
///
/// List tools in the original's form. `by_type` counts every kind, whichever is asked for; an MCP server stands for its tools.
#[endpoint(operation_id = "listToolsByType", tags("tools"))]
pub(crate) async fn list(state: State, query: Query<ToolListQuery>) -> Answer<ToolList> {
    let Query(ToolListQuery { kind, category, search }) = query;
    let (mut tools, mut total, mut by_type) = (Vec::new(), 0, BTreeMap::new());
    for of in ToolType::ALL {
        let wanted = kind.is_none_or(|kind| kind == *of);
        let (found, count) = match of.source() {
            Some(source) => {
                let filter =
                    ToolFilter { source: Some(source), category: category.clone(), q: search.clone(), name: None };
                let limit = if wanted { MOST } else { 1 };
                let page = state.store.list_tools(&filter, &PageRequest { page: 1, limit, cursor: None }).await?;
                let listed = page.items.iter().map(listed).collect();
                (listed, page.total)
            }
            None if *of == ToolType::Mcp => servers(&state, category.as_deref(), search.as_deref()).await,
            None => (Vec::new(), 0),
        };
        by_type.insert(of.as_str().to_owned(), count);
        if wanted {
            total += count;
            tools.extend(found);
        }
    }
    tools.truncate(usize::try_from(MOST).unwrap_or(usize::MAX));
    Ok(Reply::new(ToolList { tools, total, by_type }))
}

/// `GET /tools/categories`
///
/// List the categories of tools.
#[endpoint(operation_id = "listToolCategories", tags("tools"))]
pub(crate) async fn categories(state: State) -> Answer<Categories> {
    let counts: BTreeMap<String, u64> = state.store.tool_categories().await?.into_iter().collect();
    let names = counts.keys().cloned().collect();
    Ok(Reply::new(Categories { categories: names, total: counts.len(), counts }))
}

/// The original's word for where a tool comes from.
fn kind_of(source: ToolSource) -> &'static str {
    let of = <ToolType as crate::domain::Words>::WORDS.iter().find(|of| of.source() == Some(source));
    of.map_or(source.as_str(), |of| of.as_str())
}

fn parameters(tool: &Tool) -> Vec<ToolParameter> {
    let (properties, required) = catalogue::arguments(tool);
    let parameter = |(name, schema): (&String, &Value)| ToolParameter {
        kind: typing::word_of(schema),
        description: schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
        required: required.contains(&name.as_str()),
        default: schema.get("default").cloned().unwrap_or_default(),
        name: name.clone(),
    };
    properties.into_iter().flatten().map(parameter).collect()
}

fn told(tool: &Tool) -> Told {
    Told {
        name: tool.tool_name.clone(),
        kind: kind_of(tool.source),
        file_path: tool.code_path.clone(),
        parameters: parameters(tool),
        package: catalogue::package(tool).map(str::to_owned),
        enabled: true,
        mcp_server: None,
        return_type: catalogue::return_type(tool).map(typing::word),
    }
}

fn listed(tool: &Tool) -> ListedTool {
    ListedTool {
        told: told(tool),
        category: tool.category.clone(),
        description: tool.description.clone(),
        tool_id: Some(tool.tool_id.clone()),
    }
}

/// A tool: its record, the names that clients of the original read beside it, and its code.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ToolDetail {
    #[serde(flatten)]
    tool: Tool,
    #[serde(flatten)]
    told: Told,
    /// The text of its file; none when that is not there.
    source_code: Option<String>,
}

impl ToolDetail {
    pub(crate) fn of(tool: Tool, source_code: Option<String>) -> Self {
        Self { told: told(&tool), tool, source_code }
    }
}

/// MCP servers as tools: what each has is known only once it runs, and the daemon starts none.
async fn servers(state: &State, category: Option<&str>, search: Option<&str>) -> (Vec<ListedTool>, u64) {
    // A file that cannot be read is told at its own path; the other kinds are listed all the same.
    let servers = state.mcp_servers.list().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "MCP servers are not listed");
        Vec::new()
    });
    let of_category = category.is_none_or(|category| category == ToolType::Mcp.as_str());
    let search = search.map(str::to_lowercase);
    let named = |name: &str| search.as_deref().is_none_or(|search| name.to_lowercase().contains(search));
    let found: Vec<ListedTool> = servers
        .into_iter()
        .filter(|server| of_category && named(&server.name))
        .map(|server| ListedTool {
            category: ToolType::Mcp.as_str().to_owned(),
            description: format!("The tools of the MCP server {}", server.name),
            tool_id: None,
            told: Told {
                name: server.name.clone(),
                kind: ToolType::Mcp.as_str(),
                file_path: None,
                parameters: Vec::new(),
                package: None,
                enabled: !server.disabled,
                mcp_server: Some(server.name),
                return_type: None,
            },
        })
        .collect();
    let count = found.len() as u64;
    (found, count)
}
