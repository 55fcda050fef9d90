//! Deleting projects, agents and conversations: for the API, for retention, and for whoever finishes what a crash cut
//! off. The store deletes and records in one unit; then, and only then, files move and deployments end, by that record.
//! What fails or is cut off is done again from the record ([`Deletions::replay`]), and every daemon looks for folders of
//! its own that a record names ([`Deletions::sweep`]).
//!
//! Folders go through the trash. What no record names is counted and told, and never touched.

mod act;
pub mod retention;

use std::{sync::Arc, time::Duration};

use crate::domain::deletion::ProjectAgents;
use crate::{
    backend::{
        data_folder::{self, Records as _, survey, trash},
        store::{DeletedAgent, DeletedProject, Result, Store},
    },
    domain::{
        deletion::{DeleteOrders, DeletedKind, Deletion},
        ids::{AgentId, ProjectId, SessionId},
        time::Timestamp,
    },
    jobs::DeployedAgents,
    telemetry::told,
};

/// Open deletions that one round looks at.
const LIMIT: usize = 1_000;
/// A deletion younger than this is most likely still being worked on by who asked for it.
const UNDER_WAY: Duration = Duration::from_secs(30);

/// Deletes, and does what belongs to it. Cheap to clone.
#[derive(Clone)]
pub struct Deletions {
    store: Arc<dyn Store>,
    agents: DeployedAgents,
}

/// What was done outside of the store for a deletion.
#[derive(Clone, Debug, Default)]
pub struct Acted {
    /// A deployment was taken back.
    pub undeployed: bool,
    /// An agent's files in its project's folder went.
    pub files: bool,
    /// What could not be done, for people. It is tried again, unless it can never succeed.
    pub errors: Vec<String>,
    /// Whether something is to be tried again.
    pub again: bool,
}

/// A project that was deleted.
#[derive(Clone, Debug)]
pub struct ProjectGone {
    /// What the store says.
    pub deleted: DeletedProject,
    /// What could not be done yet.
    pub errors: Vec<String>,
}

/// An agent that was deleted.
#[derive(Clone, Debug)]
pub struct AgentGone {
    /// What the store says.
    pub deleted: DeletedAgent,
    /// What was done beside.
    pub acted: Acted,
}

