//! For the operator: health, figures, settings, plugins, tools, workflows.

pub(crate) mod config;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod plugins;
pub(crate) mod statistics;
pub(crate) mod system;
pub(crate) mod tools;
pub(crate) mod workflows;

use salvo::Router;

use super::at;

/// The paths that supervisors ask; a daemon that serves no interface has them, too.
pub(crate) fn supervised() -> Router {
    let health =
        at("health", || health::check_all).push(at("live", || health::live)).push(at("ready", || health::ready));
    Router::new().push(health).push(at("metrics", || health::metrics_page))
}

pub(crate) fn paths() -> Router {
    let file = at("{file}", || config::show)
        .put(config::put)
        .push(Router::with_path("validate").post(config::validate))
        .push(Router::with_path("restore").post(config::restore));
    Router::new()
        .push(tools::paths())
        .push(at("workflows", || workflows::list))
        .push(at("config", || config::list).push(file))
        .push(keys::paths())
        .push(statistics::paths())
        .push(at("plugins", || plugins::list).push(Router::with_path("reload").post(plugins::reload)))
        .push(at("system", || system::system))
}
