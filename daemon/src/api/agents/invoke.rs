//! `POST /agents/{id}/invoke`: one question, one answer, really asked and recorded. It keeps no
//! conversation: for that there are sessions.

use std::{future::pending, sync::Arc};

use salvo::{Response, Writer as _, oapi::endpoint};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    chat::{self, Call, Outcome},
    ready,
};
use crate::api::{
    http::{
        error::ApiError,
        idempotency::{Begun, Idempotency, Key},
        request::{
            extract::{Body, Id, State},
            fields::Fields,
            rules::{Flag, Json, Text, Verbatim, fields_of, rule},
        },
        response::{Answer, REPLAYED, Reply},
    },
    openapi::{ID_PATTERN, describe},
    state::AppState,
};
use crate::{
    agents::Question,
    domain::{
        agent::InvocationStatus,
        ids::{AgentId, InvocationId, SessionId},
    },
};

/// Most bytes of a caller's own data.
pub(crate) const METADATA_BYTES: usize = 16 * 1024;

#[derive(Serialize, Deserialize)]
pub(crate) struct Invoked {
    invocation_id: InvocationId,
    session_id: SessionId,
    output: String,
    duration_ms: u64,
    status: InvocationStatus,
    usage: Value,
    trace: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<bool>,
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
        /// Only ever `false`: the store cannot take the record now, and it would be lost with this daemon. It is written
        /// as soon as that can be.
        (maybe) recorded,
    }
}

fields_of! {
    /// A question to an agent.
    pub(crate) InvokeBody {
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
    pub(crate) AnySession -> Option<SessionId>,
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
/// Ask an agent. It is really asked, and the invocation is recorded whatever comes of it, also when the client leaves
/// before the answer. One that is being deployed is waited for.
#[endpoint(operation_id = "invokeAgent", tags("agents"), responses((status_code = 409, description = "Not in this state."), (status_code = 502, description = "The agent failed."), (status_code = 504, description = "The agent did not answer in time.")))]
pub(crate) async fn invoke(
    state: State,
    id: Id<AgentId>,
    body: Body<InvokeBody>,
    once: Idempotency,
    res: &mut Response,
) -> Answer<Invoked> {
    let (State(state), Id(id), Body(body)) = (state, id, body);
    let with_trace = body.enable_trace;
    // Work of the daemon: whatever becomes of the connection, it is recorded, and its key answered or given back.
    let tasks = state.tasks.clone();
    let asked = tasks.spawn(ask(state, id, body, once.key()));
    let (mut invoked, again) = asked.await.map_err(ApiError::internal)??;
    if again {
        res.headers_mut().insert(REPLAYED, salvo::http::HeaderValue::from_static("true"));
    }
    invoked.trace = invoked.trace.filter(|_| with_trace);
    Ok(Reply::new(invoked))
}

/// The whole work of one request: the key, the question, the answer, the record. Whether the answer is an earlier one.
async fn ask(
    state: Arc<AppState>,
    id: AgentId,
    body: InvokeBody,
    key: Option<Key>,
) -> Result<(Invoked, bool), ApiError> {
    let InvokeBody { input_text, session_id, enable_trace, user_id, metadata } = body;
    let once = match key {
        None => None,
        Some(key) => match key.claim(&state).await? {
            Begun::Claimed(claim) => Some(claim),
            Begun::Answered(earlier) => {
                return Ok((serde_json::from_value(earlier).map_err(ApiError::internal)?, true));
            }
        },
    };
    let agent = ready::askable_soon(&state, &id, ready::INVOKE_WAITS, pending()).await?;
    let metadata = metadata.map(Value::Object);
    let session_id = session_id.unwrap_or_else(SessionId::generate);
    let question = Question {
        input_text: input_text.clone(),
        history: Vec::new(),
        enable_trace,
        metadata: metadata.clone().unwrap_or_default(),
    };
    let user_id = user_id.unwrap_or_else(|| "anonymous".to_owned());
    let call = Call { agent, session: session_id.clone(), user_id, written: input_text, question, metadata, once };
    let outcome = chat::ask(&state, call, None, pending()).await;
    if let Some(failure) = &outcome.failure {
        let details = json!({
            "invocation_id": outcome.id, "session_id": session_id,
            "duration_ms": outcome.millis(), "status": InvocationStatus::Failed,
        });
        return Err(chat::error_of(failure, details));
    }
    Ok((Invoked::of(&session_id, &outcome, outcome.recorded), false))
}

impl Invoked {
    /// What is told of an answer.
    pub(crate) fn of(session_id: &SessionId, outcome: &Outcome, recorded: bool) -> Self {
        Self {
            invocation_id: outcome.id.clone(),
            session_id: session_id.clone(),
            output: outcome.answer.text.clone(),
            duration_ms: outcome.millis(),
            status: InvocationStatus::Success,
            usage: outcome.usage(),
            trace: outcome.trace.clone(),
            recorded: (!recorded).then_some(false),
        }
    }
}
