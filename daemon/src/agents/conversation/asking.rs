//! One question from its asking to its record: the agent is asked, what it says is gathered and passed on, and what came of
//! it is recorded.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use metrics::{counter, histogram};
use nexus_plugin_api::payload::Event;
use serde_json::{Value, json};

use super::{
    Answer, Conversations, Metrics, Piece,
    running::{Cut, Running},
    settle,
};
use crate::{
    domain::{
        agent::{Agent, Invocation, InvocationStatus},
        failure::{Failure, FailureKind},
        ids::{InvocationId, SessionId},
        time::Timestamp,
    },
    idempotency::HeldKey,
    jobs::{Listener, Question, public_message},
    telemetry::{
        names::{AGENT_DURATION, AGENT_INVOCATIONS},
        told::HandlerLines,
    },
};

pub(super) struct Call {
    pub(super) agent: Agent,
    pub(super) session: SessionId,
    pub(super) user_id: String,
    /// On whose credential it goes.
    pub(super) asked_by: String,
    /// What the user wrote, for the record; the question may hold files, too.
    pub(super) written: String,
    pub(super) question: Question,
    /// The caller's own data, for the record.
    pub(super) metadata: Option<Value>,
    /// The key of the request, which the record ends, and what is answered under it.
    pub(super) held: Option<(HeldKey, AnswerOf)>,
}

/// What a request is answered with, for whoever sends it again.
pub(super) type AnswerOf = fn(&Outcome) -> Value;

#[derive(Debug)]
pub struct Outcome {
    pub id: InvocationId,
    pub session_id: SessionId,
    pub answer: Answer,
    /// Why the answer is not whole.
    pub failure: Option<Failure>,
    /// It was cut short by somebody.
    pub interrupted: bool,
    /// The steps, when they were asked for and the agent tells them.
    pub trace: Option<Value>,
    pub took: Duration,
    /// What is kept of it is durable. Nothing is kept of an agent without a record.
    pub recorded: bool,
}

/// A question that has a record and no answer.
#[derive(Debug)]
pub struct NoAnswer {
    pub failure: Failure,
    pub invocation_id: InvocationId,
    pub session_id: SessionId,
    pub duration_ms: u64,
}

impl Outcome {
    /// Of a question that was never asked.
    pub(super) fn unasked(session_id: SessionId, failure: Failure, interrupted: bool, took: Duration) -> Self {
        let (id, answer, failure) = (InvocationId::generate(), Answer::default(), Some(failure));
        Self { id, session_id, answer, failure, interrupted, trace: None, took, recorded: true }
    }

    pub fn millis(&self) -> u64 {
        u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX)
    }

    /// The tokens, as records keep them.
    pub fn usage(&self) -> Value {
        let (input, output) = (self.answer.input_tokens, self.answer.output_tokens);
        json!({ "input_tokens": input, "output_tokens": output, "total_tokens": input.saturating_add(output) })
    }

    /// The last pieces of the answer.
    pub(super) async fn finish(self, running: &Running) {
        let metrics = Metrics {
            input_tokens: self.answer.input_tokens,
            output_tokens: self.answer.output_tokens,
            total_tokens: self.answer.input_tokens.saturating_add(self.answer.output_tokens),
            duration_ms: self.millis(),
            tool_calls: self.answer.tools.len(),
            invocation_id: Some(self.id),
        };
        if self.failure.is_none() && !self.answer.streamed && !self.answer.text.is_empty() {
            running.tell(Piece::text(self.answer.text)).await;
        }
        if let Some(failure) = &self.failure {
            let retry_after = (failure.kind == FailureKind::Transient).then_some(1);
            running.tell(Piece::Error { error: public_message(failure), retry_after }).await;
        }
        running.tell(Piece::Done { metrics, recorded: (!self.recorded).then_some(false) }).await;
    }
}

/// Takes in what the agent says, and passes it on.
struct Hearing<'a> {
    answer: &'a mut Answer,
    told: Option<&'a Running>,
    lines: HandlerLines,
}

impl Listener for Hearing<'_> {
    async fn hear(&mut self, event: Event) {
        if let Event::Log { level, message } = &event {
            self.lines.tell(*level, message);
        }
        self.answer.add(&event);
        if let Some(told) = self.told
            && let Some(piece) = Piece::of(event)
        {
            told.tell(piece).await;
        }
    }
}

impl Conversations {
    /// Asks, tells the pieces, records. Ends early when `cut` is ready: the job is cancelled by being dropped. Never fails:
    /// what went wrong is part of the outcome.
    pub(super) async fn ask_recorded(
        &self,
        mut call: Call,
        told: Option<&Running>,
        cut: impl Future<Output = Cut>,
    ) -> Outcome {
        let created_at = Timestamp::now();
        let mut outcome = self.ask_unrecorded(&mut call, told, cut).await;
        outcome.recorded = self.record(call, &outcome, created_at).await;
        outcome
    }

    /// The same, for an agent that has no record.
    pub(super) async fn ask_unrecorded(
        &self,
        call: &mut Call,
        told: Option<&Running>,
        cut: impl Future<Output = Cut>,
    ) -> Outcome {
        let begun = Instant::now();
        let mut answer = Answer::default();
        let question = std::mem::take(&mut call.question);
        let ended = {
            let lines = HandlerLines::new(&call.agent.agent_id, "invoke");
            let mut hearing = Hearing { answer: &mut answer, told, lines };
            tokio::select! {
                result = self.deployed.invoke(&call.agent, &call.session, question, &mut hearing) => Ok(result),
                why = cut => Err(why),
                () = self.shutdown.cancelled() => Err(Cut::Stopping),
            }
        };
        let interrupted = ended.is_err();
        let (failure, trace) = match ended {
            Ok(Ok(result)) => {
                answer.finish(&result);
                (None, result.trace)
            }
            Ok(Err(failure)) => (Some(failure), None),
            Err(why) => (Some(why.failure()), None),
        };
        answer.close();
        if let Some(meter) = self.meter.get() {
            meter(&call.asked_by, &answer);
        }
        let (id, session_id) = (InvocationId::generate(), call.session.clone());
        Outcome { id, session_id, answer, failure, interrupted, trace, took: begun.elapsed(), recorded: true }
    }

    async fn record(&self, call: Call, outcome: &Outcome, created_at: Timestamp) -> bool {
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
        let (held, kept) = match call.held {
            Some((held, answer)) if outcome.failure.is_none() => {
                let kept = held.answered(answer(outcome));
                (Some(held), Some(kept))
            }
            held => (held.map(|(held, _)| held), None),
        };
        settle::invocation(self, invocation, held, kept).await
    }
}

impl Cut {
    fn failure(self) -> Failure {
        let (kind, message) = match self {
            Self::Left => (FailureKind::Cancelled, "the client left before the answer was complete"),
            Self::Stopped => (FailureKind::Cancelled, "the answer was stopped"),
            Self::Lost => {
                (FailureKind::Transient, "this daemon lost the session: another may answer in it by now; ask again")
            }
            Self::Stopping => (FailureKind::Transient, "the daemon is being stopped; ask again"),
        };
        Failure::new(kind, message)
    }
}
