//! The plugin interface of nexusd: a stable C table with JSON payloads, and a safe Rust SDK over it.

pub mod abi;
pub mod payload;
#[cfg(feature = "sdk")]
pub mod sdk;

#[cfg(feature = "sdk")]
pub use sdk::{Context, DeployHandler, Handlers, Plugin, StageHandler};
