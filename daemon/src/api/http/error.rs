//! Everything that can go wrong with a request, and how it is told: status, stable code, message.
//!
//! A message is for the caller: no path, no SQL, no text of a dependency. What an operator needs goes
//! to the log, with the request's id.

use salvo::{
    Depot, Request, Response, Writer, async_trait,
    http::{StatusCode, header},
    oapi::{Components, EndpointOutRegister, Operation},
};
use serde::Serialize;
use serde_json::Value;

use crate::api::http::{fault::Fault, json::put_json, request_id::RequestId};
use crate::{
    backend::error::{BackendError, BackendErrorKind},
    domain::time::Timestamp,
    idempotency::KeyError,
};

/// A request that is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// One or more fields break a rule.
    #[error("{}", summary(.0))]
    Invalid(Vec<Fault>),
    /// The thing is not there.
    #[error("{} {id} not found", .what.name())]
    NotFound {
        /// Of what kind.
        what: Resource,
        /// Which.
        id: String,
    },
    /// The state does not allow it.
    #[error("{message}")]
    Conflict {
        /// Stable word.
        code: &'static str,
        /// Why not.
        message: String,
        /// State and what is allowed.
        details: Option<Value>,
    },
    /// Anything that has a plain status, code and text.
    #[error("{message}")]
    Plain {
        /// The status.
        status: StatusCode,
        /// Stable word.
        code: &'static str,
        /// For the caller.
        message: String,
    },
    /// The caller asks for too much.
    #[error("{message}")]
    TooMany {
        /// Of what.
        message: String,
        /// When there is room again.
        after: std::time::Duration,
    },
    /// A part of the daemon cannot do it now.
    #[error("{message}")]
    Unavailable {
        /// Stable word.
        code: &'static str,
        /// For the caller.
        message: String,
    },
    /// The agent, or its plugin, failed.
    #[error("{message}")]
    Agent {
        /// 502, 504 or 422.
        status: StatusCode,
        /// Stable word.
        code: &'static str,
        /// For the caller.
        message: String,
        /// The recorded invocation, when there is one.
        details: Option<Value>,
    },
    /// The daemon's own fault. The text goes to the log only.
    #[error("internal error")]
    Internal(String),
}

/// Kinds of thing that a path can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A project.
    Project,
    /// A stage of a project.
    Stage,
    /// A task.
    Task,
    /// An agent.
    Agent,
    /// A session.
    Session,
    /// A file of a project.
    File,
    /// A tool.
    Tool,
    /// An MCP server.
    McpServer,
    /// A key.
    Key,
}

impl Resource {
    const fn name(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Stage => "stage",
            Self::Task => "task",
            Self::Agent => "agent",
            Self::Session => "session",
            Self::File => "file",
            Self::Tool => "tool",
            Self::McpServer => "MCP server",
            Self::Key => "key",
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Project => "PROJECT_NOT_FOUND",
            Self::Stage => "STAGE_NOT_FOUND",
            Self::Task => "TASK_NOT_FOUND",
            Self::Agent => "AGENT_NOT_FOUND",
            Self::Session => "SESSION_NOT_FOUND",
            Self::File => "FILE_NOT_FOUND",
            Self::Tool => "TOOL_NOT_FOUND",
            Self::McpServer => "MCP_SERVER_NOT_FOUND",
            Self::Key => "KEY_NOT_FOUND",
        }
    }
}

/// Longest part of a caller's own text that a message repeats.
const ECHO_CHARS: usize = 80;

fn summary(faults: &[Fault]) -> String {
    let one = |fault: &Fault| format!("{}: {}", fault.field(), fault.msg);
    match faults {
        [] => "the request is not valid".to_owned(),
        [only] => one(only),
        [first, rest @ ..] => format!("{} (and {} more)", one(first), rest.len()),
    }
}

impl ApiError {
    /// A thing that is not there.
    #[must_use]
    pub fn not_found(what: Resource, id: &str) -> Self {
        Self::NotFound { what, id: crate::domain::text::shorten(id, ECHO_CHARS) }
    }

