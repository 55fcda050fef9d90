//! The deploy handler against a double of AgentCore and S3, in which everything that AWS documents can go wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking

mod answers;
mod double;
mod interrupted;
mod lifecycle;

use std::{fs, path::Path};

use double::Double;
use nexus_deploy_agentcore::{AgentCoreDeployer, Settings};
use nexus_plugin_api::{
    DeployHandler as _,
    payload::{AgentRef, DeployResult, Failure},
    sdk::testing::Recorder,
};
use serde_json::{Map, Value, json};

pub(crate) const BUCKET: &str = "archives";

/// An agent with a folder, and a cloud that is its own.
pub(crate) struct World {
    pub(crate) double: Double,
    folder: tempfile::TempDir,
    pub(crate) settings: Value,
    pub(crate) details: Map<String, Value>,
    pub(crate) generation: u64,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (double, folder) = (Double::start().await, tempfile::tempdir().unwrap());
        fs::create_dir_all(folder.path().join("agent/tools")).unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        let settings = json!({
            "region": "us-east-1", "endpoint_url": double.url, "bucket": BUCKET,
            "role_arn": "arn:aws:iam::123456789012:role/agents", "idle_timeout_secs": 5,
        });
        let world = Self { double, folder, settings, details: Map::new(), generation: 0 };
        world.write("agent.py", "print('one')");
        world.write("tools/t.py", "pass");
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join("agent").join(name), text).unwrap();
    }

    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.settings[key] = value.into();
    }

    /// A plugin that has just been loaded.
    pub(crate) fn deployer(&self) -> AgentCoreDeployer {
        let settings: Settings = serde_json::from_value(self.settings.clone()).unwrap();
        AgentCoreDeployer::with_credentials(settings, "123456789012", "secret").unwrap()
    }

    pub(crate) fn agent(&self) -> AgentRef {
        serde_json::from_value(json!({
            "agent_id": "agent_0123456789ab", "agent_name": "tester", "project_id": "proj_1",
            "agent_dir": self.path().join("agent"), "state_dir": self.path().join("state"),
            "details": self.details, "generation": self.generation,
        }))
        .unwrap()
    }

    /// As the daemon does: another number for each, and the details kept.
    pub(crate) async fn deploy(&mut self) -> Result<DeployResult, Failure> {
        self.generation += 1;
        let (_recorder, cx) = Recorder::new();
        let result = self.deployer().deploy(self.agent(), cx).await;
        if let Ok(done) = &result {
            self.details = done.details.clone();
        }
        result
    }

    pub(crate) async fn undeploy(&self) -> Result<(), Failure> {
        let (_recorder, cx) = Recorder::new();
        self.deployer().undeploy(self.agent(), cx).await
    }

    /// Nothing of the agent is left in the account.
    pub(crate) fn assert_empty(&self, when: &str) {
        let state = self.double.lock();
        assert!(state.runtimes.is_empty(), "{when}: {:?}", state.runtimes);
        assert!(state.objects.is_empty(), "{when}: {:?}", state.objects.keys());
    }
}
