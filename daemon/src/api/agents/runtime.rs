//! `POST /agentcore/stream`: a Bedrock AgentCore runtime that has no agent record, asked through the deploy
//! handler of the target `agentcore`. Nothing is stored.

use salvo::{Response, Router, Writer as _, http::StatusCode, oapi::endpoint};

use super::stream;
use crate::api::http::{
    error::ApiError,
    request::{
        extract::{Body, State},
        rules::{Needed, Text, Verbatim, fields_of},
    },
};
use crate::domain::{
    agent::{Agent, AgentStatus},
    assessment::Assessment,
    ids::{AgentId, SessionId},
    time::Timestamp,
};

/// The target whose handler knows AgentCore.
const TARGET: &str = "agentcore";

pub(crate) fn paths() -> Router {
    Router::with_path("agentcore/stream").post(ask_runtime)
}

fields_of! {
    /// A question to a runtime.
    pub(crate) RuntimeBody {
        runtime_arn: Needed<20, 2_048>,
        session_id: Needed<1, 128>,
        content: Verbatim<1, 50_000>,
        /// Absent: `DEFAULT`.
        runtime_alias: Text<0, 100>,
        /// Absent: the one in the ARN.
        region: Text<0, 50>,
    }
}

/// `POST /agentcore/stream`
///
/// Ask an AgentCore runtime that has no agent record, and read the answer as it comes. Nothing is stored.
#[endpoint(operation_id = "streamRuntime", tags("agentcore"), responses((status_code = 409, description = "The target is not configured.")))]
pub(crate) async fn ask_runtime(state: State, body: Body<RuntimeBody>, res: &mut Response) -> Result<(), ApiError> {
    let RuntimeBody { runtime_arn, session_id, content, runtime_alias, region } = body.0;
    if !state.config.load().deploy.targets.contains_key(TARGET) {
        let message = "no deploy target is named `agentcore`: add it to [deploy.targets] with the handler of a plugin \
                       that knows AgentCore";
        return Err(ApiError::plain(StatusCode::CONFLICT, "TARGET_NOT_CONFIGURED", message));
    }
    let session: SessionId = session_id.parse().map_err(|error: crate::domain::ids::InvalidId| {
        ApiError::invalid("body", "session_id", "value_error", error.to_string(), session_id.clone().into())
    })?;
    let region = region.or_else(|| runtime_arn.split(':').nth(3).filter(|part| !part.is_empty()).map(str::to_owned));
    let alias = runtime_alias.unwrap_or_else(|| "DEFAULT".to_owned());
    let agent = passing(runtime_arn, alias, region);
    stream::send(&state, state.conversations.ask_passing(state.caller(), agent, session, content), res);
    Ok(())
}

/// A record that is in no store.
fn passing(arn: String, alias: String, region: Option<String>) -> Agent {
    let now = Timestamp::now();
    let details = serde_json::json!({
        "details": { "agent_runtime_arn": arn, "qualifier": alias, "region": region },
    });
    Agent {
        agent_id: AgentId::generate(),
        project_id: None,
        agent_name: "runtime".to_owned(),
        display_name: "Runtime".to_owned(),
        description: String::new(),
        category: String::new(),
        version: String::new(),
        status: AgentStatus::Running,
        deployment_type: TARGET.to_owned(),
        agentcore_config: None,
        capabilities: Vec::new(),
        assessment: Assessment::default(),
        tools: Vec::new(),
        prompt_path: None,
        code_path: None,
        created_at: now,
        updated_at: now,
        deployed_at: None,
        agentcore_runtime_arn: Some(arn),
        agentcore_runtime_alias: Some(alias),
        agentcore_region: region,
        generation: 0,
        total_invocations: 0,
        successful_invocations: 0,
        failed_invocations: 0,
        avg_duration_ms: 0.0,
        last_invoked_at: None,
        error_message: None,
        agent_dir: String::new(),
        deployment_config: None,
        deployment_details: Some(details),
        files: Default::default(),
    }
}
