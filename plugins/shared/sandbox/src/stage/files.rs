//! The wall around files, ports, signals and abstract sockets: Landlock.

use std::{io, os::fd::OwnedFd, path::Path};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, NetPort, PathBeneath, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, Scope,
};
use rustix::fs::{Mode, OFlags};

use crate::policy::{Fault, Policy, Profile, Step};

/// What programs and their libraries are made of, on any Linux. Nothing here is anybody's secret, and none of it lists
/// the accounts of the machine.
const LIBRARIES: &[&str] = &[
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/timezone",
    "/dev/urandom",
    "/dev/random",
];
/// Beside these, for whoever starts processes.
const PROGRAMS: &[&str] = &[
    "/bin",
    "/usr",
    "/etc/alternatives",
    "/etc/mime.types",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    // What language runtimes and numeric libraries ask of the machine.
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/version",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
];
/// Beside these, for whoever may connect.
const NAMES: &[&str] =
    &["/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services"];

/// Walls this process in. Nothing that this Landlock knows is left free, and nothing is done by halves: a rule that
/// the kernel refuses is an error.
pub(super) fn restrict(policy: &Policy, version: u32) -> Result<(), Fault> {
    let abi = ABI::from(i32::try_from(version).unwrap_or(i32::MAX));
    let walls = build(policy, abi)?;
    let status = walls.restrict_self().map_err(|e| fault(&e))?;
    if status.ruleset == landlock::RulesetStatus::FullyEnforced {
        Ok(())
    } else {
        Err(Fault { step: Step::Files, message: "the kernel enforces only a part of it".into(), code: None })
    }
}

/// What of the system it may read and run. A tool runs nothing but itself; the loader of programs is among the
/// libraries.
pub(super) fn system(policy: &Policy) -> Vec<&'static str> {
    let programs = if policy.profile == Profile::Tool { &[] } else { PROGRAMS };
    let names = if policy.connect.is_empty() { &[] } else { NAMES };
    [LIBRARIES, programs, names].concat()
}

fn fault(error: &RulesetError) -> Fault {
    Fault { step: Step::Files, message: error.to_string(), code: None }
}

fn build(policy: &Policy, abi: ABI) -> Result<RulesetCreated, Fault> {
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    ruleset = ruleset.handle_access(AccessFs::from_all(abi)).map_err(|e| fault(&e))?;
    let ports = AccessNet::from_all(abi);
    if !ports.is_empty() {
        ruleset = ruleset.handle_access(ports).map_err(|e| fault(&e))?;
    }
    let scopes = Scope::from_all(abi);
    if !scopes.is_empty() {
        ruleset = ruleset.scope(scopes).map_err(|e| fault(&e))?;
    }
    let mut walls = ruleset.create().map_err(|e| fault(&e))?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let run = read | AccessFs::Execute;
    // No pipes, sockets or devices; nothing to execute.
    let write = (AccessFs::from_write(abi)
        & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeSock | AccessFs::MakeFifo))
        & !ioctl(abi)
        | read;
    for path in system(policy) {
        walls = allow(walls, path, run, abi, Absent::Skipped)?;
    }
    walls = allow(walls, "/dev/null", AccessFs::ReadFile | AccessFs::WriteFile, abi, Absent::Skipped)?;
    walls = allow(walls, &policy.program, run, abi, Absent::Refused)?;
    for path in &policy.reads {
        walls = allow(walls, path, read, abi, Absent::Refused)?;
    }
    for path in &policy.writes {
        walls = allow(walls, path, write, abi, Absent::Refused)?;
    }
    if !ports.is_empty() {
        for port in &policy.connect {
            walls = walls.add_rule(NetPort::new(*port, AccessNet::ConnectTcp)).map_err(|e| fault(&e))?;
        }
        for port in &policy.bind {
            walls = walls.add_rule(NetPort::new(*port, AccessNet::BindTcp)).map_err(|e| fault(&e))?;
        }
    }
    Ok(walls)
}

/// Commands to devices: none of the writable folders holds one.
fn ioctl(abi: ABI) -> BitFlags<AccessFs> {
    AccessFs::from_all(abi) & AccessFs::IoctlDev
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    /// Not every system has it.
    Skipped,
    /// The caller named it.
    Refused,
}

fn allow(
    walls: RulesetCreated,
    path: &str,
    rights: BitFlags<AccessFs>,
    abi: ABI,
    absent: Absent,
) -> Result<RulesetCreated, Fault> {
    let place = match open(path) {
        Ok(place) => place,
        Err(_) if absent == Absent::Skipped => return Ok(walls),
        Err(e) => {
            return Err(Fault { step: Step::Files, message: format!("{path}: {e}"), code: e.raw_os_error() });
        }
    };
    // A file has no entries.
    let rights = if Path::new(path).is_dir() { rights } else { rights & AccessFs::from_file(abi) };
    walls.add_rule(PathBeneath::new(place, rights)).map_err(|e| fault(&e))
}

fn open(path: &str) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}
