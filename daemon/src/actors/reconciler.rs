//! Finds what nobody will come for, and puts it right: tasks written but never queued, leases that
//! ended without a word, dead letters whose projects do not know, rows past their time, folders of what was deleted.
//!
//! Messages in: `Round` (own timer), `Done` (own task). Supervised by `root`.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::{culprit, environment::Environment, figures, supervise::Finally};
use crate::{
    deletion::Deletions,
    domain::{
        ids::{ProjectId, TaskId},
        time::Timestamp,
    },
    queue::{BuildMessage, DeployMessage, QueueName},
    retention::Retention,
    store::{GivenUp, StoreError, StoreErrorKind},
};

/// Most things of a kind that one round puts right.
const LIMIT: usize = 256;
/// Rounds between two searches for old rows and folders of what was deleted.
const CLEAN_EVERY: u32 = 60;

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
    retention: Arc<Retention>,
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
        Ok(ReconcilerState { env, looking: false, round: 0, retention: Arc::default() })
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
                let (clean, first) = (state.round % CLEAN_EVERY == 0, state.round == 0);
                state.round = state.round.wrapping_add(1);
                let (env, retention) = (Arc::clone(&state.env), Arc::clone(&state.retention));
                tokio::spawn(async move {
                    let _done = Finally::new(move || drop(myself.cast(ReconcilerMessage::Done)));
                    if let Err(error) = round(&env, clean, first).await {
                        tracing::warn!(%error, "the reconciler could not look everywhere; it tries again");
                    }
                    if clean || retention.is_unfinished() {
                        retain(&env, &retention).await;
                    }
                });
            }
            ReconcilerMessage::Done => state.looking = false,
        }
        Ok(())
    }
}

async fn round(env: &Environment, clean: bool, first: bool) -> Result<(), StoreError> {
    for task in env.store.stranded_tasks(Timestamp::now(), LIMIT).await? {
        tracing::warn!(task_id = %task.task_id, project_id = %task.project_id, status = %task.status, "a task was left behind; it is queued again");
        match env.store.requeue_task(&task.task_id).await {
            Ok(()) => figures::reconciled("stranded_task"),
            Err(error) if error.retryable() => return Err(error),
            // Deleted since.
            Err(error) => tracing::warn!(task_id = %task.task_id, %error, "a task could not be queued again"),
        }
    }
    for queue in [QueueName::BuildDead, QueueName::DeployDead] {
        for letter in env.queue.unsettled_dead_letters(queue, LIMIT).await? {
            if let Some((task, project)) = subject_of(queue, &letter.body) {
                let reason = culprit::reason_of(env, &letter, task.as_ref(), &project).await?;
                tracing::error!(%queue, project_id = %project, stage = reason.stage, "{}", reason.message);
                let given_up = match &task {
                    Some(task) => env.store.fail_task(task, reason).await,
                    None => env.store.fail_waiting(&project, reason).await,
                };
                // Of what was deleted nobody needs to be told.
                let given_up = match given_up {
                    Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(GivenUp::Spared),
                    given_up => given_up,
                };
                match given_up {
                    Ok(GivenUp::Ended) => {}
                    Ok(GivenUp::Spared) => {
                        tracing::warn!(%queue, project_id = %project, "a dead letter's task goes on or is gone; the letter is removed");
                        env.queue.discard_dead_letter(&letter).await?;
                        figures::reconciled("dead_letter");
                        continue;
                    }
                    // Away: the letter waits. Any other refusal is there the next time too, and a letter of
                    // which nobody can be told must not keep the round from all that comes after it.
                    Err(error) if error.retryable() => return Err(error),
                    Err(error) => tracing::warn!(project_id = %project, %error, "no task can be told of a dead letter"),
                }
            }
            tracing::warn!(%queue, reason = letter.reason, "a message became a dead letter");
            env.queue.settle_dead_letter(&letter.id).await?;
            figures::reconciled("dead_letter");
        }
    }
    for queue in QueueName::ALL {
        figures::queue(queue, env.queue.depth(queue).await?);
    }
    figures::agents(&env.store.counts().await?.agents);
    figures::reconciler_looked(Timestamp::now());
    if clean {
        let rows = env.store.clean(env.config.load().store.event_retention_days.duration()).await?;
        let deletions = Deletions::of(env);
        let finished = deletions.replay(first).await?;
        let folders = deletions.sweep().await?;
        if rows > 0 || folders > 0 || finished > 0 {
            tracing::info!(rows, folders, deletions = finished, "cleaned away what was deleted or past its time");
        }
    }
    Ok(())
}

/// Deletes what is past its time, where the settings say so.
async fn retain(env: &Environment, retention: &Retention) {
    let config = env.config.load_full();
    match retention.round(env.store.as_ref(), &Deletions::of(env), &config).await {
        Ok(0) => {}
        Ok(deleted) => tracing::info!(deleted, "retention deleted what was past its time"),
        Err(error) => {
            tracing::warn!(%error, "retention could not delete everything that is past its time; it tries again")
        }
    }
}

/// Whom a letter is of: its task, if it names one, and its project.
fn subject_of(queue: QueueName, body: &str) -> Option<(Option<TaskId>, ProjectId)> {
    if queue == QueueName::BuildDead {
        let message = BuildMessage::parse(body).ok()?;
        return Some((message.task_id, message.project_id));
    }
    // A deployment is nothing without its task.
    let message = DeployMessage::parse(body).ok()?;
    message.task_id.map(|task| (Some(task), message.project_id))
}
