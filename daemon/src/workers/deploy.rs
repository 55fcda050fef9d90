//! One deployment: takes the task's lease, asks the deploy handler, stores the outcome.
//!
//! Messages in: `Done` (own task). Supervised by `dispatcher`. The work is one straight task; the actor
//! is there so that the tree shows it and its end ends the job.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nexus_plugin_api::payload::{DeployResult, Event, HandlerKind, Operation};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle};

use super::{
    environment::Environment,
    lease::{Holding, LeaseNews},
    supervise::{Finally, backoff},
};
use crate::workers::{in_flight::Ticket, metrics as figures};
use crate::{
    agents::place,
    backend::{
        error::{BackendErrorKind, chain},
        queue::DeployMessage,
        store::{Continuation, DeployClaim, DeployEnd},
    },
    domain::{
        agent::Agent,
        bounds,
        failure::{Failure, FailureKind},
        task::Lease,
        text::pathless,
        time::Timestamp,
    },
    telemetry::told::{self, HandlerLines},
};

/// Limit of one try; the visibility timeout of the deploy queue (SPEC section 2).
const LIMIT: Duration = Duration::from_secs(600);
/// Tries of a deployment that fails for a passing reason.
const TRIES: u32 = 3;
/// First pause between them.
const PAUSE: Duration = Duration::from_secs(2);
/// Before a deployment comes again whose files could not be had.
const FILES_AWAY: Duration = Duration::from_secs(5);
/// Limit of taking back what was deployed for an agent that is gone.
const UNDO_LIMIT: Duration = Duration::from_secs(20);

