//! What cannot be done with an agent or in a session, as an answer.

use salvo::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    agents::{AgentError, conversation::NoAnswer, package::WriteError, syntax::SyntaxError},
    api::http::{
        error::{ApiError, Resource},
        fault::Fault,
    },
    domain::{
        agent::InvocationStatus,
        failure::{Failure, FailureKind},
    },
    jobs::public_message,
};

impl From<AgentError> for ApiError {
    fn from(error: AgentError) -> Self {
        let message = error.to_string();
        let conflict = |code, message, details| Self::Conflict { code, message, details };
        match error {
            AgentError::Unknown(id) => Self::not_found(Resource::Agent, id.as_str()),
            AgentError::UnknownSession(id) => Self::not_found(Resource::Session, id.as_str()),
            AgentError::UnknownFile(name) => Self::not_found(Resource::File, &name),
            AgentError::NotRunning(status) => conflict("AGENT_NOT_RUNNING", message, Some(json!({ "status": status }))),
            AgentError::Illegal { now, allowed, .. } => {
                conflict("ILLEGAL_TRANSITION", message, Some(json!({ "status": now, "allowed": allowed })))
            }
            AgentError::NoTarget(_) => Self::plain(StatusCode::CONFLICT, "TARGET_NOT_CONFIGURED", message),
            AgentError::NotThere(_) => conflict("NOT_DEPLOYED", message, None),
            AgentError::ProjectGone => conflict("PROJECT_GONE", message, None),
            AgentError::Handler(failure, id) => of_handler(&failure, json!({ "agent_id": id })),
            AgentError::NoAnswer(no) => {
                let NoAnswer { failure, invocation_id, session_id, duration_ms } = *no;
                let details = json!({
                    "invocation_id": invocation_id, "session_id": session_id,
                    "duration_ms": duration_ms, "status": InvocationStatus::Failed,
                });
                of_handler(&failure, details)
            }
            AgentError::SessionClosed(status) => conflict("SESSION_CLOSED", message, Some(json!({ "status": status }))),
            AgentError::SessionBusy => conflict("SESSION_BUSY", message, None),
            AgentError::Overloaded => Self::Unavailable { code: "OVERLOADED", message },
            AgentError::TooLarge => Self::plain(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", message),
            AgentError::Syntax(error) => of_syntax(error),
            AgentError::Write(WriteError::Changed) => {
                let message = "the file is not the one that expected_checksum names: read it again".to_owned();
                conflict("FILE_CHANGED", message, None)
            }
            AgentError::Write(WriteError::Io(error)) => {
                tracing::warn!(%error, "a file of an agent could not be written");
                let message = "the agent's folder is not there or cannot be written".to_owned();
                conflict("FILE_NOT_WRITABLE", message, None)
            }
            AgentError::NotShared => Self::Unavailable { code: "NOT_SHARED", message },
            AgentError::Key(error) => error.into(),
            AgentError::Store(error) => error.into(),
            AgentError::Lost(why) => Self::internal(why),
        }
    }
}

/// A failed answer.
fn of_handler(failure: &Failure, details: Value) -> ApiError {
    let message = public_message(failure);
    let (status, code) = match failure.kind {
        FailureKind::InvalidInput => (StatusCode::UNPROCESSABLE_ENTITY, "AGENT_REFUSED"),
        FailureKind::BudgetExhausted => (StatusCode::PAYMENT_REQUIRED, "BUDGET_EXHAUSTED"),
        FailureKind::Timeout => (StatusCode::GATEWAY_TIMEOUT, "AGENT_TIMEOUT"),
        FailureKind::Transient | FailureKind::Infrastructure => (StatusCode::SERVICE_UNAVAILABLE, "AGENT_UNAVAILABLE"),
        FailureKind::Permanent | FailureKind::Panic | FailureKind::Plugin | FailureKind::Cancelled => {
            (StatusCode::BAD_GATEWAY, "AGENT_FAILED")
        }
    };
    ApiError::Agent { status, code, message, details: Some(details) }
}

fn of_syntax(error: SyntaxError) -> ApiError {
    match error {
        SyntaxError::Broken(broken) => {
            let place = match (broken.line, broken.column) {
                (Some(line), Some(column)) => format!("line {line}, column {column}: "),
                (Some(line), None) => format!("line {line}: "),
                _ => String::new(),
            };
            let msg = format!("{place}{}", broken.message);
            let place = json!({ "line": broken.line, "column": broken.column });
            ApiError::Invalid(vec![Fault::new("body", "content", "syntax_error", msg, place)])
        }
        SyntaxError::Unchecked(why) => {
            tracing::warn!(why, "a file of an agent could not be checked");
            let message = "the file cannot be checked now, so it is not taken".to_owned();
            ApiError::Unavailable { code: "NOT_CHECKED", message }
        }
    }
}
