//! One build: takes the lease, walks the project through its workflow, stores every step.
//!
//! Messages in: see [`BuildMessage`]. Messages out: `StageMessage` to its stages. Supervised by
//! `dispatcher`; supervises its `stage` actors. It never waits in a handler: store calls are spawned
//! and come back as messages, one step in flight at a time.

pub mod attempt;
mod ending;
pub mod journal;
mod lost_lease;
pub mod progress;
pub mod stage;
mod steps;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use ractor::{Actor, ActorProcessingErr, ActorRef, MessagingErr, SupervisionEvent};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use self::{
    attempt::{Attempt, AttemptEnd, Interrupt, out_of_time},
    progress::Work,
    stage::{StageActor, StageArguments, StageMessage},
};
use super::{
    environment::Environment,
    in_flight::InFlight,
    lease::{Holding, LeaseNews},
};
use crate::domain::queue::Receive;
use crate::{
    backend::{
        error::BackendError,
        store::{BuildProgress, BuildStep, Claim, Continuation},
    },
    domain::{
        control::ControlAction,
        ids::{ProjectId, TaskId},
        time::Timestamp,
        workflow::Workflows,
    },
    telemetry::told,
};

/// How long after that until the build is handed back whatever they do.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

pub struct BuildActor;

/// Messages of a [`BuildActor`].
pub enum BuildMessage {
    /// The claim is answered (own call), by the workflows of that moment.
    Claimed(Result<Claim, BackendError>, Arc<Workflows>),
    /// An attempt ended (from its stage).
    StageEnded { index: usize, end: Box<AttemptEnd> },
    /// A step is stored, or not (own call).
    Stepped(Result<BuildProgress, BackendError>),
    /// The next attempt's number is stored, or not (own call).
    RetryStored {
        index: usize,
        /// Pause before it begins.
        pause: Duration,
        /// The new number.
        attempt: Result<u32, BackendError>,
    },
    /// The pause before an attempt is over (own timer).
    BeginAttempt(usize),
    /// A user's request that concerns this task (from the API through the dispatcher).
    Control(TaskId, ControlAction),
    /// The project is gone from the store (from the API through the dispatcher).
    Deleted,
    /// News of a heartbeat (from the lease keeper).
    Lease(LeaseNews),
    /// The limit of the whole build is reached (own timer).
    TotalTimeout,
    /// The daemon stops (from the dispatcher).
    Drain,
    /// The drain's grace is over (own timer).
    DrainOver,
    /// The drain's limit is over (own timer).
    HandBack,
}

/// What a [`BuildActor`] is started with.
pub struct BuildArguments {
    pub env: Arc<Environment>,
    pub in_flight: InFlight,
    /// The message's task, if it names one.
    pub task_id: Option<TaskId>,
    /// The message's project.
    pub project_id: ProjectId,
    /// What the message asks besides.
    pub asked: Continuation,
}

/// State of a [`BuildActor`]. Dropping it hands the message back (see [`InFlight`]) and ends the renewal.
pub struct BuildState {
    env: Arc<Environment>,
    project_id: ProjectId,
    /// The message's, then the claimed one.
    task_id: Option<TaskId>,
    in_flight: Option<InFlight>,
    _holding: Holding,
    work: Option<Work>,
    running: HashMap<usize, ActorRef<StageMessage>>,
    /// Stages between two attempts.
    resting: HashSet<usize>,
    /// They end with the build: the longest goes on for hours.
    timers: Vec<AbortOnDropHandle<Result<(), MessagingErr<BuildMessage>>>>,
    /// The step in flight and how often it was tried.
    step: Option<(BuildStep, u32)>,
    /// Set when the build is to end early.
    ending: Option<Interrupt>,
    /// Why it was given up, when `ending` is `Cancelled`.
    abandoned: Option<Abandon>,
    /// The limit of the whole build is reached.
    timed_out: bool,
}

/// Why a build is no longer ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Abandon {
    /// Its user ended it: the message goes.
    Withdrawn,
    /// Another may own it: the message, if it is still ours, comes again and is looked at anew.
    Lost,
}

