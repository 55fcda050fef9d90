//! `/agents/{id}/files`: what an agent is made of, shown and changed. A change is checked first, replaces the file
//! whole, and takes effect when the agent is deployed again.

use std::path::Path;

use salvo::{Writer as _, http::StatusCode, oapi::endpoint};
use serde::Serialize;
use serde_json::json;

use super::service_state;
use crate::api::{
    agents::known,
    http::{
        error::{ApiError, Resource},
        request::{
            extract::{Body, Id, Part, Query, State, ToolName},
            fields::Fault,
            rules::{Flag, Text, Verbatim, fields_of},
        },
        response::{Answer, Reply},
    },
    openapi::describe,
    projects::files::blocking,
    state::AppState,
};
use crate::{
    agents::{
        package::{AgentFile, MAX_FILE, Package, WriteError},
        syntax,
    },
    domain::{
        agent::Agent,
        ids::{AgentId, TaskId},
        time::Timestamp,
    },
    files::kind_of,
};

#[derive(Clone, Serialize)]
pub(crate) struct File {
    path: String,
    name: String,
    language: &'static str,
    content: Option<String>,
    size: u64,
    exists: bool,
    checksum: Option<String>,
}

describe! {
    /// A file of an agent.
    File as "AgentFile" {
        /// Relative to the agent's folder.
        path,
        name,
        /// A word for its kind, by its ending.
        language,
        /// None when it is not wanted, not there, or no text of at most 1 MiB.
        content,
        /// Bytes.
        size,
        exists,
        /// SHA-256, hexadecimal.
        checksum,
    }
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

#[derive(Serialize)]
struct Files {
    agent_id: AgentId,
    agent_name: String,
    code_file: Option<File>,
    prompt_file: Option<File>,
    tool_files: Vec<File>,
}

describe! {
    /// What an agent is made of.
    Files as "AgentFiles" {
        agent_id, agent_name,
        /// None when the agent has none, or it was not asked for.
        code_file,
        /// None when the agent has none, or it was not asked for.
        prompt_file,
        tool_files,
    }
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
    let (agent, read) = read(&state, &id.0, move |package| {
        let file = |path: String| File::of(package.read(&path), with_content);
        let (code, prompt) = (package.code_path().map(file), package.prompt_path().map(file));
        (code, prompt, package.tool_paths().into_iter().map(file).collect())
    })
    .await?;
    let (code_file, prompt_file, tool_files) = read;
    Ok(Reply::new(Files { agent_id: agent.agent_id, agent_name: agent.agent_name, code_file, prompt_file, tool_files }))
}

/// What `look` finds among an agent's files.
async fn read<T: Send + 'static>(
    state: &AppState,
    id: &AgentId,
    look: impl FnOnce(&Package) -> T + Send + 'static,
) -> Result<(Agent, T), ApiError> {
    let agent = known(state, id).await?;
    let package = state.agents.package(&agent).await?;
    let found = blocking(move || look(&package)).await?;
    Ok((agent, found))
}

/// `GET /agents/{id}/files/code`
///
/// Read an agent's code.
#[endpoint(operation_id = "getAgentCode", tags("agent files"))]
pub(crate) async fn show_code(state: State, id: Id<AgentId>) -> Answer<File> {
    let look = |package: &Package| package.code_path().map(|path| File::of(package.read(&path), true));
    let (_, file) = read(&state, &id.0, look).await?;
    file.map(Reply::new).ok_or_else(|| ApiError::not_found(Resource::File, "code"))
}

/// `GET /agents/{id}/files/prompt`
///
/// Read an agent's prompt.
#[endpoint(operation_id = "getAgentPrompt", tags("agent files"))]
pub(crate) async fn show_prompt(state: State, id: Id<AgentId>) -> Answer<File> {
    let look = |package: &Package| package.prompt_path().map(|path| File::of(package.read(&path), true));
    let (_, file) = read(&state, &id.0, look).await?;
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
    read(&state, &id.0, look).await.map(|(_, files)| Reply::new(files))
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

#[derive(Serialize)]
struct Written {
    agent_id: AgentId,
    path: String,
    file: File,
    versions: Vec<Timestamp>,
    redeploy_task_id: Option<TaskId>,
}

describe! {
    /// A file that was changed.
    Written as "AgentFileWritten" {
        agent_id,
        /// Of the file, relative to the agent's folder.
        path,
        file,
        /// When the versions before were replaced, the oldest first.
        versions,
        /// The task that deploys the agent again, when that was asked for; none for an agent whose project is gone, which
        /// starts anew with its next question.
        redeploy_task_id,
    }
}

/// `PUT /agents/{id}/files/code`
///
/// Change an agent's code. It is checked before it is taken; the version before is kept.
#[endpoint(operation_id = "putAgentCode", tags("agent files"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn put_code(state: State, id: Id<AgentId>, body: Body<FileBody>) -> Answer<Written> {
    let agent = known(&state, &id.0).await?;
    let path = state.agents.package(&agent).await?.code_path();
    let path = path.ok_or_else(|| ApiError::not_found(Resource::File, "code"))?;
    put(&state, agent, path, body.0).await
}

