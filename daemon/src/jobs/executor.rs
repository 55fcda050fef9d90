//! What the tree needs of the plugin host, as a trait: tests and benches run the same actors over
//! handlers of their own.

use async_trait::async_trait;
use nexus_plugin_api::payload::{Event, HandlerKind, Operation};
use serde_json::Value;

use crate::domain::failure::Failure;

/// Starts jobs of handlers.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Starts a job of `handler` (`plugin/handler`); waits while the plugin is at its limit. Cancel-safe.
    async fn start(&self, handler: &str, kind: HandlerKind, operation: Operation) -> Result<Box<dyn Job>, Failure>;
}

/// A running job. Dropping it cancels it.
#[async_trait]
pub trait Job: Send {
    /// The next event; `None` once the job is over. Cancel-safe.
    async fn next_event(&mut self) -> Option<Event>;

    /// Asks the job to end soon. Never blocks; may be repeated.
    fn cancel(&self);

    /// The result, once `next_event` gave `None`.
    async fn outcome(self: Box<Self>) -> Result<Value, Failure>;
}
