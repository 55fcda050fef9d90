//! What every handler may reach: one value, shared, put into the depot of each request by `edge`.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use salvo::Depot;
use serde_json::Value;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::api::http::error::ApiError;
use crate::{
    agents::{Agents, Conversations},
    auth::Access,
    backend::{queue::Queue, store::Store},
    config::Config,
    domain::workflow::Workflows,
    events::EventHub,
    plugins::Plugins,
    projects::Projects,
    tools::{ToolTests, mcp::McpServers},
};

/// What the API asks of the whole daemon. `app` implements it; tests put a recorder in its place.
#[async_trait]
pub trait Operations: Send + Sync {
    /// The tree's state for `GET /system`.
    async fn tree(&self) -> Value;
    /// Reloads configuration, plugins and workflows, as SIGHUP does; reports what changed.
    async fn reload(&self) -> Result<crate::reload::Reloaded, String>;
}

/// Makes the text of `/metrics`.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What the API stands on.
pub struct AppState {
    /// Who may call.
    pub access: Arc<Access>,
    /// Metadata.
    pub store: Arc<dyn Store>,
    /// Build and deploy queues, for their health and depth.
    pub queue: Arc<dyn Queue>,
    /// Live events.
    pub hub: Arc<EventHub>,
    /// The whole daemon.
    pub operations: Arc<dyn Operations>,
    /// Projects.
    pub projects: Projects,
    /// Agents.
    pub agents: Agents,
    /// Conversations with agents.
    pub conversations: Arc<Conversations>,
    /// The plugin host, for its reports.
    pub plugins: Plugins,
    /// Tests of tools.
    pub tool_tests: Arc<ToolTests>,
    /// The MCP servers that people have written down.
    pub mcp_servers: Arc<McpServers>,
    /// Work that goes on when its client leaves; awaited before the store closes.
    pub tasks: TaskTracker,
    /// The workflows of today.
    pub workflows: Arc<ArcSwap<Workflows>>,
    /// The settings of today.
    pub config: Arc<ArcSwap<Config>>,
    /// The file that the settings were read from.
    pub settings_file: Option<PathBuf>,
    /// One folder per project.
    pub project_root: PathBuf,
    /// Fires when the daemon stops: streams end.
    pub shutdown: CancellationToken,
    /// The metrics page.
    pub render_metrics: RenderMetrics,
    /// When the daemon started.
    pub started_at: Instant,
    /// The daemon's version.
    pub version: &'static str,
}

impl AppState {
    /// Largest body of a request with files.
    pub(crate) fn upload_limit(&self) -> usize {
        self.config.load().server.max_upload_bytes.as_usize()
    }

    /// After so long without a word a stream gives a sign of life.
    pub(crate) fn keep_alive(&self) -> Duration {
        self.config.load().server.sse_keepalive_secs.duration().max(Duration::from_secs(1))
    }

    /// Largest body of a request without files.
    pub(crate) fn body_limit(&self) -> usize {
        self.config.load().server.max_body_bytes.as_usize()
    }

    /// The state of this request.
    ///
    /// # Errors
    /// Only when the handler runs outside of `api::service`.
    pub(crate) fn of(depot: &Depot) -> Result<Arc<Self>, ApiError> {
        depot.get_typed::<Arc<Self>>().cloned().map_err(|_| ApiError::internal("no state in the depot"))
    }
}
