//! `/health`, `/health/live`, `/health/ready` and `/metrics`. Health answers within a second, whatever
//! hangs: every check has its own time limit.

use std::{future::Future, time::Duration};

use salvo::{
    Response, Writer as _,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    oapi::endpoint,
};
use serde::Serialize;

use super::{
    error::ApiError,
    extract::State,
    openapi::describe,
    reply::{Flat, FlatAnswer},
    state::AppState,
};
use crate::{
    plugins::{PluginReport, PluginState},
    queue::QueueName,
    store::StoreError,
};

/// The limit of one check.
const LIMIT: Duration = Duration::from_millis(700);

#[derive(Serialize)]
struct Health {
    status: &'static str,
    service: &'static str,
    version: &'static str,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    store: &'static str,
    queue: &'static str,
    plugins: &'static str,
}

async fn check<T>(what: &'static str, call: impl Future<Output = Result<T, StoreError>>) -> bool {
    match tokio::time::timeout(LIMIT, call).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            tracing::warn!(what, %error, "health check failed");
            false
        }
        Err(_) => {
            tracing::warn!(what, "health check took too long");
            false
        }
    }
}

const fn word(fine: bool) -> &'static str {
    if fine { "healthy" } else { "unhealthy" }
}

async fn examine(state: &AppState) -> Flat<Health> {
    let store = check("store", state.store.ping());
    let queue = check("queue", state.queue.depth(QueueName::Build));
    let (store, queue) = futures::future::join(store, queue).await;
    // A refused plugin file keeps the daemon from nothing else: seen, but not unhealthy.
    let takes_none =
        |r: &PluginReport| matches!(r.state, PluginState::Refused | PluginState::Degraded | PluginState::Broken);
    let plugins = if state.plugins.reports().iter().any(takes_none) { "degraded" } else { "healthy" };
    let fine = store && queue;
    let checks = Checks { store: word(store), queue: word(queue), plugins };
    let health = Health { status: word(fine), service: "nexus-ai-api", version: state.version, checks };
    Flat(if fine { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, health)
}

describe! {
    /// Whether the daemon can do its work.
    Health as "Health" {
        /// `healthy`, `degraded`, `unhealthy` or `stopping`.
        status,
        service, version, checks,
    }
}

describe! {
    /// Each part: `healthy`, `degraded` or `unhealthy`.
    Checks as "HealthChecks" { store, queue, plugins }
}

describe! {
    /// The process answers.
    Live as "Liveness" {
        /// `alive`.
        status,
    }
}

/// `GET /health`
///
/// Check every part. 200 when the daemon can do its work, 503 when the store or the queue is away; within a second,
/// whatever hangs.
#[endpoint(operation_id = "getHealth", tags("health"))]
pub(super) async fn check_all(state: State, res: &mut Response) -> FlatAnswer<Health> {
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
pub(super) async fn ready(state: State, res: &mut Response) -> FlatAnswer<Health> {
    let mut answer = examine(&state).await;
    if state.shutdown.is_cancelled() {
        answer.0 = StatusCode::SERVICE_UNAVAILABLE;
        answer.1.status = "stopping";
    }
    if answer.0 != StatusCode::OK {
        res.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    Ok(answer)
}

#[derive(Serialize)]
struct Live {
    status: &'static str,
}

/// `GET /health/live`
///
/// Whether the process answers at all.
#[endpoint(operation_id = "getLiveness", tags("health"))]
pub(super) async fn live() -> FlatAnswer<Live> {
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
pub(super) async fn metrics_page(state: State, res: &mut Response) -> Result<(), ApiError> {
    let page = (state.render_metrics)();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    res.headers_mut().insert(header::CONTENT_TYPE, kind);
    res.replace_body(page.into());
    Ok(())
}
