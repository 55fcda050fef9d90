//! One attempt to bring an agent up.

use std::{fs, io, net::TcpListener, sync::Arc, time::Duration};

use nexus_deploy::{Entrypoint, verify_recorded};
use nexus_plugin_api::payload::{AgentRef, Failure};
use nexus_sandbox::{Ending, Interpreter, SandboxError};
use tokio::{select, sync::oneshot, time::Instant};

use super::{
    House,
    ready::{NotReady, Whereabouts, ready},
};
use crate::{
    capacity::{Place, Resident},
    client::{self, Address},
    model::{Planning, Run, gate_variables, plan},
    packages::Asker,
    process::{Output, Process, environment, sandbox},
};

/// The agent's own `HOME` inside its state folder.
pub(crate) const HOME_NAME: &str = "home";
/// What an agent gets at least that loads a large library first, on a busy machine.
const HEAVY_START: Duration = Duration::from_secs(60);

/// A process that answers.
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) address: Address,
    pub(crate) ready_ms: u64,
    pub(crate) output: Arc<Output>,
    /// The name of the model that it asks.
    pub(crate) model: Option<String>,
    /// When its token for that is half over.
    pub(crate) renew_at: Option<Instant>,
    /// Why it goes without a model that it wants.
    pub(crate) degraded: Option<Arc<str>>,
    _place: Place,
}

/// Why there is none.
pub(crate) struct StartFault {
    pub(crate) failure: Failure,
    /// Whether a process was started: then trying again at once would be a loop.
    pub(crate) crashed: bool,
}

/// Starts the agent. When `cancel` fires or its sender is dropped, what was started is ended first.
pub(crate) async fn start(
    house: Arc<House>,
    agent: AgentRef,
    resident: Resident,
    cancel: oneshot::Receiver<()>,
) -> Result<Started, StartFault> {
    let mut slot = None;
    match (attempt(&house, &agent, resident, cancel, &mut slot).await, slot) {
        (Ok((address, ready_ms, output, run, place)), Some(process)) => {
            let degraded = run.degraded.map(Into::into);
            let renew_at = run.access.and_then(|access| access.renew_at);
            Ok(Started { process, address, ready_ms, output, model: run.alias, renew_at, degraded, _place: place })
        }
        (Err(fault), process) => {
            if let Some(process) = process {
                Process::stop(process, Duration::ZERO).await;
            }
            Err(fault)
        }
        (Ok(_), None) => Err(StartFault { failure: Failure::transient("the process is gone"), crashed: true }),
    }
}

type Ready = (Address, u64, Arc<Output>, Run, Place);

async fn attempt(
    house: &House,
    agent: &AgentRef,
    resident: Resident,
    mut cancel: oneshot::Receiver<()>,
    slot: &mut Option<Process>,
) -> Result<Ready, StartFault> {
    let quiet = |failure| StartFault { failure, crashed: false };
    let called_off = || quiet(Failure::transient("the start was called off"));
    let settings = &house.settings;
    let entrypoint = entrypoint(house, agent).await.map_err(quiet)?;
    let run = select! {
        run = planned(house, agent, &entrypoint, Asker::Question, |_| {}) => run.map_err(quiet)?,
        _ = &mut cancel => return Err(called_off()),
    };
    let program = run.python.as_deref().unwrap_or(&entrypoint.program);
    let cannot = |error| quiet(cannot_spawn(agent, program, error));
    let python = Interpreter::find(program)
        .await
        .map_err(|source| cannot(SandboxError::Program { program: program.into(), source }))?;
    let place = select! {
        place = house.capacity.take(resident, settings.ready_timeout()) => place.map_err(quiet)?,
        _ = &mut cancel => return Err(called_off()),
    };
    // Many starts at once make each of them too late.
    let _slot = select! {
        slot = house.start_slots.acquire() => slot.map_err(|e| quiet(Failure::transient(e.to_string())))?,
        _ = &mut cancel => return Err(called_off()),
    };
    let begin = Instant::now();
    let least = if run.is_heavy() { HEAVY_START } else { Duration::ZERO };
    let deadline = begin + settings.ready_timeout().max(least);
    let mut reserved = None;
    loop {
        let output = Arc::new(Output::new(&agent.state_dir, settings));
        let token: Arc<str> = nexus_sandbox::token().map_err(|e| quiet(Failure::transient(e.to_string())))?.into();
        let home = agent.state_dir.join(HOME_NAME);
        let mut variables = environment(settings, &agent.config, &home, reserved.unwrap_or(0)).map_err(quiet)?;
        if let Some(access) = &run.access {
            gate_variables(&mut variables, access);
        }
        variables.push(("AGENT_TOKEN".into(), token.to_string().into()));
        let mut walls = sandbox(settings, &entrypoint, python.clone(), &agent.agent_dir, &home, reserved, variables);
        walls.connect.extend(run.access.as_ref().map(|access| access.port));
        let whereabouts = match (&walls.socket, reserved) {
            (Some(socket), _) => Whereabouts::Handed(client::Place::Socket(Arc::new(socket.clone()))),
            (None, Some(_)) => Whereabouts::Reserved,
            (None, None) => Whereabouts::Told,
        };
        let process = slot.insert(Process::spawn(&walls, &output).await.map_err(cannot)?);
        let outcome = select! {
            outcome = ready(process, &output, &whereabouts, &token, deadline) => outcome,
            _ = &mut cancel => return Err(called_off()),
        };
        match outcome {
            Ok(address) => {
                let ready_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
                return Ok((address, ready_ms, output, run, place));
            }
            // An agent that cannot take port 0 says something about ports; one more try with a real one.
            // Between the reservation and the agent's bind another program may take the port: hence not the first way.
            Err(NotReady::Ended(_)) if matches!(whereabouts, Whereabouts::Told) && speaks_of_ports(&output.tail()) => {
                reserved = reserve_port();
                if reserved.is_none() {
                    return Err(quiet(Failure::transient("no free loopback port")));
                }
            }
            Err(why) => return Err(StartFault { failure: not_ready(house, agent, &why, &output), crashed: true }),
        }
    }
}

