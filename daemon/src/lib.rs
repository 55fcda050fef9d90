//! The Nexus daemon. `main.rs` parses the command line; everything else is named here so that tests
//! and benches reach it.
#![allow(missing_docs)] // within the daemon names speak for themselves; plugin-api and the crates that others build on are documented whole

pub mod agents;
pub mod api;
pub mod app;
pub mod auth;
pub mod backend;
pub mod cli;
pub mod config;
pub mod deletion;
pub mod domain;
pub mod evaluation;
pub mod events;
pub mod files;
pub mod idempotency;
pub mod jobs;
pub mod models;
pub mod plugins;
pub mod projects;
pub mod reload;
pub mod shutdown;
pub mod startup;
pub mod systemd;
pub mod telemetry;
pub mod terminal;
pub mod tools;
pub mod version;
pub mod workers;

/// Many small allocations from many threads are what a build is made of; this allocator takes less time
/// and memory for them than the system's (README, "Figures").
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
