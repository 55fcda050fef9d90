//! Watching all projects at once.

pub(crate) mod all;
pub(crate) mod wanted;
pub(crate) mod websocket;

use salvo::Router;

use super::at;

pub(crate) fn paths() -> Router {
    Router::new().push(at("events", || all::stream_all)).push(Router::with_path("ws").get(websocket::open))
}
