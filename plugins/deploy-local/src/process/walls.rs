//! What an agent may reach: its code to read, its home to write, the ports that its manifest and the operator name.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use nexus_deploy::{Entrypoint, Listens};
use nexus_sandbox::{Interpreter, Limits, Profile, Sandbox};

use crate::Settings;

/// The agent's socket inside its state folder, where the agent itself cannot replace it.
pub(crate) const SOCKET_NAME: &str = "agent.socket";
/// An agent that finds its port by itself takes any free one, or the one that AgentCore prescribes.
const USUAL_PORTS: [u16; 2] = [0, 8080];
/// Processes and threads of the daemon's user as a whole, before a fork bomb is refused more.
const USER_PROCESSES: u64 = 4096;
const DOMAIN_NAMES: u16 = 53;

/// The walls of one start. `reserved` is the port that it was told, if any.
pub(crate) fn sandbox(
    settings: &Settings,
    entrypoint: &Entrypoint,
    python: Interpreter,
    folder: &Path,
    home: &Path,
    reserved: Option<u16>,
    environment: Vec<(OsString, OsString)>,
) -> Sandbox {
    let mut sandbox = Sandbox::new(Profile::Agent, python.program, folder).arguments(&entrypoint.arguments);
    sandbox.environment = environment;
    sandbox.reads = python.files;
    sandbox.reads.extend(settings.reads.iter().map(PathBuf::from));
    sandbox.writes = vec![home.to_owned()];
    sandbox.connect = entrypoint.connect.iter().chain(&settings.connect).copied().collect();
    if !sandbox.connect.is_empty() {
        // Names are asked for over TCP: Landlock has no rules for datagrams, so there are none.
        sandbox.connect.push(DOMAIN_NAMES);
        sandbox.environment.push(("RES_OPTIONS".into(), "use-vc".into()));
    }
    match &entrypoint.listens {
        Listens::Socket => sandbox.socket = Some(home.with_file_name(SOCKET_NAME)),
        Listens::Ports(named) => {
            sandbox.bind = named.iter().copied().chain(USUAL_PORTS).chain(reserved).collect();
        }
    }
    sandbox.limits = limits(settings);
    sandbox
}

fn limits(settings: &Settings) -> Limits {
    let limit = |value: u64| (value > 0).then_some(value);
    let disk = limit(settings.disk_limit_mb.saturating_mul(1 << 20));
    Limits {
        memory: limit(settings.memory_limit_mb.saturating_mul(1 << 20)),
        cpu_seconds: limit(settings.cpu_limit_secs),
        open_files: limit(settings.max_open_files),
        processes: limit(settings.max_processes),
        user_processes: Some(USER_PROCESSES),
        file_bytes: disk,
        disk_bytes: disk,
        disk_files: disk.map(|_| 100_000),
        ..Limits::default()
    }
}
