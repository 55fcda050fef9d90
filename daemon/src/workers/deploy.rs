//! One deployment: takes the task's lease, asks the deploy handler, stores the outcome.
//!
//! Messages in: `Done` (own task). Supervised by `dispatcher`. The work is one straight task; the actor
//! is there so that the tree shows it and its end ends the job.

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use nexus_plugin_api::payload::{AgentRef, DeployResult, Operation};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle};

use super::{
    environment::Environment,
    lease::{Holding, LeaseNews},
    supervise::Finally,
};
use crate::domain::queue::Receive;
use crate::workers::{in_flight::InFlight, metrics as figures};
use crate::{
    backend::{
        error::{BackendErrorKind, chain},
        queue::DeployMessage,
        store::{Continuation, DeployClaim, DeployEnd},
    },
    domain::{
        agent::Agent,
        backoff::backoff,
        bounds,
        failure::{Failure, FailureKind},
        task::Lease,
        text::pathless,
        time::Timestamp,
    },
    jobs::{Counts, Late, Limit, Order, agent_ref, run_job, targets},
    telemetry::told::{self, HandlerLines},
};

/// Of one try; the visibility timeout of the deploy queue (SPEC section 2).
const LIMIT: Limit =
    Limit { time: Duration::from_secs(600), counts: Counts::FromRequest, late: Late::Awaited, told: "it took over" };
/// Tries of a deployment that fails for a passing reason.
const TRIES: u32 = 3;
/// First pause between them.
const PAUSE: Duration = Duration::from_secs(2);
/// Before a deployment comes again whose files could not be had.
const FILES_AWAY: Duration = Duration::from_secs(5);

pub struct DeployActor;

/// What a [`DeployActor`] is told.
pub enum DeployNews {
    /// The work is over.
    Done,
    /// The daemon stops, the lease is lost or the project deleted: give up at once.
    End,
}

/// What a [`DeployActor`] is started with.
pub struct DeployArguments {
    pub env: Arc<Environment>,
    pub in_flight: InFlight,
    /// Its content.
    pub message: DeployMessage,
}

/// State of a [`DeployActor`].
pub struct DeployState {
    end: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for DeployState {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Actor for DeployActor {
    type Msg = DeployNews;
    type State = DeployState;
    type Arguments = DeployArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let DeployArguments { env, in_flight, message } = arguments;
        let listener = myself.clone();
        let holding = env.leases.hold(
            in_flight.receipt().clone(),
            Arc::new(move |news| {
                if let LeaseNews::Lost = news {
                    let _ = listener.cast(DeployNews::End);
                }
            }),
        );
        let (end, ended) = watch::channel(false);
        let task = tokio::spawn(async move {
            // Whatever becomes of the task: an actor that stayed would keep its agent from being deployed again.
            let _done = Finally::new(move || drop(myself.cast(DeployNews::Done)));
            run(env, in_flight, message, holding, ended).await;
        });
        Ok(DeployState { end, task })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            DeployNews::Done => myself.stop(None),
            DeployNews::End => {
                state.end.send_replace(true);
            }
        }
        Ok(())
    }
}

