//! `/health`, `/health/live`, `/health/ready` and `/metrics`. Health answers within a second, whatever
//! hangs: every check has its own time limit.

use schemars::JsonSchema;
use std::{
    future::Future,
    sync::LazyLock,
    time::{Duration, Instant},
};

use metrics::gauge;
use nexus_sandbox::Walls;
use salvo::{
    Response, Writer as _,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    oapi::endpoint,
};
use serde::Serialize;

use crate::api::{
    http::{
        error::ApiError,
        request::extract::State,
        response::{Flat, FlatAnswer},
    },
    state::AppState,
};
use crate::{
    backend::{
        error::BackendError,
        store::{Pressure, Trouble},
    },
    config::BackendKind,
    domain::queue::QueueName,
    plugins::{PluginReport, PluginState},
    telemetry::names,
    tools::walls,
};

/// The limit of one check.
const LIMIT: Duration = Duration::from_millis(700);

/// An answer that took longer shows a store that is hard pressed.
const SLOW: Duration = Duration::from_millis(250);

crate::domain::words! {
    /// How a part is, or the whole.
    Condition {
        /// Does its work.
        Healthy = "healthy",
        /// Does its work, with less than it should have.
        Degraded = "degraded",
        /// Cannot do its work.
        Unhealthy = "unhealthy",
        /// Is being stopped.
        Stopping = "stopping",
    }
}

/// Whether the daemon can do its work: as badly off as its worst part; plugins and artifacts degrade it at most.
#[derive(Serialize, JsonSchema)]
struct Health {
    status: Condition,
    service: &'static str,
    version: &'static str,
    checks: Checks,
    /// What holds code that nobody here wrote.
    sandbox: Sandboxing,
    /// Why a part is not healthy, when one is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Reasons>,
}

/// Each part.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HealthChecks")]
struct Checks {
    /// Written to within the time limit.
    store: Condition,
    /// Read from within the time limit.
    queue: Condition,
    /// `degraded` when one was refused, takes no jobs, or lacks the Python it runs.
    plugins: Condition,
    /// `degraded` when tools, tests and agents cannot be confined.
    sandbox: Condition,
    /// The store, when it is that of the cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    dynamodb: Option<Condition>,
    /// The queue, when it is that of the cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    sqs: Option<Condition>,
    /// Where daemons share the files of projects. Away: builds and deployments wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    artifacts: Option<Condition>,
}

/// The walls around tools that are tried out, tests of agents, and agents: what is asked for and what this kernel gives.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HealthSandbox")]
struct Sandboxing {
    /// `landlock`, or `bwrap` for namespaces too.
    mode: String,
    /// Whether such code is started without walls that are missing.
    allow_weaker: bool,
    /// Version of Landlock's interface; 0 where there is none.
    landlock: u32,
    /// Whether system calls can be filtered.
    seccomp: bool,
    /// Controllers of the control group that is delegated to the daemon.
    cgroup: Vec<String>,
    /// What this kernel lacks, and what stands in for it.
    missing: Vec<String>,
}

/// In words, why a part is not healthy; none for one that is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HealthReasons")]
struct Reasons {
    store: Option<String>,
    queue: Option<String>,
    plugins: Option<String>,
    sandbox: Option<String>,
    /// When daemons share files.
    #[serde(skip_serializing_if = "Option::is_none")]
    artifacts: Option<String>,
}

/// The process answers.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Liveness")]
struct Live {
    /// `alive`.
    status: &'static str,
}

/// How a part is, and why it is not healthy. `trouble` is what it has had to contend with lately.
pub(crate) async fn check<T>(
    what: &'static str,
    call: impl Future<Output = Result<T, BackendError>>,
    trouble: impl Fn() -> Option<Trouble>,
) -> (Condition, Option<String>) {
    let begun = Instant::now();
    let answer = tokio::time::timeout(LIMIT, call).await;
    let trouble = trouble();
    let found = match (answer, trouble) {
        (Ok(Ok(_)), Some(trouble)) => (Condition::Degraded, Some(trouble.reason)),
        (Ok(Ok(_)), None) if begun.elapsed() > SLOW => {
            (Condition::Degraded, Some(format!("it took {} ms to answer", begun.elapsed().as_millis())))
        }
        (Ok(Ok(_)), None) => (Condition::Healthy, None),
        (Ok(Err(error)), Some(trouble)) => (Condition::Unhealthy, Some(format!("{error}; {}", trouble.reason))),
        (Ok(Err(error)), None) => (Condition::Unhealthy, Some(error.to_string())),
        // Throttled, say: it goes on, with less than it should have.
        (Err(_), Some(trouble)) if trouble.answering => (Condition::Degraded, Some(trouble.reason)),
        (Err(_), Some(trouble)) => (Condition::Unhealthy, Some(trouble.reason)),
        (Err(_), None) => (Condition::Unhealthy, Some(format!("no answer within {} ms", LIMIT.as_millis()))),
    };
    if found.0 == Condition::Unhealthy {
        tracing::warn!(what, reason = found.1, "health check failed");
    }
    found
}

/// Bytes below which the data folder counts as full.
const ROOM: u64 = 1 << 20;

/// Why nothing more can be written beside the store: agents, logs and files of projects need the data folder on every
/// backend.
async fn without_room(state: &AppState) -> Option<String> {
    let folder = state.config.load().data.dir.clone();
    let look = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&folder));
    let found = tokio::time::timeout(LIMIT, look).await.ok()?.ok()?.ok()?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    (free < ROOM).then(|| "no space is left for the data folder: free some".to_owned())
}

