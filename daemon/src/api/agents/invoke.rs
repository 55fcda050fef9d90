//! `POST /agents/{id}/invoke`: one question, one answer, really asked and recorded. It keeps no
//! conversation: for that there are sessions.

use salvo::{Response, Writer as _, oapi::endpoint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::{
    http::{
        error::ApiError,
        idempotency::Idempotency,
        request::{
            extract::{Body, Id, State},
            fields::Fields,
            rules::{Flag, Json, Text, Verbatim, fields_of, rule},
        },
        response::{Answer, REPLAYED, Reply},
    },
    openapi::ID_PATTERN,
};
use crate::{
    agents::conversation::{Invoke, Outcome},
    domain::{
        agent::InvocationStatus,
        ids::{AgentId, InvocationId, SessionId},
    },
    idempotency::Repeatable,
};

/// Most bytes of a caller's own data.
pub(crate) const METADATA_BYTES: usize = 16 * 1024;

/// An agent's answer.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Invoked {
    invocation_id: InvocationId,
    session_id: SessionId,
    /// The answer.
    output: String,
    duration_ms: u64,
    status: InvocationStatus,
    /// `input_tokens`, `output_tokens`, `total_tokens`.
    usage: Value,
    /// The steps, when they were asked for and the agent tells them.
    trace: Option<Value>,
    /// Only ever `false`: the store cannot take the record now, and it would be lost with this daemon. It is written
    /// as soon as that can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<bool>,
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
    idempotency: Idempotency,
    res: &mut Response,
) -> Answer<Invoked> {
    let InvokeBody { input_text, session_id, enable_trace, user_id, metadata } = body.0;
    let metadata = metadata.map(Value::Object);
    let asked = Invoke { input_text, session_id, enable_trace, user_id, metadata };
    let keyed = idempotency.answered_by(|outcome| serde_json::to_value(Invoked::of(outcome)).unwrap_or_default());
    let mut invoked = match state.conversations.invoke(state.caller().clone(), id.0, asked, keyed).await? {
        Repeatable::New(outcome) => Invoked::of(&outcome),
        Repeatable::Again(earlier) => {
            res.headers_mut().insert(REPLAYED, salvo::http::HeaderValue::from_static("true"));
            serde_json::from_value(earlier).map_err(ApiError::internal)?
        }
    };
    invoked.trace = invoked.trace.filter(|_| enable_trace);
    Ok(Reply::new(invoked))
}

impl Invoked {
    /// What is told of an answer.
    fn of(outcome: &Outcome) -> Self {
        Self {
            invocation_id: outcome.id.clone(),
            session_id: outcome.session_id.clone(),
            output: outcome.answer.text.clone(),
            duration_ms: outcome.millis(),
            status: InvocationStatus::Success,
            usage: outcome.usage(),
            trace: outcome.trace.clone(),
            recorded: (!outcome.recorded).then_some(false),
        }
    }
}