type Handled = Result<(), ActorProcessingErr>;

impl Actor for BuildActor {
    type Msg = BuildMessage;
    type State = BuildState;
    type Arguments = BuildArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        arguments: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let BuildArguments { env, in_flight, task_id, project_id, asked } = arguments;
        let listener = myself.clone();
        let listener = Arc::new(move |news| {
            let _ = listener.cast(BuildMessage::Lease(news));
        });
        let holding = env.leases.hold(in_flight.receipt().clone(), listener);
        let claim = env.claim(task_id.clone(), project_id.clone(), asked);
        let (claiming, claimant) = (Arc::clone(&env), holding.claimant());
        tokio::spawn(async move {
            let workflows = claiming.workflows.load_full();
            let mut claimed = claiming.store.claim_build(claim, Arc::clone(&workflows)).await;
            // No stage begins before the files of those before it are here.
            if let Ok(Claim::Claimed(build)) = &claimed {
                claimant.leased(build.lease.clone());
                if let Err(error) = claiming.restore_files(&build.lease.project_id).await {
                    // Nothing was tried, so nothing counts.
                    let _ = claiming.store.release_lease(&build.lease, None).await;
                    claimed = Err(error);
                }
            }
            let _ = myself.cast(BuildMessage::Claimed(claimed, workflows));
        });
        Ok(BuildState {
            env,
            project_id,
            task_id,
            in_flight: Some(in_flight),
            _holding: holding,
            work: None,
            running: HashMap::new(),
            resting: HashSet::new(),
            timers: Vec::new(),
            step: None,
            ending: None,
            abandoned: None,
            timed_out: false,
        })
    }

    async fn handle(&self, myself: ActorRef<Self::Msg>, message: Self::Msg, state: &mut Self::State) -> Handled {
        // Boxed while it runs: the actor's own future has room, twice, for what is awaited here, and thousands
        // of builds wait at the same time.
        Box::pin(state.receive(&myself, message)).await
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Handled {
        match event {
            SupervisionEvent::ActorFailed(cell, error) => state.stage_failed(&myself, cell.get_id(), &error),
            // Its `StageEnded` says all there is to say.
            SupervisionEvent::ActorTerminated(..)
            | SupervisionEvent::ActorStarted(_)
            | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl BuildState {
    async fn receive(&mut self, myself: &ActorRef<BuildMessage>, message: BuildMessage) -> Handled {
        match message {
            BuildMessage::Claimed(claim, workflows) => self.claimed(myself, claim, &workflows).await?,
            BuildMessage::StageEnded { index, end } => self.stage_ended(myself, index, *end),
            BuildMessage::Stepped(result) => self.stepped(myself, result).await?,
            BuildMessage::RetryStored { index, pause, attempt } => self.retry_stored(myself, index, pause, attempt),
            BuildMessage::BeginAttempt(index) => {
                if self.resting.remove(&index) {
                    self.begin(myself, index).await?;
                }
            }
            BuildMessage::Control(task, ControlAction::Stop | ControlAction::Cancel) => self.withdrawn(myself, &task),
            BuildMessage::Deleted => self.abandon(myself, Abandon::Withdrawn),
            BuildMessage::Lease(LeaseNews::Lost) => self.lease_lost(myself),
            // The store holds the build at its next step.
            BuildMessage::Control(..) | BuildMessage::Lease(LeaseNews::Control(_)) => {}
            BuildMessage::TotalTimeout => {
                self.timed_out = true;
                self.interrupt(Interrupt::TotalTimeout);
                // Those that rest need not wait to be told.
                for index in &self.resting {
                    myself.cast(BuildMessage::BeginAttempt(*index))?;
                }
            }
            BuildMessage::Drain => self.drain(myself),
            BuildMessage::DrainOver => {
                self.interrupt(Interrupt::HandBack);
                self.after(myself, DRAIN_LIMIT, || BuildMessage::HandBack);
            }
            BuildMessage::HandBack => self.end_now(myself),
        }
        Ok(())
    }

    /// Sends itself a message later, unless the actor ends before.
    fn after<F>(&mut self, myself: &ActorRef<BuildMessage>, delay: Duration, message: F)
    where
        F: FnOnce() -> BuildMessage + Send + 'static,
    {
        self.timers.retain(|timer| !timer.is_finished());
        self.timers.push(AbortOnDropHandle::new(myself.send_after(delay, message)));
    }

    /// A late word about an earlier task must not end the build of the next.
    fn withdrawn(&mut self, myself: &ActorRef<BuildMessage>, task: &TaskId) {
        if self.task_id.as_ref().is_none_or(|own| own == task) {
            self.abandon(myself, Abandon::Withdrawn);
        }
    }

    async fn claimed(
        &mut self,
        myself: &ActorRef<BuildMessage>,
        claim: Result<Claim, BackendError>,
        workflows: &Workflows,
    ) -> Handled {
        match claim {
            Ok(Claim::Claimed(claimed)) => {
                let workflow = workflows.get(&claimed.project.workflow).cloned();
                let work = workflow.and_then(|workflow| Work::new(*claimed, workflow));
                let Some(work) = work else {
                    tracing::error!(project_id = %self.project_id, "the claimed stages are not those of the workflow");
                    self.fault(myself);
                    return Ok(());
                };
                self.task_id = Some(work.lease.task_id.clone());
                self.after(myself, work.time_left(), || BuildMessage::TotalTimeout);
                let begun = work.running();
                self.work = Some(work);
                if self.ending == Some(Interrupt::HandBack) {
                    self.hand_back(myself);
                } else if begun.is_empty() {
                    // All was done but the end, when the last owner went away.
                    self.advance(myself);
                } else {
                    for index in begun {
                        self.begin(myself, index).await?;
                    }
                }
            }
            Ok(Claim::Obsolete(why)) => {
                tracing::info!(project_id = %self.project_id, why, "a build message is obsolete");
                self.settle(myself);
            }
            Ok(Claim::Failed(error)) => {
                told::build_refused(&self.project_id, &error);
                self.settle(myself);
            }
            Ok(Claim::HeldUntil(until)) => {
                self.give_back(myself, until.since(Timestamp::now()), Receive::Uncounted);
            }
            Err(error) => {
                let error_chain = crate::backend::error::chain(&error);
                tracing::warn!(project_id = %self.project_id, error = error_chain, "a build could not be claimed");
                self.give_back(myself, Duration::from_secs(5), Receive::after(error.retryable()));
            }
        }
        Ok(())
    }

    /// Starts the current attempt of a stage.
    async fn begin(&mut self, myself: &ActorRef<BuildMessage>, index: usize) -> Handled {
        let Some(work) = &self.work else { return Ok(()) };
        if self.ending.is_some() {
            self.end_if_idle(myself);
            return Ok(());
        }
        if self.timed_out {
            let name = work.spec(index).map(|spec| spec.name.clone()).unwrap_or_default();
            let end = out_of_time(name, work.attempt(index));
            self.attempt_ended(myself, index, end);
            return Ok(());
        }
        let workspace = self.env.projects_dir.join(self.project_id.as_str());
        let Some(request) = work.request(index, workspace.clone()) else { return Ok(()) };
        let (interrupt, interrupted) = watch::channel(Interrupt::None);
        let attempt = Attempt {
            env: Arc::clone(&self.env),
            project_id: self.project_id.clone(),
            lease: work.lease.clone(),
            workflow: Arc::clone(&work.workflow),
            index,
            number: work.attempt(index),
            workspace,
            folder: Arc::clone(&work.folder),
            request: Some(Box::new(request)),
            interrupt: interrupted,
        };
        let arguments = StageArguments { attempt, interrupt, index, build: myself.clone() };
        let (stage, _) = StageActor::spawn_linked(None, StageActor, arguments, myself.get_cell()).await?;
        self.running.insert(index, stage);
        Ok(())
    }
}
