//! The actor tree over the real store with scripted stages.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use nexus_daemon::{
    backend::{
        queue::Queue,
        sqlite::{SqliteOptions, SqliteStore},
        store::{NewProject, ProjectDetail},
    },
    config::Config,
    domain::{
        failure::{Failure, FailureKind},
        ids::ProjectId,
        project::ProjectStatus,
        workflow::{StageSpec, Workflow, WorkflowSpec, Workflows},
    },
    events::EventHub,
    jobs::executor::{Executor, Job},
    workers::{
        Environment,
        environment::Shared,
        root::{Root, RootMessage},
    },
};
use nexus_plugin_api::payload::{Event, HandlerKind, Operation, StageRequest};
use ractor::{Actor, ActorRef};
use serde_json::{Value, json};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::eventually;

/// What an attempt does.
pub enum Script {
    /// Succeeds at once with this output.
    Output(Value),
    /// Fails at once.
    Fail(FailureKind),
    /// Fails, but only after a while.
    FailLate(FailureKind, Duration),
    /// Succeeds with an agent.
    Agent,
    /// Goes on until it is cancelled.
    Hang,
    /// Goes on until it is cancelled, and then succeeds all the same.
    FinishWhenCancelled,
    /// Goes on until it is cancelled, and not even then ends.
    Deaf,
    /// The daemon's own code panics.
    Panic,
}

type Play = dyn Fn(&StageRequest) -> Script + Send + Sync;

/// Runs scripts and notes who ran.
pub struct Stages {
    play: Box<Play>,
    /// Every attempt begun: stage and number.
    pub begun: Mutex<Vec<(String, u32)>>,
    /// Attempts that run now, and the most at once.
    pub running: Mutex<(usize, usize)>,
    /// Deployments begun and undone, in order.
    pub deployments: Mutex<Vec<&'static str>>,
    /// Each permit lets one deployment come to its end.
    pub deployed: Semaphore,
}

/// A deployment that comes to its end when the test says so.
struct Deployment(&'static str, Arc<Stages>);

#[async_trait]
impl Job for Deployment {
    async fn next_event(&mut self) -> Option<Event> {
        self.1.deployments.lock().unwrap().push(self.0);
        if self.0 == "deploy" {
            self.1.deployed.acquire().await.unwrap().forget();
        }
        None
    }

    fn cancel(&self) {}

    async fn outcome(self: Box<Self>) -> Result<Value, Failure> {
        Ok(json!({"endpoint": "here", "details": {"agentcore_runtime_arn": "arn:test"}}))
    }
}

struct Player(Arc<Stages>);

#[async_trait]
impl Executor for Player {
    async fn start(&self, _: &str, _: HandlerKind, operation: Operation) -> Result<Box<dyn Job>, Failure> {
        let stages = &self.0;
        let request = match operation {
            Operation::Run(request) => request,
            Operation::Deploy(_) => return Ok(Box::new(Deployment("deploy", Arc::clone(stages)))),
            Operation::Undeploy(_) => return Ok(Box::new(Deployment("undeploy", Arc::clone(stages)))),
            _ => panic!("nothing else is scripted"),
        };
        stages.begun.lock().unwrap().push((request.stage.clone(), request.attempt));
        {
            let mut running = stages.running.lock().unwrap();
            running.0 += 1;
            running.1 = running.1.max(running.0);
        }
        let script = (stages.play)(&request);
        Ok(Box::new(Scripted { script, cancel: watch::channel(false).0, stages: Arc::clone(stages) }))
    }
}

struct Scripted {
    script: Script,
    cancel: watch::Sender<bool>,
    stages: Arc<Stages>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stages.running.lock().unwrap().0 -= 1;
    }
}

#[async_trait]
impl Job for Scripted {
    async fn next_event(&mut self) -> Option<Event> {
        match self.script {
            // A moment, so that stages side by side are seen together.
            Script::Output(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            Script::Fail(_) | Script::Agent => {}
            Script::FailLate(_, after) => tokio::time::sleep(after).await,
            Script::Hang | Script::FinishWhenCancelled => {
                let _ = self.cancel.subscribe().wait_for(|c| *c).await;
            }
            Script::Deaf => std::future::pending().await,
            Script::Panic => panic!("as the script says"),
        }
        None
    }

    fn cancel(&self) {
        self.cancel.send_replace(true);
    }

    async fn outcome(self: Box<Self>) -> Result<Value, Failure> {
        match &self.script {
            Script::Output(output) => Ok(json!({"output": output})),
            Script::FinishWhenCancelled => Ok(json!({"output": {}})),
            Script::Agent => Ok(json!({"output": {}, "agent": {
                "agent_name": "a", "description": "", "category": "", "version": "1", "agent_dir": "agent",
            }})),
            Script::Fail(kind) | Script::FailLate(kind, _) => Err(Failure::new(*kind, "as the script says")),
            _ => Err(Failure::new(FailureKind::Cancelled, "cancelled")),
        }
    }
}

/// A tree that runs.
pub struct Tree {
    pub env: Arc<Environment>,
    pub queue: Arc<dyn Queue>,
    pub stages: Arc<Stages>,
    pub root: ActorRef<RootMessage>,
    pub ended: JoinHandle<()>,
    workflow: Arc<Workflow>,
    folder: tempfile::TempDir,
}

impl Tree {
    /// Over a workflow, with a script for its stages.
    pub async fn start(workflow: WorkflowSpec, play: impl Fn(&StageRequest) -> Script + Send + Sync + 'static) -> Self {
        Self::over(workflow, play, |queue| queue).await
    }

