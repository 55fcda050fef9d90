//! What every actor of the tree shares: the backends, the settings, the book of leases.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{executor::Executor, lease::LeaseBook};
use crate::{
    config::{DeployConfig, Price, WorkerConfig},
    domain::{ids::WorkerId, workflow::Workflows},
    queue::Queue,
    store::Store,
};

/// Shared by all actors; cheap to clone behind its `Arc`.
pub struct Environment {
    /// Who we are, among all daemons of this backend.
    pub worker_id: WorkerId,
    /// Metadata.
    pub store: Arc<dyn Store>,
    /// Tasks.
    pub queue: Arc<dyn Queue>,
    /// Plugin jobs.
    pub executor: Arc<dyn Executor>,
    /// Known workflows; replaced by a reload.
    pub workflows: ArcSwap<Workflows>,
    /// Price list; replaced by a reload.
    pub pricing: ArcSwap<BTreeMap<String, Price>>,
    /// Deploy targets; replaced by a reload.
    pub deploy: ArcSwap<DeployConfig>,
    /// Limits and times of the work.
    pub worker: WorkerConfig,
    /// How long events and dead letters are kept.
    pub retention: Duration,
    /// Parent of the project folders.
    pub projects_dir: PathBuf,
    /// Parent of the agents' state folders.
    pub agents_dir: PathBuf,
    /// Leases and messages that are kept alive.
    pub leases: LeaseBook,
    /// Set when the daemon begins to stop: nothing new begins.
    pub draining: CancellationToken,
    /// Tasks that outlive an actor for a moment (hand-backs), awaited at the end.
    pub tasks: TaskTracker,
}

impl Environment {
    /// The price of tokens of a model, in US dollars; an unknown model costs nothing.
    #[must_use]
    pub fn cost(&self, model_id: Option<&str>, input_tokens: u64, output_tokens: u64) -> f64 {
        let prices = self.pricing.load();
        let Some(price) = model_id.and_then(|id| prices.get(id)) else { return 0.0 };
        #[allow(clippy::cast_precision_loss)] // far below 2^52 tokens
        let of = |tokens: u64, usd: f64| tokens as f64 * usd / 1e6;
        of(input_tokens, price.input_usd_per_million) + of(output_tokens, price.output_usd_per_million)
    }
}