/// `PUT /agents/{id}/files/prompt`
///
/// Change an agent's prompt. It is checked before it is taken; the version before is kept.
#[endpoint(operation_id = "putAgentPrompt", tags("agent files"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn put_prompt(state: State, id: Id<AgentId>, body: Body<FileBody>) -> Answer<Written> {
    let agent = known(&state, &id.0).await?;
    let path = state.agents.package(&agent).await?.prompt_path();
    let path = path.ok_or_else(|| ApiError::not_found(Resource::File, "prompt"))?;
    put(&state, agent, path, body.0).await
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
    let agent = known(&state, &id.0).await?;
    let stem = name.text.strip_suffix(".py").unwrap_or(&name.text);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if stem.is_empty() || stem.len() > 64 || !stem.bytes().all(plain) || stem == "__init__" {
        return Err(ApiError::not_found(Resource::File, &name.text));
    }
    put(&state, agent, format!("tools/{stem}.py"), body.0).await
}

async fn put(state: &AppState, agent: Agent, path: String, body: FileBody) -> Answer<Written> {
    let FileBody { content, file_type, expected_checksum, redeploy } = body;
    // What counts is the ending.
    drop(file_type);
    if content.len() as u64 > MAX_FILE {
        let message = format!("the file is larger than {MAX_FILE} bytes");
        return Err(ApiError::plain(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", message));
    }
    if redeploy {
        // Before anything is written.
        service_state::check_deploy(state, &agent)?;
    }
    syntax::check(kind_of(Path::new(&path)), &content).await.map_err(broken)?;
    let package = state.agents.package(&agent).await?;
    let changed = path.clone();
    let work = blocking(move || {
        package.write(&path, &content, expected_checksum.as_deref())?;
        Ok::<_, WriteError>((package.read(&path), package.versions(&path)))
    });
    let (file, versions) = work.await?.map_err(refused)?;
    if let Err(error) = state.agents.share_file(&agent, &changed).await {
        tracing::warn!(agent_id = %agent.agent_id, %error, "a change of an agent's file could not be shared");
        let message =
            "the file is changed here, but other daemons cannot see that yet: send the change again".to_owned();
        return Err(ApiError::Unavailable { code: "NOT_SHARED", message });
    }
    let redeploy_task_id = if redeploy { service_state::deploy(state, &agent).await? } else { None };
    let message = if redeploy { "file changed, the agent is being deployed again" } else { "file changed" };
    let versions = versions.into_iter().map(Timestamp::from_micros).collect();
    let file = File::of(file, true);
    let written = Written { agent_id: agent.agent_id, path: file.path.clone(), file, versions, redeploy_task_id };
    Ok(Reply::new(written).message(message))
}

fn broken(error: syntax::SyntaxError) -> ApiError {
    match error {
        syntax::SyntaxError::Broken(broken) => {
            let place = match (broken.line, broken.column) {
                (Some(line), Some(column)) => format!("line {line}, column {column}: "),
                (Some(line), None) => format!("line {line}: "),
                _ => String::new(),
            };
            let msg = format!("{place}{}", broken.message);
            let place = json!({ "line": broken.line, "column": broken.column });
            ApiError::Invalid(vec![Fault::new("body", "content", "syntax_error", msg, place)])
        }
        syntax::SyntaxError::Unchecked(why) => {
            tracing::warn!(why, "a file of an agent could not be checked");
            let message = "the file cannot be checked now, so it is not taken".to_owned();
            ApiError::Unavailable { code: "NOT_CHECKED", message }
        }
    }
}

fn refused(error: WriteError) -> ApiError {
    match error {
        WriteError::Changed => {
            let message = "the file is not the one that expected_checksum names: read it again".to_owned();
            ApiError::Conflict { code: "FILE_CHANGED", message, details: None }
        }
        WriteError::Io(error) => {
            tracing::warn!(%error, "a file of an agent could not be written");
            let message = "the agent's folder is not there or cannot be written".to_owned();
            ApiError::Conflict { code: "FILE_NOT_WRITABLE", message, details: None }
        }
    }
}