/// With what the agent would be started now; what that takes is installed.
pub(crate) async fn prepared(
    house: &House,
    agent: &AgentRef,
    asker: Asker,
    tell: impl FnMut(&str),
) -> Result<Run, Failure> {
    let entrypoint = entrypoint(house, agent).await?;
    planned(house, agent, &entrypoint, asker, tell).await
}

async fn planned(
    house: &House,
    agent: &AgentRef,
    entrypoint: &Entrypoint,
    asker: Asker,
    tell: impl FnMut(&str),
) -> Result<Run, Failure> {
    let House { settings, packages, .. } = house;
    let variables = environment(settings, &agent.config, &agent.state_dir.join(HOME_NAME), 0)?;
    plan(Planning { settings, packages, agent, entrypoint, variables: &variables }, asker, tell).await
}

async fn entrypoint(house: &House, agent: &AgentRef) -> Result<Entrypoint, Failure> {
    let (folder, python, config) = (agent.agent_dir.clone(), house.settings.python.clone(), agent.config.clone());
    let home = agent.state_dir.join(HOME_NAME);
    let (files, name) = (agent.files.clone(), agent.agent_name.clone());
    let work = move || {
        // What nobody wrote is not run, not even inside the walls.
        verify_recorded(&name, &folder, &files)?;
        let entrypoint = Entrypoint::of_folder(&folder, &python, &config)?;
        fs::create_dir_all(&home).map_err(|e| Failure::transient(format!("cannot make {}: {e}", home.display())))?;
        Ok(entrypoint)
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(Failure::transient(e.to_string())))
}

fn cannot_spawn(agent: &AgentRef, python: &str, error: SandboxError) -> Failure {
    let name = &agent.agent_name;
    match &error {
        // Trying again changes nothing before the operator does.
        SandboxError::Weak { .. } | SandboxError::NoBubblewrap | SandboxError::NoNamespaces | SandboxError::NoStage => {
            return Failure::permanent(format!("agent {name} is not started: {error}"));
        }
        SandboxError::Policy { .. } => return Failure::invalid_input(format!("agent {name} is not started: {error}")),
        _ => {}
    }
    let text = format!("agent {name} cannot be started with {python:?}: {error}");
    match error.into_io().kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            Failure::permanent(format!("{text}; set `python` in [plugins.deploy-local]"))
        }
        _ => Failure::transient(text),
    }
}

fn not_ready(house: &House, agent: &AgentRef, why: &NotReady, output: &Output) -> Failure {
    let name = &agent.agent_name;
    let failure = match why {
        NotReady::Ended(ending) => {
            Failure::permanent(format!("agent {name} crashed while starting: {}", describe_exit(ending)))
        }
        NotReady::Late(seen) => Failure::transient(format!(
            "agent {name} was not ready within {} seconds (ready_timeout_secs): {seen}",
            house.settings.ready_timeout_secs
        )),
    };
    with_output(failure, output)
}

/// Appends the agent's last words: some to the message, all to the details.
pub(crate) fn with_output(mut failure: Failure, output: &Output) -> Failure {
    const MESSAGE_LINES: usize = 5;
    let tail = output.tail();
    if tail.is_empty() {
        failure.message.push_str("; it printed nothing");
        return failure;
    }
    let lines: Vec<&str> = tail.lines().collect();
    let last = lines.get(lines.len().saturating_sub(MESSAGE_LINES)..).unwrap_or_default();
    failure.message = format!("{}; its last output:\n{}", failure.message, last.join("\n"));
    failure.with_details(tail)
}

/// Appends the agent's last words to the details alone, which go to the daemon's log. Who asked is not told them: one
/// process answers many sessions, and what it printed may be another's.
pub(crate) fn with_output_in_log(failure: Failure, output: &Output) -> Failure {
    let tail = output.tail();
    if tail.is_empty() { failure } else { failure.with_details(tail) }
}

/// How a process ended, for people.
pub(crate) fn describe_exit(ending: &io::Result<Ending>) -> String {
    match ending {
        Ok(ending) => ending.to_string(),
        Err(e) => format!("its end could not be observed ({e})"),
    }
}

fn speaks_of_ports(tail: &str) -> bool {
    let tail = tail.to_ascii_lowercase();
    let mut words = tail.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| word == "port") || tail.contains("address already in use")
}

fn reserve_port() -> Option<u16> {
    TcpListener::bind(("127.0.0.1", 0)).ok()?.local_addr().ok().map(|address| address.port())
}
