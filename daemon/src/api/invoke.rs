//! `POST /agents/{id}/invoke`: one question, one answer, really asked and recorded. It keeps no
//! conversation: for that there are sessions.

use salvo::{Response, Writer as _, oapi::endpoint};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    agents,
    chat::{self, Call, Outcome},
    error::ApiError,
    extract::{Body, Id, State},
    fields::Fields,
    once::Idempotency,
    openapi::{ID_PATTERN, describe},
    reply::{Answer, REPLAYED, Reply},
    rules::{Flag, Json, Text, Verbatim, fields_of, rule},
};
use crate::{
    agents::Question,
    domain::{
        agent::InvocationStatus,
        ids::{AgentId, InvocationId, SessionId},
    },
};

/// Most bytes of a caller's own data.
pub(super) const METADATA_BYTES: usize = 16 * 1024;

#[derive(Serialize, Deserialize)]
pub(super) struct Invoked {
    invocation_id: InvocationId,
    session_id: SessionId,
    output: String,
    duration_ms: u64,
    status: InvocationStatus,
    usage: Value,
    trace: Option<Value>,
}

describe! {
    /// An agent's answer.
    Invoked as "Invoked" {
        invocation_id, session_id,
        /// The answer.
        output,
        duration_ms, status,
        /// `input_tokens`, `output_tokens`, `total_tokens`.
        usage,
        /// The steps, when they were asked for and the agent tells them.
        trace,
    }
}

fields_of! {
    /// A question to an agent.
    pub(super) InvokeBody {
        input_text: Verbatim<1, 50_000>,
        /// Ties questions together for the agent; made when absent.
        session_id: AnySession,
        enable_trace: Flag<false>,
        /// Absent: `anonymous`.
        user_id: Text<0, 100>,
        /// The caller's own data.
        metadata: Json<METADATA_BYTES>,
    }
}

rule! {
    /// Any text that can be a session's id; it need not be known.
    pub(super) AnySession -> Option<SessionId>,
    |fields, name| any_session(fields, name),
    json!({ "anyOf": [{ "type": "string", "pattern": ID_PATTERN }, { "type": "string", "enum": [""] }] })
}

fn any_session(fields: &mut Fields, name: &str) -> Option<SessionId> {
    let given = fields.text(name, 0..=128)?;
    match given.parse() {
        Ok(id) => Some(id),
        Err(error) => {
            let error: crate::domain::ids::InvalidId = error;
            fields.fault(name, "value_error", error.to_string(), given.into());
            None
        }
    }
}

/// `POST /agents/{id}/invoke`
///
/// Ask an agent. It is really asked, and the invocation is recorded whatever comes of it.
#[endpoint(operation_id = "invokeAgent", tags("agents"), responses((status_code = 409, description = "Not in this state."), (status_code = 502, description = "The agent failed."), (status_code = 504, description = "The agent did not answer in time.")))]
pub(super) async fn invoke(
    state: State,
    id: Id<AgentId>,
    body: Body<InvokeBody>,
    once: Idempotency,
    res: &mut Response,
) -> Answer<Invoked> {
    let (State(state), Id(id), Body(body)) = (state, id, body);
    let InvokeBody { input_text, session_id, enable_trace, user_id, metadata } = body;
    let metadata = metadata.map(Value::Object);
    let session_id = session_id.unwrap_or_else(SessionId::generate);
    if let Some(earlier) = once.begin(&state).await? {
        res.headers_mut().insert(REPLAYED, salvo::http::HeaderValue::from_static("true"));
        let mut earlier: Invoked = serde_json::from_value(earlier).map_err(ApiError::internal)?;
        earlier.trace = earlier.trace.filter(|_| enable_trace);
        return Ok(Reply::new(earlier));
    }
    let agent = match agents::askable(&state, &id).await {
        Ok(agent) => agent,
        Err(error) => {
            if let Some(key) = once.key() {
                key.abandon(&state).await;
            }
            return Err(error);
        }
    };

    let question = Question {
        input_text: input_text.clone(),
        history: Vec::new(),
        enable_trace,
        metadata: metadata.clone().unwrap_or_default(),
    };
    let user_id = user_id.unwrap_or_else(|| "anonymous".to_owned());
    let call =
        Call { agent, session: session_id.clone(), user_id, written: input_text, question, metadata, once: once.key() };
    // The client leaving drops this future; the task goes on just long enough to record that.
    let left = CancellationToken::new();
    let _guard = left.clone().drop_guard();
    let tasks = state.tasks.clone();
    let asked = tasks.spawn(async move { chat::ask(&state, call, None, left.cancelled()).await });
    let outcome = asked.await.map_err(ApiError::internal)?;
    if let Some(failure) = &outcome.failure {
        let details = json!({
            "invocation_id": outcome.id, "session_id": session_id,
            "duration_ms": outcome.millis(), "status": InvocationStatus::Failed,
        });
        return Err(chat::error_of(failure, details));
    }
    Ok(Reply::new(Invoked::of(&session_id, &outcome, enable_trace)))
}

impl Invoked {
    /// What is told of an answer; the steps only when they were asked for.
    pub(super) fn of(session_id: &SessionId, outcome: &Outcome, with_trace: bool) -> Self {
        Self {
            invocation_id: outcome.id.clone(),
            session_id: session_id.clone(),
            output: outcome.answer.text.clone(),
            duration_ms: outcome.millis(),
            status: InvocationStatus::Success,
            usage: outcome.usage(),
            trace: outcome.trace.clone().filter(|_| with_trace),
        }
    }
}