/// What this kernel gives to confine with, whether that will do, and why not.
fn walled(state: &AppState) -> (Sandboxing, Condition, Option<String>) {
    static WALLS: LazyLock<Walls> = LazyLock::new(Walls::probe);
    let config = state.config.load().sandbox;
    let troubles = walls::troubles(config, &WALLS);
    let condition = if troubles.is_empty() { Condition::Healthy } else { Condition::Degraded };
    let sandbox = Sandboxing {
        mode: serde_json::to_value(config.mode).ok().and_then(|mode| mode.as_str().map(Into::into)).unwrap_or_default(),
        allow_weaker: config.allow_weaker,
        landlock: WALLS.landlock.unwrap_or(0),
        seccomp: WALLS.seccomp,
        cgroup: WALLS.cgroup.clone().unwrap_or_default(),
        missing: WALLS.missing.clone(),
    };
    (sandbox, condition, (!troubles.is_empty()).then(|| troubles.join("; ")))
}

async fn examine(state: &AppState) -> Flat<Health> {
    let store = check("store", state.store.ping(), || state.store.trouble());
    let queue = check("queue", state.queue.depth(QueueName::Build), || state.queue.trouble());
    let artifacts = async {
        let artifacts = state.agents.deployed.artifacts();
        if artifacts.is_shared() { Some(check("artifacts", artifacts.check(), || None).await) } else { None }
    };
    let ((store, of_store), (queue, of_queue), artifacts) = futures::future::join3(store, queue, artifacts).await;
    let (store, of_store) = match without_room(state).await {
        Some(reason) if store < Condition::Degraded => (Condition::Degraded, Some(reason)),
        _ => (store, of_store),
    };
    let (artifacts, of_artifacts) = artifacts.unzip();
    // A refused plugin file keeps the daemon from nothing else: seen, but not unhealthy.
    let takes_none =
        |r: &PluginReport| matches!(r.state, PluginState::Refused | PluginState::Degraded | PluginState::Broken);
    let lacking = state.plugins.reports().iter().filter(|report| takes_none(report)).count();
    let wanting = state.plugins.lacking();
    let plugins = if lacking > 0 || !wanting.is_empty() { Condition::Degraded } else { Condition::Healthy };
    let refused = (lacking > 0).then(|| format!("{lacking} are refused or take no jobs: see /api/v2/plugins"));
    let of_plugins: Vec<String> = refused.into_iter().chain(wanting).collect();
    let of_plugins = (!of_plugins.is_empty()).then(|| of_plugins.join("; "));
    // Without shared files builds wait, and all else goes on.
    let of_files = artifacts.map_or(Condition::Healthy, |artifacts| artifacts.min(Condition::Degraded));
    let (sandbox, walled, of_sandbox) = walled(state);
    let status = store.max(queue).max(plugins).max(of_files).max(walled);
    let cloud = state.config.load().backend.kind == BackendKind::Aws;
    let (dynamodb, sqs) = (cloud.then_some(store), cloud.then_some(queue));
    let checks = Checks { store, queue, plugins, sandbox: walled, dynamodb, sqs, artifacts };
    let reasons = Reasons {
        store: of_store,
        queue: of_queue,
        plugins: of_plugins,
        sandbox: of_sandbox,
        artifacts: of_artifacts.flatten(),
    };
    let reasons = (status != Condition::Healthy).then_some(reasons);
    let health = Health { status, service: "nexus-ai-api", version: state.version, checks, sandbox, reasons };
    Flat(if status < Condition::Unhealthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, health)
}

/// `GET /health`
///
/// Check every part. 200 when the daemon can do its work, 503 when the store or the queue is away; within a second,
/// whatever hangs.
#[endpoint(operation_id = "getHealth", tags("health"))]
pub(crate) async fn check_all(state: State, res: &mut Response) -> FlatAnswer<Health> {
    let answer = examine(&state).await;
    if answer.0 != StatusCode::OK {
        res.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    Ok(answer)
}

/// `GET /health/ready`
///
/// Whether requests should be sent here. Not while the daemon stops.
#[endpoint(operation_id = "getReadiness", tags("health"))]
pub(crate) async fn ready(state: State, res: &mut Response) -> FlatAnswer<Health> {
    let mut answer = examine(&state).await;
    if state.shutdown.is_cancelled() {
        answer.0 = StatusCode::SERVICE_UNAVAILABLE;
        answer.1.status = Condition::Stopping;
    }
    if answer.0 != StatusCode::OK {
        res.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    Ok(answer)
}

/// `GET /health/live`
///
/// Whether the process answers at all.
#[endpoint(operation_id = "getLiveness", tags("health"))]
pub(crate) async fn live() -> FlatAnswer<Live> {
    Ok(Flat(StatusCode::OK, Live { status: "alive" }))
}

/// `GET /metrics`
///
/// Read the metrics, in the text format of Prometheus.
#[endpoint(
    operation_id = "getMetrics",
    tags("health"),
    responses((status_code = 200, description = "All metrics.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn metrics_page(state: State, res: &mut Response) -> Result<(), ApiError> {
    show_pressure(&state.store.pressure());
    let page = (state.render_metrics)();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    res.headers_mut().insert(header::CONTENT_TYPE, kind);
    res.replace_body(page.into());
    Ok(())
}

/// What waits for the store is true at the moment of the scrape, and counted by nobody in between.
#[allow(clippy::cast_precision_loss)] // counts
fn show_pressure(pressure: &Pressure) {
    let kinds =
        [("read", pressure.waiting_reads, pressure.read_room), ("write", pressure.waiting_writes, pressure.write_room)];
    for (kind, waiting, room) in kinds {
        gauge!(names::STORE_WAITING, "kind" => kind).set(waiting as f64);
        gauge!(names::STORE_ROOM, "kind" => kind).set(room as f64);
    }
    gauge!(names::STORE_STALLED).set(pressure.stalled_for.unwrap_or_default().as_secs_f64());
}
