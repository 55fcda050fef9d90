//! The task that keeps one agent. It takes commands from the fleet, and alone starts, restarts and
//! stops the process. It never waits for a start (that is a task of its own), and for a stop no longer than the grace.

use std::{fs, io, sync::Arc, time::Duration};

use nexus_plugin_api::payload::{AgentRef, AgentState, Failure};
use nexus_sandbox::Ending;
use serde_json::Value;
use tokio::{
    select,
    sync::{Semaphore, mpsc, oneshot, watch},
    task::JoinSet,
    time::Instant,
};

use super::{
    Code, Command, End, View, Waiter,
    crashes::{CrashHistory, Verdict},
    start::{HOME_NAME, StartFault, Started, describe_exit, start, with_output},
    state::{Happening, Running, Starting, State},
    view::status,
};
use crate::{
    Settings,
    capacity::{Capacity, Resident},
    client::{Health, Place, ping},
    packages::Packages,
    process::{SOCKET_NAME, remove_logs},
};

/// Requests that wait for one start; more are refused.
const MAX_WAITERS: usize = 1024;
/// The longest that a process with older code is let answer.
const LONGEST_ANSWER: Duration = Duration::from_secs(900);
const BUSY_PING_PATIENCE: Duration = Duration::from_secs(1);

/// What all keepers share.
pub(crate) struct House {
    pub(crate) settings: Settings,
    pub(crate) capacity: Arc<Capacity>,
    /// For starts under way.
    pub(crate) start_slots: Semaphore,
    pub(crate) packages: Packages,
}

/// See the module.
pub(crate) struct Keeper {
    state: State,
    house: Arc<House>,
    agent: AgentRef,
    /// When that was told: what it holds for a time, such as a token, is so old.
    told_at: Instant,
    view: Arc<View>,
    commands: mpsc::Receiver<Command>,
    own: mpsc::WeakSender<Command>,
    crashes: CrashHistory,
    crash_count: u64,
    generation: u64,
    /// What the code is, as the last command saw it, and what it was when a start failed.
    code: Code,
    failed_with: Option<Code>,
    /// Processes with older code that still answer somebody.
    retired: JoinSet<()>,
}

impl Keeper {
    /// A keeper for an agent that does not run; [`Keeper::keep`] is its life.
    pub(crate) fn new(
        house: Arc<House>,
        agent: AgentRef,
        view: Arc<View>,
        commands: mpsc::Receiver<Command>,
        own: mpsc::WeakSender<Command>,
    ) -> Self {
        let crashes = CrashHistory::new(&house.settings);
        let (code, failed_with, retired) = (Code::default(), None, JoinSet::new());
        let (state, crash_count, generation) = (State::Idle, 0, 0);
        Self {
            state,
            house,
            agent,
            told_at: Instant::now(),
            view,
            commands,
            own,
            crashes,
            crash_count,
            generation,
            code,
            failed_with,
            retired,
        }
    }

    /// Ends after `Remove`, `ShutDown`, or when the fleet is gone.
    pub(crate) async fn keep(mut self) {
        let idle_stop = self.house.settings.idle_stop();
        loop {
            self.publish();
            let happening = select! {
                command = self.commands.recv() => match command {
                    Some(command) => {
                        if self.obey(command).await { continue }
                        return;
                    }
                    None => {
                        let _ = self.halt("stopped").await;
                        return;
                    }
                },
                happening = self.state.happening(&self.view.usage, idle_stop) => happening,
            };
            match happening {
                Happening::StartOver(outcome) => self.start_over(*outcome).await,
                Happening::Ended(how) => self.ended_by_itself(&how),
                Happening::Rested => self.rest_if_not_busy().await,
                Happening::Drained => self.replace("replaced by a later deployment").await,
                Happening::BackoffOver => {
                    if let State::Backoff { waiters, .. } = self.take_state() {
                        self.begin(waiters, true);
                    }
                }
            }
        }
    }

