//! Finds what nobody will come for, and puts it right: tasks written but never queued, leases that
//! ended without a word, dead letters whose projects do not know, rows and folders past their time.
//!
//! Messages in: `Round` (own timer), `Done` (own task). Supervised by `root`.

use std::{collections::HashSet, sync::Arc, time::Duration};

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::{environment::Environment, figures, supervise::Finally};
use crate::{
    domain::{
        failure::{ErrorInfo, FailureKind},
        ids::ProjectId,
        time::Timestamp,
    },
    queue::{QueueName, subject},
    store::{GivenUp, StoreError, StoreErrorKind},
};

/// Most things of a kind that one round puts right.
const LIMIT: usize = 256;
/// Rounds between two searches for old rows and orphaned folders.
const CLEAN_EVERY: u32 = 60;
/// Rounds between two looks at what others left half written.
const PUT_RIGHT_EVERY: u32 = 4;
/// A folder younger than this may belong to a project that is being written.
const FOLDER_AGE: Duration = Duration::from_secs(3600);

/// See the module.
pub struct Reconciler;

/// Messages of the [`Reconciler`].
pub enum ReconcilerMessage {
    /// Time to look.
    Round,
    /// A round is over.
    Done,
}

/// State of the [`Reconciler`].
pub struct ReconcilerState {
    env: Arc<Environment>,
    looking: bool,
    round: u32,
}

impl Actor for Reconciler {
    type Msg = ReconcilerMessage;
    type State = ReconcilerState;
    type Arguments = Arc<Environment>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        env: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        myself.send_interval(env.worker.reconcile_secs.duration(), || ReconcilerMessage::Round);
        myself.cast(ReconcilerMessage::Round)?;
        Ok(ReconcilerState { env, looking: false, round: 0 })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ReconcilerMessage::Round if state.looking || state.env.draining.is_cancelled() => {}
            ReconcilerMessage::Round => {
                state.looking = true;
                let clean = state.round % CLEAN_EVERY == 0;
                let put_right = clean || state.round % PUT_RIGHT_EVERY == 0;
                state.round = state.round.wrapping_add(1);
                let env = Arc::clone(&state.env);
                tokio::spawn(async move {
                    let _done = Finally::new(move || drop(myself.cast(ReconcilerMessage::Done)));
                    if let Err(error) = round(&env, clean, put_right).await {
                        tracing::warn!(%error, "the reconciler could not look everywhere; it tries again");
                    }
                });
            }
            ReconcilerMessage::Done => state.looking = false,
        }
        Ok(())
    }
}

async fn round(env: &Environment, clean: bool, put_right: bool) -> Result<(), StoreError> {
    // Without workers the daemon answers for its own messages only: what others left is for those who work on it.
    let tasks = match env.works {
        true => env.store.stranded_tasks(Timestamp::now(), LIMIT).await?,
        false => env.store.unsent_tasks(Timestamp::now(), LIMIT).await?,
    };
    for task in tasks {
        tracing::warn!(task_id = %task.task_id, project_id = %task.project_id, status = %task.status, "a task was left behind; it is queued again if its project waits for it");
        match env.store.requeue_task(&task.task_id).await {
            Ok(()) => figures::reconciled("stranded_task"),
            Err(error) if error.retryable() => return Err(error),
            // Deleted since.
            Err(error) => tracing::warn!(task_id = %task.task_id, %error, "a task could not be queued again"),
        }
    }
    if env.works {
        settle_letters(env).await?;
    }
    if env.works && put_right {
        let rows = env.store.put_right(Timestamp::now(), clean).await?;
        if rows > 0 {
            tracing::info!(rows, "rows that another left half written were put right");
        }
    }
    for queue in QueueName::ALL {
        figures::queue(queue, env.queue.depth(queue).await?);
    }
    figures::agents(&env.store.counts().await?.agents);
    if clean {
        let rows = env.store.clean(env.config.load().store.event_retention_days.duration()).await?;
        let folders = remove_orphaned_folders(env).await?;
        if rows > 0 || folders > 0 {
            tracing::info!(rows, folders, "cleaned away what was past its time");
        }
    }
    Ok(())
}

