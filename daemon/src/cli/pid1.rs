//! The daemon as the first process of a container. Whatever loses its parent there becomes a child of process 1 and
//! stays a zombie until that waits for it. The daemon itself must not: it would take the ends of its own children from
//! the parts that wait for them. So process 1 becomes a small one that starts the daemon, passes signals on and
//! reaps; it ends as the daemon does.

use std::{
    io,
    process::{Command, ExitCode},
};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, wait};
use tokio::signal::unix::{Signal as Incoming, SignalKind, signal};

use super::complain;

/// What is passed on to the daemon: everything that it acts on, and what ends a process.
const PASSED_ON: [(Signal, SignalKind); 6] = [
    (Signal::TERM, SignalKind::terminate()),
    (Signal::INT, SignalKind::interrupt()),
    (Signal::QUIT, SignalKind::quit()),
    (Signal::HUP, SignalKind::hangup()),
    (Signal::USR1, SignalKind::user_defined1()),
    (Signal::USR2, SignalKind::user_defined2()),
];

/// Whether this process is the first one.
pub(super) fn is_first() -> bool {
    getpid().is_init()
}

/// Runs the same command in a child and reaps until that ends.
pub(super) fn reap() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let told = runtime.and_then(|runtime| runtime.block_on(stand_by()));
    told.unwrap_or_else(|error| {
        complain(&format!("error: as the first process of a container the daemon cannot be started: {error}"));
        ExitCode::FAILURE
    })
}

async fn stand_by() -> io::Result<ExitCode> {
    // Before there is a child whose end could be missed.
    let mut ends = signal(SignalKind::child())?;
    let mut incoming = Vec::new();
    for (signal_kept, kind) in PASSED_ON {
        incoming.push((signal_kept, signal(kind)?));
    }
    let daemon = start()?;
    loop {
        let passed = tokio::select! {
            _ = ends.recv() => None,
            passed = next(&mut incoming) => Some(passed),
        };
        if let Some(passed) = passed {
            // One that has just ended is told below.
            let _ = kill_process(daemon, passed);
        }
        if let Some(code) = reap_all(daemon)? {
            return Ok(code);
        }
    }
}

#[allow(clippy::zombie_processes)] // `reap_all` waits for all children, this one too
fn start() -> io::Result<Pid> {
    let mut arguments = std::env::args_os();
    let name = arguments.next();
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = name {
        std::os::unix::process::CommandExt::arg0(&mut command, name);
    }
    let child = command.args(arguments).spawn()?;
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    id.ok_or_else(|| io::Error::other("the child has no id"))
}

/// The next signal that is to be passed on.
async fn next(incoming: &mut [(Signal, Incoming)]) -> Signal {
    let each = incoming.iter_mut().map(|(kept, incoming)| {
        Box::pin(async move {
            incoming.recv().await;
            *kept
        })
    });
    futures::future::select_all(each).await.0
}

/// Takes the ends of all children that have ended; the code to end with when the daemon is among them.
fn reap_all(daemon: Pid) -> io::Result<Option<ExitCode>> {
    let mut code = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == daemon => code = code.or_else(|| code_of(status)),
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(code),
            Err(error) => return Err(error.into()),
        }
    }
}

/// As a shell tells it: 128 and the number of the signal that ended a process.
fn code_of(status: WaitStatus) -> Option<ExitCode> {
    let code = status.exit_status().or_else(|| Some(status.terminating_signal()? + 128))?;
    Some(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}
