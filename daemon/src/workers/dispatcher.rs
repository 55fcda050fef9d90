//! Turns messages into actors: one `build` actor per project, one `deploy` actor per agent.
//!
//! Messages in: `Job` (from the pollers), `Control` and `Forget` (from the API), `Drain`, `Running`.
//! Messages out: `BuildMessage`, `DeployNews`. Supervised by `root`; supervises all builds and deploys.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};

use super::{
    build::{BuildActor, BuildArguments, BuildMessage},
    deploy::{DeployActor, DeployArguments, DeployNews},
    environment::Environment,
    reconciler,
};
use crate::domain::queue::Receive;
use crate::workers::{in_flight::InFlight, metrics as figures};
use crate::{
    backend::queue::{BuildMessage as BuildBody, DeployMessage},
    domain::{
        control::ControlAction,
        ids::{AgentId, ProjectId, TaskId},
        queue::QueueName,
    },
};

/// Pause before a message comes again whose project is still worked on by an earlier one.
const BUSY: Duration = Duration::from_secs(1);

pub struct Dispatcher;

/// Messages of the [`Dispatcher`].
pub enum DispatcherMessage {
    /// A received message.
    Job(InFlight),
    /// A control request was applied to the stored project while this task was worked on.
    Control(ProjectId, TaskId, ControlAction),
    /// The project is gone from the store.
    Forget(ProjectId),
    /// The daemon stops: hand everything back. Answered when nothing new can begin any more.
    Drain(RpcReplyPort<()>),
    /// What runs now.
    Running(RpcReplyPort<Running>),
}

/// What runs below the dispatcher.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Running {
    /// Projects being built.
    pub builds: Vec<ProjectId>,
    /// Agents being deployed.
    pub deploys: Vec<AgentId>,
}

enum Child {
    Build(ProjectId),
    Deploy(AgentId),
}

/// State of the [`Dispatcher`].
pub struct DispatcherState {
    env: Arc<Environment>,
    builds: HashMap<ProjectId, ActorRef<BuildMessage>>,
    deploys: HashMap<AgentId, (ProjectId, ActorRef<DeployNews>)>,
    children: HashMap<ActorId, Child>,
    draining: bool,
}

impl Actor for Dispatcher {
    type Msg = DispatcherMessage;
    type State = DispatcherState;
    type Arguments = Arc<Environment>;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        env: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let (builds, deploys, children) = (HashMap::new(), HashMap::new(), HashMap::new());
        Ok(DispatcherState { env, builds, deploys, children, draining: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            DispatcherMessage::Job(in_flight) => state.job(&myself.get_cell(), in_flight).await,
            DispatcherMessage::Control(project, task, action) => {
                state.tell(&project, BuildMessage::Control(task, action));
            }
            DispatcherMessage::Forget(project) => {
                state.tell(&project, BuildMessage::Deleted);
                for (_, deploy) in state.deploys.values().filter(|(of, _)| *of == project) {
                    let _ = deploy.cast(DeployNews::End);
                }
            }
            DispatcherMessage::Drain(reply) => {
                state.draining = true;
                for build in state.builds.values() {
                    let _ = build.cast(BuildMessage::Drain);
                }
                for (_, deploy) in state.deploys.values() {
                    let _ = deploy.cast(DeployNews::End);
                }
                let _ = reply.send(());
            }
            DispatcherMessage::Running(reply) => {
                let builds = state.builds.keys().cloned().collect();
                let deploys = state.deploys.keys().cloned().collect();
                let _ = reply.send(Running { builds, deploys });
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(cell, ..) => state.ended(cell.get_id()),
            SupervisionEvent::ActorFailed(cell, error) => {
                // Its message is handed back by its `InFlight` and counts as received.
                tracing::error!(%error, "a build or deploy actor failed");
                figures::actor_failed("build");
                state.ended(cell.get_id());
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl DispatcherState {
    async fn job(&mut self, myself: &ActorCell, in_flight: InFlight) {
        if self.draining {
            self.env.tasks.spawn(in_flight.release(Duration::ZERO, Receive::Uncounted));
            return;
        }
        match in_flight.receipt().queue {
            QueueName::Build => match BuildBody::parse(in_flight.body()) {
                Ok(message) => self.build(myself, in_flight, message).await,
                Err(error) => self.poison(in_flight, error.to_string()),
            },
            QueueName::Deploy => match DeployMessage::parse(in_flight.body()) {
                Ok(message) => self.deploy(myself, in_flight, message).await,
                Err(error) => self.poison(in_flight, error.to_string()),
            },
            QueueName::BuildDead | QueueName::DeployDead => {
                self.poison(in_flight, "dead letters are not worked on".to_owned());
            }
        }
    }

    async fn build(&mut self, myself: &ActorCell, in_flight: InFlight, message: BuildBody) {
        let asked = message.asked();
        let project = message.project_id;
        if self.builds.contains_key(&project) {
            // Delivered twice, or restarted while the stopped build still ends.
            self.env.tasks.spawn(in_flight.release(BUSY, Receive::Uncounted));
            return;
        }
        let env = Arc::clone(&self.env);
        let (task_id, project_id) = (message.task_id, project.clone());
        let arguments = BuildArguments { env, in_flight, task_id, project_id, asked };
        match BuildActor::spawn_linked(None, BuildActor, arguments, myself.clone()).await {
            Ok((build, _)) => {
                self.children.insert(build.get_id(), Child::Build(project.clone()));
                self.builds.insert(project, build);
                figures::running(self.builds.len(), self.deploys.len());
            }
            // Its `InFlight` has handed the message back. All the other builds go on.
            Err(error) => tracing::error!(%project, %error, "a build actor did not start"),
        }
    }

    async fn deploy(&mut self, myself: &ActorCell, in_flight: InFlight, message: DeployMessage) {
        let (agent, project) = (message.agent_id.clone(), message.project_id.clone());
        if self.deploys.contains_key(&agent) {
            self.env.tasks.spawn(in_flight.release(BUSY, Receive::Uncounted));
            return;
        }
        let arguments = DeployArguments { env: Arc::clone(&self.env), in_flight, message };
        match DeployActor::spawn_linked(None, DeployActor, arguments, myself.clone()).await {
            Ok((deploy, _)) => {
                self.children.insert(deploy.get_id(), Child::Deploy(agent.clone()));
                self.deploys.insert(agent, (project, deploy));
                figures::running(self.builds.len(), self.deploys.len());
            }
            Err(error) => tracing::error!(%agent, %error, "a deploy actor did not start"),
        }
    }

    /// What a message says of itself although it is none: its task or project is told, so that nobody waits for it.
    fn poison(&self, in_flight: InFlight, reason: String) {
        tracing::warn!(reason, "a message cannot be read and goes to the dead letters");
        let env = Arc::clone(&self.env);
        self.env.tasks.spawn(async move {
            let (queue, body) = (in_flight.receipt().queue, in_flight.body().to_owned());
            in_flight.dead_letter(&reason).await;
            reconciler::tell_subject(&env, queue, &body, &reason).await;
        });
    }

    fn tell(&self, project: &ProjectId, message: BuildMessage) {
        if let Some(build) = self.builds.get(project) {
            let _ = build.cast(message);
        }
    }

    fn ended(&mut self, id: ActorId) {
        match self.children.remove(&id) {
            Some(Child::Build(project)) => {
                self.builds.remove(&project);
            }
            Some(Child::Deploy(agent)) => {
                self.deploys.remove(&agent);
            }
            None => {}
        }
        figures::running(self.builds.len(), self.deploys.len());
    }
}
