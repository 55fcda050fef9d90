//! Asks deployed agents, through the plugin host: finds the deploy handler of an agent's target, tells
//! it everything about the agent, hands on what it streams.
//!
//! Used by `api/`. It holds no state: whatever an agent is, stands in its record.

mod answer;
mod brought;
pub mod package;
pub mod place;
pub mod syntax;

use std::{path::PathBuf, sync::Arc, time::Duration};

pub use answer::{Answer, Block, BlockKind, ToolUse, structure};
use arc_swap::ArcSwap;
use nexus_plugin_api::payload::{
    AgentRef, AgentStatus as Reported, Event, HandlerKind, HistoryMessage, InvokeRequest, InvokeResult, Operation,
};
use serde_json::Value;

use self::{brought::Brought, package::Package};
use crate::{
    backend::files::{Artifacts, Edit, Owner},
    config::{Config, DataConfig},
    domain::{
        agent::Agent,
        deletion::GoneAgent,
        failure::{Failure, FailureKind},
        ids::{AgentId, ProjectId, SessionId},
        text::{pathless, shorten},
    },
    jobs::executor::{Executor, Job},
    telemetry::told::HandlerLines,
};

/// How long an agent may take for one answer.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(900);
/// How long taking an agent out of service may take.
const UNDEPLOY_LIMIT: Duration = Duration::from_secs(20);
/// How long a handler may take to say how an agent is.
const STATUS_LIMIT: Duration = Duration::from_secs(5);
/// Shortest session id that every handler takes.
const SESSION_ID_LEN: usize = 33;
/// Longest text of a failure that a client is told, in characters.
const MESSAGE_CHARS: usize = 1_000;

/// One question.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// What is asked.
    pub input_text: String,
    /// What was said before, oldest first.
    pub history: Vec<HistoryMessage>,
    /// Whether the steps are wanted.
    pub enable_trace: bool,
    /// The caller's own data.
    pub metadata: Value,
}

/// Which projects this daemon is building at the moment: their folders change under its hands.
pub trait BuildsHere: Send + Sync {
    /// Whether it works on this project now.
    fn works_on(&self, project: &ProjectId) -> bool;
}

/// Deployed agents. Cheap to clone.
#[derive(Clone)]
pub struct Agents {
    executor: Arc<dyn Executor>,
    config: Arc<ArcSwap<Config>>,
    artifacts: Arc<Artifacts>,
    builds: Arc<dyn BuildsHere>,
    brought: Arc<Brought>,
}

/// An answer that is being given. Dropping it cancels it.
pub struct Asked(Box<dyn Job>, HandlerLines);

impl Asked {
    /// The next piece; `None` once the answer is over. Cancel-safe.
    pub async fn next_event(&mut self) -> Option<Event> {
        let event = self.0.next_event().await;
        if let Some(Event::Log { level, message }) = &event {
            self.1.tell(*level, message);
        }
        event
    }

    /// The answer as a whole, once `next_event` gave `None`.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn outcome(self) -> Result<InvokeResult, Failure> {
        let value = self.0.outcome().await?;
        understood(value)
    }
}

fn understood<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| {
        Failure::new(FailureKind::Plugin, format!("the answer of the deploy handler is not understood: {error}"))
    })
}

/// What a client is told of a failure: nothing of this machine.
#[must_use]
pub fn public_message(failure: &Failure) -> String {
    match failure.kind {
        FailureKind::Panic | FailureKind::Plugin | FailureKind::Infrastructure => {
            "the deploy handler of this agent failed; the daemon's log says more".to_owned()
        }
        _ => shorten(&pathless(&failure.message), MESSAGE_CHARS),
    }
}

impl Agents {
    /// Agents behind this plugin host. Targets and folders are those of the settings of the moment.
    #[must_use]
    pub fn new(
        executor: Arc<dyn Executor>,
        config: Arc<ArcSwap<Config>>,
        artifacts: Arc<Artifacts>,
        builds: Arc<dyn BuildsHere>,
    ) -> Self {
        Self { executor, config, artifacts, builds, brought: Arc::default() }
    }

