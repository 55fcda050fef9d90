//! Who answers: Bedrock Converse, Anthropic Messages, OpenAI chat completions and what imitates them, and a script for tests.

#[cfg(feature = "http")]
mod anthropic;
#[cfg(feature = "bedrock")]
mod bedrock;
mod conversation;
mod decode;
mod failure;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod openai;
mod scripted;
mod secret;

#[cfg(feature = "http")]
pub use anthropic::Anthropic;
#[cfg(feature = "bedrock")]
pub use bedrock::Bedrock;
#[cfg(feature = "http")]
pub use http::{Connection, Key, Place};
#[cfg(feature = "http")]
pub use openai::{OpenAi, Server, ServerError};
pub use scripted::{Reply, Scripted};
