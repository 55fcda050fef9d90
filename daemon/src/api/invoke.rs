//! `POST /agents/{id}/invoke`: one question, one answer, really asked and recorded. It keeps no
//! conversation: for that there are sessions.

use salvo::{Depot, Request, handler};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    agents,
    chat::{self, Call},
    error::{ApiError, Resource},
    input,
    reply::{Answer, Reply},
    state::AppState,
};
use crate::{
    agents::Question,
    domain::{
        agent::InvocationStatus,
        ids::{AgentId, InvocationId, SessionId},
    },
};

/// Most characters of a question.
pub(super) const INPUT_CHARS: std::ops::RangeInclusive<usize> = 1..=50_000;
/// Most bytes of a caller's own data.
pub(super) const METADATA_BYTES: usize = 16 * 1024;

#[derive(Serialize)]
struct Invoked {
    invocation_id: InvocationId,
    session_id: SessionId,
    output: String,
    duration_ms: u64,
    status: InvocationStatus,
    usage: Value,
    trace: Option<Value>,
}

/// `POST /agents/{id}/invoke`
#[handler]
pub(super) async fn invoke(req: &mut Request, depot: &mut Depot) -> Answer<Invoked> {
    let state = AppState::of(depot)?;
    let id: AgentId = input::id(req, Resource::Agent)?;
    let mut fields = input::body(req, state.body_limit()).await?;
    let input_text = fields.required_verbatim("input_text", INPUT_CHARS);
    let session = fields.text("session_id", 0..=128);
    let enable_trace = fields.flag("enable_trace").unwrap_or(false);
    let user_id = fields.text("user_id", 0..=100);
    let metadata = fields.object("metadata", METADATA_BYTES).map(Value::Object);
    let session_id = match session.as_deref().map(str::parse::<SessionId>) {
        None => SessionId::generate(),
        Some(Ok(given)) => given,
        Some(Err(error)) => {
            fields.fault("session_id", "value_error", error.to_string(), session.into());
            SessionId::generate()
        }
    };
    fields.finish()?;
    let agent = agents::askable(&state, &id).await?;

    let question = Question {
        input_text: input_text.clone(),
        history: Vec::new(),
        enable_trace,
        metadata: metadata.clone().unwrap_or_default(),
    };
    let user_id = user_id.unwrap_or_else(|| "anonymous".to_owned());
    let call = Call { agent, session: session_id.clone(), user_id, written: input_text, question, metadata };
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
    Ok(Reply::new(Invoked {
        session_id,
        duration_ms: outcome.millis(),
        status: InvocationStatus::Success,
        usage: outcome.usage(),
        trace: outcome.trace.filter(|_| enable_trace),
        invocation_id: outcome.id,
        output: outcome.answer.text,
    }))
}