    /// Where files are shared, for its health.
    #[must_use]
    pub fn artifacts(&self) -> &Artifacts {
        &self.artifacts
    }

    fn folder_of(&self, id: &ProjectId) -> PathBuf {
        self.config.load().data.projects().join(id.as_str())
    }

    /// The data folder.
    pub(crate) fn data(&self) -> DataConfig {
        self.config.load().data.clone()
    }

    /// Brings a project's files here, where daemons share them and another may have changed them. What a build of our own
    /// has written is left alone.
    ///
    /// # Errors
    /// The artifact store is away: what is here may be old.
    pub async fn fetch_files(&self, id: &ProjectId) -> crate::backend::store::Result<()> {
        if !self.artifacts.is_shared() || self.builds.works_on(id) {
            return Ok(());
        }
        self.artifacts.refresh(&Owner::from(id), self.folder_of(id)).await
    }

    /// The same of an agent: of its project's files, or of its own when it outlived that.
    async fn fetch(&self, agent: &Agent) -> crate::backend::store::Result<()> {
        match &agent.project_id {
            Some(project) => self.fetch_files(project).await,
            None => {
                let folder = place::kept(&self.data(), &agent.agent_id);
                self.artifacts.refresh(&Owner::from(&agent.agent_id), folder).await
            }
        }
    }

    /// Brings the files of an agent's latest deployment here, which may have run on another daemon, before a process is
    /// started from them.
    ///
    /// # Errors
    /// They cannot be brought: a process started now would answer with older code for as long as it lives.
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

    /// An agent's files, as they are now.
    ///
    /// # Errors
    /// As [`Agents::fetch_files`].
    pub async fn package(&self, agent: &Agent) -> crate::backend::store::Result<Package> {
        self.fetch(agent).await?;
        let told = self.agent_ref(agent).await;
        Ok(Package::new(agent, told.agent_dir, told.state_dir))
    }

    /// Shows others a file of an agent that was changed.
    ///
    /// # Errors
    /// The artifact store is away.
    pub async fn share_file(&self, agent: &Agent, path: &str) -> crate::backend::store::Result<()> {
        let file = self.agent_ref(agent).await.agent_dir.join(path);
        let (owner, name) = match (&agent.project_id, place::plain(&agent.agent_dir)) {
            (Some(project), Some(dir)) => (Owner::from(project), dir.join(path)),
            (Some(_), None) => return Ok(()),
            (None, _) => (Owner::from(&agent.agent_id), PathBuf::from(path)),
        };
        let Some(name) = name.to_str().map(str::to_owned) else { return Ok(()) };
        self.artifacts.edit(&owner, &Edit::Put { name, file }).await
    }

    /// What a deploy handler is told of an agent; its state folder exists afterwards, and its files are here if they can
    /// be had.
    pub async fn agent_ref(&self, agent: &Agent) -> AgentRef {
        let data = self.data();
        let mut told = place::agent_ref(agent, &data);
        // For an agent that may run already: only what is not here at all is brought.
        if !tokio::fs::try_exists(&told.agent_dir).await.unwrap_or(false) {
            if let Err(error) = self.fetch(agent).await {
                tracing::warn!(agent_id = told.agent_id, %error, "the files of an agent could not be brought here");
            }
            told.agent_dir = place::code(&data, agent);
        }
        if let Err(error) = tokio::fs::create_dir_all(&told.state_dir).await {
            tracing::warn!(agent_id = told.agent_id, %error, "an agent's state folder could not be made");
        }
        told
    }

    fn handler(&self, agent: &Agent) -> Result<String, Failure> {
        let config = self.config.load();
        config.deploy.targets.get(&agent.deployment_type).cloned().ok_or_else(|| {
            let message = format!("no deploy target is named {:?} (any more)", agent.deployment_type);
            Failure::new(FailureKind::Permanent, message)
        })
    }

    async fn start(&self, agent: &Agent, operation: Operation) -> Result<Box<dyn Job>, Failure> {
        self.executor.start(&self.handler(agent)?, HandlerKind::Deploy, operation).await
    }

