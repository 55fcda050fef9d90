//! Deploys an agent's folder to Amazon Bedrock AgentCore Runtime.
//!
//! One deploy handler, `agentcore`. The way of a request through the folders: `handler` (the daemon's operations) →
//! `package/` (the folder as an archive for arm64) and `runtime/` (the runtime as it is wanted, made or changed to be so)
//! → `cloud/` (the requests to AgentCore and S3).
//!
//! The plugin keeps nothing in memory that matters: what belongs to an agent is found again by names that follow from the
//! agent's id, so a daemon that was killed anywhere leaves nothing that its successor would not find.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic))]

mod ask;
mod cloud;
mod handler;
mod names;
mod package;
mod runtime;
mod settings;

pub use handler::AgentCoreDeployer;
pub use settings::Settings;

use nexus_plugin_api::{
    Handlers, Plugin,
    payload::{Description, Failure},
};

/// The plugin `deploy-agentcore`.
pub struct DeployAgentCore;

impl Plugin for DeployAgentCore {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "deploy-agentcore",
            env!("CARGO_PKG_VERSION"),
            "Runs agents on Amazon Bedrock AgentCore Runtime",
        )
        .deploy("agentcore", "A runtime per agent, from an archive in S3 or a container")
        .settings(Settings::schema())
    }

    fn configure(settings: Settings) -> Result<Handlers, Failure> {
        Ok(Handlers::new().deploy("agentcore", AgentCoreDeployer::new(settings)?))
    }
}

nexus_plugin_api::export_plugin!(DeployAgentCore);

#[cfg(test)]
mod tests {
    use nexus_plugin_api::payload::AgentRef;

    /// An agent whose folders are below `at`.
    pub(crate) fn agent(at: &std::path::Path, details: serde_json::Value) -> AgentRef {
        serde_json::from_value(serde_json::json!({
            "agent_id": "agent_0123456789ab", "agent_name": "tester", "details": details, "generation": 1,
            "agent_dir": at.join("agent"), "state_dir": at.join("state"),
        }))
        .unwrap()
    }
}
