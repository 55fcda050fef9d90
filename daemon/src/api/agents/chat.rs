//! Asking an agent on behalf of a request, from the question to the recorded invocation. `invoke` waits
//! for the whole answer, `stream` passes the pieces on while they come.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::{counter, histogram};
use nexus_plugin_api::payload::{Event, InvokeResult};
use salvo::http::StatusCode;
use serde_json::{Value, json};

use super::{
    answers::{Cut, Running},
    invoke::Invoked,
    settle,
};
use crate::api::{
    http::{error::ApiError, idempotency::Claim},
    state::AppState,
};
use crate::{
    agents::{ANSWER_LIMIT, Answer, Question, structure},
    domain::{
        agent::{Agent, Invocation, InvocationStatus},
        failure::{Failure, FailureKind},
        ids::{InvocationId, SessionId},
        text::text_of,
        time::Timestamp,
    },
    telemetry::names::{AGENT_DURATION, AGENT_INVOCATIONS},
};

/// A question to an agent.
pub(crate) struct Call {
    pub(crate) agent: Agent,
    pub(crate) session: SessionId,
    pub(crate) user_id: String,
    /// What the user wrote, for the record; the question may hold files, too.
    pub(crate) written: String,
    pub(crate) question: Question,
    /// The caller's own data, for the record.
    pub(crate) metadata: Option<Value>,
    /// The request's idempotency key, which the record ends.
    pub(crate) once: Option<Claim>,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) id: InvocationId,
    pub(crate) answer: Answer,
    pub(crate) failure: Option<Failure>,
    /// The client left before the end.
    pub(crate) interrupted: bool,
    pub(crate) trace: Option<Value>,
    pub(crate) took: Duration,
    /// What is kept of it is durable. Nothing is kept of an agent without a record.
    pub(crate) recorded: bool,
}

