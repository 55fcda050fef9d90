//! A running agent process behind its walls, with the readers of its output.

use std::{io, sync::Arc, time::Duration};

use nexus_sandbox::{Confined, Ending, Sandbox, SandboxError};
use tokio::{task::JoinHandle, time::timeout};

use super::{Output, output::pump};

/// How long the last output of a dead process is waited for.
const DRAIN_WAIT: Duration = Duration::from_millis(300);

/// A process and everything that belongs to it. Dropping it ends all of it at once.
pub(crate) struct Process {
    confined: Confined,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts a process; `output` gets what it prints.
    pub(crate) async fn spawn(sandbox: &Sandbox, output: &Arc<Output>) -> Result<Self, SandboxError> {
        let mut confined = sandbox.spawn().await?;
        let stdout = confined.stdout.take().map(|pipe| tokio::spawn(pump(pipe, "out", Arc::clone(output))));
        let stderr = confined.stderr.take().map(|pipe| tokio::spawn(pump(pipe, "err", Arc::clone(output))));
        Ok(Self { confined, readers: stdout.into_iter().chain(stderr).collect() })
    }

    /// It leads a process group of the same number.
    pub(crate) fn pid(&self) -> i32 {
        self.confined.pid()
    }

    /// The walls that hold it, and those that it goes without.
    pub(crate) fn walls(&self) -> (&[String], &[String]) {
        (self.confined.guards(), self.confined.weaker())
    }

    /// Resolves when the process and all that it started have ended. Safe to cancel.
    pub(crate) async fn ended(&mut self) -> io::Result<Ending> {
        let ending = self.confined.ended().await;
        self.finish().await;
        ending
    }

    /// SIGTERM to the group, SIGKILL to everything after `grace`; returns when all of it is gone.
    pub(crate) async fn stop(mut self, grace: Duration) {
        // What cannot be ended hangs in a device; its keeper waits for it.
        let _ = self.confined.stop(grace).await;
        self.finish().await;
    }

    /// Nothing is forgotten when this is cut off: the next call goes on.
    async fn finish(&mut self) {
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
        self.readers.iter().for_each(JoinHandle::abort);
    }
}
