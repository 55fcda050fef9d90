//! What an agent answers over HTTP, read as it comes: one body of JSON, or a stream of events; bounded in size and time,
//! and never trusted. Every deploy handler reads with this, so that an agent says the same wherever it runs.

mod collected;
mod error;
mod frame;
mod json;
mod read;
mod sse;

pub use error::{AskError, may_pass};
pub use json::excerpt;
pub use read::{Body, Bounds, Clock, question, read, rejection};