impl Outcome {
    pub(crate) fn millis(&self) -> u64 {
        u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn usage(&self) -> Value {
        let (input, output) = (self.answer.input_tokens, self.answer.output_tokens);
        json!({ "input_tokens": input, "output_tokens": output, "total_tokens": input + output })
    }
}

/// Asks, tells the pieces, records. Ends early when `cut` is ready: the job is cancelled by being dropped. Never fails:
/// what went wrong is part of the outcome.
pub(crate) async fn ask(
    state: &Arc<AppState>,
    mut call: Call,
    told: Option<&Running>,
    cut: impl Future<Output = Cut>,
) -> Outcome {
    let created_at = Timestamp::now();
    let mut outcome = run(state, &mut call, told, cut).await;
    outcome.recorded = record(state, call, &outcome, created_at).await;
    outcome
}

/// As [`ask`], for an agent that has no record.
pub(crate) async fn ask_unrecorded(
    state: &AppState,
    mut call: Call,
    told: Option<&Running>,
    cut: impl Future<Output = Cut>,
) -> Outcome {
    run(state, &mut call, told, cut).await
}

async fn run(state: &AppState, call: &mut Call, told: Option<&Running>, cut: impl Future<Output = Cut>) -> Outcome {
    let begun = Instant::now();
    let mut answer = Answer::default();
    let question = std::mem::take(&mut call.question);
    let ended = {
        let whole = pieces(state, call, question, &mut answer, told);
        tokio::select! {
            result = whole => Ok(result),
            why = cut => Err(why),
            () = state.shutdown.cancelled() => Err(Cut::Stopping),
            () = tokio::time::sleep(ANSWER_LIMIT) => Err(Cut::Late),
        }
    };
    let interrupted = ended.as_ref().is_err_and(|why| *why != Cut::Late);
    let (failure, trace) = match ended {
        Ok(Ok(result)) => {
            answer.finish(&result);
            (None, result.trace)
        }
        Ok(Err(failure)) => (Some(failure), None),
        Err(why) => (Some(why.failure()), None),
    };
    answer.close();
    Outcome { id: InvocationId::generate(), answer, failure, interrupted, trace, took: begun.elapsed(), recorded: true }
}

impl Outcome {
    /// Of a question that was never asked.
    pub(crate) fn unasked(failure: Failure, interrupted: bool, took: Duration) -> Self {
        let (answer, failure) = (Answer::default(), Some(failure));
        Self { id: InvocationId::generate(), answer, failure, interrupted, trace: None, took, recorded: true }
    }
}

async fn pieces(
    state: &AppState,
    call: &Call,
    question: Question,
    answer: &mut Answer,
    told: Option<&Running>,
) -> Result<InvokeResult, Failure> {
    let mut asked = state.agents.invoke(&call.agent, &call.session, question).await?;
    while let Some(event) = asked.next_event().await {
        answer.add(&event);
        if let Some((told, data)) = told.zip(data(&event)) {
            told.tell(&data).await;
        }
    }
    asked.outcome().await
}

/// An event as the client reads it.
fn data(event: &Event) -> Option<Value> {
    Some(match event {
        Event::Text { delta } if delta.is_empty() => return None,
        Event::Text { delta } => json!({ "event": "message", "type": "text", "data": delta }),
        Event::ToolStart { id, name } => {
            json!({ "event": "message", "type": "tool_use", "tool_name": name, "tool_id": id })
        }
        Event::ToolInput { id, delta } => {
            json!({ "event": "message", "type": "tool_input", "tool_id": id, "data": delta })
        }
        Event::ToolEnd { id, name, input, result, .. } => {
            // Clients of the original cut both as text; the structure stands beside it.
            let structured = match input {
                Value::String(text) => structure(text),
                other => Some(other.clone()),
            };
            json!({
                "event": "message", "type": "tool_end", "tool_id": id, "tool_name": name,
                "tool_input": text_of(input), "tool_result": result, "tool_input_json": structured,
            })
        }
        Event::Log { .. } | Event::Progress { .. } | Event::Tokens { .. } | Event::File { .. } => return None,
    })
}

impl Cut {
    pub(crate) fn failure(self) -> Failure {
        match self {
            Self::Left => Failure::new(FailureKind::Cancelled, "the client left before the answer was complete"),
            Self::Stopped => Failure::new(FailureKind::Cancelled, "the answer was stopped"),
            Self::Lost => {
                let message = "this daemon lost the session: another may answer in it by now; ask again";
                Failure::new(FailureKind::Transient, message)
            }
            Self::Stopping => Failure::new(FailureKind::Transient, "the daemon is being stopped; ask again"),
            Self::Late => {
                let message = format!("the agent did not answer within {} s", ANSWER_LIMIT.as_secs());
                Failure::new(FailureKind::Timeout, message)
            }
        }
    }
}

async fn record(state: &Arc<AppState>, call: Call, outcome: &Outcome, created_at: Timestamp) -> bool {
    let status = if outcome.failure.is_none() { InvocationStatus::Success } else { InvocationStatus::Failed };
    counter!(AGENT_INVOCATIONS, "outcome" => status.as_str()).increment(1);
    histogram!(AGENT_DURATION, "outcome" => status.as_str()).record(outcome.took.as_secs_f64());
    let agent_id = call.agent.agent_id.clone();
    let invocation = Invocation {
        invocation_id: outcome.id.clone(),
        agent_id: call.agent.agent_id,
        session_id: Some(call.session),
        user_id: call.user_id,
        input_text: call.written,
        output_text: Some(outcome.answer.text.clone()).filter(|text| !text.is_empty()),
        status,
        duration_ms: outcome.millis(),
        input_tokens: outcome.answer.input_tokens,
        output_tokens: outcome.answer.output_tokens,
        error_message: outcome.failure.as_ref().map(public_message),
        created_at,
        metadata: call.metadata,
        tool_names: outcome.answer.tools.iter().map(|tool| tool.name.clone()).collect(),
    };
    if let Some(failure) = &outcome.failure {
        tracing::warn!(%agent_id, invocation_id = %outcome.id, %failure, details = failure.details, "an agent did not answer");
    }
    let kept = match (&call.once, &outcome.failure, &invocation.session_id) {
        (Some(claim), None, Some(session)) => {
            serde_json::to_value(Invoked::of(session, outcome, true)).ok().map(|answer| claim.answered(answer))
        }
        _ => None,
    };
    settle::invocation(state, invocation, call.once, kept).await
}

/// What the caller is told of a failure. Handlers write their own failures for people; what the host
/// says of a handler that broke (a panic's text) stays in the log.
pub(crate) fn public_message(failure: &Failure) -> String {
    crate::agents::public_message(failure)
}

/// A failed answer as an HTTP error.
pub(crate) fn error_of(failure: &Failure, details: Value) -> ApiError {
    let message = public_message(failure);
    let (status, code) = match failure.kind {
        FailureKind::InvalidInput => (StatusCode::UNPROCESSABLE_ENTITY, "AGENT_REFUSED"),
        FailureKind::Timeout => (StatusCode::GATEWAY_TIMEOUT, "AGENT_TIMEOUT"),
        FailureKind::Transient | FailureKind::Infrastructure => (StatusCode::SERVICE_UNAVAILABLE, "AGENT_UNAVAILABLE"),
        FailureKind::Permanent | FailureKind::Panic | FailureKind::Plugin | FailureKind::Cancelled => {
            (StatusCode::BAD_GATEWAY, "AGENT_FAILED")
        }
    };
    ApiError::Agent { status, code, message, details: Some(details) }
}
