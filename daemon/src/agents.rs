//! Asks deployed agents, through the plugin host: finds the deploy handler of an agent's target, tells
//! it everything about the agent, hands on what it streams.
//!
//! Used by `api/`. It holds no state: whatever an agent is, stands in its record.

mod answer;
mod brought;
pub mod package;
pub mod syntax;

use std::{path::PathBuf, sync::Arc, time::Duration};

pub use answer::{Answer, Block, BlockKind, ToolUse};
use arc_swap::ArcSwap;
use nexus_plugin_api::payload::{
    AgentRef, AgentStatus as Reported, Event, HandlerKind, HistoryMessage, InvokeRequest, InvokeResult, Operation,
};
use serde_json::Value;

use self::{brought::Brought, package::Package};
use crate::{
    actors::{
        deploy::agent_ref,
        executor::{Executor, Job},
        lease::LeaseBook,
    },
    artifacts::{Artifacts, Edit},
    config::Config,
    domain::{
        agent::Agent,
        failure::{Failure, FailureKind},
        ids::{ProjectId, SessionId},
    },
    store::{AgentFilter, PageRequest, Store},
};

/// How long an agent may take for one answer.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(900);
/// How long taking an agent out of service may take.
const UNDEPLOY_LIMIT: Duration = Duration::from_secs(20);
/// How long a handler may take to say how an agent is.
const STATUS_LIMIT: Duration = Duration::from_secs(5);
/// Shortest session id that every handler takes.
const SESSION_ID_LEN: usize = 33;
/// Where an agent's folder goes when its project is deleted and it stays, below its state folder.
const KEPT: &str = "package";

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

/// Deployed agents. Cheap to clone.
#[derive(Clone)]
pub struct Agents {
    executor: Arc<dyn Executor>,
    config: Arc<ArcSwap<Config>>,
    artifacts: Arc<Artifacts>,
    leases: Arc<LeaseBook>,
    brought: Arc<Brought>,
}

/// An answer that is being given. Dropping it cancels it.
pub struct Asked(Box<dyn Job>);

