use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc};

use serde::Serialize;
use serde_json::Value;

use super::Context;
use crate::payload::{
    AgentRef, AgentStatus, DeployResult, Failure, HandlerKind, InvokeRequest, InvokeResult, Operation, StageRequest,
    StageResult,
};

/// Runs a stage of a workflow.
pub trait StageHandler: Send + Sync + 'static {
    /// One attempt. Must be repeatable: an earlier attempt may have been cut off anywhere.
    fn run(&self, request: StageRequest, cx: Context) -> impl Future<Output = Result<StageResult, Failure>> + Send;
}

/// Makes agents available and talks to them.
pub trait DeployHandler: Send + Sync + 'static {
    /// Makes the agent available. Repeating it for a deployed agent replaces what runs.
    fn deploy(&self, agent: AgentRef, cx: Context) -> impl Future<Output = Result<DeployResult, Failure>> + Send;
    /// Stops and forgets the agent. Repeating it is no error.
    fn undeploy(&self, agent: AgentRef, cx: Context) -> impl Future<Output = Result<(), Failure>> + Send;
    /// How the agent is, without starting it.
    fn status(&self, agent: AgentRef, cx: Context) -> impl Future<Output = Result<AgentStatus, Failure>> + Send;
    /// Asks the agent. Text and tool events are sent as they come; the result repeats the whole.
    fn invoke(&self, request: InvokeRequest, cx: Context)
    -> impl Future<Output = Result<InvokeResult, Failure>> + Send;
}

type JobFuture<'a> = Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send + 'a>>;
type ShutdownFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The object-safe form of both handler kinds.
pub(crate) trait AnyHandler: Send + Sync {
    fn kind(&self) -> HandlerKind;
    fn call(&self, operation: Operation, cx: Context) -> JobFuture<'_>;
}

/// The handlers of a configured plugin.
#[derive(Default)]
pub struct Handlers {
    by_name: HashMap<String, Arc<dyn AnyHandler>>,
    shutdown: Option<Box<dyn Fn() -> ShutdownFuture + Send + Sync>>,
}

impl Handlers {
    /// No handlers yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stage handler under the name it has in `describe`.
    #[must_use]
    pub fn stage(mut self, name: &str, handler: impl StageHandler) -> Self {
        self.by_name.insert(name.into(), Arc::new(Stage(handler)));
        self
    }

    /// Adds a deploy handler under the name it has in `describe`.
    #[must_use]
    pub fn deploy(mut self, name: &str, handler: impl DeployHandler) -> Self {
        self.by_name.insert(name.into(), Arc::new(Deploy(handler)));
        self
    }

    /// What to do when the generation is retired or the daemon stops (end child processes, flush).
    /// All jobs have ended then. It is cut off after the daemon's grace period.
    #[must_use]
    pub fn on_shutdown<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.shutdown = Some(Box::new(move || Box::pin(hook())));
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<dyn AnyHandler>> {
        self.by_name.get(name).cloned()
    }

    pub(crate) fn kind_of(&self, name: &str) -> Option<HandlerKind> {
        self.by_name.get(name).map(|h| h.kind())
    }

    pub(crate) fn run_shutdown(&self) -> Option<ShutdownFuture> {
        self.shutdown.as_ref().map(|hook| hook())
    }
}

struct Stage<H>(H);

impl<H: StageHandler> AnyHandler for Stage<H> {
    fn kind(&self) -> HandlerKind {
        HandlerKind::Stage
    }

    fn call(&self, operation: Operation, cx: Context) -> JobFuture<'_> {
        Box::pin(async move {
            match operation {
                Operation::Run(request) => json(self.0.run(*request, cx).await?),
                _ => Err(wrong_kind("stage", "run")),
            }
        })
    }
}

struct Deploy<H>(H);

impl<H: DeployHandler> AnyHandler for Deploy<H> {
    fn kind(&self) -> HandlerKind {
        HandlerKind::Deploy
    }

    fn call(&self, operation: Operation, cx: Context) -> JobFuture<'_> {
        Box::pin(async move {
            match operation {
                Operation::Deploy(agent) => json(self.0.deploy(agent, cx).await?),
                Operation::Undeploy(agent) => {
                    self.0.undeploy(agent, cx).await?;
                    Ok(Value::Object(serde_json::Map::new()))
                }
                Operation::Status(agent) => json(self.0.status(agent, cx).await?),
                Operation::Invoke(request) => json(self.0.invoke(*request, cx).await?),
                Operation::Run(_) => Err(wrong_kind("deploy", "deploy, undeploy, status and invoke")),
            }
        })
    }
}

fn json(value: impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value)
        .map_err(|e| Failure::permanent(format!("the handler's result cannot be written as JSON: {e}")))
}

fn wrong_kind(kind: &str, understood: &str) -> Failure {
    Failure::permanent(format!("a {kind} handler understands {understood} only"))
}
