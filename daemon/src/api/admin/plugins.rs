//! `/plugins`: what the plugin host has loaded, and the request to look again.

use salvo::{Writer as _, http::StatusCode, oapi::endpoint};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::api::http::{
    error::ApiError,
    request::{
        extract::{OptionalBody, State},
        rules::fields_of,
    },
    response::{Answer, Reply},
};
use crate::plugins::PluginReport;

fields_of! {
    /// Nothing is needed.
    pub(crate) NoFields {}
}

/// What a reload changed.
#[derive(Serialize, JsonSchema)]
struct Reloaded {
    changed: Value,
    /// Plugin files that were refused; `plugins` says why and what to do.
    refused: Vec<String>,
    plugins: Vec<PluginReport>,
}

/// `GET /plugins`
///
/// List plugins, those that were refused included, with the reason and the remedy.
#[endpoint(operation_id = "listPlugins", tags("plugins"))]
pub(crate) async fn list(state: State) -> Answer<Vec<PluginReport>> {
    Ok(Reply::new(state.plugins.reports()))
}

/// `POST /plugins/reload`
///
/// Look for plugins again, and read settings and workflows again, as SIGHUP does. Running jobs keep their generation.
#[endpoint(operation_id = "reloadPlugins", tags("plugins"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn reload(state: State, body: OptionalBody<NoFields>) -> Answer<Reloaded> {
    let (State(state, _), OptionalBody(NoFields {})) = (state, body);
    let work = tokio::spawn(async move { state.operations.reload().await.map(|done| (done, state)) });
    match work.await.map_err(ApiError::internal)? {
        Ok((done, state)) => {
            let message = match done.refused.as_slice() {
                [] => "reloaded".to_owned(),
                [one] => format!("reloaded, but the plugin file {one} was refused: see `plugins`"),
                many => format!(
                    "reloaded, but {} plugin files were refused ({}): see `plugins`",
                    many.len(),
                    many.join(", ")
                ),
            };
            let data = Reloaded { changed: done.changed, refused: done.refused, plugins: state.plugins.reports() };
            Ok(Reply::new(data).message(message))
        }
        Err(reason) => Err(ApiError::plain(StatusCode::CONFLICT, "RELOAD_REFUSED", reason)),
    }
}