async fn run(
    env: Arc<Environment>,
    in_flight: InFlight,
    message: DeployMessage,
    holding: Holding,
    mut ended: watch::Receiver<bool>,
) {
    let claim = env.claim(message.task_id.clone(), message.project_id.clone(), Continuation::default());
    let (lease, agent) = match env.store.claim_deploy(claim).await {
        Ok(DeployClaim::Claimed { lease, agent }) => (lease, agent),
        Ok(DeployClaim::Obsolete(why)) => {
            tracing::info!(agent_id = %message.agent_id, why, "a deploy message is obsolete");
            return in_flight.delete().await;
        }
        Ok(DeployClaim::HeldUntil(until)) => {
            return in_flight.release(until.since(Timestamp::now()), Receive::Uncounted).await;
        }
        Err(error) => {
            tracing::warn!(agent_id = %message.agent_id, %error, "a deployment could not be claimed");
            return in_flight.release(Duration::from_secs(5), Receive::after(error.retryable())).await;
        }
    };
    holding.claimant().leased(lease.clone());
    if let Err(error) = env.restore_files(&lease.project_id).await {
        tracing::warn!(agent_id = %agent.agent_id, error = chain(&error), "the files of an agent are not here");
        return give_back(&env, &lease, &agent, in_flight, FILES_AWAY).await;
    }
    let begun = Instant::now();
    let mut lines = HandlerLines::new(&agent.agent_id, "deploy");
    let (result, tries) = tokio::select! {
        result = deploy_with_retries(&env, &agent, &mut lines) => result,
        () = asked_to_end(&mut ended) => return give_back(&env, &lease, &agent, in_flight, Duration::ZERO).await,
    };
    let result = result.and_then(|done| {
        // The record could not be written, now or ever.
        let text = "the deploy handler's result is too large: what it wants back may have 64 KB";
        match bounds::is_too_large(&serde_json::to_value(&done).unwrap_or_default()) {
            true => Err(Failure::new(FailureKind::Plugin, text)),
            false => Ok(done),
        }
    });
    let told = result.clone();
    let lines: Vec<String> = lines.into_last().iter().map(|line| pathless(line)).collect();
    let result = result.map(|done| {
        let mut record = serde_json::to_value(done).unwrap_or_default();
        if let (Value::Object(record), false) = (&mut record, lines.is_empty()) {
            record.insert("log".to_owned(), lines.into());
        }
        record
    });
    // The record is for people elsewhere; the log has the whole of it.
    let result = result.map_err(|failure| Failure { message: pathless(&failure.message), ..failure });
    let receipt = Some(in_flight.receipt().clone());
    let outcome = if result.is_ok() { "completed" } else { "failed" };
    match env.store.finish_deploy(&lease, DeployEnd { agent_id: agent.agent_id.clone(), result, receipt }).await {
        Ok(()) => {
            figures::deploy_ended(outcome);
            let seconds = begun.elapsed().as_secs_f64();
            match &told {
                Ok(done) => told::agent_deployed(&agent, done.endpoint.as_deref(), seconds, tries),
                Err(failure) => told::deploy_failed(&agent, failure, seconds),
            }
            in_flight.delete().await;
        }
        Err(error) => {
            tracing::warn!(agent_id = %agent.agent_id, %error, "the end of a deployment could not be stored");
            if matches!(error.kind(), BackendErrorKind::Fenced | BackendErrorKind::NotFound) {
                undo_if_deleted(&env, &agent).await;
            }
            in_flight.release(Duration::from_secs(5), Receive::after(error.retryable())).await;
        }
    }
}

async fn asked_to_end(ended: &mut watch::Receiver<bool>) {
    // An error means that the actor is gone, and this task is about to be aborted.
    let _ = ended.wait_for(|ended| *ended).await;
}

async fn give_back(env: &Environment, lease: &Lease, agent: &Agent, in_flight: InFlight, delay: Duration) {
    figures::deploy_ended("handed_back");
    match env.store.release_lease(lease, Some(in_flight.receipt())).await {
        Ok(()) => {}
        Err(error) if error.kind() == BackendErrorKind::Fenced => undo_if_deleted(env, agent).await,
        Err(error) => tracing::warn!(%error, "a deploy lease could not be released; it expires by itself"),
    }
    in_flight.release(delay, Receive::Uncounted).await;
}

/// Whoever deleted the agent took it out of service before this deployment brought it up (again). What came
/// of that must not run on with no record by which anybody could end it.
async fn undo_if_deleted(env: &Environment, agent: &Agent) {
    match env.store.agent(&agent.agent_id).await {
        Ok(None) => {}
        Ok(Some(_)) => return,
        Err(error) => {
            return tracing::warn!(agent_id = %agent.agent_id, %error, "it could not be read whether the agent was deleted");
        }
    }
    tracing::info!(agent_id = %agent.agent_id, "the agent was deleted while it was deployed: the deployment is taken back");
    if let Err(failure) = env.agents.take_back(agent).await {
        tracing::warn!(agent_id = %agent.agent_id, error = %failure.message, "the deployment of a deleted agent could not be taken back");
    }
    env.deletions.taken_back(&agent.agent_id).await;
}

/// The outcome of the last try, and its number.
async fn deploy_with_retries(
    env: &Environment,
    agent: &Agent,
    lines: &mut HandlerLines,
) -> (Result<DeployResult, Failure>, u32) {
    let mut tries = 1;
    loop {
        match deploy(env, agent, lines).await {
            Err(failure) if failure.kind.retryable() && tries < TRIES => {
                told::deploy_retried(agent, tries, &failure);
                tokio::time::sleep(backoff(PAUSE, tries, rand::random())).await;
                tries += 1;
            }
            result => return (result, tries),
        }
    }
}

async fn deploy(env: &Environment, agent: &Agent, lines: &mut HandlerLines) -> Result<DeployResult, Failure> {
    let config = env.config.load_full();
    let handler = targets::handler_of(&config.deploy, &agent.deployment.target)?;
    let told = AgentRef { models: env.agents.models_of(agent), ..agent_ref::of(agent, &config.data) };
    tokio::fs::create_dir_all(&told.state_dir)
        .await
        .map_err(|e| Failure::new(FailureKind::Infrastructure, format!("the agent's state folder: {e}")))?;
    let order = Order { handler: &handler, operation: Operation::Deploy(told), limit: LIMIT };
    run_job(env.executor.as_ref(), order, lines, pending()).await
}
