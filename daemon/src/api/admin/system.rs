//! `GET /system`: the state of the daemon for its operator, and `/`, which says where things are.

use schemars::JsonSchema;
use std::time::Duration;

use salvo::{
    Request, Response, Writer as _,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    oapi::endpoint,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::api::{
    http::{
        measure::OpenStream,
        request::extract::State,
        response::{Answer, Flat, FlatAnswer, Reply},
    },
    state::AppState,
};
use crate::domain::queue::QueueName;

/// How long a part may take to tell its state.
const PATIENCE: Duration = Duration::from_millis(800);

/// The state of the daemon, for its operator.
#[derive(Serialize, JsonSchema)]
struct System {
    version: &'static str,
    uptime_seconds: f64,
    /// Kind, schema version and counts.
    store: Value,
    /// Depths by queue name; null for one that does not answer.
    queues: Value,
    open_streams: i64,
    /// The actor tree; null when it does not answer.
    tree: Value,
}

/// Where things are.
#[derive(Serialize, JsonSchema)]
struct Root {
    message: &'static str,
    version: &'static str,
    docs: String,
    health: String,
    api_prefix: String,
}

/// `GET /system`
///
/// Read the state of the daemon.
#[endpoint(operation_id = "getSystem", tags("system"))]
pub(crate) async fn system(state: State) -> Answer<System> {
    let tree = async { tokio::time::timeout(PATIENCE, state.operations.tree()).await.unwrap_or(Value::Null) };
    let (tree, queues) = futures::future::join(tree, queues(&state)).await;
    Ok(Reply::new(System {
        version: state.version,
        uptime_seconds: state.started_at.elapsed().as_secs_f64(),
        store: state.store.describe(),
        queues,
        open_streams: OpenStream::count(),
        tree,
    }))
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
///
/// Where things are. A browser is led to the page that shows the document, where a link's code is exchanged for a login.
#[endpoint(operation_id = "getRoot", tags("system"))]
pub(crate) async fn root(state: State, req: &mut Request, res: &mut Response) -> FlatAnswer<Root> {
    let config = state.config.load();
    let at = |path: &str| format!("{}{path}", config.server.public_path());
    let wants_page = req.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if wants_page.is_some_and(|accept| accept.contains("text/html"))
        && let Ok(docs) = HeaderValue::from_str(&at("/docs"))
    {
        // The fragment, with its code, goes along.
        res.status_code(StatusCode::SEE_OTHER);
        res.headers_mut().insert(header::LOCATION, docs);
    }
    Ok(Flat::ok(Root {
        message: "Nexus-AI API",
        version: state.version,
        docs: at("/docs"),
        health: at("/health"),
        api_prefix: at("/api/v2"),
    }))
}
