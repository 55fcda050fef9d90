//! A deployer, an agent's folder, and means to look at processes.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Once},
    time::{Duration, Instant},
};

use nexus_deploy_local::{LocalDeployer, Settings};
use nexus_plugin_api::{
    DeployHandler,
    payload::{AgentRef, AgentStatus, DeployResult, Failure, InvokeRequest, InvokeResult},
    sdk::testing::Recorder,
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

pub(crate) struct Bench {
    pub(crate) deployer: Arc<LocalDeployer>,
    pub(crate) folder: TempDir,
}

/// Short times, so that tests are quick.
pub(crate) fn settings() -> Settings {
    Settings { stop_grace_secs: 2, restart_base_ms: 50, restart_max_secs: 1, ..Settings::default() }
}

pub(crate) fn bench() -> Bench {
    bench_with(settings())
}

pub(crate) fn bench_with(settings: Settings) -> Bench {
    require_python();
    Bench { deployer: Arc::new(LocalDeployer::new(settings).unwrap()), folder: tempfile::tempdir().unwrap() }
}

fn require_python() {
    static CHECK: Once = Once::new();
    CHECK.call_once(|| {
        let found = Command::new("python3").arg("--version").output().is_ok_and(|o| o.status.success());
        assert!(found, "these tests run agents: they need `python3` (3.8 or newer) in PATH");
    });
}

/// Writes an agent's folder; `start` tells the puppet how to come up.
pub(crate) fn make_agent(root: &Path, id: &str, start: &str) -> AgentRef {
    let (agent_dir, state_dir) = (root.join(id).join("agent"), root.join(id).join("state"));
    std::fs::create_dir_all(&agent_dir).unwrap();
    std::fs::create_dir_all(&state_dir).unwrap();
    std::fs::write(agent_dir.join("agent.py"), include_str!("puppet.py")).unwrap();
    AgentRef {
        agent_id: format!("agent_{id}"),
        agent_name: id.to_owned(),
        project_id: String::new(),
        agent_dir,
        state_dir,
        config: json!({"env": {"START": start}}),
        details: Map::new(),
        generation: 0,
        files: Default::default(),
        models: None,
        cache_dir: root.join("cache"),
    }
}

pub(crate) fn question(agent: &AgentRef, text: &str) -> InvokeRequest {
    InvokeRequest {
        agent: agent.clone(),
        session_id: "0123456789-0123456789-0123456789-0123".into(),
        input_text: text.into(),
        history: Vec::new(),
        enable_trace: false,
        metadata: Value::Null,
    }
}

impl Bench {
    pub(crate) fn agent(&self, id: &str, start: &str) -> AgentRef {
        make_agent(self.folder.path(), id, start)
    }

    pub(crate) async fn ask(&self, agent: &AgentRef, text: &str) -> Result<InvokeResult, Failure> {
        self.deployer.invoke(question(agent, text), Recorder::new().1).await
    }

    pub(crate) async fn output(&self, agent: &AgentRef, text: &str) -> String {
        self.ask(agent, text).await.unwrap().output
    }

    pub(crate) async fn pid(&self, agent: &AgentRef) -> u32 {
        self.output(agent, "pid").await.parse().unwrap()
    }

    pub(crate) async fn deploy(&self, agent: &AgentRef) -> Result<DeployResult, Failure> {
        self.deployer.deploy(agent.clone(), Recorder::new().1).await
    }

    pub(crate) async fn undeploy(&self, agent: &AgentRef) {
        self.deployer.undeploy(agent.clone(), Recorder::new().1).await.unwrap();
    }

    pub(crate) async fn status(&self, agent: &AgentRef) -> AgentStatus {
        self.deployer.status(agent.clone(), Recorder::new().1).await.unwrap()
    }
}

/// Waits for a condition that nothing announces.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(15);
    while !holds().await {
        assert!(Instant::now() < end, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A zombie counts as gone: it runs nothing and holds nothing.
pub(crate) fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.trim_start().starts_with(['Z', 'X']))
}

pub(crate) fn kill(pid: u32, signal: &str) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

/// The pids of all processes that were started, as far as the agent's home remembers.
pub(crate) fn starts(agent: &AgentRef) -> Vec<u32> {
    let text = std::fs::read_to_string(agent.state_dir.join("home/starts")).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Every living process whose working folder is the agent's.
pub(crate) fn processes_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries
        .map(|e| e.path())
        .filter(|path| std::fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd == folder))
        .collect()
}