impl Deletions {
    /// Over this store, with this way to agents and folders.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, agents: DeployedAgents) -> Self {
        Self { store, agents }
    }

    /// Deletes a project, and its agents when they are not kept; those that stay keep their files. `committed` is called
    /// between the commit and all that follows it. `None` when there is no such project.
    ///
    /// # Errors
    /// The store refuses: nothing has changed, and no file has moved.
    pub async fn project(
        &self,
        id: &ProjectId,
        fate: ProjectAgents,
        committed: impl FnOnce(&DeletedProject) + Send,
    ) -> Result<Option<ProjectGone>> {
        let Some(deleted) = self.store.delete_project(id, fate).await? else { return Ok(None) };
        committed(&deleted);
        Ok(Some(self.project_gone(id, fate, deleted).await))
    }

    /// Deletes a project that is past its time, unless it was touched since. `None` when it was, or is gone.
    ///
    /// # Errors
    /// The store refuses: nothing has changed.
    pub async fn aged_project(&self, id: &ProjectId, before: Timestamp) -> Result<Option<ProjectGone>> {
        let Some(deleted) = self.store.expire_project(id, before).await? else { return Ok(None) };
        Ok(Some(self.project_gone(id, ProjectAgents::Keep, deleted).await))
    }

    /// What follows the commit.
    async fn project_gone(&self, id: &ProjectId, fate: ProjectAgents, deleted: DeletedProject) -> ProjectGone {
        told::project_deleted(id, deleted.agents.len(), fate);
        let mut errors = Vec::new();
        for agent in &deleted.agents {
            errors.extend(self.finish(DeletedKind::Agent, agent.agent_id.as_str()).await.errors);
        }
        errors.extend(self.finish(DeletedKind::Project, id.as_str()).await.errors);
        if deleted.open_task.is_some() {
            self.once_more(id).await;
        }
        ProjectGone { deleted, errors }
    }

    /// A stage that is just being cancelled may still write.
    async fn once_more(&self, id: &ProjectId) {
        for pause in [200, 1_000] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            if tokio::fs::try_exists(self.agents.data().projects().join(id.as_str())).await.unwrap_or(false) {
                self.finish(DeletedKind::Project, id.as_str()).await;
            }
        }
    }

    /// Deletes an agent with its conversations. `None` when there is no such agent.
    ///
    /// # Errors
    /// The store refuses: nothing has changed.
    pub async fn agent(&self, id: &AgentId, orders: DeleteOrders) -> Result<Option<AgentGone>> {
        let Some(deleted) = self.store.delete_agent(id, orders).await? else { return Ok(None) };
        told::agent_deleted(id, deleted.sessions);
        let acted = self.finish(DeletedKind::Agent, id.as_str()).await;
        Ok(Some(AgentGone { deleted, acted }))
    }

    /// A deployment of an agent that was deleted meanwhile has been taken back: its state folder goes, by the record.
    pub async fn taken_back(&self, id: &AgentId) {
        match self.store.deletion(DeletedKind::Agent, id.as_str()).await {
            Ok(Some(_)) => drop(self.remove_state(id, Acted::default()).await),
            Ok(None) => {}
            Err(error) => tracing::warn!(agent_id = %id, %error, "whether an agent was deleted is not known"),
        }
    }

    /// A build of a project was fenced off: when that is because the project was deleted, what the build saved since goes.
    pub async fn dropped(&self, id: &ProjectId) {
        match self.store.knows(DeletedKind::Project, id.as_str()).await {
            Ok(false) => drop(self.finish(DeletedKind::Project, id.as_str()).await),
            Ok(true) => {}
            Err(error) => {
                tracing::warn!(project_id = %id, %error, "it could not be read whether the project was deleted")
            }
        }
    }

    /// Deletes a conversation; answers how many messages went. `None` when there is no such session.
    ///
    /// # Errors
    /// The store refuses: nothing has changed.
    pub async fn session(&self, id: &SessionId) -> Result<Option<u64>> {
        self.store.delete_session(id).await
    }

    /// Deletes a conversation that is past its time, unless somebody went on with it.
    ///
    /// # Errors
    /// The store refuses: nothing has changed.
    pub async fn aged_session(&self, id: &SessionId, before: Timestamp) -> Result<Option<u64>> {
        self.store.expire_session(id, before).await
    }

    /// Does what a recorded deletion asks for. What goes wrong is told, and stays to be done.
    async fn finish(&self, kind: DeletedKind, id: &str) -> Acted {
        let failed = |error: &crate::backend::error::BackendError| {
            tracing::warn!(%kind, id, %error, "a deletion is recorded, but what it asks for must wait");
            let text = format!("{kind} {id}: what is left of it cannot be removed now; it will be later");
            Acted { errors: vec![text], again: true, ..Acted::default() }
        };
        let record = match self.store.deletion(kind, id).await {
            Ok(Some(record)) => record,
            Ok(None) => return Acted::default(),
            Err(error) => return failed(&error),
        };
        let mut acted = self.act(&record).await;
        if !acted.again
            && let Err(error) = self.store.settle_deletion(kind, id).await
        {
            // Done again later, which changes nothing.
            tracing::warn!(%kind, id, %error, "a finished deletion could not be marked as settled");
            acted.again = true;
        }
        acted
    }

    /// Finishes deletions that were cut off, or that something stood in the way of; answers how many. `at_start`: nobody
    /// is at work on any of them.
    ///
    /// # Errors
    /// The store cannot say.
    pub async fn replay(&self, at_start: bool) -> Result<u64> {
        let mut finished = 0;
        for record in self.store.open_deletions(LIMIT).await? {
            let young = Timestamp::now().since(record.deleted_at) < UNDER_WAY;
            if young && !at_start {
                continue;
            }
            if self.is_there(record.kind, &record.id).await? {
                // A thing of that id was made anew: what lies here is its own.
                self.store.settle_deletion(record.kind, &record.id).await?;
                continue;
            }
            if !self.finish(record.kind, &record.id).await.again {
                tracing::info!(kind = %record.kind, id = record.id, "a deletion that was cut off is finished");
                finished += 1;
            }
        }
        Ok(finished)
    }

    /// Does for what other daemons deleted lately what is to be done on this machine, where there is anything of it: agents
    /// that run here end, folders go. Answers how many, and the moment from which the next look begins.
    ///
    /// # Errors
    /// The store cannot say: the next look begins where this one did.
    pub async fn follow(&self, since: Timestamp) -> Result<(u64, Timestamp)> {
        let (begun, data, mut followed) = (Timestamp::now(), self.agents.data(), 0);
        for (kind, id) in self.store.deletions_since(since).await? {
            let folder = match kind {
                DeletedKind::Project => data.projects().join(&id),
                DeletedKind::Agent => data.agents().join(&id),
                DeletedKind::Session => continue,
            };
            if !tokio::fs::try_exists(&folder).await.unwrap_or(true) || self.is_there(kind, &id).await? {
                continue;
            }
            if let Some(record) = self.store.deletion(kind, &id).await?
                && !self.act(&record).await.again
            {
                tracing::info!(%kind, id, "local files of what another daemon deleted were removed");
                followed += 1;
            }
        }
        // A commit that is still under way has a time before it.
        Ok((followed, begun.minus(crate::domain::deletion::COMMITS_WITHIN)))
    }

    async fn is_there(&self, kind: DeletedKind, id: &str) -> Result<bool> {
        self.store.knows(kind, id).await
    }

    /// Looks at every folder of this daemon that the store does not know, and puts into the trash what a record says was
    /// deleted, wherever that was done; answers how many. The others are counted and left.
    ///
    /// # Errors
    /// The store cannot say.
    pub async fn sweep(&self) -> Result<u64> {
        let data = self.agents.data();
        let found = survey(self.store.as_ref(), &data).await?;
        let mut swept = 0;
        for record in &found.deleted {
            if self.still_deleted(record).await? && !self.act(record).await.again {
                swept += 1;
            }
        }
        data_folder::measure(&found);
        let (kept, trash) = (data.trash_days.duration(), data.trash());
        let emptied = tokio::task::spawn_blocking(move || trash::empty(&trash, kept)).await;
        match emptied {
            Ok(Ok(0)) => {}
            Ok(Ok(removed)) => tracing::info!(removed, "the trash was emptied of what was past its time"),
            Ok(Err(error)) => tracing::warn!(%error, "something in the trash cannot be removed"),
            Err(error) => tracing::warn!(%error, "the trash could not be emptied"),
        }
        Ok(swept)
    }

    /// The look at all folders takes a while.
    async fn still_deleted(&self, record: &Deletion) -> Result<bool> {
        Ok(!self.is_there(record.kind, &record.id).await?)
    }
}