    /// `false`: the keeper's life is over.
    async fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Deploy { agent, code, waiter } => {
                (self.agent, self.told_at, self.code) = (*agent, Instant::now(), code);
                self.crashes.clear();
                let mut waiters = self.halt("deployed anew").await;
                waiters.push(waiter);
                self.begin(waiters, false);
            }
            Command::Acquire { agent, code, waiter } => {
                // A request that was on its way while the agent was deployed anew asks for what is gone.
                if agent.generation >= self.agent.generation {
                    (self.agent, self.told_at, self.code) = (*agent, Instant::now(), code);
                }
                if self.is_outdated() {
                    self.take_up_saved_code(waiter).await;
                } else {
                    self.acquire(waiter);
                }
            }
            Command::Unresponsive { generation } => self.unresponsive(generation).await,
            Command::Rest { reply } => {
                let gives_up = matches!(self.state, State::Running(_)) && self.view.usage.is_resting();
                if gives_up {
                    self.replace("stopped in favour of another agent").await;
                }
                let _ = reply.send(gives_up);
            }
            Command::Remove { agent, reply } => {
                self.agent = *agent;
                self.retire("undeployed").await;
                remove_traces(&self.agent).await;
                // Commands that came meanwhile are dropped unanswered; the fleet gives them to a new keeper.
                self.commands.close();
                let _ = reply.send(());
                return false;
            }
            Command::ShutDown { reply } => {
                self.retire("stopped with the daemon").await;
                let _ = reply.send(());
                return false;
            }
        }
        true
    }

    /// Whether what runs, or comes up, has read other code than there is now, or has a token that ends soon.
    fn is_outdated(&self) -> bool {
        match &self.state {
            State::Running(running) => {
                let renewed = running.started.renew_at.is_some_and(|at| at <= Instant::now());
                running.code != self.code || (renewed && self.agent.models.is_some())
            }
            State::Starting(starting) => starting.code != self.code,
            State::Failed { .. } => self.failed_with.is_some_and(|code| code != self.code),
            State::Idle | State::Backoff { .. } => false,
        }
    }

    /// Starts the agent with the code of now. The process before answers whom it is answering, and then ends.
    async fn take_up_saved_code(&mut self, waiter: Waiter) {
        // What crashed was the other code.
        self.crashes.clear();
        let mut waiters = match self.take_state() {
            State::Running(mut running) => {
                let waiters = std::mem::take(&mut running.replaced_for);
                self.retire_when_done(*running);
                waiters
            }
            state => {
                self.state = state;
                self.halt("replaced by code that was saved meanwhile").await
            }
        };
        waiters.push(waiter);
        self.begin(waiters, false);
    }

    fn retire_when_done(&mut self, running: Running) {
        let grace = self.house.settings.stop_grace();
        let Running { mut started, ended, talk: (share, mut talks), .. } = running;
        drop(share);
        while self.retired.try_join_next().is_some() {}
        self.retired.spawn(async move {
            select! {
                // Nobody sends anything: it ends when all who talk have gone.
                _ = talks.recv() => {}
                () = tokio::time::sleep(LONGEST_ANSWER) => {}
                status = started.process.ended() => {
                    ended.send_replace(Some(End::Crashed(describe_exit(&status))));
                    return;
                }
            }
            ended.send_replace(Some(End::Stopped("replaced by code that was saved meanwhile")));
            drop_process(started, grace).await;
        });
    }

    fn acquire(&mut self, waiter: Waiter) {
        let wanted = self.agent.generation;
        match &mut self.state {
            State::Running(running) if running.deployment < wanted => {
                if running.replaced_for.len() < MAX_WAITERS {
                    running.replaced_for.push(waiter);
                } else {
                    let _ =
                        waiter.send(Err(Failure::transient("too many requests wait for the agent's new deployment")));
                }
            }
            State::Running(running) => {
                let _ = waiter.send(Ok(running.lease(&self.view.usage)));
            }
            State::Starting(Starting { waiters, .. }) | State::Backoff { waiters, .. } => {
                if waiters.len() < MAX_WAITERS {
                    waiters.push(waiter);
                } else {
                    let _ = waiter.send(Err(Failure::transient("too many requests wait for the agent's start")));
                }
            }
            State::Failed { failure, retry_at } if Instant::now() < *retry_at => {
                let wait = retry_at.duration_since(Instant::now()).as_secs() + 1;
                let mut failure = failure.clone();
                failure.message = format!("{} (tried again after {wait} s at the earliest)", failure.message);
                let _ = waiter.send(Err(failure));
            }
            State::Idle | State::Failed { .. } => self.begin(vec![waiter], false),
        }
    }

    fn begin(&mut self, waiters: Vec<Waiter>, automatic: bool) {
        let (cancel, cancelled) = oneshot::channel();
        let resident = Resident { usage: Arc::clone(&self.view.usage), keeper: self.own.clone() };
        let task = tokio::spawn(start(Arc::clone(&self.house), self.agent.clone(), resident, cancelled));
        let deployment = self.agent.generation;
        self.state = State::Starting(Starting { cancel, task, waiters, code: self.code, deployment, automatic });
    }

    /// Ends what runs; when somebody waits for a later deployment, that is begun.
    async fn replace(&mut self, why: &'static str) {
        let waiters = self.halt(why).await;
        if !waiters.is_empty() {
            self.begin(waiters, false);
        }
    }

    async fn start_over(&mut self, outcome: Result<Started, StartFault>) {
        let State::Starting(Starting { waiters, automatic, code, deployment, .. }) = self.take_state() else { return };
        if deployment < self.agent.generation {
            // Deployed anew elsewhere while it came up: what came of it is of no use, nor is why nothing did.
            if let Ok(started) = outcome {
                drop_process(started, self.house.settings.stop_grace()).await;
            }
            return self.begin(waiters, automatic);
        }
        match outcome {
            Ok(mut started) => {
                // After a crash it has the token that the last request brought.
                let age = self.told_at.elapsed();
                started.renew_at = started.renew_at.map(|at| at.checked_sub(age).unwrap_or(at));
                self.generation += 1;
                self.view.usage.touch();
                let ended = watch::Sender::new(None);
                let running = Running {
                    started,
                    generation: self.generation,
                    deployment,
                    replaced_for: Vec::new(),
                    ended,
                    code,
                    talk: mpsc::channel(1),
                    busy_until: Instant::now(),
                };
                for waiter in waiters {
                    let _ = waiter.send(Ok(running.lease(&self.view.usage)));
                }
                self.state = State::Running(Box::new(running));
            }
            Err(fault) => {
                for waiter in waiters {
                    let _ = waiter.send(Err(fault.failure.clone()));
                }
                self.failed_with = Some(code);
                self.state = self.after_failed_start(fault, automatic);
            }
        }
    }

    fn after_failed_start(&mut self, fault: StartFault, automatic: bool) -> State {
        let now = Instant::now();
        let failure = fault.failure;
        if !fault.crashed {
            return State::Failed { failure, retry_at: now };
        }
        self.crash_count += 1;
        match self.crashes.record(now) {
            Verdict::Retry(wait) if automatic => {
                State::Backoff { until: now + wait, why: failure.message, waiters: Vec::new() }
            }
            Verdict::Retry(wait) => State::Failed { failure, retry_at: now + wait },
            Verdict::Spent(wait) => State::Failed { failure: too_often(failure), retry_at: now + wait },
        }
    }

    fn ended_by_itself(&mut self, how: &io::Result<Ending>) {
        if let State::Running(mut running) = self.take_state() {
            let waiters = std::mem::take(&mut running.replaced_for);
            self.crashed(&running, describe_exit(how));
            self.begin_for(waiters);
        }
    }

    async fn unresponsive(&mut self, generation: u64) {
        if !matches!(&self.state, State::Running(running) if running.generation == generation) {
            return;
        }
        if let State::Running(running) = self.take_state() {
            let Running { started, ended, replaced_for, .. } = *running;
            let _ = ended.send_replace(Some(End::Stopped("stopped because it did not answer any more")));
            let output = Arc::clone(&started.output);
            drop_process(started, Duration::ZERO).await;
            self.after_crash("it did not answer any more", &output);
            self.begin_for(replaced_for);
        }
    }

    /// A crash of what is replaced says nothing of what comes.
    fn begin_for(&mut self, waiters: Vec<Waiter>) {
        if !waiters.is_empty() {
            self.crashes.clear();
            self.begin(waiters, false);
        }
    }

    fn crashed(&mut self, running: &Running, how: String) {
        running.ended.send_replace(Some(End::Crashed(how.clone())));
        self.after_crash(&how, &running.started.output);
    }

    fn after_crash(&mut self, how: &str, output: &crate::process::Output) {
        self.crash_count += 1;
        let now = Instant::now();
        let why = format!("agent {} crashed: {how}", self.agent.agent_name);
        self.state = match self.crashes.record(now) {
            Verdict::Retry(wait) => State::Backoff { until: now + wait, why, waiters: Vec::new() },
            Verdict::Spent(wait) => {
                State::Failed { failure: too_often(with_output(Failure::transient(why), output)), retry_at: now + wait }
            }
        };
    }

    async fn rest_if_not_busy(&mut self) {
        let Some(idle_stop) = self.house.settings.idle_stop() else { return };
        if let State::Running(running) = &mut self.state
            && let Ok(Health::Busy) = ping(&running.started.address, BUSY_PING_PATIENCE).await
        {
            running.busy_until = Instant::now() + idle_stop;
            return;
        }
        if self.view.usage.is_resting() {
            self.replace("stopped for resting").await;
        }
    }

    async fn retire(&mut self, why: &'static str) {
        let name = self.agent.agent_name.clone();
        // Dropped with their tasks.
        self.retired.shutdown().await;
        for waiter in self.halt(why).await {
            let _ = waiter.send(Err(Failure::transient(format!("agent {name} was {why} while it was starting"))));
        }
        self.publish();
    }

    /// Ends whatever runs, returns who waited for it.
    async fn halt(&mut self, why: &'static str) -> Vec<Waiter> {
        let grace = self.house.settings.stop_grace();
        match self.take_state() {
            State::Idle | State::Failed { .. } => Vec::new(),
            State::Backoff { waiters, .. } => waiters,
            State::Starting(Starting { cancel, task, waiters, .. }) => {
                drop(cancel);
                if let Ok(Ok(started)) = task.await {
                    drop_process(started, grace).await;
                }
                waiters
            }
            State::Running(running) => {
                let Running { started, ended, replaced_for, .. } = *running;
                ended.send_replace(Some(End::Stopped(why)));
                drop_process(started, grace).await;
                replaced_for
            }
        }
    }

    fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Idle)
    }

    fn publish(&self) {
        let mut status = match &self.state {
            State::Idle => status(AgentState::Idle, "starts on first use"),
            State::Starting(_) => status(AgentState::Starting, "is being started"),
            State::Running(_) => status(AgentState::Running, "answers"),
            State::Backoff { why, .. } => status(AgentState::Starting, format!("{why}; is being restarted")),
            State::Failed { failure, .. } => status(AgentState::Error, failure.message.clone()),
        };
        let mut note = |name: &str, value: Value| status.details.insert(name.to_owned(), value);
        note("crashes", self.crash_count.into());
        note("starts", self.generation.into());
        if let State::Running(running) = &self.state {
            note("deployment", running.deployment.into());
            let (guards, weaker) = running.started.process.walls();
            note("pid", running.started.process.pid().into());
            match &running.started.address.place {
                Place::Port(port) => note("port", (*port).into()),
                socket @ Place::Socket(_) => note("socket", socket.to_string().into()),
            };
            note("guards", guards.into());
            if !weaker.is_empty() {
                note("without", weaker.into());
            }
            note("ready_ms", running.started.ready_ms.into());
            if let Some(model) = &running.started.model {
                note("model", model.as_str().into());
            }
            if let Some(why) = &running.started.degraded {
                note("degraded", (**why).into());
            }
        }
        self.view.set(status);
    }
}

async fn drop_process(started: Started, grace: Duration) {
    let Started { process, .. } = started;
    process.stop(grace).await;
}

fn too_often(mut failure: Failure) -> Failure {
    failure.message = format!("given up after too many crashes (crash_budget): {}", failure.message);
    failure
}

/// Removes what this plugin wrote into the state folder. The folder itself is the daemon's.
async fn remove_traces(agent: &AgentRef) {
    let folder = agent.state_dir.clone();
    let work = move || {
        let _ = remove_logs(&folder);
        let _ = nexus_sandbox::leftovers::remove(&folder.join(HOME_NAME));
        let _ = fs::remove_file(folder.join(SOCKET_NAME));
    };
    let _ = tokio::task::spawn_blocking(work).await;
}

/// The same for an agent that has no keeper.
pub(crate) async fn forget(agent: &AgentRef) {
    remove_traces(agent).await;
}
