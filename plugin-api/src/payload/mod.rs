//! The JSON payloads that cross the boundary, version 1.
//!
//! Unknown *fields* are ignored on both sides, so either may be newer. Unknown *kinds* (of an
//! operation, an event, a handler) are refused with a clear error.

mod deploy;
mod describe;
mod event;
mod failure;
mod models;
mod stage;
mod tool;

pub use deploy::{
    AgentRef, AgentState, AgentStatus, DeployResult, HistoryMessage, InvokeRequest, InvokeResult, ToolCall,
};
pub use describe::{Description, HandlerInfo, HandlerKind};
pub use event::{Event, LogLevel};
pub use failure::{Failure, FailureKind};
pub use models::ModelAccess;
pub use stage::{AgentManifest, Assessment, Document, NotServed, StageRequest, StageResult, Usage};
pub use tool::ToolInfo;

use serde::{Deserialize, Serialize};

/// Version of the payloads, sent with every request.
pub const PAYLOAD_VERSION: u32 = 1;

/// What `start` receives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// [`PAYLOAD_VERSION`] of the host.
    pub version: u32,
    /// Name of the handler, as `describe` gave it.
    pub handler: String,
    /// The operation and its arguments.
    #[serde(flatten)]
    pub operation: Operation,
}

/// The operations of both handler kinds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", content = "body", rename_all = "snake_case")]
pub enum Operation {
    /// Stage handler: run one attempt of one stage. Result: [`StageResult`].
    Run(Box<StageRequest>),
    /// Deploy handler: make the agent available. Result: [`DeployResult`].
    Deploy(AgentRef),
    /// Deploy handler: stop and forget the agent. Result: an empty object. Safe to repeat.
    Undeploy(AgentRef),
    /// Deploy handler: how the agent is. Result: [`AgentStatus`].
    Status(AgentRef),
    /// Deploy handler: ask the agent; text and tool events stream. Result: [`InvokeResult`].
    Invoke(Box<InvokeRequest>),
}
