//! One job of a handler, from its start to its outcome: the one way to ask a plugin for something.
//!
//! Dropping the future cancels the job, and nobody waits for its end then.

use std::{future::Future, time::Duration};

use nexus_plugin_api::payload::{Event, HandlerKind, Operation};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use super::executor::Executor;
use crate::{
    domain::failure::{Failure, FailureKind},
    telemetry::told::HandlerLines,
};

/// What a handler is to do, and how long it may take.
pub struct Order<'a> {
    /// `plugin/handler`.
    pub handler: &'a str,
    pub operation: Operation,
    /// How long it may take.
    pub limit: Limit,
}

/// How long a job may take.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub time: Duration,
    /// From when it counts.
    pub counts: Counts,
    /// What becomes of a job that is late.
    pub late: Late,
    /// The sentence for a job that is late, up to its seconds.
    pub told: &'static str,
}

/// From when a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// From the request, so that the wait for a busy plugin is bounded, too.
    FromRequest,
    /// From the begin of the job: to wait for one's turn at a busy plugin is not to be slow, and another try would only
    /// queue up again.
    FromBegin,
}

/// What becomes of a job that is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// It is cancelled, and its end awaited, which the host bounds: the next try does not meet it. One that succeeds all
    /// the same counts.
    Awaited,
    /// It is cancelled and left: somebody waits for the answer.
    Left,
}

/// Who hears of a job while it runs.
pub trait Listener: Send {
    /// Takes an event. To wait here holds the handler back.
    fn hear(&mut self, event: Event) -> impl Future<Output = ()> + Send;

    /// Resolves when [`Listener::flush`] is to be called although no event came. Cancel-safe.
    fn due(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Passes on what was gathered.
    fn flush(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Of events only the log lines are of interest.
impl Listener for HandlerLines {
    fn hear(&mut self, event: Event) -> impl Future<Output = ()> + Send {
        if let Event::Log { level, message } = event {
            self.tell(level, &message);
        }
        std::future::ready(())
    }
}

impl Limit {
    fn exceeded(&self) -> Failure {
        Failure::new(FailureKind::Timeout, format!("{} {} s", self.told, self.time.as_secs_f64()))
    }
}

/// Runs a job to its end and reads its result. `interrupted` ends it early, with the failure that it resolves to: the job
/// is cancelled and its end awaited, and its work counts if it came to its end all the same.
///
/// # Errors
/// Whatever ended the job without a result, or what is wrong with the result.
pub async fn run_job<T: DeserializeOwned>(
    executor: &dyn Executor,
    order: Order<'_>,
    listener: &mut impl Listener,
    interrupted: impl Future<Output = Failure> + Send,
) -> Result<T, Failure> {
    let Order { handler, operation, limit } = order;
    let kind = match operation {
        Operation::Run(_) => HandlerKind::Stage,
        _ => HandlerKind::Deploy,
    };
    let deadline = sleep(limit.time);
    tokio::pin!(deadline, interrupted);
    let mut job = tokio::select! {
        job = executor.start(handler, kind, operation) => job?,
        failure = &mut interrupted => return Err(failure),
        () = &mut deadline, if limit.counts == Counts::FromRequest => return Err(limit.exceeded()),
    };
    if limit.counts == Counts::FromBegin {
        deadline.as_mut().reset(Instant::now() + limit.time);
    }
    // Why it was cancelled: once, and after that only its end counts.
    let mut cancelled: Option<Failure> = None;
    loop {
        tokio::select! {
            event = job.next_event() => match event {
                Some(event) => listener.hear(event).await,
                None => break,
            },
            () = listener.due() => listener.flush().await,
            failure = &mut interrupted, if cancelled.is_none() => {
                cancelled = Some(failure);
                job.cancel();
            }
            () = &mut deadline, if cancelled.is_none() => {
                if limit.late == Late::Left {
                    return Err(limit.exceeded());
                }
                cancelled = Some(limit.exceeded());
                job.cancel();
            }
        }
    }
    let result = job.outcome().await.and_then(|value| {
        serde_json::from_value(value).map_err(|error| {
            Failure::new(FailureKind::Plugin, format!("the handler's result is not understood: {error}"))
        })
    });
    result.map_err(|failure| cancelled.unwrap_or(failure))
}
