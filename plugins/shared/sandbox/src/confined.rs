//! A confined process as its owner holds it.
//!
//! ```text
//! owner ── control (unix socket, the keeper's standard input) ──▶ keeper: the hidden stage, outside the walls;
//!   ▲                                                               │     subreaper of everything below it
//!   └──────────────── output and errors ◀────────────────── confined process ──▶ whatever it starts
//! ```
//!
//! The keeper ends with its owner: when the control socket closes, however that happens, it ends the whole tree and
//! then itself. So nothing hangs on the thread that started it, and nothing outlives the daemon.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt as _},
    path::PathBuf,
    process::{ExitStatus, Stdio as StdStdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::{Child, ChildStderr, ChildStdout, Command},
    time::timeout,
};

use crate::{
    SandboxError, Stdio, cgroup,
    host::stage_command,
    policy::{Breach, Policy, Told},
};

/// What the keeper is told, one byte each.
pub(crate) mod order {
    /// SIGTERM to the group of the confined process.
    pub(crate) const TERM: u8 = b't';
    /// End all of it.
    pub(crate) const KILL: u8 = b'k';
}

/// The kernel frees a killed process at once, unless it hangs in a device; then it is left to the keeper.
const REAP_WAIT: Duration = Duration::from_secs(5);

/// A running confined process with all that it starts. Dropping it ends them.
#[derive(Debug)]
pub struct Confined {
    keeper: Child,
    orders: OwnedWriteHalf,
    told: Lines<BufReader<OwnedReadHalf>>,
    /// Taken after the end, when the group is gone.
    group: Option<Group>,
    pid: i32,
    guards: Vec<String>,
    weaker: Vec<String>,
    ending: Option<Ending>,
    /// What it writes; absent once taken, and with [`Stdio::Null`].
    pub stdout: Option<ChildStdout>,
    /// What it complains of.
    pub stderr: Option<ChildStderr>,
}

/// How a confined process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Its own status.
    pub status: ExitStatus,
    /// The limit for which the keeper ended it.
    pub breach: Option<Breach>,
    /// Processes that it had left behind.
    pub left: u32,
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.breach {
            Some(breach) => write!(f, "{breach} and was ended"),
            None => self.status.fmt(f),
        }
    }
}

/// A control group that is removed when its tree is gone.
#[derive(Debug)]
struct Group(PathBuf);

impl Drop for Group {
    fn drop(&mut self) {
        // The keeper removes it after the end; here it is for a keeper that was killed.
        if self.0.exists() {
            cgroup::kill(&self.0);
            cgroup::remove(&self.0);
        }
    }
}

impl Confined {
    pub(crate) async fn start(mut policy: Policy, stdio: Stdio) -> Result<Self, SandboxError> {
        let lost = SandboxError::Lost;
        let group = match cgroup::delegated() {
            Some(delegated) => Some(Group(delegated.make(&policy.limits).map_err(lost)?)),
            None => None,
        };
        policy.group = group.as_ref().map(|group| group.0.to_string_lossy().into_owned());
        let (own, theirs) = std::os::unix::net::UnixStream::pair().map_err(lost)?;
        own.set_nonblocking(true).map_err(lost)?;
        let mut command = Command::from(stage_command()?);
        let output = || match stdio {
            Stdio::Piped => StdStdio::piped(),
            Stdio::Null => StdStdio::null(),
        };
        command.stdin(OwnedFd::from(theirs)).stdout(output()).stderr(output());
        let mut keeper = command.spawn().map_err(lost)?;
        // It holds the other end of the socket, which must be the keeper's alone.
        drop(command);
        let (stdout, stderr) = (keeper.stdout.take(), keeper.stderr.take());
        let (read, orders) = UnixStream::from_std(own).map_err(lost)?.into_split();
        let told = BufReader::new(read).lines();
        let (guards, weaker) = (Vec::new(), Vec::new());
        let mut confined = Self { keeper, orders, told, group, pid: 0, guards, weaker, ending: None, stdout, stderr };
        confined.tell(&policy).await.map_err(lost)?;
        match confined.hear().await.map_err(lost)? {
            Told::Started { pid, guards, weaker } => {
                (confined.pid, confined.guards, confined.weaker) = (pid, guards, weaker);
                Ok(confined)
            }
            Told::Failed(fault) => {
                let _ = confined.keeper.wait().await;
                Err(SandboxError::of(fault, &policy.program))
            }
            Told::Ended { .. } => Err(lost(io::Error::other("it ended before it began"))),
        }
    }

    /// The process's id. It leads a session and a process group of its own, which have the same number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The walls that hold it, by name.
    #[must_use]
    pub fn guards(&self) -> &[String] {
        &self.guards
    }

    /// The walls that it goes without, because this kernel lacks them and that was allowed.
    #[must_use]
    pub fn weaker(&self) -> &[String] {
        &self.weaker
    }

    /// Resolves when it and everything that it started are gone. Safe to cancel and to call again.
    ///
    /// # Errors
    /// When the keeper was lost; then what was confined is gone as far as one can tell.
    pub async fn ended(&mut self) -> io::Result<Ending> {
        if let Some(ending) = self.ending {
            return Ok(ending);
        }
        match self.hear().await? {
            Told::Ended { status, breach, left } => {
                let memory = self.group.as_ref().is_some_and(|group| cgroup::ran_out_of_memory(&group.0));
                let breach = breach.or(memory.then_some(Breach::Memory));
                let ending = Ending { status: ExitStatus::from_raw(status), breach, left };
                self.ending = Some(ending);
                let _ = self.keeper.wait().await;
                self.group = None;
                Ok(ending)
            }
            other => Err(io::Error::other(format!("the keeper told {other:?} instead of an end"))),
        }
    }

    /// Asks it to end: SIGTERM to its process group.
    pub async fn terminate(&mut self) {
        // A keeper that is gone has nothing to end.
        let _ = self.orders.write_all(&[order::TERM]).await;
    }

    /// Ends it and everything that it started; returns when they are gone.
    pub async fn kill(&mut self) -> io::Result<Ending> {
        let _ = self.orders.write_all(&[order::KILL]).await;
        timeout(REAP_WAIT, self.ended()).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// SIGTERM, after `grace` SIGKILL; returns when all of it is gone.
    pub async fn stop(&mut self, grace: Duration) -> io::Result<Ending> {
        if !grace.is_zero() {
            self.terminate().await;
            if let Ok(ending) = timeout(grace, self.ended()).await {
                return ending;
            }
        }
        self.kill().await
    }

    async fn tell(&mut self, policy: &Policy) -> io::Result<()> {
        let mut line = serde_json::to_vec(policy)?;
        line.push(b'\n');
        self.orders.write_all(&line).await
    }

    async fn hear(&mut self) -> io::Result<Told> {
        let line = self.told.next_line().await?.ok_or_else(|| io::Error::other("it ended without a word"))?;
        serde_json::from_str(&line).map_err(io::Error::other)
    }
}
