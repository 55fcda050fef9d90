//! Asking an agent over HTTP.

mod address;
mod http;
mod invoke;
mod ping;

pub(crate) use address::{Address, Place};
pub(crate) use invoke::invoke;
pub(crate) use ping::{Health, ping};
