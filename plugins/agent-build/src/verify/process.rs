//! Python processes: own process group, bare environment, bounded time and output, ended when dropped.

use std::{
    env, io,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, ChildStdin, Command},
    time::timeout,
};

use super::VerifyError;

const MAX_READ: u64 = 4 * 1024 * 1024;

/// Ends the process group when the pipe on its standard input closes, which it does however the daemon
/// ends; then becomes the command. (A parent-death signal would need unsafe code, and hangs on a thread.)
const TETHER: &str = r#"exec 3<&0 </dev/null
{ cat <&3; kill -KILL 0; } >/dev/null 2>&1 &
exec 3<&-
exec "$0" "$@""#;

/// A command that runs Python in a folder. It sees PATH and a UTF-8 locale, nothing else of ours.
pub(super) fn python(python: &str, folder: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", TETHER, python])
        .current_dir(folder)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
        .env("LANG", "C.UTF-8")
        .env("PYTHONUTF8", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONNOUSERSITE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .process_group(0);
    command
}

/// A child whose whole process group ends with it.
pub(super) struct Group {
    pub(super) child: Child,
    pid: Option<Pid>,
    /// Kept out of `child`, whose `wait` would close it.
    _tether: Option<ChildStdin>,
}

impl Group {
    pub(super) fn spawn(mut command: Command, python: &str) -> Result<Self, VerifyError> {
        let unusable = |source| VerifyError::Python { python: python.to_owned(), source };
        find(python).map_err(unusable)?;
        let mut child = command.spawn().map_err(unusable)?;
        let tether = child.stdin.take();
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Self { child, pid, _tether: tether })
    }

    pub(super) fn signal(&self, signal: Signal) {
        // A group that is gone already is what was wanted.
        if let Some(pid) = self.pid {
            let _ = kill_process_group(pid, signal);
        }
    }

    /// The child was waited for: its number may belong to others now.
    pub(super) fn ended(&mut self) {
        self.pid = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Whether there is such a program: the shell in between could only say so by a code.
fn find(program: &str) -> io::Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = if program.contains('/') {
        Path::new(program).is_file()
    } else {
        env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    if found { Ok(()) } else { Err(io::Error::new(io::ErrorKind::NotFound, "no such program")) }
}

/// How a process ended and what it wrote.
pub(super) struct Finished {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs a command to its end.
pub(super) async fn finish(command: Command, python: &str, limit: Duration) -> Result<Finished, VerifyError> {
    let mut group = Group::spawn(command, python)?;
    let (stdout, stderr) = (group.child.stdout.take(), group.child.stderr.take());
    let work = async {
        let (stdout, stderr, status) = tokio::join!(read_all(stdout), read_all(stderr), group.child.wait());
        status.map(|status| Finished { status, stdout, stderr })
    };
    let finished = timeout(limit, work).await.map_err(|_| VerifyError::Timeout("testing the agent"))?;
    let finished = finished.map_err(|source| VerifyError::Python { python: python.to_owned(), source })?;
    group.ended();
    Ok(finished)
}

/// Everything a pipe gives, up to a limit; the rest is read and dropped so that nobody blocks on it.
pub(super) async fn read_all(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut pipe) = pipe else { return String::new() };
    let mut bytes = Vec::new();
    let _ = (&mut pipe).take(MAX_READ).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).into_owned()
}
