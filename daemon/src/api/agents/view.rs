//! The JSON of an agent: its record, with what the target's vendor calls its deployment in the original's field names.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::domain::agent::{Agent, Deployment};

/// An agent that came out of a build.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Agent")]
pub(crate) struct AgentView {
    #[serde(flatten)]
    record: Agent,
    /// The deployment target, such as `local`.
    deployment_type: String,
    /// ARN and alias on AgentCore.
    agentcore_config: Option<Value>,
    #[serde(flatten)]
    runtime: RuntimeView,
}

/// Where an agent's AgentCore runtime is; nulls for one that has none.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RuntimeView {
    agentcore_runtime_arn: Option<String>,
    agentcore_runtime_alias: Option<String>,
    agentcore_region: Option<String>,
}

impl From<Agent> for AgentView {
    fn from(record: Agent) -> Self {
        let deployment = &record.deployment;
        Self {
            deployment_type: deployment.target.clone(),
            agentcore_config: deployment.options.get("agentcore_config").cloned(),
            runtime: RuntimeView::of(deployment),
            record,
        }
    }
}

impl RuntimeView {
    pub(crate) fn of(deployment: &Deployment) -> Self {
        Self {
            agentcore_runtime_arn: arn(deployment),
            agentcore_runtime_alias: deployment.text("agentcore_runtime_alias"),
            agentcore_region: deployment.text("agentcore_region"),
        }
    }
}

/// The ARN of its AgentCore runtime.
pub(crate) fn arn(deployment: &Deployment) -> Option<String> {
    deployment.text("agentcore_runtime_arn")
}