    /// A failed build of an answer, with the cause for the log.
    #[must_use]
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::Internal(cause.to_string())
    }

    /// An error with a status of its own.
    #[must_use]
    pub fn plain(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self::Plain { status, code, message: message.into() }
    }

    /// One wrong field.
    #[must_use]
    pub fn invalid(place: &'static str, field: &str, kind: &'static str, msg: impl Into<String>, input: Value) -> Self {
        Self::Invalid(vec![Fault::new(place, field, kind, msg, input)])
    }

    /// The error for a bare status: what the framework itself refuses.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::BAD_REQUEST => ("BAD_REQUEST", "the request could not be read"),
            StatusCode::FORBIDDEN => ("FORBIDDEN", "not allowed"),
            StatusCode::NOT_FOUND => ("NOT_FOUND", "there is nothing at this path; /docs shows all paths"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("METHOD_NOT_ALLOWED", "this path does not know the method; /docs shows those of each path")
            }
            StatusCode::REQUEST_TIMEOUT => ("REQUEST_TIMEOUT", "the request took too long to arrive"),
            StatusCode::PAYLOAD_TOO_LARGE => ("PAYLOAD_TOO_LARGE", "the body is too large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                ("UNSUPPORTED_MEDIA_TYPE", "the body must be JSON: send the header `Content-Type: application/json`")
            }
            StatusCode::UPGRADE_REQUIRED => ("UPGRADE_REQUIRED", "this path speaks WebSocket"),
            StatusCode::SERVICE_UNAVAILABLE => ("SERVICE_UNAVAILABLE", "try again later"),
            _ if status.is_client_error() => ("BAD_REQUEST", "the request cannot be answered"),
            _ => return Self::Internal(format!("framework answered {status}")),
        };
        Self::plain(status, code, message)
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::Plain { status, .. } | Self::Agent { status, .. } => *status,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "VALIDATION_ERROR",
            Self::NotFound { what, .. } => what.code(),
            Self::Conflict { code, .. }
            | Self::Plain { code, .. }
            | Self::Unavailable { code, .. }
            | Self::Agent { code, .. } => code,
            Self::TooMany { .. } => "TOO_MANY_REQUESTS",
            Self::Internal(_) => "INTERNAL_ERROR",
        }
    }

    /// Seconds after which the same request can succeed.
    #[must_use]
    pub fn retry_after(&self) -> Option<u16> {
        let passes = match self {
            Self::TooMany { after, .. } => {
                return Some(u16::try_from(after.as_millis().div_ceil(1000)).unwrap_or(u16::MAX).max(1));
            }
            Self::Conflict { code: "SESSION_BUSY", .. } | Self::Plain { code: "IDEMPOTENCY_IN_PROGRESS", .. } => true,
            Self::Conflict { code: "AGENT_NOT_RUNNING", details, .. } => {
                let status = details.as_ref().and_then(|details| details.get("status")?.as_str());
                matches!(status, Some("building" | "deploying"))
            }
            _ => matches!(self.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS),
        };
        passes.then_some(1)
    }

    const fn details(&self) -> Option<&Value> {
        match self {
            Self::Conflict { details, .. } | Self::Agent { details, .. } => details.as_ref(),
            _ => None,
        }
    }

    /// Writes status, headers and body.
    pub(crate) fn render(&self, request_id: &RequestId, res: &mut Response) {
        match self {
            Self::Internal(cause) => tracing::error!(%request_id, cause, "request failed"),
            Self::Unavailable { code, .. } => tracing::warn!(%request_id, code, "request refused"),
            _ => tracing::debug!(%request_id, code = self.code(), "request refused"),
        }
        let message = self.to_string();
        let detail = if let Self::Invalid(faults) = self { Detail::List(faults) } else { Detail::Text(&message) };
        let body = Body {
            success: false,
            error: Inner { code: self.code(), message: &message, details: self.details() },
            message: &message,
            detail,
            timestamp: Timestamp::now(),
            request_id: request_id.as_str(),
        };
        res.status_code(self.status());
        if self.status() == StatusCode::UNAUTHORIZED {
            res.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after() {
            res.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        put_json(res, &body);
    }
}

#[derive(Serialize)]
struct Body<'a> {
    success: bool,
    error: Inner<'a>,
    message: &'a str,
    detail: Detail<'a>,
    timestamp: Timestamp,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Inner<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Value>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Detail<'a> {
    Text(&'a str),
    List(&'a [Fault]),
}

impl From<BackendError> for ApiError {
    fn from(error: BackendError) -> Self {
        let message = error.to_string();
        let details = error.details().cloned();
        match error.kind() {
            BackendErrorKind::NotFound => Self::plain(StatusCode::NOT_FOUND, "NOT_FOUND", message),
            BackendErrorKind::Conflict | BackendErrorKind::Fenced | BackendErrorKind::Repeated => {
                Self::Conflict { code: "CONFLICT", message, details }
            }
            BackendErrorKind::Illegal => Self::Conflict { code: "ILLEGAL_TRANSITION", message, details },
            BackendErrorKind::Invalid => Self::Invalid(vec![Fault::bare("body", "value_error", message)]),
            BackendErrorKind::Unavailable => {
                tracing::warn!(%error, cause = ?std::error::Error::source(&error), "store away");
                Self::Unavailable { code: "STORE_UNAVAILABLE", message: "the store cannot answer now".to_owned() }
            }
            BackendErrorKind::Corrupt => Self::Internal(format!("{error}: {:?}", std::error::Error::source(&error))),
        }
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        let code = match error {
            KeyError::Reused => "IDEMPOTENCY_KEY_REUSED",
            KeyError::InProgress => "IDEMPOTENCY_IN_PROGRESS",
            KeyError::Store(error) => return error.into(),
        };
        Self::plain(StatusCode::CONFLICT, code, error.to_string())
    }
}

/// What every request can meet is told by rule, see `openapi::document`.
impl EndpointOutRegister for ApiError {
    fn register(_components: &mut Components, _operation: &mut Operation) {}
}

#[async_trait]
impl Writer for ApiError {
    async fn write(self, _req: &mut Request, depot: &mut Depot, res: &mut Response) {
        let id = RequestId::of(depot);
        self.render(&id, res);
    }
}
