//! `/agents/{id}/files`: what an agent is made of, shown and changed. A change is checked first, replaces the file
//! whole, and takes effect when the agent is deployed again.

use schemars::JsonSchema;
use std::path::Path;

use salvo::{Writer as _, oapi::endpoint};
use serde::Serialize;

use crate::api::http::{
    error::{ApiError, Resource},
    request::{
        extract::{Body, Id, Part, Query, State, ToolName},
        rules::{Flag, Text, Verbatim, fields_of},
    },
    response::{Answer, Reply},
};
use crate::{
    agents::{
        NewContent,
        package::{AgentFile, MAX_FILE, Package},
    },
    domain::{
        ids::{AgentId, TaskId},
        time::Timestamp,
    },
    files::kind_of,
};

/// A file of an agent.
#[derive(Clone, Serialize, JsonSchema)]
#[schemars(rename = "AgentFile")]
pub(crate) struct File {
    /// Relative to the agent's folder.
    path: String,
    name: String,
    /// A word for its kind, by its ending.
    language: &'static str,
    /// None when it is not wanted, not there, or no text of at most 1 MiB.
    content: Option<String>,
    /// Bytes.
    size: u64,
    exists: bool,
    /// SHA-256, hexadecimal.
    checksum: Option<String>,
}

impl File {
    fn of(file: AgentFile, with_content: bool) -> Self {
        let name = Path::new(&file.path).file_name().map(|name| name.to_string_lossy().into_owned());
        Self {
            name: name.unwrap_or_default(),
            language: kind_of(Path::new(&file.path)),
            content: file.content.filter(|_| with_content),
            size: file.size,
            exists: file.exists,
            checksum: file.checksum,
            path: file.path,
        }
    }
}

/// What an agent is made of.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AgentFiles")]
struct Files {
    agent_id: AgentId,
    agent_name: String,
    /// None when the agent has none, or it was not asked for.
    code_file: Option<File>,
    /// None when the agent has none, or it was not asked for.
    prompt_file: Option<File>,
    tool_files: Vec<File>,
}

fields_of! {
    /// How much.
    pub(crate) FilesQuery {
        /// False: only what is known of them.
        include_content: Flag<true>,
    }
}

/// `GET /agents/{id}/files`
///
/// Read what an agent is made of.
#[endpoint(operation_id = "listAgentFiles", tags("agent files"))]
pub(crate) async fn show_list(state: State, id: Id<AgentId>, query: Query<FilesQuery>) -> Answer<Files> {
    let with_content = query.0.include_content;
    let look = move |package: &Package| {
        let file = |path: String| File::of(package.read(&path), with_content);
        let (code, prompt) = (package.code_path().map(file), package.prompt_path().map(file));
        (code, prompt, package.tool_paths().into_iter().map(file).collect())
    };
    let (agent, (code_file, prompt_file, tool_files)) = state.agents.look(state.caller(), &id.0, look).await?;
    Ok(Reply::new(Files { agent_id: agent.agent_id, agent_name: agent.agent_name, code_file, prompt_file, tool_files }))
}

/// `GET /agents/{id}/files/code`
///
/// Read an agent's code.
#[endpoint(operation_id = "getAgentCode", tags("agent files"))]
pub(crate) async fn show_code(state: State, id: Id<AgentId>) -> Answer<File> {
    let look = |package: &Package| package.code_path().map(|path| File::of(package.read(&path), true));
    let (_, file) = state.agents.look(state.caller(), &id.0, look).await?;
    file.map(Reply::new).ok_or_else(|| ApiError::not_found(Resource::File, "code"))
}

/// `GET /agents/{id}/files/prompt`
///
/// Read an agent's prompt.
#[endpoint(operation_id = "getAgentPrompt", tags("agent files"))]
pub(crate) async fn show_prompt(state: State, id: Id<AgentId>) -> Answer<File> {
    let look = |package: &Package| package.prompt_path().map(|path| File::of(package.read(&path), true));
    let (_, file) = state.agents.look(state.caller(), &id.0, look).await?;
    file.map(Reply::new).ok_or_else(|| ApiError::not_found(Resource::File, "prompt"))
}