    /// The same with another queue before the real one.
    pub async fn over(
        workflow: WorkflowSpec,
        play: impl Fn(&StageRequest) -> Script + Send + Sync + 'static,
        wrap: impl FnOnce(Arc<dyn Queue>) -> Arc<dyn Queue>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = folder.path().to_owned();
        config.worker.reconcile_secs = nexus_daemon::config::Seconds(1);
        std::fs::create_dir_all(config.data.projects()).unwrap();
        let path = config.data.database();
        let open = move || SqliteStore::open(path, SqliteOptions::default(), EventHub::new());
        let (store, queue) = tokio::task::spawn_blocking(open).await.unwrap().unwrap();
        let name = workflow.name.clone();
        let mut workflows = Workflows::default();
        workflows.insert(Workflow::build(workflow).unwrap());
        let workflow = Arc::clone(workflows.get(&name).unwrap());
        let (begun, running) = (Mutex::default(), Mutex::default());
        let (deployments, deployed) = (Mutex::default(), Semaphore::new(0));
        let stages = Arc::new(Stages { play: Box::new(play), begun, running, deployments, deployed });
        let queue: Arc<dyn Queue> = wrap(queue);
        let shared = Shared {
            artifacts: std::sync::Arc::default(),
            store,
            queue: Arc::clone(&queue),
            executor: Arc::new(Player(Arc::clone(&stages))),
            draining: CancellationToken::new(),
        };
        let env = Arc::new(Environment::new(shared, &config, &workflows));
        let (root, ended) = Root::spawn(None, Root, Arc::clone(&env)).await.unwrap();
        Self { env, queue, stages, root, ended, workflow, folder }
    }

    /// The store's file, for a test that does harm to it.
    pub fn database(&self) -> PathBuf {
        let mut config = Config::default();
        config.data.dir = self.folder.path().to_owned();
        config.data.database()
    }

    /// Ends the tree as the daemon's end does; answers how long that took.
    pub async fn drain(self) -> Duration {
        let begun = Instant::now();
        self.env.draining.cancel();
        self.root.cast(RootMessage::Drain).unwrap();
        self.ended.await.unwrap();
        self.env.tasks.close();
        self.env.tasks.wait().await;
        begun.elapsed()
    }

    /// Writes a project of the workflow.
    pub async fn create(&self) -> ProjectId {
        let new = NewProject::queued(&self.workflow, "something to test");
        let project_id = new.project.project_id.clone();
        self.env.store.create_project(new).await.unwrap();
        project_id
    }

    /// Waits for a state of a project.
    pub async fn wait_for(&self, project: &ProjectId, status: ProjectStatus) -> ProjectDetail {
        eventually(status.as_str(), async || {
            let detail = self.env.store.project_detail(project).await.unwrap().unwrap();
            (detail.project.status == status).then_some(detail)
        })
        .await
    }

    /// How often each stage began.
    pub fn attempts(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for (stage, _) in self.stages.begun.lock().unwrap().iter() {
            *counts.entry(stage.clone()).or_default() += 1;
        }
        counts
    }
}

/// A stage without limits to speak of.
pub fn stage(name: &str, needs: &[&str]) -> StageSpec {
    StageSpec {
        name: name.into(),
        display_name: name.into(),
        display_name_en: name.into(),
        handler: "scripted/stage".into(),
        prerequisites: needs.iter().map(ToString::to_string).collect(),
        optional: false,
        timeout: Duration::from_secs(60),
        max_retries: 2,
        aliases: Vec::new(),
        options: Value::Null,
    }
}

/// A workflow of these stages with quick retries.
pub fn workflow(stages: Vec<StageSpec>) -> WorkflowSpec {
    WorkflowSpec {
        name: "test".into(),
        description: String::new(),
        stages,
        retry_base_delay: Duration::from_millis(20),
        total_timeout: Duration::from_secs(60),
    }
}
