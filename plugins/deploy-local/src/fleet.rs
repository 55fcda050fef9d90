//! All agents of this plugin: finds the keeper of an agent, or makes one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use nexus_plugin_api::payload::{AgentRef, AgentState, AgentStatus, Failure};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
};

use crate::{
    Settings,
    agent::{Code, Command, House, Keeper, Lease, View, forget, prepared, status},
    capacity::Capacity,
    packages::{Asker, Packages},
};

/// Commands that wait for one keeper; more wait at the sender.
const MAILBOX: usize = 64;
/// A keeper that ends just when it is asked is replaced; this often in a row it does not happen.
const TRIES: usize = 5;

/// See the module.
pub(crate) struct Fleet {
    house: Arc<House>,
    /// `None` once the fleet is shut down: nothing may start any more.
    keepers: Mutex<Option<HashMap<String, Entry>>>,
}

#[derive(Clone)]
struct Entry {
    commands: mpsc::Sender<Command>,
    view: Arc<View>,
}

impl Fleet {
    /// No agents yet. Must be called inside the runtime.
    pub(crate) fn new(settings: Settings) -> Result<Arc<Self>, Failure> {
        settings.validate()?;
        let capacity = Capacity::new(settings.max_agents);
        let start_slots = Semaphore::new(settings.max_starts);
        let packages = Packages::new(&settings.python, &settings.wheels);
        let house = Arc::new(House { settings, capacity, start_slots, packages });
        Ok(Arc::new(Self { house, keepers: Mutex::new(Some(HashMap::new())) }))
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.house.settings
    }

    /// Starts the agent anew and waits until it is ready.
    pub(crate) async fn deploy(&self, agent: &AgentRef) -> Result<Lease, Failure> {
        let code = look(agent).await;
        let deploy = |waiter| Command::Deploy { agent: Box::new(agent.clone()), code, waiter };
        self.ask(agent, deploy).await?
    }

    /// Has what the agent needs installed; `tell` hears how far that is. What cannot be had is told by the start.
    pub(crate) async fn prepare(&self, agent: &AgentRef, tell: impl FnMut(&str)) {
        let _ = prepared(&self.house, agent, Asker::Deployment, tell).await;
    }

    /// A running process of the agent; starts one if need be.
    pub(crate) async fn acquire(&self, agent: &AgentRef) -> Result<Lease, Failure> {
        let code = look(agent).await;
        let acquire = |waiter| Command::Acquire { agent: Box::new(agent.clone()), code, waiter };
        self.ask(agent, acquire).await?
    }

    /// Stops the agent and removes its traces; returns when both are done.
    pub(crate) async fn remove(&self, agent: &AgentRef) -> Result<(), Failure> {
        if self.existing(agent)?.is_none() {
            forget(agent).await;
            return Ok(());
        }
        self.ask(agent, |reply| Command::Remove { agent: Box::new(agent.clone()), reply }).await?;
        if let Some(keepers) = self.lock().as_mut()
            && keepers.get(&agent.agent_id).is_some_and(|entry| entry.commands.is_closed())
        {
            keepers.remove(&agent.agent_id);
        }
        Ok(())
    }

    /// Ends a process that does not answer any more, if it is still the one that is meant.
    pub(crate) async fn unresponsive(&self, agent: &AgentRef, generation: u64) {
        if let Ok(Some(entry)) = self.existing(agent) {
            let _ = entry.commands.send(Command::Unresponsive { generation }).await;
        }
    }

    /// How the agent is, without starting it or waiting for anything.
    pub(crate) fn status(&self, agent: &AgentRef) -> Result<AgentStatus, Failure> {
        let folder_exists = agent.agent_dir.is_dir();
        Ok(match self.existing(agent)? {
            Some(entry) => entry.view.status(),
            None if agent.details.is_empty() => status(AgentState::Offline, "is not deployed"),
            None if folder_exists => status(AgentState::Idle, "starts on first use"),
            None => status(AgentState::Error, "the agent's folder does not exist any more"),
        })
    }

    /// Stops all agents at once. Afterwards every request is refused.
    pub(crate) async fn shut_down(&self) {
        let keepers = self.lock().take().unwrap_or_default();
        let mut stops = JoinSet::new();
        for (_, entry) in keepers {
            stops.spawn(async move {
                let (reply, answer) = oneshot::channel();
                if entry.commands.send(Command::ShutDown { reply }).await.is_ok() {
                    let _ = answer.await;
                }
            });
        }
        while stops.join_next().await.is_some() {}
    }

    async fn ask<T>(&self, agent: &AgentRef, command: impl Fn(oneshot::Sender<T>) -> Command) -> Result<T, Failure> {
        for _ in 0..TRIES {
            let commands = self.keeper(agent)?;
            let (reply, answer) = oneshot::channel();
            if commands.send(command(reply)).await.is_ok()
                && let Ok(answer) = answer.await
            {
                return Ok(answer);
            }
            // The keeper ended before it came to this command: it was undeployed, or failed.
            commands.closed().await;
            self.discard(&agent.agent_id, &commands);
        }
        Err(Failure::transient(format!("agent {} is being removed again and again", agent.agent_name)))
    }

    fn keeper(&self, agent: &AgentRef) -> Result<mpsc::Sender<Command>, Failure> {
        let mut guard = self.lock();
        let keepers = guard.as_mut().ok_or_else(shut_down)?;
        if let Some(entry) = keepers.get(&agent.agent_id) {
            return Ok(entry.commands.clone());
        }
        let (commands, queue) = mpsc::channel(MAILBOX);
        let view = View::new();
        let keeper =
            Keeper::new(Arc::clone(&self.house), agent.clone(), Arc::clone(&view), queue, commands.downgrade());
        tokio::spawn(keeper.keep());
        keepers.insert(agent.agent_id.clone(), Entry { commands: commands.clone(), view });
        Ok(commands)
    }

    fn existing(&self, agent: &AgentRef) -> Result<Option<Entry>, Failure> {
        let guard = self.lock();
        let keepers = guard.as_ref().ok_or_else(shut_down)?;
        Ok(keepers.get(&agent.agent_id).filter(|entry| !entry.commands.is_closed()).cloned())
    }

    fn discard(&self, agent_id: &str, commands: &mpsc::Sender<Command>) {
        if let Some(keepers) = self.lock().as_mut()
            && keepers.get(agent_id).is_some_and(|entry| entry.commands.same_channel(commands))
        {
            keepers.remove(agent_id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<String, Entry>>> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the agent's code looks like before it is read by a process: a change after this is seen by the next look.
async fn look(agent: &AgentRef) -> Code {
    let folder = agent.agent_dir.clone();
    tokio::task::spawn_blocking(move || Code::of(&folder)).await.unwrap_or_default()
}

fn shut_down() -> Failure {
    Failure::transient("the plugin is shutting down")
}
