//! `/plugins`: what the plugin host has loaded, and the request to look again.

use salvo::{Depot, Request, handler, http::StatusCode};
use serde_json::{Value, json};

use super::{
    error::ApiError,
    input,
    reply::{Answer, Reply},
    state::AppState,
};
use crate::plugins::PluginReport;

/// `GET /plugins`
#[handler]
pub(super) async fn list(depot: &mut Depot) -> Answer<Vec<PluginReport>> {
    let state = AppState::of(depot)?;
    Ok(Reply::new(state.plugins.reports()))
}

/// `POST /plugins/reload`: as SIGHUP does.
#[handler]
pub(super) async fn reload(req: &mut Request, depot: &mut Depot) -> Answer<Value> {
    let state = AppState::of(depot)?;
    // Nothing in it is needed; a body of another type is refused all the same.
    input::optional_body(req, state.body_limit()).await?.finish()?;
    let work = tokio::spawn(async move { state.conductor.reload().await.map(|changed| (changed, state)) });
    match work.await.map_err(ApiError::internal)? {
        Ok((changed, state)) => {
            let data = json!({ "changed": changed, "plugins": state.plugins.reports() });
            Ok(Reply::new(data).message("reloaded"))
        }
        Err(reason) => Err(ApiError::plain(StatusCode::CONFLICT, "RELOAD_REFUSED", reason)),
    }
}
