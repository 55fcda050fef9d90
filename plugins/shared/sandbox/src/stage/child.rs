//! From a fork of the keeper to the confined program. The order matters: what needs rights comes before the walls,
//! and nothing after them can take them back.
#![allow(unsafe_code)] // bare system calls; the reasons stand at each use

use std::{
    convert::Infallible,
    ffi::CString,
    io::{self, PipeWriter, Write as _},
    os::fd::{AsRawFd as _, OwnedFd},
};

use super::{At as _, calls, checked, files, limits, privileges};
use crate::{
    policy::{Fault, Policy, Step},
    walls,
};

/// Where a program finds the listening socket that was made for it.
const SOCKET: i32 = 3;

/// What the kernel gives.
#[derive(Clone, Copy)]
pub(super) struct Walls {
    pub(super) landlock: Option<u32>,
    pub(super) seccomp: bool,
}

impl Walls {
    pub(super) fn of(policy: &Policy) -> Self {
        Self { landlock: walls::landlock_up_to(policy.landlock_at_most), seccomp: walls::has_seccomp() }
    }
}

/// Tells the keeper why there is no program, and ends.
pub(super) fn report(mut writer: PipeWriter, fault: &Fault) -> ! {
    let _ = writer.write_all(serde_json::to_string(fault).unwrap_or_default().as_bytes());
    // SAFETY: ends the process at once; nothing of the keeper's may run at its copy's exit.
    unsafe { libc::_exit(127) }
}

/// Does not return when all goes well: this process is the program then.
pub(super) fn become_program(policy: &Policy, walls: Walls, socket: Option<OwnedFd>, report: &PipeWriter) -> Fault {
    let prepared = apart().at(Step::Limits).and_then(|()| confine(policy, walls, socket, report));
    match prepared.and_then(|program| program.run().at(Step::Program)) {
        Err(fault) => fault,
    }
}

/// A session and a group of its own; it dies with the keeper, and before the daemon when memory runs out.
pub(super) fn apart() -> io::Result<()> {
    let keeper = rustix::process::getppid();
    // SAFETY: bare system calls on numbers and on a set that lives on this stack.
    unsafe {
        checked(libc::setsid())?;
        checked(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0))?;
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        checked(libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()))?;
        for signal in 1..=64 {
            // Ignored signals stay ignored through exec; Rust ignores SIGPIPE. Two of them answer with an error.
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::umask(0o077);
    }
    // It may have died meanwhile: then no signal will come.
    if keeper.is_none() || rustix::process::getppid() != keeper {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // Refused where /proc is not writable; then the kernel chooses by size alone.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    Ok(())
}

/// Everything between the fork and exec, but for the first steps.
pub(super) fn confine(
    policy: &Policy,
    walls: Walls,
    socket: Option<OwnedFd>,
    report: &PipeWriter,
) -> Result<Program, Fault> {
    let program = Program::of(policy, socket.is_some()).at(Step::Policy)?;
    if let Some(group) = &policy.group {
        std::fs::write(format!("{group}/cgroup.procs"), "0").at(Step::Group)?;
    }
    std::env::set_current_dir(&policy.folder).at(Step::Folder)?;
    privileges::drop_all().at(Step::Privileges)?;
    // Prepared before the files are walled, since it may read what is out of reach afterwards.
    let filter = walls.seccomp.then(|| calls::filter(policy, walls.landlock)).transpose()?;
    if let Some(version) = walls.landlock {
        files::restrict(policy, version)?;
    }
    // From here on nothing is allocated: what this program's own allocator has reserved counts against the limit of
    // memory, too, and may be more than that.
    limits::set(&policy.limits).at(Step::Limits)?;
    keep(socket, report).at(Step::Limits)?;
    if let Some(filter) = filter {
        calls::apply(&filter)?;
    }
    Ok(program)
}

/// Leaves the program its standard streams and its socket.
fn keep(socket: Option<OwnedFd>, report: &PipeWriter) -> io::Result<()> {
    let first = match socket {
        // SAFETY: bare system calls on numbers. What lay at the socket's new number is the keeper's control socket,
        // which this process does not use. The duplicate is inherited: dup2 leaves no mark.
        Some(socket) => unsafe {
            let high = checked(libc::fcntl(socket.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 100))?;
            checked(libc::dup2(i32::try_from(high).unwrap_or(-1), SOCKET))?;
            // Its old number may be the new one.
            std::mem::forget(socket);
            SOCKET + 1
        },
        None => SOCKET,
    };
    // The pipe of the report must live until exec, and closes by it; so does all else.
    debug_assert!(report.as_raw_fd() >= first);
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: a bare system call on numbers; marks, closes nothing.
    unsafe { checked(libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC))? };
    Ok(())
}

/// A program as exec takes it.
pub(super) struct Program {
    path: CString,
    arguments: Texts,
    environment: Texts,
}

/// Texts, and the list of their places that ends with none.
struct Texts {
    pointers: Vec<*const libc::c_char>,
    /// Where the pointers lead: what a text holds stays where it is when the text is moved.
    _texts: Vec<CString>,
}

impl Texts {
    fn new(texts: Vec<CString>) -> Self {
        let pointers = texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
        Self { pointers, _texts: texts }
    }
}

impl Program {
    pub(super) fn of(policy: &Policy, socket: bool) -> io::Result<Self> {
        let text = |text: &str| CString::new(text).map_err(io::Error::other);
        let arguments = std::iter::once(policy.program.as_str()).chain(policy.arguments.iter().map(String::as_str));
        let has = |name: &str| policy.environment.iter().any(|(given, _)| given == name);
        let mut environment: Vec<CString> = policy
            .environment
            .iter()
            .map(|(name, value)| text(&format!("{name}={value}")))
            .collect::<Result<_, _>>()?;
        if let Some(first) = policy.writes.first() {
            // Where else could it write?
            for name in ["HOME", "TMPDIR"].into_iter().filter(|name| !has(name)) {
                environment.push(text(&format!("{name}={first}"))?);
            }
        }
        if socket {
            // As systemd's socket activation tells it.
            environment.push(text("LISTEN_FDS=1")?);
            environment.push(text(&format!("LISTEN_PID={}", std::process::id()))?);
        }
        Ok(Self {
            path: text(&policy.program)?,
            arguments: Texts::new(arguments.map(text).collect::<Result<_, _>>()?),
            environment: Texts::new(environment),
        })
    }

    pub(super) fn run(&self) -> io::Result<Infallible> {
        let (arguments, environment) = (self.arguments.pointers.as_ptr(), self.environment.pointers.as_ptr());
        // SAFETY: both arrays end with a null pointer, and the texts they point to live as long as `self`.
        unsafe { libc::execve(self.path.as_ptr(), arguments, environment) };
        Err(io::Error::last_os_error())
    }
}