/// See the module.
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
    /// Shared.
    pub env: Arc<Environment>,
    /// The message.
    pub ticket: Ticket,
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
        let DeployArguments { env, ticket, message } = arguments;
        let listener = myself.clone();
        let holding = env.leases.hold(
            ticket.receipt().clone(),
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
            run(env, ticket, message, holding, ended).await;
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
    ticket: Ticket,
    message: DeployMessage,
    holding: Holding,
    mut ended: watch::Receiver<bool>,
) {
    let claim = env.claim(message.task_id.clone(), message.project_id.clone(), Continuation::default());
    let (lease, agent) = match env.store.claim_deploy(claim).await {
        Ok(DeployClaim::Claimed { lease, agent }) => (lease, agent),
        Ok(DeployClaim::Obsolete(why)) => {
            tracing::info!(agent_id = %message.agent_id, why, "a deploy message is of no use any more");
            return ticket.delete().await;
        }
        Ok(DeployClaim::HeldUntil(until)) => return ticket.release(until.since(Timestamp::now()), true).await,
        Err(error) => {
            tracing::warn!(agent_id = %message.agent_id, %error, "a deployment could not be claimed");
            return ticket.release(Duration::from_secs(5), error.retryable()).await;
        }
    };
    holding.claimant().leased(lease.clone());
    if let Err(error) = env.restore_files(&lease.project_id).await {
        tracing::warn!(agent_id = %agent.agent_id, error = chain(&error), "the files of an agent are not here");
        return give_back(&env, &lease, &agent, ticket, FILES_AWAY).await;
    }
    let begun = Instant::now();
    let mut lines = HandlerLines::new(&agent.agent_id, "deploy");
    let (result, tries) = tokio::select! {
        result = deploy_with_retries(&env, &agent, &mut lines) => result,
        () = asked_to_end(&mut ended) => return give_back(&env, &lease, &agent, ticket, Duration::ZERO).await,
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
    let receipt = Some(ticket.receipt().clone());
    let outcome = if result.is_ok() { "completed" } else { "failed" };
    match env.store.finish_deploy(&lease, DeployEnd { agent_id: agent.agent_id.clone(), result, receipt }).await {
        Ok(()) => {
            figures::deploy_ended(outcome);
            let seconds = begun.elapsed().as_secs_f64();
            match &told {
                Ok(done) => told::agent_deployed(&agent, done.endpoint.as_deref(), seconds, tries),
                Err(failure) => told::deploy_failed(&agent, failure, seconds),
            }
            ticket.delete().await;
        }
        Err(error) => {
            tracing::warn!(agent_id = %agent.agent_id, %error, "the end of a deployment could not be stored");
            if matches!(error.kind(), BackendErrorKind::Fenced | BackendErrorKind::NotFound) {
                undo_if_deleted(&env, &agent).await;
            }
            ticket.release(Duration::from_secs(5), error.retryable()).await;
        }
    }
}

async fn asked_to_end(ended: &mut watch::Receiver<bool>) {
    // An error means that the actor is gone, and this task is about to be aborted.
    let _ = ended.wait_for(|ended| *ended).await;
}

async fn give_back(env: &Environment, lease: &Lease, agent: &Agent, ticket: Ticket, delay: Duration) {
    figures::deploy_ended("handed_back");
    match env.store.release_lease(lease, Some(ticket.receipt())).await {
        Ok(()) => {}
        Err(error) if error.kind() == BackendErrorKind::Fenced => undo_if_deleted(env, agent).await,
        Err(error) => tracing::warn!(%error, "a deploy lease could not be given back; it ends by itself"),
    }
    ticket.release(delay, true).await;
}

/// Whoever deleted the agent took it out of service before this deployment brought it up (again). What came
/// of that must not run on with no record by which anybody could end it.
async fn undo_if_deleted(env: &Environment, agent: &Agent) {
    match env.store.agent(&agent.agent_id).await {
        Ok(None) => {}
        Ok(Some(_)) => return,
        Err(error) => {
            return tracing::warn!(agent_id = %agent.agent_id, %error, "whether an agent is gone is not known");
        }
    }
    tracing::info!(agent_id = %agent.agent_id, "the agent was deleted while it was deployed: the deployment is taken back");
    let told = place::agent_ref(agent, &env.config.load().data);
    let mut lines = HandlerLines::new(&agent.agent_id, "undeploy");
    let undone =
        async { run_job(env, &handler_of(env, agent)?, Operation::Undeploy(told), UNDO_LIMIT, &mut lines).await };
    if let Err(failure) = undone.await {
        tracing::warn!(agent_id = %agent.agent_id, error = %failure.message, "the deployment of a deleted agent is left");
    }
    env.deletions().taken_back(&agent.agent_id).await;
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
    let handler = handler_of(env, agent)?;
    let agent_ref = place::agent_ref(agent, &env.config.load().data);
    tokio::fs::create_dir_all(&agent_ref.state_dir)
        .await
        .map_err(|e| Failure::new(FailureKind::Infrastructure, format!("the agent's state folder: {e}")))?;
    let value = run_job(env, &handler, Operation::Deploy(agent_ref), LIMIT, lines).await?;
    serde_json::from_value(value)
        .map_err(|e| Failure::new(FailureKind::Plugin, format!("the plugin's deploy result is not understood: {e}")))
}

fn handler_of(env: &Environment, agent: &Agent) -> Result<String, Failure> {
    let config = env.config.load();
    let targets = &config.deploy.targets;
    targets.get(&agent.deployment_type).cloned().ok_or_else(|| {
        let known: Vec<&str> = targets.keys().map(String::as_str).collect();
        let message =
            format!("no deploy target is named {:?}; configured are: {}", agent.deployment_type, known.join(", "));
        Failure::new(FailureKind::Permanent, message)
    })
}

/// Runs a job to its end. One that is late is cancelled and its end awaited, which the host bounds, so that
/// the next try does not meet it.
async fn run_job(
    env: &Environment,
    handler: &str,
    operation: Operation,
    limit: Duration,
    lines: &mut HandlerLines,
) -> Result<Value, Failure> {
    let late = || Failure::new(FailureKind::Timeout, format!("it took over {} s", limit.as_secs()));
    let deadline = tokio::time::sleep(limit);
    tokio::pin!(deadline);
    let mut job = tokio::select! {
        job = env.executor.start(handler, HandlerKind::Deploy, operation) => job?,
        () = &mut deadline => return Err(late()),
    };
    let mut cancelled = false;
    loop {
        tokio::select! {
            event = job.next_event() => match event {
                Some(Event::Log { level, message }) => lines.tell(level, &message),
                Some(_) => {}
                None => break,
            },
            () = &mut deadline, if !cancelled => {
                cancelled = true;
                job.cancel();
            }
        }
    }
    match job.outcome().await {
        Err(_) if cancelled => Err(late()),
        result => result,
    }
}
