//! The plugin host as the tree's [`Executor`].

use async_trait::async_trait;
use nexus_plugin_api::payload::{Event, FailureKind as PluginFailureKind, HandlerKind, Operation};
use serde_json::Value;

use super::executor::{Executor, Job};
use crate::{
    domain::failure::{Failure, FailureKind},
    plugins::{Job as PluginJob, JobError, Plugins, ResolveError},
};

#[async_trait]
impl Executor for Plugins {
    async fn start(&self, handler: &str, kind: HandlerKind, operation: Operation) -> Result<Box<dyn Job>, Failure> {
        let handler = self.resolve(handler, kind).map_err(|error| unresolved(&error))?;
        let job = handler.start(operation).await.map_err(|error| failure(&error))?;
        Ok(Box::new(job))
    }
}

#[async_trait]
impl Job for PluginJob {
    async fn next_event(&mut self) -> Option<Event> {
        Self::next_event(self).await
    }

    fn cancel(&self) {
        self.canceller().cancel();
    }

    async fn outcome(self: Box<Self>) -> Result<Value, Failure> {
        Self::outcome(*self).await.map_err(|error| failure(&error))
    }
}

fn unresolved(error: &ResolveError) -> Failure {
    let kind = if error.retryable() { FailureKind::Transient } else { FailureKind::Permanent };
    Failure::new(kind, error.to_string())
}

fn failure(error: &JobError) -> Failure {
    let kind = match error {
        JobError::Failed(failure) => match failure.kind {
            PluginFailureKind::Transient => FailureKind::Transient,
            PluginFailureKind::BudgetExhausted => FailureKind::BudgetExhausted,
            PluginFailureKind::Permanent => FailureKind::Permanent,
            PluginFailureKind::InvalidInput => FailureKind::InvalidInput,
            PluginFailureKind::Cancelled => FailureKind::Cancelled,
        },
        JobError::Cancelled => FailureKind::Cancelled,
        JobError::Panicked { .. } => FailureKind::Panic,
        JobError::Violation { .. } | JobError::Unsendable { .. } => FailureKind::Plugin,
        JobError::Gone(error) => return unresolved(error),
        // A reload, a restart or time cures these.
        JobError::Stuck { .. }
        | JobError::Refused { .. }
        | JobError::Degraded { .. }
        | JobError::Busy { .. }
        | JobError::Broken { .. }
        | JobError::ShuttingDown => FailureKind::Transient,
    };
    let mut failure = Failure::new(kind, error.to_string());
    failure.details = error.details().map(str::to_owned);
    failure
}
