//! What the plugin tests share: folders with copies of fixtures, C variants, requests.
#![allow(dead_code, unreachable_pub)] // each test binary uses its part

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use nexus_daemon::plugins::{Handler, HostOptions, Job, JobError, Plugins};
use nexus_plugin_api::payload::{AgentRef, Event, HandlerKind, Operation, StageRequest};
use serde_json::{Value, json};

/// A plugin folder, a runtime folder and the options for both.
pub struct Place {
    pub root: tempfile::TempDir,
    pub options: HostOptions,
}

impl Place {
    /// Empty folders and short limits.
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("plugins");
        std::fs::create_dir(&dir).unwrap();
        let options = HostOptions {
            dirs: vec![dir],
            runtime_dir: root.path().join("run"),
            cancel_grace: Duration::from_millis(300),
            call_limit: Duration::from_secs(1),
            configure_limit: Duration::from_millis(1500),
            ..HostOptions::default()
        };
        Self { root, options }
    }

    pub fn dir(&self) -> &Path {
        &self.options.dirs[0]
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// Puts a Rust fixture into the plugin folder.
    pub fn with(self, fixture: &str) -> Self {
        self.put(fixture, &format!("{fixture}.so"));
        self
    }

    pub fn put(&self, fixture: &str, name: &str) {
        // Renamed into place as an installer does; never written over a file that may be mapped.
        let temporary = self.root.path().join(format!("{name}.tmp"));
        std::fs::copy(fixture_so(fixture), &temporary).unwrap();
        std::fs::rename(temporary, self.file(name)).unwrap();
    }

    pub fn setting(mut self, plugin: &str, settings: Value) -> Self {
        self.options.settings.insert(plugin.into(), settings);
        self
    }

    pub async fn load(&self) -> Plugins {
        let plugins = Plugins::new(self.options.clone());
        plugins.load().await;
        plugins
    }
}

/// The shared object that cargo built beside this test because of the dev-dependency.
pub fn fixture_so(name: &str) -> PathBuf {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let file = deps.join(format!("libnexus_fixture_{name}.so"));
    assert!(file.exists(), "{} is missing: run `cargo test -p nexus-daemon`", file.display());
    file
}

pub fn stage(options: Value) -> Operation {
    Operation::Run(Box::new(StageRequest {
        project_id: "proj_1".into(),
        project_name: "p".into(),
        requirement: "r".into(),
        user_id: "u".into(),
        tags: Vec::new(),
        stage: "s".into(),
        stage_number: 1,
        attempt: 1,
        workspace: "/tmp".into(),
        inputs: BTreeMap::new(),
        options,
        deployment: Value::Null,
        models: None,
    }))
}

pub fn agent() -> AgentRef {
    AgentRef {
        agent_id: "agent_1".into(),
        agent_name: "a".into(),
        project_id: String::new(),
        agent_dir: "/tmp".into(),
        state_dir: "/tmp".into(),
        config: Value::Null,
        details: serde_json::Map::new(),
        generation: 0,
        files: BTreeMap::new(),
    }
}

pub fn stage_handler(plugins: &Plugins, name: &str) -> Handler {
    plugins.resolve(name, HandlerKind::Stage).unwrap()
}

/// Starts `{"do": what}` on the faulty fixture.
pub async fn faulty(plugins: &Plugins, options: Value) -> Job {
    stage_handler(plugins, "faulty/do").start(stage(options)).await.unwrap()
}

/// Runs it to its end.
pub async fn outcome(plugins: &Plugins, what: &str) -> Result<Value, JobError> {
    within(5, faulty(plugins, json!({"do": what})).await.outcome()).await
}

pub async fn events(job: &mut Job) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = job.next_event().await {
        events.push(event);
    }
    events
}

/// Fails the test instead of hanging it.
pub async fn within<T>(seconds: u64, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), future).await.expect("took too long")
}

/// Waits until `condition` holds.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..400 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}

/// Compiles a C plugin into `out`. The tests need a C compiler: the interface is a C interface.
pub fn cc(source: &Path, defines: &[&str], out: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut command = std::process::Command::new("cc");
    command.args(["-std=c11", "-O1", "-Wall", "-shared", "-fPIC", "-pthread", "-Wno-unused-function"]);
    command.arg("-I").arg(root.join("plugin-api/include"));
    for define in defines {
        command.arg(format!("-D{define}"));
    }
    // By another name first: the folder may be watched by a host.
    let temporary = out.with_extension("tmp");
    let output = command.arg("-o").arg(&temporary).arg(source).output();
    let output = output.unwrap_or_else(|e| panic!("these tests compile C plugins and need `cc` in the PATH: {e}"));
    assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::rename(temporary, out).unwrap();
}

/// Compiles a variant of `fixtures/faulty.c` into the plugin folder.
pub fn faulty_c(place: &Place, name: &str, defines: &[&str]) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/faulty.c");
    cc(&source, defines, &place.file(&format!("{name}.so")));
}
