//! A running agent process with its group, its tether and the readers of its output.

use std::{
    ffi::OsString,
    io,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

use super::{
    Entrypoint, Limits, Output, Spawner,
    output::pump,
    strays::{MARK_NAME, kill_strays, new_mark},
    tether::tether,
};

/// After SIGKILL the kernel frees a process at once, unless it hangs in a device; then it is left behind.
const REAP_WAIT: Duration = Duration::from_secs(5);
/// How long the last output of a dead process is waited for; a child of it may hold the pipe open.
const DRAIN_WAIT: Duration = Duration::from_millis(300);

/// All that a process is started with.
pub(crate) struct Launch {
    pub(crate) entrypoint: Entrypoint,
    pub(crate) folder: PathBuf,
    pub(crate) environment: Vec<(OsString, OsString)>,
    pub(crate) limits: Limits,
}

/// A process and everything that belongs to it. Dropping it kills the group at once.
pub(crate) struct Process {
    child: Child,
    group: Pid,
    /// Absent where there is no `/bin/sh`; then only the agent itself is bound to the daemon's life.
    tether: Option<Child>,
    readers: Vec<JoinHandle<()>>,
    /// Finds what left the group.
    mark: String,
    /// Set once the group was killed after its leader's end: its number may belong to others from then on.
    finished: bool,
}

impl Process {
    /// Starts a process; `output` gets what it prints.
    pub(crate) async fn spawn(spawner: &Arc<Spawner>, launch: Launch, output: &Arc<Output>) -> io::Result<Self> {
        let output = Arc::clone(output);
        spawner.run(move || start(&launch, &output)).await
    }

    pub(crate) fn pid(&self) -> Pid {
        self.group
    }

    /// Resolves when the process has ended, then ends what it left behind in its group. Safe to cancel.
    pub(crate) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        self.kill_group();
        self.finish().await;
        status
    }

    /// SIGTERM to the group, SIGKILL after `grace`; returns when the process is gone.
    pub(crate) async fn stop(mut self, grace: Duration) {
        if !self.finished && !grace.is_zero() {
            let _ = kill_process_group(self.group, Signal::TERM);
            let _ = timeout(grace, self.child.wait()).await;
        }
        self.kill_group();
        let _ = timeout(REAP_WAIT, self.child.wait()).await;
        self.finish().await;
    }

    fn kill_group(&self) {
        if !self.finished {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
    }

    /// Nothing is forgotten when this is cut off: the next call goes on.
    async fn finish(&mut self) {
        self.finished = true;
        if let Some(tether) = &mut self.tether {
            let _ = timeout(REAP_WAIT, tether.wait()).await;
        }
        self.tether = None;
        let mark = self.mark.clone();
        let _ = tokio::task::spawn_blocking(move || kill_strays(&mark)).await;
        while let Some(reader) = self.readers.last_mut() {
            if timeout(DRAIN_WAIT, &mut *reader).await.is_err() {
                reader.abort();
            }
            self.readers.pop();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_group();
        self.readers.iter().for_each(JoinHandle::abort);
    }
}

fn start(launch: &Launch, output: &Arc<Output>) -> io::Result<Process> {
    let mark = new_mark();
    let mut command = Command::new(&launch.entrypoint.program);
    command
        .args(&launch.entrypoint.arguments)
        .current_dir(&launch.folder)
        .env_clear()
        .env(MARK_NAME, &mark)
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    launch.limits.confine(&mut command);
    let mut child = command.spawn()?;
    let group = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("the process has no id"))?;
    let tether = tether(group, &mark).ok();
    let stdout = child.stdout.take().map(|pipe| tokio::spawn(pump(pipe, "out", Arc::clone(output))));
    let stderr = child.stderr.take().map(|pipe| tokio::spawn(pump(pipe, "err", Arc::clone(output))));
    Ok(Process { child, group, tether, readers: stdout.into_iter().chain(stderr).collect(), mark, finished: false })
}