/// `GET /agents/{id}/files/tools`
///
/// Read an agent's tools.
#[endpoint(operation_id = "getAgentTools", tags("agent files"))]
pub(crate) async fn show_tools(state: State, id: Id<AgentId>, query: Query<FilesQuery>) -> Answer<Vec<File>> {
    let with_content = query.0.include_content;
    let look = move |package: &Package| {
        package.tool_paths().into_iter().map(|path| File::of(package.read(&path), with_content)).collect()
    };
    Ok(Reply::new(state.agents.look(state.caller(), &id.0, look).await?.1))
}

fields_of! {
    /// The new content of a file.
    pub(crate) FileBody {
        content: Verbatim<1, { MAX_FILE as usize }>,
        /// A word for its kind, for old clients; what counts is the file's ending.
        file_type: Text<0, 50>,
        /// SHA-256 of the content that is to be replaced: another one is refused.
        expected_checksum: Text<0, 64>,
        /// Deploy the agent again, so that the change takes effect.
        redeploy: Flag<false>,
    }
}

/// A file that was changed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AgentFileWritten")]
struct Written {
    agent_id: AgentId,
    /// Of the file, relative to the agent's folder.
    path: String,
    file: File,
    /// When the versions before were replaced, the oldest first.
    versions: Vec<Timestamp>,
    /// The task that deploys the agent again, when that was asked for; none for an agent whose project is gone, which
    /// starts anew with its next question.
    redeploy_task_id: Option<TaskId>,
}

/// `PUT /agents/{id}/files/code`
///
/// Change an agent's code. It is checked before it is taken; the version before is kept.
#[endpoint(operation_id = "putAgentCode", tags("agent files"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn put_code(state: State, id: Id<AgentId>, body: Body<FileBody>) -> Answer<Written> {
    put(&state, &id.0, Package::code_path, "code", body.0).await
}

/// `PUT /agents/{id}/files/prompt`
///
/// Change an agent's prompt. It is checked before it is taken; the version before is kept.
#[endpoint(operation_id = "putAgentPrompt", tags("agent files"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn put_prompt(state: State, id: Id<AgentId>, body: Body<FileBody>) -> Answer<Written> {
    put(&state, &id.0, Package::prompt_path, "prompt", body.0).await
}

/// `PUT /agents/{id}/files/tools/{name}`
///
/// Change a tool of an agent, or add one. It is checked before it is taken; the version before is kept.
#[endpoint(operation_id = "putAgentTool", tags("agent files"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn put_tool(
    state: State,
    id: Id<AgentId>,
    name: Part<ToolName>,
    body: Body<FileBody>,
) -> Answer<Written> {
    let stem = name.text.strip_suffix(".py").unwrap_or(&name.text);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let is_tool = !stem.is_empty() && stem.len() <= 64 && stem.bytes().all(plain) && stem != "__init__";
    let path = is_tool.then(|| format!("tools/{stem}.py"));
    put(&state, &id.0, |_| path, &name.text, body.0).await
}

async fn put(
    state: &State,
    id: &AgentId,
    path: impl FnOnce(&Package) -> Option<String>,
    name: &str,
    body: FileBody,
) -> Answer<Written> {
    let FileBody { content, file_type, expected_checksum, redeploy } = body;
    // What counts is the ending.
    drop(file_type);
    let new = NewContent { content, expected_checksum, redeploy };
    let changed = state.agents.write(state.caller(), id, path, name, new).await?;
    let message = if redeploy { "file changed, the agent is being deployed again" } else { "file changed" };
    let file = File::of(changed.file, true);
    let written = Written {
        agent_id: changed.agent_id,
        path: file.path.clone(),
        file,
        versions: changed.versions,
        redeploy_task_id: changed.redeploy_task,
    };
    Ok(Reply::new(written).message(message))
}
