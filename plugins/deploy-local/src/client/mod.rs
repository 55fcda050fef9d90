//! Asking an agent over HTTP. Whatever it answers is bounded in size and time and never trusted.

mod address;
mod answer;
mod error;
mod frame;
mod http;
mod invoke;
mod json;
mod ping;
mod sse;

pub(crate) use address::{Address, Place};
pub(crate) use error::AskError;
pub(crate) use invoke::{Ask, invoke};
pub(crate) use ping::{Health, ping};
