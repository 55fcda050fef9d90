//! The parent of a confined process: outside the walls, and the subreaper of everything below it.
//!
//! It listens to its owner (orders, and the end of the socket), to the kernel (children that ended) and to the clock.
#![allow(unsafe_code)] // bare system calls; the reasons stand at each use

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use super::{At as _, checked, child, namespaces, tree::Tree, watch::Watch};
use crate::{
    cgroup,
    confined::order,
    policy::{Fault, Policy, Step, Told},
    walls,
};

/// Where the control socket lies after [`take_control`].
const CONTROL: i32 = 3;
/// A policy is some kilobytes; an environment may be large.
const MAX_POLICY: u64 = 4 << 20;

/// Starts the confined process and keeps it to its end; the exit code.
pub(super) fn keep() -> i32 {
    let Ok(mut control) = take_control() else { return 2 };
    match start(&control) {
        Ok(kept) => kept.until_the_end(control),
        Err(fault) => {
            let _ = tell(&mut control, &Told::Failed(fault));
            1
        }
    }
}

/// Moves the control socket away from the standard input, and drops every other descriptor that was inherited.
fn take_control() -> io::Result<UnixStream> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    // SAFETY: bare system calls on numbers. No object of this process owns a descriptor above 2 but `null`, which is
    // not used after its duplicate was made; `control` is the only owner of its number.
    let control = unsafe {
        // Not a session leader yet: the owner made no group for it.
        libc::setsid();
        let control = checked(libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 100))?;
        checked(libc::dup2(null.as_raw_fd(), 0))?;
        drop(null);
        let control = OwnedFd::from_raw_fd(i32::try_from(control).unwrap_or(-1));
        checked(libc::dup3(control.as_raw_fd(), CONTROL, libc::O_CLOEXEC))?;
        std::mem::forget(control);
        checked(libc::syscall(libc::SYS_close_range, CONTROL + 1, libc::c_uint::MAX, 0))?;
        checked(libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))?;
        libc::prctl(libc::PR_SET_NAME, c"nexus-keeper".as_ptr());
        UnixStream::from_raw_fd(CONTROL)
    };
    Ok(control)
}

fn tell(control: &mut UnixStream, told: &Told) -> io::Result<()> {
    let mut line = serde_json::to_vec(told)?;
    line.push(b'\n');
    control.write_all(&line)
}

/// A running confined process.
struct Kept {
    main: i32,
    tree: Tree,
    watch: Watch,
    signals: OwnedFd,
    group: Option<PathBuf>,
    started: Told,
}

fn start(control: &UnixStream) -> Result<Kept, Fault> {
    let mut line = Vec::new();
    BufReader::new(control.take(MAX_POLICY)).read_until(b'\n', &mut line).at(Step::Policy)?;
    let policy: Policy = serde_json::from_slice(&line).map_err(io::Error::other).at(Step::Policy)?;
    let walls = child::Walls::of(&policy);
    let weaker = walls::missing_for(&policy, walls.landlock, walls.seccomp);
    if !weaker.is_empty() && !policy.allow_weaker {
        return Err(Fault { step: Step::Walls, message: weaker.join("; "), code: None });
    }
    let guards = guards(&policy, walls);
    let socket = policy.socket.as_deref().map(|path| listen(Path::new(path))).transpose().at(Step::Socket)?;
    let (mut report, writer) = std::io::pipe().at(Step::Fork)?;
    let signals = block_signals().at(Step::Fork)?;
    // SAFETY: this process has one thread, so its copy is whole: locks are free, and anything may be called in it.
    let main = match checked(unsafe { libc::fork() }).at(Step::Fork)? {
        0 => {
            drop(report);
            let fault = match &policy.bwrap {
                Some(bwrap) => namespaces::enter(bwrap, &policy, socket, &writer),
                None => child::become_program(&policy, walls, socket, &writer),
            };
            child::report(writer, &fault);
        }
        pid => i32::try_from(pid).unwrap_or(-1),
    };
    drop((writer, socket));
    // SAFETY: a bare system call without pointers. From here on nobody of this user may look into the keeper.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
    let group = policy.group.as_ref().map(PathBuf::from);
    let tree = Tree::new(main, group.clone(), policy.bwrap.is_some());
    let mut said = String::new();
    // It ends when the program runs, or when there is none.
    report.read_to_string(&mut said).at(Step::Fork)?;
    if let Some(fault) = fault_of(&said, policy.bwrap.is_some()) {
        tree.end(false);
        return Err(fault);
    }
    let_go_of_streams().at(Step::Fork)?;
    let watch = Watch::new(&policy);
    let started = Told::Started { pid: main, guards, weaker };
    Ok(Kept { main, tree, watch, signals, group, started })
}

