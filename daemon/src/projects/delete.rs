//! A project goes, and what belongs to it.

use super::{ProjectError, Projects, Result};
use crate::domain::deletion::ProjectAgents;
use crate::{
    backend::store::DeletedProject,
    deletion::ProjectGone,
    domain::{caller::Caller, ids::ProjectId},
};

impl Projects {
    /// Deletes a project, and its agents when they are not kept. Runs to its end even when the caller goes away: half a deletion
    /// helps nobody.
    pub async fn delete(&self, _caller: &Caller, id: ProjectId, fate: ProjectAgents) -> Result<ProjectGone> {
        let this = self.clone();
        let whole = self.tasks.spawn(async move {
            let committed = |_: &DeletedProject| this.conductor.deleted(&id);
            let gone = this.deletions.project(&id, fate, committed).await?;
            gone.ok_or(ProjectError::Unknown(id))
        });
        whole.await?
    }
}
