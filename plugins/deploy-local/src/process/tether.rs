//! A helper in the agent's process group that kills the whole group when the daemon is gone.
//!
//! The parent-death signal reaches the agent itself, not the processes it started. The tether is a
//! shell that reads from a pipe whose other end only the daemon holds: however the daemon ends, the
//! read ends, and the shell kills its group. It also keeps the group's number taken while the group is signalled.
//! Processes that left the group it finds as [`super::strays`] does.

use std::{io, process::Stdio};

use rustix::process::Pid;
use tokio::process::{Child, Command};

use super::{limits::seal, strays::MARK_NAME};

/// Signals that stop the agent gently must not end the tether before the group is empty. `$1` is the
/// mark; three rounds, as a process in the middle of `exec` shows no environment. Without `grep` only
/// the group is killed.
const SCRIPT: &str = r#"
trap '' TERM INT HUP QUIT USR1 USR2 PIPE
read -r _
for round in 1 2 3; do
    for found in $(grep -lsaF "$1" /proc/[0-9]*/environ); do
        found=${found#/proc/}
        kill -9 "${found%/environ}"
    done
    sleep 0.2
done
kill -9 0
"#;

/// Starts a tether in `group`. To be called on the spawner's thread, before the leader is reaped.
pub(crate) fn tether(group: Pid, mark: &str) -> io::Result<Child> {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", SCRIPT, "tether", &format!("{MARK_NAME}={mark}")])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/")
        .stdin(Stdio::piped()) // the write end stays in the `Child`
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(group.as_raw_nonzero().get())
        .kill_on_drop(true);
    seal(&mut command);
    command.spawn()
}