/// Why there is no program, if there is none.
fn fault_of(said: &str, wrapped: bool) -> Option<Fault> {
    let fault = said.trim_start_matches(namespaces::ARRIVED);
    if fault.is_empty() {
        let fault = Fault { step: Step::Namespaces, message: String::new(), code: None };
        return (wrapped && said.is_empty()).then_some(fault);
    }
    let plain = |_| Fault { step: Step::Fork, message: fault.to_owned(), code: None };
    Some(serde_json::from_str(fault).unwrap_or_else(plain))
}

/// What holds it, by name.
fn guards(policy: &Policy, walls: child::Walls) -> Vec<String> {
    let named = [
        (walls.landlock.is_some(), "landlock"),
        (walls.seccomp, "seccomp"),
        (true, "rlimits"),
        (true, "subreaper"),
        (policy.group.is_some(), "cgroup"),
        (policy.bwrap.is_some(), "bubblewrap"),
    ];
    named.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name.to_owned()).collect()
}

/// A listening socket at this path, for this user alone. The path may be longer than a socket's name.
fn listen(path: &Path) -> io::Result<OwnedFd> {
    use std::os::unix::{fs::PermissionsExt as _, net::UnixListener};
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::other("the socket's path names no file"));
    };
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let folder = File::open(folder)?;
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    let listener = UnixListener::bind(short)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener.into())
}

/// Signals are read like messages; the child undoes this.
fn block_signals() -> io::Result<OwnedFd> {
    // SAFETY: the sets live on this stack and are filled before they are used; the new descriptor has no other owner.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        checked(libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut()))?;
        let mut heard: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut heard);
        for signal in [libc::SIGCHLD, libc::SIGTERM] {
            libc::sigaddset(&raw mut heard, signal);
        }
        let fd = checked(libc::signalfd(-1, &raw const heard, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK))?;
        Ok(OwnedFd::from_raw_fd(i32::try_from(fd).unwrap_or(-1)))
    }
}

/// The readers of the child's output wait for the last holder.
fn let_go_of_streams() -> io::Result<()> {
    for stream in [1, 2] {
        // SAFETY: bare system calls on numbers; the standard input is /dev/null since the control socket was moved.
        unsafe { checked(libc::dup2(0, stream))? };
    }
    Ok(())
}

enum Heard {
    Nothing,
    Terminate,
    /// It is to end, or nobody cares any more.
    End,
}

impl Kept {
    fn until_the_end(mut self, mut control: UnixStream) -> i32 {
        if tell(&mut control, &self.started).is_err() {
            self.tree.end(false);
            return 1;
        }
        let mut breach = None;
        let status = loop {
            let pause = self.watch.pause();
            let (order, signal) = self.wait(&control, pause);
            if signal {
                let terminated = self.take_signals();
                if let Some(status) = self.tree.reap() {
                    break Some(status);
                }
                if terminated {
                    break None;
                }
            }
            match if order { hear(&control) } else { Heard::Nothing } {
                Heard::Nothing => {}
                Heard::Terminate => self.tree.terminate(),
                Heard::End => break None,
            }
            breach = self.watch.breach(self.main);
            if breach.is_some() {
                break None;
            }
        };
        let (killed, left) = self.tree.end(status.is_some());
        let breach = breach.or_else(|| self.watch.left_too_much());
        if let Some(group) = &self.group
            && !cgroup::ran_out_of_memory(group)
        {
            cgroup::remove(group);
        }
        let ended = Told::Ended { status: status.or(killed).unwrap_or(libc::SIGKILL), breach, left };
        // An owner that is gone hears nothing.
        let _ = tell(&mut control, &ended);
        0
    }

    /// Whether the owner and the kernel have something to say.
    fn wait(&self, control: &UnixStream, pause: Duration) -> (bool, bool) {
        let entry = |fd: i32| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut entries = [entry(control.as_raw_fd()), entry(self.signals.as_raw_fd())];
        let pause = i32::try_from(pause.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the array lives as long as the call, and its length is told.
        let ready = unsafe { libc::poll(entries.as_mut_ptr(), 2, pause) };
        let [order, signal] = entries.map(|entry| ready > 0 && entry.revents != 0);
        (order, signal)
    }

    /// Empties the queue; whether somebody asked this process to end.
    fn take_signals(&self) -> bool {
        let mut terminated = false;
        let mut buffer = [0_u8; size_of::<libc::signalfd_siginfo>()];
        while rustix::io::read(&self.signals, &mut buffer).is_ok_and(|read| read == buffer.len()) {
            // The signal's number is the first field.
            let number = buffer.first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
            terminated |= i32::try_from(number) == Ok(libc::SIGTERM);
        }
        terminated
    }
}

fn hear(mut control: &UnixStream) -> Heard {
    let mut order = [0];
    match control.read(&mut order) {
        Ok(1) if order == [order::TERM] => Heard::Terminate,
        Err(e) if e.kind() == io::ErrorKind::Interrupted => Heard::Nothing,
        _ => Heard::End,
    }
}
