//! What a recorded deletion asks for outside of the store. Every step may be repeated, and finds done what was done.

use std::{io, path::PathBuf, time::Duration};

use super::{Acted, Deletions};
use crate::backend::data_folder::{moving, trash};
use crate::{
    backend::files::{Edit, Owner},
    domain::{
        deletion::{DeletedKind, Deletion, KeptAgent},
        ids::{AgentId, ProjectId},
        time::Timestamp,
    },
    files::blocking,
    jobs::{agent_ref, public_message},
};

/// How long it is tried to take a deleted agent out of service.
const TRIED_FOR: Duration = Duration::from_secs(7 * 86_400);

impl Deletions {
    pub(crate) async fn act(&self, record: &Deletion) -> Acted {
        match (record.kind, record.id.parse::<ProjectId>(), record.id.parse::<AgentId>()) {
            (DeletedKind::Project, Ok(id), _) => self.act_for_project(&id, &record.owned.kept).await,
            (DeletedKind::Agent, _, Ok(id)) => self.act_for_agent(&id, record).await,
            _ => Acted::default(),
        }
    }

    /// Agents that stay take their files along; then the folder goes, and what other daemons see of it.
    async fn act_for_project(&self, id: &ProjectId, kept: &[KeptAgent]) -> Acted {
        let mut acted = Acted::default();
        for agent in kept {
            // An agent that was deleted since has no use for them.
            let stays = match self.store.agent(&agent.agent_id).await {
                Ok(Some(stays)) => stays,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(agent_id = %agent.agent_id, %error, "it could not be read whether the agent outlives its project");
                    return acted.must_wait(format!("{}: its files cannot be set aside now", agent.agent_id));
                }
            };
            match self.set_aside(id, agent).await {
                // What runs was started in the other folder, and finds nothing there any more.
                Ok(true) => self.agents.start_anew(&stays).await,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(agent_id = %agent.agent_id, %error, "an agent's files could not be set aside; it is tried again");
                    // The folder stays as long as it holds them.
                    return acted.must_wait(format!("{}: its files cannot be set aside now", agent.agent_id));
                }
            }
            if let Err(error) = self.agents.artifacts().keep(id, agent).await {
                tracing::warn!(agent_id = %agent.agent_id, %error, "an agent's files are not with the shared ones yet");
                return acted.must_wait(format!("{}: its files cannot be shared now", agent.agent_id));
            }
        }
        let folder = self.agents.data().projects().join(id.as_str());
        if let Err(error) = self.to_trash(DeletedKind::Project, id.as_str(), folder).await {
            tracing::warn!(project_id = %id, %error, "a deleted project's folder could not be moved");
            acted = acted.must_wait("the project's folder could not be removed now; it will be later".to_owned());
        }
        if let Err(error) = self.agents.artifacts().forget(&Owner::from(id)).await {
            tracing::warn!(project_id = %id, %error, "shared files of a deleted project could not be removed");
            acted = acted.must_wait("the project's shared files could not be removed now".to_owned());
        }
        acted
    }

    /// Moves an agent's folder out of its project's; whether there was anything to move.
    async fn set_aside(&self, project: &ProjectId, agent: &KeptAgent) -> io::Result<bool> {
        let Some(folder) = agent_ref::folder_of(&agent.agent_dir) else { return Ok(false) };
        let data = self.agents.data();
        let from = folder.below(&data.projects().join(project.as_str()));
        let to = agent_ref::kept(&data, &agent.agent_id);
        blocking(move || {
            let there = |path: &PathBuf| match std::fs::symlink_metadata(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                known => known.map(|_| true),
            };
            if !there(&from)? || there(&to)? {
                return Ok(false);
            }
            let Some(parent) = to.parent() else { return Ok(false) };
            std::fs::create_dir_all(parent)?;
            let moved = moving::relocate(&from, &to)?;
            std::fs::File::open(parent)?.sync_all()?;
            Ok(moved)
        })
        .await
        .flatten()
    }

    /// Out of service first: what runs uses the folder.
    async fn act_for_agent(&self, id: &AgentId, record: &Deletion) -> Acted {
        let mut acted = Acted::default();
        let Some(gone) = &record.owned.agent else { return acted };
        if gone.orders.undeploy {
            match self.agents.undeploy_deleted(id, &record.name, gone).await {
                Ok(undeployed) => acted.undeployed = undeployed,
                Err(failure) => {
                    tracing::warn!(agent_id = %id, %failure, "a deleted agent could not be taken out of service");
                    acted.errors.push(format!("deployment: {}", public_message(&failure)));
                    // What lasts is told, and is nobody's to repeat for ever.
                    acted.again = failure.kind.retryable() && Timestamp::now().since(record.deleted_at) < TRIED_FOR;
                }
            }
        }
        let built_since = match &gone.project_id {
            Some(project) if gone.orders.files => match self.built_since(project, record.deleted_at).await {
                Ok(built) => built,
                Err(error) => {
                    tracing::warn!(agent_id = %id, %error, "it could not be read whether the project was built again since its agent was deleted");
                    return acted.must_wait("local_files: they could not be removed now".to_owned());
                }
            },
            _ => false,
        };
        if gone.orders.files
            && !built_since
            && let Some(project) = &gone.project_id
            && let Some(name) = agent_ref::folder_of(&gone.agent_dir)
        {
            let folder = name.below(&self.agents.data().projects().join(project.as_str()));
            match self.to_trash(DeletedKind::Agent, id.as_str(), folder).await {
                Ok(moved) => acted.files = moved,
                Err(error) => {
                    tracing::warn!(agent_id = %id, %error, "a deleted agent's files could not be moved");
                    acted = acted.must_wait("local_files: they could not be removed now".to_owned());
                }
            }
            let edit = Edit::Remove { folder: name };
            if let Err(error) = self.agents.artifacts().edit(&Owner::from(project), &edit).await {
                tracing::warn!(agent_id = %id, %error, "other daemons still have the files of a deleted agent");
                acted.again = true;
            }
        }
        if acted.again {
            // Its state is what the next try needs.
            return acted;
        }
        self.remove_state(id, acted).await
    }

    /// Whether the agent's project builds, or has built, one anew: what lies in its folder is of that. A deletion may be
    /// done again for days, as long as a deployment cannot be taken back.
    async fn built_since(&self, project: &ProjectId, at: Timestamp) -> crate::backend::store::Result<bool> {
        let stages = self.store.stages(project).await?;
        Ok(stages.iter().any(|stage| stage.started_at.is_some_and(|started| started > at)))
    }

    /// An agent's state folder, and what is shared of it.
    pub(crate) async fn remove_state(&self, id: &AgentId, mut acted: Acted) -> Acted {
        let state = self.agents.data().agents().join(id.as_str());
        if let Err(error) = self.to_trash(DeletedKind::Agent, id.as_str(), state).await {
            tracing::warn!(agent_id = %id, %error, "a deleted agent's state folder could not be moved");
            acted = acted.must_wait("the agent's state folder could not be removed now".to_owned());
        }
        if let Err(error) = self.agents.artifacts().forget(&Owner::from(id)).await {
            tracing::warn!(agent_id = %id, %error, "shared files of a deleted agent could not be removed");
            acted.again = true;
        }
        acted
    }

    async fn to_trash(&self, kind: DeletedKind, id: &str, folder: PathBuf) -> io::Result<bool> {
        let (trash, id) = (self.agents.data().trash(), id.to_owned());
        blocking(move || trash::put(&trash, kind, &id, &folder)).await.flatten()
    }
}

impl Acted {
    fn must_wait(mut self, error: String) -> Self {
        self.errors.push(error);
        self.again = true;
        self
    }
}
