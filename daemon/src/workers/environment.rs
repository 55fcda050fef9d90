//! What every actor of the tree shares: the backends, the settings, the book of leases.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;
use nexus_model::Usage;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::lease::LeaseBook;
use crate::{
    backend::{
        error::BackendError,
        files::Artifacts,
        queue::Queue,
        store::{ClaimBuild, Continuation, Store},
    },
    config::{Config, Role, WorkerConfig},
    deletion::Deletions,
    domain::{
        ids::{ProjectId, TaskId, WorkerId},
        task::Lease,
        time::Timestamp,
        workflow::Workflows,
    },
    jobs::{DeployedAgents, executor::Executor},
    models::{AccessIssuer, price_of_id},
    telemetry::zeros,
};

/// Shared by all actors; cheap to clone behind its `Arc`.
pub struct Environment {
    /// Who we are, among all daemons of this backend.
    pub worker_id: WorkerId,
    pub store: Arc<dyn Store>,
    pub queue: Arc<dyn Queue>,
    /// Files of projects, where daemons share them.
    pub artifacts: Arc<Artifacts>,
    pub executor: Arc<dyn Executor>,
    /// Deployed agents.
    pub agents: DeployedAgents,
    /// Language models for builds and agents. Set before the tree starts; a tree without it works offline.
    pub models: Arc<OnceLock<AccessIssuer>>,
    /// Deleting, as far as it goes beyond the store.
    pub deletions: Deletions,
    /// Known workflows; replaced by a reload.
    pub workflows: Arc<ArcSwap<Workflows>>,
    /// The settings in force; replaced by a reload (price list, deploy targets).
    pub config: Arc<ArcSwap<Config>>,
    /// Whether it builds and deploys.
    pub works: bool,
    /// Limits and times of the work, as at start.
    pub worker: WorkerConfig,
    /// Parent of the project folders.
    pub projects_dir: PathBuf,
    /// Parent of the agents' state folders.
    pub agents_dir: PathBuf,
    /// Leases and messages that are kept alive.
    pub leases: Arc<LeaseBook>,
    /// Set when the daemon begins to stop: nothing new begins.
    pub draining: CancellationToken,
    /// Tasks that outlive an actor for a moment (hand-backs), awaited at the end.
    pub tasks: TaskTracker,
}

/// What the environment is made of beside the settings.
pub struct Shared {
    pub store: Arc<dyn Store>,
    pub queue: Arc<dyn Queue>,
    /// Files of projects, where daemons share them.
    pub artifacts: Arc<Artifacts>,
    pub executor: Arc<dyn Executor>,
    /// Set when the daemon begins to stop.
    pub draining: CancellationToken,
}

impl Environment {
    /// From the settings at start.
    #[must_use]
    pub fn new(shared: Shared, config: &Config, workflows: &Workflows) -> Self {
        zeros::of_workflows(workflows);
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let leases = Arc::<LeaseBook>::default();
        let in_force = Arc::new(ArcSwap::from_pointee(config.clone()));
        let (executor, artifacts) = (Arc::clone(&shared.executor), Arc::clone(&shared.artifacts));
        let models = Arc::<OnceLock<AccessIssuer>>::default();
        let agents = DeployedAgents::new(executor, Arc::clone(&in_force), artifacts, leases.clone())
            .with_models(Arc::clone(&models));
        Self {
            worker_id: WorkerId::for_process(host.trim()),
            deletions: Deletions::new(Arc::clone(&shared.store), agents.clone()),
            agents,
            models,
            store: shared.store,
            queue: shared.queue,
            artifacts: shared.artifacts,
            executor: shared.executor,
            workflows: Arc::new(ArcSwap::from_pointee(workflows.clone())),
            config: in_force,
            works: config.roles.contains(&Role::Worker),
            worker: config.worker.clone(),
            projects_dir: config.data.projects(),
            agents_dir: config.data.agents(),
            leases,
            draining: shared.draining,
            tasks: TaskTracker::new(),
        }
    }

    /// Makes the project's folder what its last owner left, where daemons share files.
    ///
    /// # Errors
    /// The files cannot be had now.
    pub async fn restore_files(&self, id: &ProjectId) -> Result<(), BackendError> {
        let restored = self.artifacts.restore(id, self.projects_dir.join(id.as_str())).await.map(drop);
        self.noting(restored)
    }

    /// Saves the project's folder for the next owner, where daemons share files.
    ///
    /// # Errors
    /// The files cannot be saved now: then what made them must not be committed.
    pub async fn save_files(&self, lease: &Lease) -> Result<(), BackendError> {
        let saved = self.artifacts.save(lease, self.projects_dir.join(lease.project_id.as_str())).await;
        self.noting(saved)
    }

    fn noting(&self, result: Result<(), BackendError>) -> Result<(), BackendError> {
        if let Err(error) = &result
            && error.retryable()
        {
            self.artifacts.failed(error);
        }
        result
    }

    /// What a build asks the store for.
    #[must_use]
    pub fn claim(&self, task_id: Option<TaskId>, project_id: ProjectId, asked: Continuation) -> ClaimBuild {
        let lease_until = Timestamp::now().plus(self.worker.lease_secs.duration());
        let (worker_id, parallel) = (self.worker_id.clone(), self.worker.parallel_stages);
        ClaimBuild { task_id, project_id, worker_id, lease_until, parallel, asked }
    }

    /// Puts what a reload may change into force. Builds that run keep their workflow.
    pub fn apply(&self, config: &Config, workflows: &Workflows) {
        zeros::of_workflows(workflows);
        self.workflows.store(Arc::new(workflows.clone()));
        self.config.store(Arc::new(config.clone()));
    }

    /// The price of tokens of a model, in US dollars; an unknown model costs nothing.
    #[must_use]
    pub fn cost(&self, model_id: Option<&str>, input_tokens: u64, output_tokens: u64) -> f64 {
        let config = self.config.load();
        let price = model_id.and_then(|id| price_of_id(&config.pricing, id));
        let usage = Usage { input: input_tokens, output: output_tokens, ..Usage::default() };
        price.map_or(0.0, |price| price.of(&usage).dollars())
    }
}
