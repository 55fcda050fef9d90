//! Work that a plugin does for the daemon: a stage of a build, a deployment, a question to an agent.

pub mod executor;
pub mod host;
