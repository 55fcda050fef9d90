//! Finds what nobody will come for, and puts it right: tasks written but never queued, leases that
//! ended without a word, dead letters whose projects do not know, rows past their time, folders of what was deleted.
//!
//! Messages in: `Round` (own timer), `Done` (own task). Supervised by `root`.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::Mutex;

use super::{culprit, environment::Environment, supervise::Finally};
use crate::backend::store::Repair;
use crate::workers::metrics as figures;
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        queue::subject,
        store::GivenUp,
    },
    deletion::retention::Retention,
    domain::{
        deletion::COMMITS_WITHIN,
        failure::{ErrorInfo, FailureKind},
        queue::QueueName,
        time::Timestamp,
    },
    telemetry::told,
};

/// Most things of a kind that one round puts right.
const LIMIT: usize = 256;
/// Rounds between two searches for old rows and folders of what was deleted.
const CLEAN_EVERY: u32 = 60;
/// Rounds between two looks at what others left half written.
const REPAIR_EVERY: u32 = 4;

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
    /// From when on deletions by other daemons are followed.
    followed: Arc<Mutex<Timestamp>>,
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
        // What was deleted before is looked for in the first round, folder by folder.
        let followed = Arc::new(Mutex::new(Timestamp::now().minus(COMMITS_WITHIN)));
        Ok(ReconcilerState { env, looking: false, round: 0, retention: Arc::default(), followed })
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
                let first = state.round == 0;
                let clean = state.round % CLEAN_EVERY == 0;
                let repair = match state.round % REPAIR_EVERY == 0 {
                    _ if clean => Some(Repair::ProjectsAndFigures),
                    true => Some(Repair::Projects),
                    false => None,
                };
                let work = Round { repair, clean, first };
                state.round = state.round.wrapping_add(1);
                let (env, retention) = (Arc::clone(&state.env), Arc::clone(&state.retention));
                let followed = Arc::clone(&state.followed);
                tokio::spawn(async move {
                    let _done = Finally::new(move || drop(myself.cast(ReconcilerMessage::Done)));
                    if let Err(error) = round(&env, work).await {
                        tracing::warn!(%error, "a round of the reconciler failed in part; the next one tries again");
                    }
                    if env.store.is_shared() {
                        follow(&env, &followed).await;
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

/// What one round does beside looking for tasks that were left behind.
struct Round {
    /// In a store that others write, too.
    repair: Option<Repair>,
    /// Removes what was deleted or is past its time.
    clean: bool,
    /// The first since the start: deletions that were cut off then are gone on with.
    first: bool,
}

async fn round(env: &Environment, work: Round) -> Result<(), BackendError> {
    let Round { repair, clean, first } = work;
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
    if env.works
        && let Some(extent) = repair
    {
        let rows = env.store.repair(Timestamp::now(), extent).await?;
        if rows > 0 {
            tracing::info!(rows, "half-written rows of other services were repaired");
        }
    }
    for queue in QueueName::ALL {
        figures::queue(queue, env.queue.depth(queue).await?);
    }
    figures::agents(&env.store.counts().await?.agents);
    figures::reconciler_looked(Timestamp::now());
    if clean {
        let rows = env.store.clean(env.config.load().store.event_retention_days.duration()).await?;
        let deletions = &env.deletions;
        let finished = deletions.replay(first).await?;
        let folders = deletions.sweep().await?;
        if rows > 0 || folders > 0 || finished > 0 {
            tracing::info!(rows, folders, deletions = finished, "cleaned away what was deleted or past its time");
        }
    }
    Ok(())
}

/// Ends here what other daemons have deleted.
async fn follow(env: &Environment, since: &Mutex<Timestamp>) {
    let mut since = since.lock().await;
    match env.deletions.follow(*since).await {
        Ok((_, next)) => *since = next,
        Err(error) => tracing::warn!(%error, "what other daemons deleted is not known now; it is looked for again"),
    }
}

/// Deletes what is past its time, where the settings say so.
async fn retain(env: &Environment, retention: &Retention) {
    let config = env.config.load_full();
    match retention.round(env.store.as_ref(), &env.deletions, &config).await {
        Ok(0) => {}
        Ok(deleted) => tracing::info!(deleted, "retention deleted what was past its time"),
        Err(error) => {
            tracing::warn!(%error, "retention could not delete everything that is past its time; it tries again")
        }
    }
}

async fn settle_letters(env: &Environment) -> Result<(), BackendError> {
    for queue in [QueueName::BuildDead, QueueName::DeployDead] {
        for letter in env.queue.unsettled_dead_letters(queue, LIMIT).await? {
            let reason = match subject(&letter.body) {
                (task, Some(project)) => culprit::reason_of(env, &letter, task.as_ref(), &project).await?,
                _ => ErrorInfo::outside(
                    FailureKind::Infrastructure,
                    format!(
                        "the task was given up and its message is in {queue} (`nexusd dlq list`): {}",
                        letter.reason
                    ),
                ),
            };
            match give_up(env, queue, &letter.body, reason.clone()).await {
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
            let (task, project) = subject(&letter.body);
            told::given_up(queue, project.as_ref(), task.as_ref(), &reason);
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
    reason: ErrorInfo,
) -> Result<Option<GivenUp>, BackendError> {
    let given_up = match subject(body) {
        (Some(task), project) => match env.store.fail_task(&task, reason.clone()).await {
            // The original's message may name a task that was never written.
            Err(error) if error.kind() == BackendErrorKind::NotFound && is_build(queue) => match project {
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
        Err(error) if error.kind() == BackendErrorKind::NotFound => Ok(Some(GivenUp::Spared)),
        given_up => given_up.map(Some),
    }
}

const fn is_build(queue: QueueName) -> bool {
    matches!(queue, QueueName::Build | QueueName::BuildDead)
}

/// Tells whom a message names that nobody can read: its build goes on with a message that can be, or says why not.
pub(crate) async fn tell_subject(env: &Environment, queue: QueueName, body: &str, reason: &str) {
    let reason =
        ErrorInfo::outside(FailureKind::Infrastructure, format!("a message of the task could not be read: {reason}"));
    if let Err(error) = give_up(env, queue, body, reason).await {
        tracing::warn!(%queue, %error, "a message that cannot be read could not be reported");
    }
}
