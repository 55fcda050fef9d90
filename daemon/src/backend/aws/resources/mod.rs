//! The resources of the cloud backend: its tables and queues, made, listed, emptied and removed (SPEC section 5).

pub mod agentcore;
mod policy;
mod queues;
mod tables;

pub use policy::policy;

use crate::{backend::queue::QueueNames, domain::queue::QueueName};

/// What is to be made, and how it is to behave.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Before every table's name.
    pub prefix: String,
    /// What the queues are called.
    pub names: QueueNames,
    pub tables: bool,
    pub queues: bool,
    /// Days a message waits: builds, deployments, dead letters.
    pub retention_days: [u32; 3],
    /// Receives after which a message becomes a dead letter.
    pub max_receive_count: u32,
}

/// How a resource was found or left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Ready,
    Missing,
    Created,
    /// Set right just now.
    Updated,
    /// There, and not as it should be; not to be mended without its data.
    Drifted,
    Emptied,
    Deleted,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Missing => "missing",
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Drifted => "DRIFTED",
            Self::Emptied => "emptied",
            Self::Deleted => "deleted",
        }
    }
}

/// A resource and how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub kind: &'static str,
    /// With the prefix.
    pub name: String,
    pub state: State,
    /// What is to be known beside: what drifted, how many items.
    pub detail: String,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make what is missing, set right what can be.
    Init,
    List,
    /// Remove what is in them.
    Clean,
    Delete,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// The service refused or is away.
    #[error("{what}: {why}")]
    Service { what: String, why: String },
    /// It did not become ready in time.
    #[error("{0} is not ready after five minutes")]
    TooSlow(String),
}

/// The error of a service, in its words.
fn said<E: std::error::Error>(what: impl Into<String>) -> impl FnOnce(E) -> ResourceError {
    let what = what.into();
    move |error| ResourceError::Service { what, why: crate::backend::error::chain(&error) }
}

/// The queues of SPEC section 2, dead letters first: others refer to them. None is that of notifications.
pub(crate) const QUEUES: [Option<QueueName>; 5] =
    [Some(QueueName::BuildDead), Some(QueueName::DeployDead), Some(QueueName::Build), Some(QueueName::Deploy), None];

/// The name of one of them.
pub(crate) fn name_of(names: &QueueNames, queue: Option<QueueName>) -> &str {
    queue.map_or(names.notifications(), |queue| names.get(queue))
}

/// Carries `action` out; `told` hears of every resource as soon as it is done.
///
/// # Errors
/// The first resource that could not be dealt with; those beside it are finished.
pub async fn run(
    plan: &Plan,
    action: Action,
    dynamodb: &aws_sdk_dynamodb::Client,
    sqs: &aws_sdk_sqs::Client,
    told: &(dyn Fn(&Report) + Sync),
) -> Result<Vec<Report>, ResourceError> {
    let mut reports = Vec::new();
    if plan.tables {
        reports.extend(tables::all(plan, action, dynamodb, told).await?);
    }
    if plan.queues {
        reports.extend(queues::all(plan, action, sqs, told).await?);
    }
    Ok(reports)
}
