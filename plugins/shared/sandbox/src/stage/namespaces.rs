//! The same walls inside namespaces: bubblewrap makes them, and runs this program's stage once more in there, which
//! then walls itself in as it would outside. What is not bound into the namespace does not exist in it.
#![allow(unsafe_code)] // descriptors are handed over by their numbers; the reasons stand at each use

use std::{
    fs::File,
    io::{self, PipeWriter, Read as _, Seek as _, Write as _},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::Command,
};

use rustix::fs::{MemfdFlags, memfd_create};

use super::{
    At as _, checked,
    child::{self, Walls},
    files,
};
use crate::{
    host::{INNER, STAGE},
    policy::{Fault, Policy, Profile, Step},
};

/// Where the inner stage finds the policy, the pipe of its report and, as outside, the socket.
const POLICY: i32 = 90;
const REPORT: i32 = 91;
const SOCKET: i32 = 3;
const OWN_PLACE: &str = "/run/nexus-stage";
/// What the inner stage says first: that the namespaces were made.
pub(super) const ARRIVED: char = ' ';

/// Becomes bubblewrap. Returns only why not.
pub(super) fn enter(bwrap: &str, policy: &Policy, socket: Option<OwnedFd>, report: &PipeWriter) -> Fault {
    let prepared = child::apart().at(Step::Limits).and_then(|()| {
        if let Some(group) = &policy.group {
            std::fs::write(format!("{group}/cgroup.procs"), "0").at(Step::Group)?;
        }
        let command = command(bwrap, policy).at(Step::Program)?;
        hand_over(policy, socket, report).at(Step::Policy)?;
        Ok(command)
    });
    match prepared {
        Ok(mut command) => {
            let error = command.exec();
            Fault { step: Step::Program, message: error.to_string(), code: error.raw_os_error() }
        }
        Err(fault) => fault,
    }
}

fn command(bwrap: &str, policy: &Policy) -> io::Result<Command> {
    let own = std::env::current_exe()?;
    let mut command = Command::new(bwrap);
    command.env_clear();
    command.args(["--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]);
    if policy.profile != Profile::Agent || (policy.connect.is_empty() && policy.bind.is_empty()) {
        command.arg("--unshare-net");
    }
    command.args(["--die-with-parent", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]);
    let is_made = |path: &str| path.starts_with("/proc") || path.starts_with("/dev");
    for path in files::system(policy).into_iter().filter(|path| !is_made(path)) {
        command.args(["--ro-bind-try", path, path]);
    }
    command.args(["--ro-bind", &policy.program, &policy.program]);
    for path in &policy.reads {
        command.args(["--ro-bind", path, path]);
    }
    for path in &policy.writes {
        command.args(["--bind", path, path]);
    }
    command.arg("--ro-bind").arg(own).arg(OWN_PLACE);
    command.args(["--chdir", &policy.folder, "--", OWN_PLACE, STAGE, INNER]);
    Ok(command)
}

/// Gives the descriptors numbers that the inner stage knows, and lets them be inherited.
fn hand_over(policy: &Policy, socket: Option<OwnedFd>, report: &PipeWriter) -> io::Result<()> {
    let inner = Policy { group: None, bwrap: None, ..policy.clone() };
    let mut memory = File::from(memfd_create("policy", MemfdFlags::CLOEXEC)?);
    memory.write_all(&serde_json::to_vec(&inner)?)?;
    memory.rewind()?;
    // SAFETY: bare system calls on numbers. This process owns nothing at the new ones but its parent's control
    // socket, which it does not use; the duplicates have no owner, since exec follows.
    unsafe {
        checked(libc::dup2(memory.as_raw_fd(), POLICY))?;
        checked(libc::dup2(report.as_raw_fd(), REPORT))?;
        if let Some(socket) = socket {
            checked(libc::dup2(socket.as_raw_fd(), SOCKET))?;
            std::mem::forget(socket);
        }
    }
    Ok(())
}

/// The whole run of the inner stage.
pub(crate) fn inner() -> ! {
    // SAFETY: the outer stage left these descriptors, and nobody else in this process knows them.
    let (policy, mut report) = unsafe { (File::from_raw_fd(POLICY), PipeWriter::from_raw_fd(REPORT)) };
    let fault = match arrive(policy, &mut report) {
        Ok((policy, walls, socket)) => match child::confine(&policy, walls, socket, &report) {
            Ok(program) => match program.run().at(Step::Program) {
                Err(fault) => fault,
            },
            Err(fault) => fault,
        },
        Err(fault) => fault,
    };
    child::report(report, &fault)
}

fn arrive(mut file: File, report: &mut PipeWriter) -> Result<(Policy, Walls, Option<OwnedFd>), Fault> {
    report.write_all(ARRIVED.to_string().as_bytes()).at(Step::Policy)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).at(Step::Policy)?;
    let policy: Policy = serde_json::from_slice(&text).map_err(io::Error::other).at(Step::Policy)?;
    let walls = Walls::of(&policy);
    // SAFETY: the outer stage left the socket there, when there is one.
    let socket = policy.socket.as_ref().map(|_| unsafe { OwnedFd::from_raw_fd(SOCKET) });
    Ok((policy, walls, socket))
}
