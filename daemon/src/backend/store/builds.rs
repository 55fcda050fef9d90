//! Builds, from the claim of a worker to the end, and the tasks that carry them.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    BuildProgress, BuildStep, Claim, ClaimBuild, GivenUp, LeaseState, ProjectDetail, Result, StageRetry, StrandedTask,
};
use crate::{
    backend::queue::Receipt,
    domain::{
        change::task as rules,
        failure::ErrorInfo,
        ids::{ProjectId, TaskId},
        task::{Lease, Task},
        time::Timestamp,
        workflow::Workflows,
    },
};

/// How much of a shared store is looked at for repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Projects that wait although they have ended.
    Projects,
    /// These, and builds that no figures have counted.
    ProjectsAndFigures,
}

/// A worker takes a build.
#[async_trait]
pub trait Claims: Send + Sync + 'static {
    /// Takes the lease of a build task and begins the stages that are ready, in one unit.
    ///
    /// What a former owner left `running` begins again. The project becomes `building`.
    async fn claim_build(&self, claim: ClaimBuild, workflows: Arc<Workflows>) -> Result<Claim>;
}

/// The steps of a build, under its lease.
#[async_trait]
pub trait Builds: Send + Sync + 'static {
    /// Ends stages and begins others, in one unit, under the lease. When the project's user asked for
    /// a pause, nothing begins, and once `still_running` is 0 the project is paused and the task ended.
    ///
    /// # Errors
    /// `BackendErrorKind::Fenced` when the lease is no longer held: drop everything about the build.
    async fn advance_build(&self, lease: &Lease, step: BuildStep) -> Result<BuildProgress>;

    /// Begins a further attempt of stages after a failure, under the lease; keeps the failure's text
    /// in the stage's log.
    ///
    /// # Errors
    /// `BackendErrorKind::Fenced` as above.
    async fn retry_stage(&self, lease: &Lease, retry: StageRetry) -> Result<u32>;
}

/// Tasks, and who holds them.
#[async_trait]
pub trait Leases: Send + Sync + 'static {
    async fn task(&self, id: &TaskId) -> Result<Option<Task>>;

    /// Extends leases; answers for each whether it is still held and what the user wants by now.
    async fn extend_leases(&self, leases: &[Lease], until: Timestamp) -> Result<Vec<LeaseState>>;

    /// Gives a lease back at once: the task is queued again and, on a backend that holds the queue
    /// too, its message visible at once. Stages that were running go back to pending.
    async fn release_lease(&self, lease: &Lease, receipt: Option<&Receipt>) -> Result<()>;

    /// Marks a task and its project failed although nobody holds its lease (dead letter, expired). A backend whose queue
    /// counts receives by itself spares a task that is worked on, or that made progress: then it is queued again.
    async fn fail_task(&self, task: &TaskId, reason: ErrorInfo) -> Result<GivenUp>;

    /// Marks a project failed that waits for a worker and whose message became a dead letter without naming a task, as
    /// the original's messages may. Nothing happens to a project that is worked on, or does not wait.
    async fn fail_waiting(&self, project: &ProjectId, reason: ErrorInfo) -> Result<GivenUp>;

    /// Writes the queue message of a stranded task (again).
    async fn requeue_task(&self, task: &TaskId) -> Result<()>;
}

/// What nobody would come for, unless somebody looks.
#[async_trait]
pub trait Reconciliation: Send + Sync + 'static {
    /// Tasks written but never queued, and leases that ended without a word, oldest first.
    async fn stranded_tasks(&self, now: Timestamp, limit: usize) -> Result<Vec<StrandedTask>>;

    /// Of these, those that a daemon wrote and whose message it could not send: what a daemon without workers answers for.
    async fn unsent_tasks(&self, now: Timestamp, limit: usize) -> Result<Vec<StrandedTask>> {
        let mut tasks = self.stranded_tasks(now, limit).await?;
        tasks.retain(|task| task.status == rules::UNSENT);
        Ok(tasks)
    }

    /// Repairs what services of another kind left in a shared store. Answers how many rows changed.
    async fn repair(&self, _now: Timestamp, _extent: Repair) -> Result<u64> {
        Ok(0)
    }

    /// A project as it stands, when none of our daemons works on it in a store that others write, too: they tell no events
    /// of what they do. `None` while there are events behind `last`, which tell what the rows say.
    async fn untold(&self, _id: &ProjectId, _last: u64) -> Result<Option<ProjectDetail>> {
        Ok(None)
    }
}
