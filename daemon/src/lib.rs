//! The Nexus daemon. `main.rs` parses the command line; everything else is named here so that tests
//! and benches reach it.

pub mod actors;
pub mod agents;
pub mod api;
pub mod app;
pub mod artifacts;
pub mod backup;
pub mod binding;
pub mod cli;
#[cfg(feature = "aws")]
pub mod cloud;
pub mod config;
pub mod data_lock;
pub mod deletion;
pub mod domain;
pub mod evaluation;
pub mod files;
pub mod plugins;
pub mod pythons;
pub mod queue;
pub mod reload;
#[cfg(feature = "aws")]
pub mod resources;
pub mod retention;
pub mod shutdown;
pub mod startup;
pub mod store;
pub mod systemd;
pub mod telemetry;
pub mod tools;
#[cfg(feature = "aws")]
pub mod transfer;
pub mod version;

/// Many small allocations from many threads are what a build is made of; this allocator takes less time
/// and memory for them than the system's (README, "Figures").
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
