//! Requests to the writer: what they do, and when they are answered.

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{error::panicked, tx::Tx};
use crate::backend::{error::BackendError, store::Result};

/// When a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// After the commit.
    Durable,
    /// When it has run; done once more after a rollback.
    Deferred,
    /// When it has run; not repeated after a rollback.
    Loose,
    /// When it has run; changes nothing in the file.
    Peek,
}

/// A request as the writer thread has it.
pub(super) trait Job: Send {
    fn mode(&self) -> Mode;
    /// Runs the request; `false` when it failed.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Answers with the result of `run`, or with `failure`.
    fn answer(&mut self, failure: Option<BackendError>);
}

/// A request and whoever waits for its answer.
pub(super) struct Request<T, F> {
    pub(super) mode: Mode,
    pub(super) act: F,
    pub(super) result: Option<Result<T>>,
    pub(super) reply: Option<oneshot::Sender<Result<T>>>,
    pub(super) _permit: OwnedSemaphorePermit,
}

impl<T: Send, F: FnMut(&mut Tx<'_>) -> Result<T> + Send> Job for Request<T, F> {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        self.result = None;
        let result = (self.act)(tx);
        let ok = result.is_ok();
        self.result = Some(result);
        ok
    }

    fn answer(&mut self, failure: Option<BackendError>) {
        let result = self.result.take();
        if let Some(reply) = self.reply.take() {
            let answer = match failure {
                // What the request itself found wrong is true whatever became of the commit.
                Some(failure) => match result {
                    Some(Err(own)) => Err(own),
                    _ => Err(failure),
                },
                None => result.unwrap_or_else(|| Err(panicked())),
            };
            let _gone = reply.send(answer);
        }
    }
}