    /// Runs an operation of whose events only the log lines are of interest.
    async fn run(&self, agent: &Agent, operation: Operation, limit: Duration) -> Result<Value, Failure> {
        self.run_by(&self.handler(agent)?, &agent.agent_id, operation, limit).await
    }

    async fn run_by(
        &self,
        handler: &str,
        agent: &AgentId,
        operation: Operation,
        limit: Duration,
    ) -> Result<Value, Failure> {
        let name = if matches!(operation, Operation::Status(_)) { "status" } else { "undeploy" };
        let mut lines = HandlerLines::new(agent, name);
        let whole = async {
            let mut job = self.executor.start(handler, HandlerKind::Deploy, operation).await?;
            while let Some(event) = job.next_event().await {
                if let Event::Log { level, message } = event {
                    lines.tell(level, &message);
                }
            }
            job.outcome().await
        };
        let late = || Failure::new(FailureKind::Timeout, format!("no answer within {} s", limit.as_secs()));
        tokio::time::timeout(limit, whole).await.unwrap_or_else(|_| Err(late()))
    }

    /// Begins to ask an agent.
    ///
    /// # Errors
    /// The agent cannot be asked.
    pub async fn invoke(&self, agent: &Agent, session: &SessionId, question: Question) -> Result<Asked, Failure> {
        self.fetch_deployed(agent).await?;
        let request = InvokeRequest {
            agent: self.agent_ref(agent).await,
            session_id: format!("{:0<SESSION_ID_LEN$}", session.as_str()),
            input_text: question.input_text,
            history: question.history,
            enable_trace: question.enable_trace,
            metadata: question.metadata,
        };
        let lines = HandlerLines::new(&agent.agent_id, "invoke");
        self.start(agent, Operation::Invoke(Box::new(request))).await.map(|job| Asked(job, lines))
    }

    /// How the handler says the agent is.
    ///
    /// # Errors
    /// The handler does not say.
    pub async fn status(&self, agent: &Agent) -> Result<Reported, Failure> {
        let operation = Operation::Status(self.agent_ref(agent).await);
        understood(self.run(agent, operation, STATUS_LIMIT).await?)
    }

    /// Takes an agent out of service. Safe to repeat.
    ///
    /// # Errors
    /// The handler failed, or there is none.
    pub async fn undeploy(&self, agent: &Agent) -> Result<(), Failure> {
        let operation = Operation::Undeploy(self.agent_ref(agent).await);
        self.run(agent, operation, UNDEPLOY_LIMIT).await.map(|_| ())
    }

    /// Has an agent that runs on this machine start anew with its next question: its files lie elsewhere now.
    pub(crate) async fn start_anew(&self, agent: &Agent) {
        // What runs elsewhere has its files with it.
        if agent.deployment_type != "local" {
            return;
        }
        if let Err(failure) = self.undeploy(agent).await {
            tracing::warn!(agent_id = %agent.agent_id, %failure, "an agent whose files moved could not be stopped");
        }
    }

    /// Removes the state folder that was made for asking an agent without a record, whose id nobody else has.
    pub async fn remove_passing(&self, agent: &Agent) {
        let folder = place::state(&self.data(), &agent.agent_id);
        if let Err(error) = tokio::fs::remove_dir_all(folder).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the state folder of an agent without a record could not be removed");
        }
    }

    /// Takes an agent out of service that was deleted, by what its record says; whether there was a way to. Safe to
    /// repeat.
    ///
    /// # Errors
    /// The handler failed.
    pub(crate) async fn undeploy_gone(&self, id: &AgentId, name: &str, gone: &GoneAgent) -> Result<bool, Failure> {
        let config = self.config.load_full();
        let Some(handler) = config.deploy.targets.get(&gone.deployment_type) else { return Ok(false) };
        let operation = Operation::Undeploy(place::gone_ref(id, name, gone, &config.data));
        self.run_by(handler, id, operation, UNDEPLOY_LIMIT).await.map(|_| true)
    }
}
