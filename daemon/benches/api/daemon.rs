//! The daemon under load: its process, its filled store, what it costs.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use nexus_daemon::{
    backend::{
        sqlite::{SqliteOptions, SqliteStore},
        store::{NewProject, prelude::*},
    },
    domain::workflow::{StageSpec, Workflow, WorkflowSpec},
    events::EventHub,
};

use crate::client::{get, post};

pub struct Daemon {
    process: Child,
    pub address: SocketAddr,
    project: String,
    _home: tempfile::TempDir,
}

/// What is created waits: one build holds the only place, the others are queued.
const WAIT: &str =
    "name = \"wait\"\n[[stages]]\nname = \"wait\"\nhandler = \"noop/noop\"\noptions = { delay_ms = 900_000 }\n";

/// The binary beside this bench.
fn binary() -> PathBuf {
    let bench = std::env::current_exe().unwrap();
    let binary = bench.parent().and_then(|deps| deps.parent()).unwrap().join("nexusd");
    assert!(binary.is_file(), "{} is missing: cargo build --release -p nexus-daemon", binary.display());
    binary
}

fn workflow() -> Workflow {
    let stage = |number: usize| StageSpec {
        name: format!("stage_{number}"),
        display_name: format!("Stage {number}"),
        display_name_en: format!("Stage {number}"),
        handler: "none/none".to_owned(),
        prerequisites: Vec::new(),
        optional: false,
        timeout: Duration::from_secs(60),
        max_retries: 0,
        aliases: Vec::new(),
        options: serde_json::Value::Null,
    };
    Workflow::build(WorkflowSpec {
        name: "agent_build".to_owned(),
        description: String::new(),
        stages: (0..9).map(stage).collect(),
        retry_base_delay: Duration::from_secs(1),
        total_timeout: Duration::from_secs(60),
    })
    .unwrap()
}

impl Daemon {
    /// Fills a store and starts a daemon on it that builds nothing of it.
    pub async fn start(projects: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        fs::create_dir_all(&data).unwrap();
        let (store, _queue) =
            SqliteStore::open(data.join("nexus.db"), SqliteOptions::default(), EventHub::new()).unwrap();
        let (workflow, store) = (Arc::new(workflow()), store as Arc<SqliteStore>);
        let mut project = String::new();
        for batch in 0..projects.div_ceil(1_000) {
            let each = (0..1_000.min(projects - batch * 1_000)).map(|number| {
                let requirement = format!("Build an agent for case {number} of batch {batch} that answers questions");
                let mut new = NewProject::queued(&workflow, requirement);
                new.project.tags = vec![format!("tag{}", number % 50)];
                new.project.user_id = format!("user{}", number % 20);
                project = new.project.project_id.to_string();
                store.create_project(new)
            });
            for created in futures::future::join_all(each).await {
                created.unwrap();
            }
        }
        store.close().await.unwrap();
        // The queue of the filled store is put aside: only what clients ask costs anything.
        let settings = home.path().join("nexusd.toml");
        let workflows = home.path().join("workflows");
        fs::create_dir(&workflows).unwrap();
        fs::write(workflows.join("wait.toml"), WAIT).unwrap();
        // The plugin that waits is for tests only, so it is looked for by itself.
        let (deps, plugins) = (binary().parent().unwrap().join("deps"), home.path().join("plugins"));
        fs::create_dir(&plugins).unwrap();
        fs::copy(deps.join("libnexus_fixture_noop.so"), plugins.join("libnoop.so")).unwrap();
        let text = format!(
            "[worker]\nbuilds = 1\n[workflows]\ndirs = [\"workflows\"]\ndefault = \"wait\"\n\
             [plugins]\ndirs = [\"plugins\", {deps:?}]\n[log]\nfilter = \"error\"\n"
        );
        fs::write(&settings, text).unwrap();
        let aside = rusqlite::Connection::open(data.join("nexus.db")).unwrap();
        aside.execute_batch("DELETE FROM queue_messages; UPDATE nexus_projects SET status = 'completed', completed_at = updated_at; UPDATE nexus_tasks SET status = 'completed';").unwrap();
        drop(aside);
        let mut process = Command::new(binary())
            .args(["--listen", "127.0.0.1:0", "--config"])
            .arg(&settings)
            .arg("--data-dir")
            .arg(&data)
            .env("NEXUSD_LOG__FORMAT", "json")
            // What lies behind the gate is measured.
            .env("NEXUSD_AUTH__MODE", "none")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            line.unwrap().trim().strip_prefix("address")?.trim().strip_prefix("http://")?.parse().ok()
        });
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address: address.expect("an address"), project, _home: home }
    }

    /// What is measured.
    pub fn requests(&self) -> Vec<(&'static str, String)> {
        let project = &self.project;
        let create = r#"{"requirement": "Build an agent that answers questions", "deployment": "none"}"#;
        vec![
            ("get", get(&format!("/api/v2/projects/{project}"))),
            ("list, first page", get("/api/v2/projects")),
            ("list, page in the middle", get("/api/v2/projects?page=2500")),
            ("list, last page", get("/api/v2/projects?page=5000")),
            ("list by state", get("/api/v2/projects?status=completed")),
            ("list by user", get("/api/v2/projects?user_id=user7")),
            ("list by name", get("/api/v2/projects?sort=name")),
            ("list by change", get("/api/v2/projects?sort=-updated_at")),
            ("dashboard", get(&format!("/api/v2/projects/{project}/build"))),
            ("overview", get("/api/v2/statistics/overview")),
            ("stream, to its first bytes", get("/api/v2/events")),
            ("create", post("/api/v2/projects", create)),
        ]
    }

    /// CPU time of the process so far.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // USER_HZ is 100 on every Linux of this decade.
        Duration::from_millis(ticks * 10)
    }

    /// Resident memory, in bytes.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
    }

    /// Ends it by its own process id.
    pub fn end(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
