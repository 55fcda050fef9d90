//! Deployed agents, through the plugin host: finds the deploy handler of an agent's target, tells it everything about the
//! agent, has it asked, looked at or taken down.
//!
//! It holds no state: whatever an agent is, stands in its record.

use std::{
    future::pending,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use nexus_plugin_api::payload::{
    AgentRef, AgentStatus as Reported, HistoryMessage, InvokeRequest, InvokeResult, ModelAccess, Operation,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    agent_ref,
    executor::Executor,
    fetched::Brought,
    run::{Counts, Late, Limit, Listener, Order, run_job},
    targets,
};
use crate::{
    backend::{
        files::{Artifacts, Edit, Owner},
        store::Result as Stored,
    },
    config::{Config, DataConfig},
    domain::{
        agent::Agent,
        deletion::GoneAgent,
        failure::{Failure, FailureKind},
        ids::{AgentId, ProjectId, SessionId},
        rel_path::RelPath,
        text::{pathless, shorten},
    },
    models::{AccessIssuer, Grant},
    telemetry::told::HandlerLines,
};

/// For one answer of an agent.
pub const ANSWER_LIMIT: Limit = limit(900, "the agent did not answer within");
/// For taking an agent out of service.
const UNDEPLOY_LIMIT: Limit = limit(20, "no answer within");
/// For a handler to say how an agent is.
const STATUS_LIMIT: Limit = limit(5, "no answer within");

const fn limit(seconds: u64, told: &'static str) -> Limit {
    Limit { time: Duration::from_secs(seconds), counts: Counts::FromRequest, late: Late::Left, told }
}

/// The token of an agent for language models. A process that runs longer is replaced in time.
const TOKEN_LASTS: Duration = Duration::from_secs(24 * 3600);

/// Shortest session id that every handler takes.
const SESSION_ID_LEN: usize = 33;
/// Longest text of a failure that a client is told, in characters.
const MESSAGE_CHARS: usize = 1_000;

#[derive(Clone, Debug, Default)]
pub struct Question {
    pub input_text: String,
    /// What was said before, oldest first.
    pub history: Vec<HistoryMessage>,
    pub enable_trace: bool,
    pub metadata: Value,
}

/// Which projects this daemon is building at the moment: their folders change under its hands.
pub trait BuildsHere: Send + Sync {
    /// Whether it works on this project now.
    fn works_on(&self, project: &ProjectId) -> bool;
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct DeployedAgents {
    executor: Arc<dyn Executor>,
    config: Arc<ArcSwap<Config>>,
    artifacts: Arc<Artifacts>,
    builds: Arc<dyn BuildsHere>,
    brought: Arc<Brought>,
    models: Arc<OnceLock<AccessIssuer>>,
}

/// What a client is told of a failure: nothing of this machine.
pub fn public_message(failure: &Failure) -> String {
    match failure.kind {
        FailureKind::Panic | FailureKind::Plugin | FailureKind::Infrastructure => {
            "the deploy handler of this agent failed; the daemon's log says more".to_owned()
        }
        _ => shorten(&pathless(&failure.message), MESSAGE_CHARS),
    }
}

impl DeployedAgents {
    /// Agents behind this plugin host. Targets and folders are those of the settings of the moment.
    pub fn new(
        executor: Arc<dyn Executor>,
        config: Arc<ArcSwap<Config>>,
        artifacts: Arc<Artifacts>,
        builds: Arc<dyn BuildsHere>,
    ) -> Self {
        Self { executor, config, artifacts, builds, brought: Arc::default(), models: Arc::default() }
    }

    /// With language models, once they are known.
    #[must_use]
    pub fn with_models(mut self, models: Arc<OnceLock<AccessIssuer>>) -> Self {
        self.models = models;
        self
    }

    /// Language models on the agent's own account, for what a handler starts now. Whoever asks the agent, it is the agent
    /// that asks the model: one process answers many.
    pub(crate) fn models_of(&self, agent: &Agent) -> Option<ModelAccess> {
        let grant = Grant { agent: Some(agent.agent_id.to_string()), ..Grant::default() };
        self.models.get()?.issue(&grant, TOKEN_LASTS)
    }

    /// Where files are shared, for its health.
    pub fn artifacts(&self) -> &Artifacts {
        &self.artifacts
    }

    fn folder_of(&self, id: &ProjectId) -> PathBuf {
        self.config.load().data.projects().join(id.as_str())
    }

    pub(crate) fn data(&self) -> DataConfig {
        self.config.load().data.clone()
    }

    /// Brings a project's files here, where daemons share them and another may have changed them. What a build of our own
    /// has written is left alone.
    pub async fn fetch_files(&self, id: &ProjectId) -> Stored<()> {
        self.artifacts.refresh(&Owner::from(id), self.folder_of(id), || self.builds.works_on(id)).await
    }

    /// The same of an agent: of its project's files, or of its own when it outlived that.
    pub async fn fetch(&self, agent: &Agent) -> Stored<()> {
        match &agent.project_id {
            Some(project) => self.fetch_files(project).await,
            None => {
                let folder = agent_ref::kept(&self.data(), &agent.agent_id);
                self.artifacts.refresh(&Owner::from(&agent.agent_id), folder, || false).await
            }
        }
    }

    /// Brings the files of an agent's latest deployment here, which may have run on another daemon, before a process is
    /// started from them.
    async fn fetch_deployed(&self, agent: &Agent) -> Result<(), Failure> {
        if !self.artifacts.is_shared() || agent.generation == 0 {
            return Ok(());
        }
        let mut known = self.brought.of(agent).await;
        let being_built = agent.project_id.as_ref().is_some_and(|project| self.builds.works_on(project));
        if *known >= agent.generation || being_built {
            return Ok(());
        }
        self.fetch(agent).await.map_err(|error| {
            tracing::warn!(agent_id = %agent.agent_id, %error, "the files of an agent's latest deployment are not here");
            Failure::new(FailureKind::Infrastructure, "the files of the agent's latest deployment are not here yet: try again")
        })?;
        *known = agent.generation;
        Ok(())
    }

    /// Shows others a file of an agent that was changed.
    pub async fn share_file(&self, agent: &Agent, path: &RelPath) -> Stored<()> {
        let file = path.below(&self.agent_ref(agent).await.agent_dir);
        let (owner, name) = match (&agent.project_id, agent_ref::folder_of(&agent.agent_dir)) {
            (Some(project), Some(folder)) => match folder.join(path) {
                Ok(name) => (Owner::from(project), name),
                // No record of a file that no system can have.
                Err(_) => return Ok(()),
            },
            (Some(_), None) => return Ok(()),
            (None, _) => (Owner::from(&agent.agent_id), path.clone()),
        };
        self.artifacts.edit(&owner, &Edit::Put { name, file }).await
    }

    /// What a deploy handler is told of an agent; its state folder exists afterwards, and its files are here if they can
    /// be had.
    pub async fn agent_ref(&self, agent: &Agent) -> AgentRef {
        let data = self.data();
        let (told, is_here) = self.on_disk(agent, &data).await;
        // For an agent that may run already: only what is not here at all is brought.
        if is_here {
            return told;
        }
        if let Err(error) = self.fetch(agent).await {
            tracing::warn!(agent_id = told.agent_id, %error, "the files of an agent could not be brought here");
        }
        self.on_disk(agent, &data).await.0
    }

    /// One look at the disk for all that is asked of it: every question to an agent comes by here.
    async fn on_disk(&self, agent: &Agent, data: &DataConfig) -> (AgentRef, bool) {
        let look = {
            let (agent, data) = (agent.clone(), data.clone());
            move || {
                let told = agent_ref::of(&agent, &data);
                let is_here = told.agent_dir.exists();
                if !told.state_dir.is_dir()
                    && let Err(error) = std::fs::create_dir_all(&told.state_dir)
                {
                    tracing::warn!(agent_id = told.agent_id, %error, "an agent's state folder could not be made");
                }
                (told, is_here)
            }
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(seen) => seen,
            // The daemon is ending.
            Err(_) => (agent_ref::of(agent, data), true),
        }
    }

    /// Has a handler do something for an agent.
    async fn run<T: DeserializeOwned>(
        &self,
        target: &str,
        operation: Operation,
        limit: Limit,
        listener: &mut impl Listener,
    ) -> Result<T, Failure> {
        let handler = targets::handler_of(&self.config.load().deploy, target)?;
        let order = Order { handler: &handler, operation, limit };
        run_job(self.executor.as_ref(), order, listener, pending()).await
    }

    /// Asks an agent. What it says on the way goes to `listener`; dropping the future ends the question.
    pub async fn invoke(
        &self,
        agent: &Agent,
        session: &SessionId,
        question: Question,
        listener: &mut impl Listener,
    ) -> Result<InvokeResult, Failure> {
        self.fetch_deployed(agent).await?;
        let request = InvokeRequest {
            agent: AgentRef { models: self.models_of(agent), ..self.agent_ref(agent).await },
            session_id: format!("{:0<SESSION_ID_LEN$}", session.as_str()),
            input_text: question.input_text,
            history: question.history,
            enable_trace: question.enable_trace,
            metadata: question.metadata,
        };
        self.run(&agent.deployment.target, Operation::Invoke(Box::new(request)), ANSWER_LIMIT, listener).await
    }

    /// How the handler says the agent is.
    pub async fn status(&self, agent: &Agent) -> Result<Reported, Failure> {
        let operation = Operation::Status(self.agent_ref(agent).await);
        let mut lines = HandlerLines::new(&agent.agent_id, "status");
        self.run(&agent.deployment.target, operation, STATUS_LIMIT, &mut lines).await
    }

    /// Takes an agent out of service. Safe to repeat.
    pub async fn undeploy(&self, agent: &Agent) -> Result<(), Failure> {
        let told = self.agent_ref(agent).await;
        self.run_undeploy(&agent.agent_id, &agent.deployment.target, told, UNDEPLOY_LIMIT).await
    }

    /// Takes back a deployment of an agent that was deleted meanwhile.
    pub(crate) async fn take_back(&self, agent: &Agent) -> Result<(), Failure> {
        let told = agent_ref::of(agent, &self.data());
        let limit = Limit { late: Late::Awaited, ..UNDEPLOY_LIMIT };
        self.run_undeploy(&agent.agent_id, &agent.deployment.target, told, limit).await
    }

    /// Takes an agent out of service that was deleted, by what its record says; whether there was a way to. Safe to
    /// repeat.
    pub(crate) async fn undeploy_deleted(&self, id: &AgentId, name: &str, gone: &GoneAgent) -> Result<bool, Failure> {
        let config = self.config.load_full();
        if !config.deploy.targets.contains_key(&gone.deployment_type) {
            return Ok(false);
        }
        let told = agent_ref::of_deleted(id, name, gone, &config.data);
        self.run_undeploy(id, &gone.deployment_type, told, UNDEPLOY_LIMIT).await.map(|()| true)
    }

    async fn run_undeploy(&self, id: &AgentId, target: &str, told: AgentRef, limit: Limit) -> Result<(), Failure> {
        let mut lines = HandlerLines::new(id, "undeploy");
        self.run::<Value>(target, Operation::Undeploy(told), limit, &mut lines).await.map(drop)
    }

    /// Has an agent that runs on this machine start anew with its next question: its files lie elsewhere now.
    pub(crate) async fn start_anew(&self, agent: &Agent) {
        // What runs elsewhere has its files with it.
        if agent.deployment.target != "local" {
            return;
        }
        if let Err(failure) = self.undeploy(agent).await {
            tracing::warn!(agent_id = %agent.agent_id, %failure, "an agent whose files moved could not be stopped");
        }
    }

    /// Removes the state folder that was made for asking an agent without a record, whose id nobody else has.
    pub async fn remove_passing(&self, agent: &Agent) {
        let folder = agent_ref::state(&self.data(), &agent.agent_id);
        let removed = crate::files::blocking(move || nexus_sandbox::leftovers::remove(&folder)).await.flatten();
        if let Err(error) = removed
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the state folder of an agent without a record could not be removed");
        }
    }
}