async fn settle_letters(env: &Environment) -> Result<(), StoreError> {
    for queue in [QueueName::BuildDead, QueueName::DeployDead] {
        for letter in env.queue.unsettled_dead_letters(queue, LIMIT).await? {
            let reason = format!("the task was given up and its message is in {queue}: {}", letter.reason);
            match give_up(env, queue, &letter.body, reason).await {
                Ok(None | Some(GivenUp::Ended)) => {}
                Ok(Some(GivenUp::Spared)) => {
                    tracing::warn!(%queue, body = letter.body, "a dead letter's task goes on or is gone; the letter is removed");
                    env.queue.discard_dead_letter(&letter).await?;
                    figures::reconciled("dead_letter");
                    continue;
                }
                // Away: the letter waits. Any other refusal is there the next time too, and a letter of
                // which nobody can be told must not keep the round from all that comes after it.
                Err(error) if error.retryable() => return Err(error),
                Err(error) => tracing::warn!(%queue, %error, "no task can be told of a dead letter"),
            }
            tracing::warn!(%queue, reason = letter.reason, "a message became a dead letter");
            env.queue.settle_dead_letter(&letter.id).await?;
            figures::reconciled("dead_letter");
        }
    }
    Ok(())
}

/// Gives up what a body is about, as far as it names it, whether it is a message or not. None: it names nothing.
async fn give_up(
    env: &Environment,
    queue: QueueName,
    body: &str,
    message: String,
) -> Result<Option<GivenUp>, StoreError> {
    let kind = FailureKind::Infrastructure;
    let reason = ErrorInfo { stage: None, kind, message, details: None, attempt: 0 };
    let given_up = match subject(body) {
        (Some(task), project) => match env.store.fail_task(&task, reason.clone()).await {
            // The original's message may name a task that was never written.
            Err(error) if error.kind() == StoreErrorKind::NotFound && is_build(queue) => match project {
                Some(project) => env.store.fail_waiting(&project, reason).await,
                None => Err(error),
            },
            given_up => given_up,
        },
        // A deployment is nothing without its task.
        (None, Some(project)) if is_build(queue) => env.store.fail_waiting(&project, reason).await,
        (None, _) => return Ok(None),
    };
    match given_up {
        // Of what was deleted nobody needs to be told.
        Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(Some(GivenUp::Spared)),
        given_up => given_up.map(Some),
    }
}

const fn is_build(queue: QueueName) -> bool {
    matches!(queue, QueueName::Build | QueueName::BuildDead)
}

/// Tells whom a message names that nobody can read: its build goes on with a message that can be, or says why not.
pub(super) async fn tell_subject(env: &Environment, queue: QueueName, body: &str, reason: &str) {
    let message = format!("a message of the task could not be read: {reason}");
    if let Err(error) = give_up(env, queue, body, message).await {
        tracing::warn!(%queue, %error, "nobody could be told of a message that cannot be read");
    }
}

/// Removes folders of projects that were deleted while something else held the files, or by a daemon
/// that was killed in between.
async fn remove_orphaned_folders(env: &Environment) -> Result<u64, StoreError> {
    let projects = env.projects_dir.clone();
    let candidates = tokio::task::spawn_blocking(move || old_folders(&projects)).await.unwrap_or_default();
    let mut removed = 0;
    for project in candidates {
        if env.store.project(&project).await?.is_some() {
            continue;
        }
        let folder = env.projects_dir.join(project.as_str());
        match tokio::fs::remove_dir_all(&folder).await {
            Ok(()) => removed += 1,
            Err(error) => tracing::warn!(%project, %error, "a folder without a project could not be removed"),
        }
    }
    Ok(removed)
}

fn old_folders(projects: &std::path::Path) -> HashSet<ProjectId> {
    let Ok(entries) = std::fs::read_dir(projects) else { return HashSet::new() };
    let old = |entry: &std::fs::DirEntry| {
        let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
        age.is_some_and(|age| age > FOLDER_AGE)
    };
    let id = |entry: std::fs::DirEntry| entry.file_name().to_str().and_then(|name| name.parse().ok());
    entries.flatten().filter(old).filter_map(id).collect()
}
