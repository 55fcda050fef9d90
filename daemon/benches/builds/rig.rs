//! The daemon without its API: store, plugin host and tree over a folder of their own.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use nexus_daemon::{
    backend::{
        queue::Queue,
        sqlite::{SqliteOptions, SqliteStore},
        store::{BuildEnd, BuildStep, Claim, ClaimBuild, EventSink, NewProject, Store},
    },
    config::Config,
    domain::{
        event::ProjectEvent,
        ids::{ProjectId, TaskId, WorkerId},
        project::StageFigures,
        stage::{StageEnd, StageOutcome, StageProduct},
        time::Timestamp,
        workflow::{StageSpec, Workflow, WorkflowSpec, Workflows},
    },
    plugins::{HostOptions, Plugins},
    workers::{
        Environment,
        environment::Shared,
        root::{Root, RootMessage},
    },
};
use ractor::{Actor, ActorRef};
use serde_json::Value;
use tokio::{
    sync::{Notify, oneshot},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::STAGES;

/// Watches committed events for builds that end and stages that begin.
#[derive(Default)]
struct Watch {
    waiting: Mutex<HashMap<ProjectId, oneshot::Sender<()>>>,
    done: AtomicUsize,
    running: AtomicUsize,
    changed: Notify,
}

impl EventSink for Watch {
    fn committed(&self, events: &[ProjectEvent]) {
        for event in events {
            match event.fields.get("status").and_then(Value::as_str) {
                Some("completed") if event.kind.as_str() == "project" => {
                    self.done.fetch_add(1, Ordering::Relaxed);
                    if let Some(waiting) = self.waiting.lock().unwrap().remove(&event.project_id) {
                        let _ = waiting.send(());
                    }
                }
                Some("running") if event.kind.as_str() == "stage" => {
                    self.running.fetch_add(1, Ordering::Relaxed);
                }
                _ => {}
            }
        }
        self.changed.notify_waiters();
    }
}

/// A root with its end.
pub(crate) type Tree = (ActorRef<RootMessage>, JoinHandle<()>);

pub(crate) struct Rig {
    folder: tempfile::TempDir,
    sqlite: Arc<SqliteStore>,
    env: Arc<Environment>,
    workflow: Arc<Workflow>,
    watch: Arc<Watch>,
}

impl Rig {
    pub(crate) async fn new(builds: usize, delay_ms: u64) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut config = Config::default();
        config.data.dir = folder.path().join("data");
        config.worker.builds = builds;
        let plugins = folder.path().join("plugins");
        for made in [&plugins, &config.data.dir, &config.data.projects()] {
            std::fs::create_dir_all(made).unwrap();
        }
        let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
        std::fs::copy(deps.join("libnexus_fixture_noop.so"), plugins.join("libnoop.so")).expect("the fixture is built");

        let watch = Arc::new(Watch::default());
        let (path, sink) = (config.data.database(), Arc::clone(&watch));
        let (sqlite, queue) =
            tokio::task::spawn_blocking(move || SqliteStore::open(path, SqliteOptions::default(), sink))
                .await
                .unwrap()
                .unwrap();
        let options = HostOptions {
            dirs: vec![plugins],
            runtime_dir: config.data.run(),
            max_jobs: builds.max(64),
            ..HostOptions::default()
        };
        let host = Plugins::new(options);
        let reports = host.load().await;
        assert!(reports.iter().any(|r| r.name == "noop" && r.is_loaded()), "{reports:#?}");

        let mut workflows = Workflows::default();
        workflows.insert(Workflow::build(spec(delay_ms)).unwrap());
        let workflow = Arc::clone(workflows.get("noop").unwrap());
        let store: Arc<dyn Store> = Arc::clone(&sqlite) as _;
        let queue: Arc<dyn Queue> = queue;
        let (artifacts, draining) = (Arc::default(), CancellationToken::new());
        let shared = Shared { store, queue, artifacts, executor: Arc::new(host), draining };
        let env = Arc::new(Environment::new(shared, &config, &workflows));
        Self { folder, sqlite, env, workflow, watch }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn commits(&self) -> u64 {
        self.sqlite.commits()
    }

    pub(crate) async fn start(&self) -> Tree {
        Root::spawn(None, Root, Arc::clone(&self.env)).await.unwrap()
    }

    pub(crate) async fn stop(&self, (root, ended): Tree) {
        self.env.draining.cancel();
        root.cast(RootMessage::Drain).unwrap();
        let _ = ended.await;
        self.env.store.close().await.unwrap();
    }

    /// Creates a build and waits for its end.
    pub(crate) async fn build_one(&self) -> Duration {
        let new = self.project();
        let (send, done) = oneshot::channel();
        self.watch.waiting.lock().unwrap().insert(new.project.project_id.clone(), send);
        let begun = Instant::now();
        self.env.store.create_project(new).await.unwrap();
        done.await.unwrap();
        begun.elapsed()
    }

    pub(crate) async fn create_many(&self, count: usize) -> Vec<(ProjectId, TaskId)> {
        let mut ids = Vec::with_capacity(count);
        let mut creating = tokio::task::JoinSet::new();
        for _ in 0..count {
            let new = self.project();
            ids.push((new.project.project_id.clone(), new.project.task_id.clone().unwrap()));
            let store = Arc::clone(&self.env.store);
            creating.spawn(async move { store.create_project(new).await.unwrap() });
            if creating.len() >= 256 {
                creating.join_next().await.unwrap().unwrap();
            }
        }
        while let Some(created) = creating.join_next().await {
            created.unwrap();
        }
        ids
    }

    pub(crate) async fn wait_until_done(&self, count: usize) {
        self.wait_until(&self.watch.done, count).await;
    }

    pub(crate) async fn wait_until_running(&self, count: usize) {
        self.wait_until(&self.watch.running, count).await;
    }

    async fn wait_until(&self, counter: &AtomicUsize, count: usize) {
        loop {
            let changed = self.watch.changed.notified();
            if counter.load(Ordering::Relaxed) >= count {
                return;
            }
            changed.await;
        }
    }

    /// Creates one build and makes its writes, without actors, one after the other.
    pub(crate) async fn walk_one(&self) -> Duration {
        let new = self.project();
        let (project, task) = (new.project.project_id.clone(), new.project.task_id.clone().unwrap());
        let begun = Instant::now();
        self.env.store.create_project(new).await.unwrap();
        self.walk(&project, &task).await;
        begun.elapsed()
    }

    /// The writes of one build, without actors.
    pub(crate) async fn walk(&self, project: &ProjectId, task: &TaskId) {
        let claim = ClaimBuild {
            task_id: Some(task.clone()),
            project_id: project.clone(),
            worker_id: WorkerId::for_process("bench"),
            lease_until: Timestamp::now().plus(Duration::from_secs(600)),
            parallel: 4,
            asked: nexus_daemon::backend::store::Continuation::default(),
        };
        let claimed = self.env.store.claim_build(claim, self.env.workflows.load_full()).await.unwrap();
        let Claim::Claimed(claimed) = claimed else { panic!("{claimed:?}") };
        for i in 0..STAGES {
            let last = i + 1 == STAGES;
            let step = BuildStep {
                ended: vec![StageEnd {
                    stage_name: format!("s{i}"),
                    attempt: 1,
                    outcome: StageOutcome::Completed(Box::new(StageProduct {
                        output: serde_json::json!({}),
                        ..StageProduct::default()
                    })),
                    ended_at: Timestamp::now(),
                    figures: StageFigures::default(),
                    model_id: None,
                    logs: Vec::new(),
                }],
                begin: if last { Vec::new() } else { vec![format!("s{}", i + 1)] },
                progress: (i + 1) as f64 * 100.0 / STAGES as f64,
                end: last.then_some(BuildEnd::Completed { agent: None, deploy: false }),
                ..BuildStep::default()
            };
            self.env.store.advance_build(&claimed.lease, step).await.unwrap();
        }
    }

    fn project(&self) -> NewProject {
        NewProject::queued(&self.workflow, "a build of the bench")
    }
}

fn spec(delay_ms: u64) -> WorkflowSpec {
    let options = if delay_ms == 0 { Value::Null } else { serde_json::json!({"delay_ms": delay_ms}) };
    let stage = |i: usize| StageSpec {
        name: format!("s{i}"),
        display_name: format!("s{i}"),
        display_name_en: format!("s{i}"),
        handler: "noop/noop".into(),
        prerequisites: i.checked_sub(1).map(|before| format!("s{before}")).into_iter().collect(),
        optional: false,
        timeout: Duration::from_secs(7200),
        max_retries: 0,
        aliases: Vec::new(),
        options: options.clone(),
    };
    WorkflowSpec {
        name: "noop".into(),
        description: String::new(),
        stages: (0..STAGES).map(stage).collect(),
        retry_base_delay: Duration::from_secs(1),
        total_timeout: Duration::from_secs(7200),
    }
}

/// The value below which a share of all is.
pub(crate) fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let index = ((times.len() - 1) as f64 * share) as usize;
    times[index]
}

/// Resident memory of this process.
pub(crate) fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
