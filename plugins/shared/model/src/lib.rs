//! The one way in which nexusd and its plugins ask a language model.
//!
//! - [`ChatModel`] is a model behind any protocol; the contract of its stream's end stands there.
//! - [`providers`] speak Bedrock Converse, Anthropic Messages and OpenAI chat completions; `Scripted` says what a test wrote.
//! - [`Stack`] puts the decorators around them, in the one order that is right: budget → retry → failover → provider.
//! - [`wire`] is what a gateway speaks to its callers.
//! - [`typed`] asks for one object of a JSON schema: read leniently, validated strictly.
//!
//! Every call is streamed, also where the caller wants the whole: servers stop generating when a stream is dropped,
//! and go on for many seconds when a plain request is.
#![allow(missing_docs, reason = "a field or method whose name says everything needs no second sentence")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod answer;
mod chat;
mod decorators;
mod error;
mod event;
mod message;
mod price;
pub mod providers;
mod schema;
mod tool_calls;
pub mod typed;
pub mod wire;

pub use answer::{Answer, collect};
pub use chat::{Allowance, ChatModel, ChatStream, Identity};
pub use decorators::{Budget, Deadlines, Failover, Ledger, Reservation, Retry, RetryRules, Settlement, Stack};
pub use error::{ErrorKind, ModelError};
pub use event::{StopReason, StreamEvent, ToolDelta, Usage};
pub use message::{Cache, ChatRequest, Content, Message, Role, Tool, ToolChoice};
pub use price::{Cost, Price};
pub use schema::{OutputSchema, SchemaError};
pub use tool_calls::{Arguments, ToolCall};
