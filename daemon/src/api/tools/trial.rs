//! `POST /tools/{name}/test`: a tool is called, in a process with limits, and its result told.

use std::sync::Arc;

use salvo::{Writer as _, http::StatusCode, oapi::endpoint};
use serde::Serialize;
use serde_json::Value;

use crate::{
    api::{
        error::{ApiError, Resource},
        extract::{OptionalBody, Part, State, path_parts},
        openapi::describe,
        reply::{Answer, Reply},
        rules::{Json, fields_of},
        state::AppState,
    },
    domain::tool::{Tool, ToolSource},
    store::{PageRequest, ToolFilter},
    tools::{Trial, catalogue},
};

path_parts! {
    /// The tool's name, its id, or the name of its package.
    pub(super) ToolName = "name";
}

fields_of! {
    /// How to call it.
    pub(super) TestBody {
        /// The tool's arguments by name.
        parameters: Json<{ 64 * 1024 }>,
    }
}

#[derive(Serialize)]
struct Tested {
    success: bool,
    output: Value,
    error: Option<String>,
    duration_ms: f64,
    printed: String,
}

describe! {
    /// What came of calling a tool.
    Tested as "ToolTest" {
        /// Whether it gave a result.
        success,
        /// Its result.
        output,
        /// Why there is none.
        error,
        /// The start of its process included.
        duration_ms,
        /// What it printed, at most 16 Ki characters.
        printed,
    }
}

/// `POST /tools/{name}/test`
///
/// Call a tool and show what comes of it. It runs in a process of its own with limits on time, memory and files, without network, without other programs, and with no file but its own; a tool that fails or tries more is told as `success: false`. A name that several tools have means the catalogue's; an id means one tool.
#[endpoint(
    operation_id = "testTool",
    tags("tools"),
    responses(
        (status_code = 409, description = "The tool's code is not there, or not in Python."),
        (status_code = 429, description = "As many tools are being tried out as may.")
    )
)]
pub(super) async fn test(state: State, name: Part<ToolName>, body: OptionalBody<TestBody>) -> Answer<Tested> {
    let (State(state), OptionalBody(body)) = (state, body);
    let tool = find(&state, &name.text).await?;
    let tool = tool.ok_or_else(|| ApiError::not_found(Resource::Tool, &name.text))?;
    let config = state.config.load_full();
    let turn = state.tool_tests.turn(config.tools.max_tests);
    let turn =
        turn.map_err(|busy| ApiError::plain(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_TOOL_TESTS", busy.to_string()))?;

    // The client leaving drops this future; the task goes on just long enough to end the test and clean up.
    let left = state.shutdown.child_token();
    let _guard = left.clone().drop_guard();
    let (entry, parameters) = (catalogue::entry(&tool).to_owned(), body.parameters.unwrap_or_default());
    let tasks = state.tasks.clone();
    let tested = tasks.spawn(async move {
        let reader = Arc::clone(&state);
        let agent = match &tool.agent_id {
            Some(id) => state.store.agent(id).await?,
            None => None,
        };
        if let Some(agent) = &agent {
            // Whatever machine built it.
            state.agents.package(agent).await?;
        }
        let data = config.data.clone();
        let sources = move || catalogue::sources(&tool, &reader.plugins, agent.as_ref().map(|agent| (agent, &data)));
        let sources = tokio::task::spawn_blocking(sources).await.map_err(ApiError::internal)?;
        let sources =
            sources.map_err(|error| ApiError::plain(StatusCode::CONFLICT, "TOOL_NOT_RUNNABLE", error.to_string()))?;
        let trial = Trial { sources, entry, parameters };
        let (python, limit) = (&config.tools.python, config.tools.test_timeout_secs.duration());
        Ok::<_, ApiError>(turn.run(python, limit, trial, &left).await)
    });
    let verdict = tested.await.map_err(ApiError::internal)??;
    let (output, error) = match verdict.result {
        Ok(output) => (output, None),
        Err(error) => (Value::Null, Some(error)),
    };
    let duration_ms = (verdict.duration.as_secs_f64() * 1e6).round() / 1e3;
    Ok(Reply::new(Tested { success: error.is_none(), output, error, duration_ms, printed: verdict.printed }))
}

/// The tool of this id; else of this name, the catalogue's first; else the first of this package.
async fn find(state: &AppState, name: &str) -> Result<Option<Tool>, ApiError> {
    if let Ok(id) = name.parse()
        && let Some(tool) = state.store.tool(&id).await?
    {
        return Ok(Some(tool));
    }
    let package = state.plugins.tools().into_iter().find(|tool| tool.info.package == name);
    let package = package.map(|tool| tool.info.name.as_str());
    for (source, name) in
        [(Some(ToolSource::System), Some(name)), (None, Some(name)), (Some(ToolSource::System), package)]
    {
        let Some(name) = name else { continue };
        let filter = ToolFilter { source, name: Some(name.to_owned()), ..ToolFilter::default() };
        let page = state.store.list_tools(&filter, &PageRequest { page: 1, limit: 1, cursor: None }).await?;
        if let Some(tool) = page.items.into_iter().next() {
            return Ok(Some(tool));
        }
    }
    Ok(None)
}