impl Asked {
    /// The next piece; `None` once the answer is over. Cancel-safe.
    pub async fn next_event(&mut self) -> Option<Event> {
        self.0.next_event().await
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

impl Agents {
    /// Agents behind this plugin host. Targets and folders are those of the settings of the moment.
    #[must_use]
    pub fn new(
        executor: Arc<dyn Executor>,
        config: Arc<ArcSwap<Config>>,
        artifacts: Arc<Artifacts>,
        leases: Arc<LeaseBook>,
    ) -> Self {
        Self { executor, config, artifacts, leases, brought: Arc::default() }
    }

    /// Where files are shared, for its health.
    #[must_use]
    pub fn artifacts(&self) -> &Artifacts {
        &self.artifacts
    }

    fn folder_of(&self, id: &ProjectId) -> PathBuf {
        self.config.load().data.projects().join(id.as_str())
    }

    /// Brings a project's files here, where daemons share them and another may have changed them. What a build of our own
    /// has written is left alone.
    ///
    /// # Errors
    /// The artifact store is away: what is here may be old.
    pub async fn fetch_files(&self, id: &ProjectId) -> crate::store::Result<()> {
        if !self.artifacts.is_shared() || self.leases.works_on(id) {
            return Ok(());
        }
        self.artifacts.refresh(id, self.folder_of(id)).await
    }

    /// The same of an agent's project, for an agent that may run already: only what is not here at all is brought.
    async fn fetch_missing(&self, project: &ProjectId, agent_dir: &std::path::Path) {
        if tokio::fs::try_exists(agent_dir).await.unwrap_or(false) {
            return;
        }
        if let Err(error) = self.fetch_files(project).await {
            tracing::warn!(project_id = %project, %error, "the files of an agent could not be brought here");
        }
    }

    /// Brings the files of an agent's latest deployment here, which may have run on another daemon, before a process is
    /// started from them.
    ///
    /// # Errors
    /// They cannot be brought: a process started now would answer with older code for as long as it lives.
    async fn fetch_deployed(&self, agent: &Agent) -> Result<(), Failure> {
        let Some(project) = agent.project_id.as_ref().filter(|_| self.artifacts.is_shared()) else { return Ok(()) };
        if agent.generation == 0 {
            return Ok(());
        }
        let mut known = self.brought.of(agent).await;
        if *known >= agent.generation || self.leases.works_on(project) {
            return Ok(());
        }
        self.fetch_files(project).await.map_err(|error| {
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
    pub async fn package(&self, agent: &Agent) -> crate::store::Result<Package> {
        if let Some(id) = &agent.project_id {
            self.fetch_files(id).await?;
        }
        let told = self.agent_ref(agent).await;
        Ok(Package::new(agent, told.agent_dir, told.state_dir))
    }

    /// Shows others a file of an agent that was changed.
    ///
    /// # Errors
    /// The artifact store is away.
    pub async fn share_file(&self, agent: &Agent, path: &str) -> crate::store::Result<()> {
        let (Some(id), Some(dir)) = (&agent.project_id, plain(&agent.agent_dir)) else { return Ok(()) };
        let told = self.agent_ref(agent).await;
        let Some(name) = dir.join(path).to_str().map(str::to_owned) else { return Ok(()) };
        self.artifacts.edit(id, &Edit::Put { name, file: told.agent_dir.join(path) }).await
    }

    /// What a deploy handler is told of an agent; its state folder exists afterwards.
    pub async fn agent_ref(&self, agent: &Agent) -> AgentRef {
        let data = self.config.load().data.clone();
        let mut told = agent_ref(agent, &data.projects(), &data.agents());
        let kept = told.state_dir.join(KEPT);
        // Without a project there is no other folder, and the path of the record leads to nothing of its own.
        if agent.project_id.is_none() || tokio::fs::try_exists(&kept).await.unwrap_or(false) {
            told.agent_dir = kept;
        } else if let Some(project) = &agent.project_id {
            self.fetch_missing(project, &told.agent_dir).await;
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

    /// Runs an operation whose events are of no interest.
    async fn run(&self, agent: &Agent, operation: Operation, limit: Duration) -> Result<Value, Failure> {
        let whole = async {
            let mut job = self.start(agent, operation).await?;
            while job.next_event().await.is_some() {}
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
        self.start(agent, Operation::Invoke(Box::new(request))).await.map(Asked)
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

    /// Takes agents of a deleted project out of service and removes their state folders; answers what
    /// went wrong.
    pub async fn undeploy_all(&self, agents: &[Agent]) -> Vec<String> {
        let each = agents.iter().map(|agent| async {
            let undone = self.undeploy(agent).await;
            self.remove_state(agent).await;
            undone.err().map(|failure| format!("{}: {}", agent.agent_id, failure.message))
        });
        futures::future::join_all(each).await.into_iter().flatten().collect()
    }

    /// Removes what the daemon keeps of an agent on disk; whether there was anything.
    pub async fn remove_state(&self, agent: &Agent) -> bool {
        let path = self.config.load().data.agents().join(agent.agent_id.as_str());
        remove(path).await
    }

    /// Removes the agent's own files in its project's folder; whether there were any.
    pub async fn remove_files(&self, agent: &Agent) -> bool {
        let Some(project) = &agent.project_id else { return false };
        let Some(dir) = plain(&agent.agent_dir) else { return false };
        let gone = remove(self.folder_of(project).join(dir)).await;
        let edit = Edit::Remove { folder: agent.agent_dir.clone() };
        if let Err(error) = self.artifacts.edit(project, &edit).await {
            tracing::warn!(agent_id = %agent.agent_id, %error, "other daemons still have the files of an agent");
        }
        gone
    }

    /// Before a project goes and its agents stay: their folders move out of the project's. Answers
    /// which could not.
    ///
    /// # Errors
    /// The store cannot tell the agents.
    pub async fn keep_of_project(&self, store: &dyn Store, id: &ProjectId) -> crate::store::Result<Vec<String>> {
        let filter = AgentFilter { project_id: Some(id.clone()), ..AgentFilter::default() };
        let page = PageRequest { page: 1, limit: 100, cursor: None };
        let mut errors = Vec::new();
        for agent in store.list_agents(&filter, &page).await?.items {
            if plain(&agent.agent_dir).is_none() {
                continue;
            }
            let told = self.agent_ref(&agent).await;
            let kept = told.state_dir.join(KEPT);
            if told.agent_dir == kept {
                continue;
            }
            match tokio::fs::rename(&told.agent_dir, &kept).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(agent_id = %agent.agent_id, %error, "an agent's folder could not be kept");
                    errors.push(format!("{}: its folder could not be kept", agent.agent_id));
                }
                _ => {}
            }
        }
        Ok(errors)
    }
}

/// A relative folder of plain names, and not the project's whole folder.
fn plain(dir: &str) -> Option<PathBuf> {
    let path = PathBuf::from(dir);
    let names = path.components().all(|c| matches!(c, std::path::Component::Normal(_)));
    (names && !dir.is_empty()).then_some(path)
}

async fn remove(path: PathBuf) -> bool {
    match tokio::fs::remove_dir_all(&path).await {
        Ok(()) => true,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!(%error, "a folder of an agent could not be removed");
            }
            false
        }
    }
}
