//! `POST /tools/{name}/test`: a tool is called, in a process with limits, and its result told.

use schemars::JsonSchema;
use std::sync::Arc;

use salvo::{Writer as _, http::StatusCode, oapi::endpoint};
use serde::Serialize;
use serde_json::Value;

use crate::{
    api::http::{
        error::{ApiError, Resource},
        request::{
            extract::{OptionalBody, Part, State, path_parts},
            rules::{Json, fields_of},
        },
        response::{Answer, Reply},
    },
    domain::text::text_of,
    tools::{Trial, Verdict, catalogue, typing},
};

path_parts! {
    /// The tool's name, its id, or the name of its package.
    pub(crate) ToolName = "name";
}

fields_of! {
    /// How to call it.
    pub(crate) TestBody {
        /// The tool's arguments by name.
        parameters: Json<{ 64 * 1024 }>,
    }
}

/// What came of calling a tool.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ToolTest")]
struct Tested {
    /// Whether it gave a result.
    success: bool,
    /// Its result as text: a text as it is, all else as JSON. None when it failed.
    output: Option<String>,
    /// Its result as it is.
    output_json: Value,
    /// Why there is none.
    error: Option<String>,
    /// The start of its process included.
    duration_ms: f64,
    /// What it printed, at most 16 Ki characters.
    printed: String,
    /// What held it back beside limits on time, memory and files: the names of what was in force.
    guards: Vec<String>,
}

/// `POST /tools/{name}/test`
///
/// Call a tool and show what comes of it. It runs in a process of its own with limits on time, memory and files, without network, without other programs, and with no file but its own; a tool that fails or tries more is told as `success: false`. Arguments that come as text are read as the types that the tool declares. A name that several tools have means the newest; an id means one tool.
#[endpoint(
    operation_id = "testTool",
    tags("tools"),
    responses(
        (status_code = 409, description = "The tool's code is not there, or not in Python."),
        (status_code = 429, description = "As many tools are being tried out as may.")
    )
)]
pub(crate) async fn test(state: State, name: Part<ToolName>, body: OptionalBody<TestBody>) -> Answer<Tested> {
    let (State(state, _), OptionalBody(body)) = (state, body);
    let tool = super::find(&state, &name.text).await?;
    let tool = tool.ok_or_else(|| ApiError::not_found(Resource::Tool, &name.text))?;
    let config = state.config.load_full();
    let turn = state.tool_tests.turn(config.tools.max_tests);
    let turn =
        turn.map_err(|busy| ApiError::plain(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_TOOL_TESTS", busy.to_string()))?;

    // The client leaving drops this future; the task goes on just long enough to end the test and clean up.
    let left = state.shutdown.child_token();
    let _guard = left.clone().drop_guard();
    let (properties, required) = catalogue::arguments(&tool);
    let parameters = match typing::arguments(body.parameters.unwrap_or_default(), properties, &required) {
        Ok(parameters) => parameters,
        Err(error) => return Ok(Reply::new(Tested::refused(error))),
    };
    let entry = catalogue::entry(&tool).to_owned();
    let tasks = state.tasks.clone();
    let tested = tasks.spawn(async move {
        let reader = Arc::clone(&state);
        let agent = match &tool.agent_id {
            Some(id) => state.store.agent(id).await?,
            None => None,
        };
        if let Some(agent) = &agent {
            // Whatever machine built it.
            state.agents.deployed.fetch(agent).await?;
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
    let Verdict { result, printed, guards, duration } = verdict;
    let duration_ms = (duration.as_secs_f64() * 1e6).round() / 1e3;
    let (output, output_json, error) = match result {
        Ok(result) => (Some(text_of(&result)), result, None),
        Err(error) => (None, Value::Null, Some(error)),
    };
    Ok(Reply::new(Tested { success: error.is_none(), output, output_json, error, duration_ms, printed, guards }))
}

impl Tested {
    /// It was never called: its arguments are none.
    fn refused(error: String) -> Self {
        let (printed, guards) = (String::new(), Vec::new());
        Self {
            success: false,
            output: None,
            output_json: Value::Null,
            error: Some(error),
            duration_ms: 0.0,
            printed,
            guards,
        }
    }
}
