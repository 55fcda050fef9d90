//! The Nexus daemon. `main.rs` parses the command line; everything else is named here so that tests
//! and benches reach it.

pub mod actors;
pub mod config;
pub mod domain;
pub mod plugins;
pub mod queue;
pub mod store;
