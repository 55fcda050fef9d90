//! The deployment behind a build, for those who watch the build: they are told `end` when the agent can be asked, or the
//! deployment failed. Bounded, since nobody may be there to deploy it.

use std::{future::Future, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use crate::api::state::AppState;
use crate::{
    backend::store::{PageRequest, Result, TaskFilter},
    domain::{
        ids::ProjectId,
        task::{Task, TaskStatus, TaskType},
    },
};

/// How long `end` waits for a deployment.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks, where no event tells of it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What is known of a project's newest deployment.
#[derive(Default)]
pub(crate) struct Deployment {
    task: Option<Task>,
    /// Set while it is waited for.
    until: Option<Instant>,
    look_again: Option<Instant>,
}

impl Deployment {
    async fn look(&mut self, state: &AppState, project: &ProjectId) -> Result<bool> {
        let filter = TaskFilter { project_id: Some(project.clone()), ..TaskFilter::default() };
        let page = PageRequest { page: 1, limit: 1, cursor: None };
        let tasks = state.store.list_tasks(&filter, &page).await?.items;
        // A deployment older than a build that has begun since tells nothing of that build.
        let newest = tasks.into_iter().next().filter(|task| task.task_type == TaskType::DeployAgent);
        let open = |task: &Task| matches!(task.status, TaskStatus::Pending | TaskStatus::Queued | TaskStatus::Running);
        self.task = newest;
        Ok(self.task.as_ref().is_some_and(open))
    }

    /// Whether it has not ended yet.
    pub(crate) async fn is_open(&mut self, state: &AppState, project: &ProjectId) -> Result<bool> {
        self.look(state, project).await
    }

    /// Whether it is to be waited for (some more).
    pub(crate) async fn awaited(&mut self, state: &AppState, project: &ProjectId) -> Result<bool> {
        let open = self.look(state, project).await?;
        let now = Instant::now();
        let until = *self.until.get_or_insert(now + LIMIT);
        self.look_again = (open && now < until).then(|| until.min(now + LOOK_AGAIN));
        Ok(self.look_again.is_some())
    }

    /// Resolves when it is to be looked at again; never when it is not waited for.
    pub(crate) fn look_again(&mut self) -> impl Future<Output = ()> + use<> {
        let at = self.look_again;
        async move {
            match at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Adds how it ended, or that it has not: the word of its task, or null when the build deployed nothing.
    pub(crate) fn tell(&self, fields: &mut Value) {
        let task = self.task.as_ref();
        fields["deployment"] = task.map_or(Value::Null, |task| task.status.as_str().into());
        fields["deploy_task_id"] = task.map_or(Value::Null, |task| task.task_id.as_str().into());
    }
}
