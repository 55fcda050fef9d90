//! What an agent is made of, shown and changed. A change is checked first, replaces the file whole, and takes effect when
//! the agent is deployed again.

use super::{
    AgentError, Agents, Result, lost,
    package::{AgentFile, MAX_FILE, Package, WriteError},
    syntax,
};
use crate::{
    domain::{
        agent::Agent,
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
        let work = blocking(move || {
            package.write(&path, &content, expected_checksum.as_deref())?;
            Ok::<_, WriteError>((package.read(path.as_str()), package.versions(&path)))
        });
        let (file, versions) = work.await.map_err(lost)??;
        if let Err(error) = self.deployed.share_file(&agent, &changed).await {
            tracing::warn!(agent_id = %agent.agent_id, %error, "a change of an agent's file could not be shared");
            return Err(AgentError::NotShared);
        }
        let redeploy_task = if redeploy { self.deploy(caller, &agent).await? } else { None };
        let versions = versions.into_iter().map(Timestamp::from_micros).collect();
        Ok(Written { agent_id: agent.agent_id, file, versions, redeploy_task })
    }
}
