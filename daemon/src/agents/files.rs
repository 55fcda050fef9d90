//! What an agent is made of, shown and changed. A change is checked first, replaces the file whole, and takes effect when
//! the agent is deployed again.

use nexus_sandbox::recorded;

use super::{
    AgentError, Agents, Result, lost,
    package::{AgentFile, MAX_FILE, Package, WriteError},
    syntax,
};
use crate::{
    domain::{
        agent::{Agent, AgentChange},
        caller::Caller,
        ids::{AgentId, TaskId},
        rel_path::RelPath,
        time::Timestamp,
    },
    files::{blocking, kind_of},
};

pub struct NewContent {
    pub content: String,
    /// SHA-256 of what is to be replaced: another content is refused.
    pub expected_checksum: Option<String>,
    pub redeploy: bool,
}

pub struct Written {
    pub agent_id: AgentId,
    pub file: AgentFile,
    /// When the versions before were replaced, the oldest first.
    pub versions: Vec<Timestamp>,
    pub redeploy_task: Option<TaskId>,
}

impl Agents {
    /// An agent's files, as they are now.
    pub async fn package(&self, _caller: &Caller, agent: &Agent) -> Result<Package> {
        self.deployed.fetch(agent).await?;
        let told = self.deployed.agent_ref(agent).await;
        Ok(Package::new(agent, told.agent_dir, told.state_dir))
    }

    /// An agent, and what `look` finds among its files. It may block.
    pub async fn look<T: Send + 'static>(
        &self,
        caller: &Caller,
        id: &AgentId,
        look: impl FnOnce(&Package) -> T + Send + 'static,
    ) -> Result<(Agent, T)> {
        let agent = self.get(caller, id).await?;
        let package = self.package(caller, &agent).await?;
        let found = blocking(move || look(&package)).await.map_err(lost)?;
        Ok((agent, found))
    }

    /// Changes a file of an agent: the one that `path` says.
    pub async fn write(
        &self,
        caller: &Caller,
        id: &AgentId,
        path: impl FnOnce(&Package) -> Option<String>,
        missing: &str,
        new: NewContent,
    ) -> Result<Written> {
        let agent = self.get(caller, id).await?;
        let package = self.package(caller, &agent).await?;
        // The record may name a file that is none of the agent's.
        let path: Option<RelPath> = path(&package).and_then(|path| path.parse().ok());
        let path = path.ok_or_else(|| AgentError::UnknownFile(missing.to_owned()))?;
        let NewContent { content, expected_checksum, redeploy } = new;
        if content.len() as u64 > MAX_FILE {
            return Err(AgentError::TooLarge);
        }
        if redeploy {
            // Before anything is written.
            self.check_deploy(&agent)?;
        }
        syntax::check(kind_of(path.as_path()), &content).await?;
        let changed = path.clone();
        // Recorded before and after: whenever this ends in between, what is there is in the record.
        self.record(&agent, &package, &path, recorded::hash(content.as_bytes()), true).await?;
        let recorded_in = package.clone();
        let work = blocking(move || {
            package.write(&path, &content, expected_checksum.as_deref())?;
            Ok::<_, WriteError>((package.read(path.as_str()), package.versions(&path)))
        });
        let (file, versions) = work.await.map_err(lost)??;
        let written = file.checksum.clone().unwrap_or_default();
        self.record(&agent, &recorded_in, &changed, written, false).await?;
        if let Err(error) = self.deployed.share_file(&agent, &changed).await {
            tracing::warn!(agent_id = %agent.agent_id, %error, "a change of an agent's file could not be shared");
            return Err(AgentError::NotShared);
        }
        let redeploy_task = if redeploy { self.deploy(caller, &agent).await? } else { None };
        let versions = versions.into_iter().map(Timestamp::from_micros).collect();
        Ok(Written { agent_id: agent.agent_id, file, versions, redeploy_task })
    }

    /// Puts the hash of a file into the agent's record; with `beside`, that of what is there now stays in it. All files of
    /// an agent that has no record of them are recorded with the first one that is written.
    async fn record(&self, agent: &Agent, package: &Package, path: &RelPath, hash: String, beside: bool) -> Result<()> {
        let (root, path) = (package.root.clone(), path.clone());
        let known =
            self.store.agent(&agent.agent_id).await?.ok_or_else(|| AgentError::Unknown(agent.agent_id.clone()))?;
        let all = known.files.is_empty();
        let before = known.files.get(path.as_str()).cloned();
        let files = blocking(move || {
            let mut files = if all { recorded::record(&root).unwrap_or_default() } else { recorded::Recorded::new() };
            let known = before.or_else(|| files.get(path.as_str()).cloned());
            let hashes = if beside { recorded::also(&root, path.as_str(), known.as_deref(), &hash) } else { hash };
            files.insert(path.as_str().to_owned(), hashes);
            files
        });
        let change = AgentChange { files: files.await.map_err(lost)?, ..AgentChange::default() };
        self.store.update_agent(&agent.agent_id, change).await?;
        Ok(())
    }
}
