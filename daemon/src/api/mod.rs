//! The HTTP API: this file gathers the paths; each folder declares its own.
//!
//! Handlers parse, call a service and map its answer: `http/request` reads, `http/response` and `http/error` write,
//! `http/middleware` is around every request. [`crate::projects`] and [`crate::agents`] do the work.

mod admin;
mod agents;
mod events;
mod http;
mod openapi;
mod projects;
mod state;
mod v2_compat;

use std::sync::Arc;

pub use http::{ApiError, Bound, BoundSocket, Fault, Resource, bind, bind_socket};
use http::{access::Entrance, places::Places};
pub use openapi::{openapi, openapi_conflicts};
pub use salvo::server::ServerHandle;
use salvo::{Handler, Router, Service, catcher::Catcher};
pub use state::{AppState, Operations, RenderMetrics};

/// The prefixes under which the resources live; the second is the original's alias.
const PREFIXES: [&str; 2] = ["api/v2", "api/v1"];

/// All paths. Pure: needs no state to be built.
#[must_use]
pub fn router() -> Router {
    let root = root().push(at("docs", || openapi::docs).push(at("{**file}", || openapi::docs_file)));
    PREFIXES.into_iter().fold(root, |root, prefix| {
        root.push(Router::with_path(prefix).push(resources()).push(at("health", || admin::health::check_all)))
    })
}

/// The paths that the document describes: the aliases are left out.
fn documented() -> Router {
    root().push(Router::with_path("api/v2").push(resources()))
}

/// The paths outside of the prefixes.
fn root() -> Router {
    admin::supervised().push(at("", || admin::system::root)).push(at("openapi.json", || openapi::openapi_json))
}

fn resources() -> Router {
    Router::new()
        .push(projects::paths())
        .push(projects::tasks::paths())
        .push(agents::paths())
        .push(agents::sessions::paths())
        .push(agents::runtime::paths())
        .push(events::paths())
        .push(v2_compat::paths())
        .push(admin::paths())
}

/// A path that answers GET, and HEAD the same way.
fn at<H: Handler>(path: &str, handler: impl Fn() -> H) -> Router {
    let router = if path.is_empty() { Router::new() } else { Router::with_path(path) };
    router.get(handler()).head(handler())
}

/// The paths with all that is around them: request ids, errors, metrics.
fn service(state: Arc<AppState>, entrance: Entrance, places: Places) -> Service {
    // A daemon that only works shows its health and figures, and serves nothing else.
    let serves = state.config.load().roles.contains(&crate::config::Role::Api);
    let tree = if serves { router() } else { admin::supervised() };
    Service::new(tree)
        .hoop(http::middleware::Edge { state, entrance, places })
        .catcher(Catcher::new(http::middleware::catcher))
}
