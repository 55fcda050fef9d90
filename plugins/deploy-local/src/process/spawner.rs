//! The thread that forks.
//!
//! The parent-death signal is tied to the *thread* that forked: when a tokio worker or a thread of
//! the blocking pool ends, its children would be killed. So one thread does nothing else, and lives
//! as long as anything that may have a child.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
};

use tokio::{runtime::Handle, sync::oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// A handle to the thread; it ends when the last one is dropped.
pub(crate) struct Spawner {
    jobs: mpsc::Sender<Job>,
}

impl Spawner {
    /// Starts the thread. Must be called inside the runtime, whose reactor the children use.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::Builder::new().name("agent-spawner".into()).spawn(move || {
            let _in_runtime = runtime.enter();
            for job in queue {
                // A panic must not end the thread: it would take every agent with it.
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
        })?;
        Ok(Self { jobs })
    }

    /// Runs `work` on the thread.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(move || {
            let _ = reply.send(work());
        });
        let gone = |_| io::Error::other("the spawning thread failed");
        self.jobs.send(job).map_err(|_| io::Error::other("the spawning thread is gone"))?;
        answer.await.unwrap_or_else(|e| Err(gone(e)))
    }
}
