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
    agent::{Agent, AgentStatus, Deployment},
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
    let options = serde_json::json!({ "agent_runtime_arn": arn, "qualifier": alias, "region": region });
    Agent {
        agent_name: "runtime".to_owned(),
        display_name: "Runtime".to_owned(),
        status: AgentStatus::Running,
        deployment: Deployment::to(TARGET),
        deployment_details: Some(serde_json::json!({ "details": options })),
        ..Agent::unused(AgentId::generate(), Timestamp::now())
    }
}
