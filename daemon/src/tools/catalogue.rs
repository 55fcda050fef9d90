//! From what plugins tell of tools to rows of the store, and back from a row to something that can be
//! called. The schema of a row is the JSON Schema of its arguments; what the table has no column for stands
//! there too, as keywords that begin with `x-` and that every reader of a schema passes over.

use std::collections::HashSet;

use nexus_plugin_api::payload::{AgentManifest, ToolInfo};
use serde_json::{Map, Value};

use super::{Sources, SourcesError};
use crate::{
    backend::store::Store,
    config::DataConfig,
    domain::{
        agent::Agent,
        bounds,
        tool::{NewTool, Tool, ToolSource},
    },
    jobs::agent_ref,
    plugins::Plugins,
};

/// Most tools that one build may leave.
const MAX_GENERATED: usize = 512;
const PYTHON: &str = "python";
const ENTRY: &str = "x-entry";
const LANGUAGE: &str = "x-language";
const PACKAGE: &str = "x-package";
const RETURNS: &str = "x-return-type";

/// Why a tool cannot be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrunnable {
    /// Its plugin is not loaded, or has it no more.
    #[error("the tool's plugin is not loaded")]
    NoPlugin,
    /// Its project is gone, or it never had a file.
    #[error("the tool has no file")]
    NoFile,
    /// Only Python can be called.
    #[error("only tools in Python can be tried out")]
    OtherLanguage,
    /// See [`SourcesError`].
    #[error(transparent)]
    Sources(#[from] SourcesError),
}

/// Tells the store which tools the loaded plugins bring along. What goes wrong is told to the operator:
/// the list of tools is then as it was.
pub async fn publish(store: &dyn Store, plugins: &Plugins) {
    let mut seen = HashSet::new();
    let tools = plugins.tools();
    // Of two plugins with a tool of one name the first is called by it.
    let rows: Vec<NewTool> = tools
        .iter()
        .filter(|tool| seen.insert(&tool.info.name))
        .map(|tool| {
            bounds::tool(NewTool { code: tool.code().map(str::to_owned), ..row(tool.info, tool.plugin_version) })
        })
        .collect();
    let count = rows.len();
    match store.put_system_tools(rows).await {
        Ok(()) => tracing::debug!(count, "the plugins' tools are listed"),
        Err(error) => tracing::error!(%error, "the list of the plugins' tools cannot be written"),
    }
}

/// The tools that a build leaves with its agent.
#[must_use]
pub fn generated(manifest: &AgentManifest) -> Vec<NewTool> {
    let mut seen = HashSet::new();
    let fits = |info: &&ToolInfo| !info.name.is_empty() && info.name.len() <= 128 && seen.insert(info.name.clone());
    manifest.tool_infos.iter().filter(fits).take(MAX_GENERATED).map(|info| row(info, &manifest.version)).collect()
}

fn row(info: &ToolInfo, version: &str) -> NewTool {
    let or = |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.to_owned() };
    let mut schema = info.parameters.as_object().cloned().unwrap_or_default();
    let mut say = |key: &str, text: &str| {
        if !text.is_empty() {
            schema.insert(key.to_owned(), text.into());
        }
    };
    say(ENTRY, info.function());
    say(LANGUAGE, &info.language);
    say(PACKAGE, &info.package);
    say(RETURNS, info.return_type.as_deref().unwrap_or_default());
    bounds::tool(NewTool {
        tool_name: info.name.clone(),
        display_name: or(&info.display_name, &info.name),
        description: info.description.clone(),
        category: or(&info.category, "general"),
        version: or(&info.version, version),
        code_path: Some(info.code_path.clone()),
        schema: Some(schema.into()),
        dependencies: info.dependencies.clone(),
        code: None,
    })
}

fn said<'a>(tool: &'a Tool, key: &str) -> Option<&'a str> {
    tool.schema.as_ref()?.get(key)?.as_str()
}

/// What the tool came with, as [`ToolInfo::package`].
#[must_use]
pub fn package(tool: &Tool) -> Option<&str> {
    said(tool, PACKAGE)
}

/// What it gives back, in words.
#[must_use]
pub fn return_type(tool: &Tool) -> Option<&str> {
    said(tool, RETURNS)
}

/// The schema of each argument, and the names of those that must be given.
#[must_use]
pub fn arguments(tool: &Tool) -> (Option<&Map<String, Value>>, Vec<&str>) {
    let schema = tool.schema.as_ref();
    let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
    let required = schema.and_then(|schema| schema.get("required")?.as_array());
    (properties, required.into_iter().flatten().filter_map(Value::as_str).collect())
}

/// The function to call.
#[must_use]
pub fn entry(tool: &Tool) -> &str {
    said(tool, ENTRY).unwrap_or(&tool.tool_name)
}

/// The files that it is made of. Blocks, for one that a build made.
///
/// # Errors
/// [`Unrunnable`].
pub fn sources(tool: &Tool, plugins: &Plugins, agent: Option<(&Agent, &DataConfig)>) -> Result<Sources, Unrunnable> {
    if said(tool, LANGUAGE).is_some_and(|language| language != PYTHON) {
        return Err(Unrunnable::OtherLanguage);
    }
    if tool.source == ToolSource::System {
        let found = plugins.tools().into_iter().find(|of| of.info.name == tool.tool_name);
        return found.and_then(|found| Sources::of_plugin(&found).ok()).ok_or(Unrunnable::NoPlugin);
    }
    let (Some((agent, data)), Some(path)) = (agent, &tool.code_path) else { return Err(Unrunnable::NoFile) };
    // Paths of records are the project's; the agent's folder may lie elsewhere.
    let dir = agent.agent_dir.trim_end_matches('/');
    let below = path.strip_prefix(dir).and_then(|rest| rest.strip_prefix('/'));
    match below {
        Some(below) => Ok(Sources::of_project(&agent_ref::code(data, agent), below)?),
        None => {
            let project = agent.project_id.as_ref().ok_or(Unrunnable::NoFile)?;
            Ok(Sources::of_project(&data.projects().join(project.as_str()), path)?)
        }
    }
}
