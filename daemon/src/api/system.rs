//! `GET /system`: the state of the daemon for its operator, and `/`, which says where things are.

use std::time::Duration;

use salvo::{Depot, handler, http::StatusCode};
use serde_json::{Map, Value, json};

use super::{
    error::ApiError,
    measure::OpenStream,
    reply::{Answer, Flat, Reply},
    state::AppState,
};
use crate::queue::QueueName;

/// How long a part may take to tell its state.
const PATIENCE: Duration = Duration::from_millis(800);

/// `GET /system`
#[handler]
pub(super) async fn system(depot: &mut Depot) -> Answer<Value> {
    let state = AppState::of(depot)?;
    let tree = async { tokio::time::timeout(PATIENCE, state.conductor.tree()).await.unwrap_or(Value::Null) };
    let (tree, queues) = futures::future::join(tree, queues(&state)).await;
    Ok(Reply::new(json!({
        "version": state.version,
        "uptime_seconds": state.started_at.elapsed().as_secs_f64(),
        "store": state.store.describe(),
        "queues": queues,
        "open_streams": OpenStream::count(),
        "tree": tree,
    })))
}

/// Depths by queue name; null for one that does not answer.
async fn queues(state: &AppState) -> Value {
    let depths = QueueName::ALL.map(|name| async move {
        let depth = tokio::time::timeout(PATIENCE, state.queue.depth(name)).await;
        let depth = depth.ok().and_then(Result::ok).map(|d| {
            let oldest = d.oldest.map(|age| age.as_secs_f64());
            json!({ "visible": d.visible, "in_flight": d.in_flight, "oldest_seconds": oldest })
        });
        (name.as_str().to_owned(), depth.unwrap_or(Value::Null))
    });
    futures::future::join_all(depths).await.into_iter().collect::<Map<_, _>>().into()
}

/// `GET /`
#[handler]
pub(super) async fn root(depot: &mut Depot) -> Result<Flat<Value>, ApiError> {
    let state = AppState::of(depot)?;
    let body = json!({
        "message": "Nexus-AI API",
        "version": state.version,
        "docs": "/docs",
        "health": "/health",
        "api_prefix": "/api/v2",
    });
    Ok(Flat(StatusCode::OK, body))
}
