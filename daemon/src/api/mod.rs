//! The HTTP API: this file is the tree of paths, one further file per resource.
//!
//! Handlers only parse, call and map: `input` and `fields` read, `reply` and `error` write, `edge` is
//! around every request. Storage is reached through [`crate::backend::store::Store`], the actor tree through
//! its services, [`crate::projects`] and [`crate::agents`] do the work.

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
    let root = Router::new()
        .push(at("", || admin::system::root))
        .push(
            at("health", || admin::health::check_all)
                .push(at("live", || admin::health::live))
                .push(at("ready", || admin::health::ready)),
        )
        .push(at("metrics", || admin::health::metrics_page))
        .push(at("openapi.json", || openapi::openapi_json))
        .push(at("docs", || openapi::docs).push(at("{**file}", || openapi::docs_file)));
    let health = || at("health", || admin::health::check_all);
    PREFIXES
        .into_iter()
        .fold(root, |root, prefix| root.push(Router::with_path(prefix).push(resources()).push(health())))
}

/// The paths of a daemon that serves no interface.
fn apart() -> Router {
    Router::new()
        .push(
            at("health", || admin::health::check_all)
                .push(at("live", || admin::health::live))
                .push(at("ready", || admin::health::ready)),
        )
        .push(at("metrics", || admin::health::metrics_page))
}

/// The paths that the document describes: the aliases are left out.
fn documented() -> Router {
    let health = at("health", || admin::health::check_all)
        .push(at("live", || admin::health::live))
        .push(at("ready", || admin::health::ready));
    Router::new()
        .push(at("", || admin::system::root))
        .push(health)
        .push(at("metrics", || admin::health::metrics_page))
        .push(at("openapi.json", || openapi::openapi_json))
        .push(Router::with_path("api/v2").push(resources()))
}

fn resources() -> Router {
    Router::new()
        .push(at("projects", || projects::list).post(projects::create).push(project()))
        .push(at("tasks", || projects::tasks::list).push(at("{id}", || projects::tasks::detail)))
        .push(at("agents", || agents::list).push(agent()))
        .push(session())
        .push(at("events", || events::all::stream_all))
        .push(Router::with_path("ws").get(events::websocket::open))
        .push(admin::tools::paths())
        .push(Router::with_path("agentcore/stream").post(agents::runtime::ask_runtime))
        .push(workflow())
        .push(at("workflows", || admin::workflows::list))
        .push(auth())
        .push(admin::keys::paths())
        .push(config())
        .push(statistics())
        .push(at("plugins", || admin::plugins::list).push(Router::with_path("reload").post(admin::plugins::reload)))
        .push(at("system", || admin::system::system))
}

fn project() -> Router {
    at("{id}", || projects::detail)
        .delete(projects::delete)
        .push(at("stages", || projects::list_stages))
        .push(at("tasks", || projects::list_tasks))
        .push(at("build", || projects::dashboard::dashboard))
        .push(at("events", || projects::events::stream_events))
        .push(Router::with_path("control").post(projects::control::control))
        .push(at("files", || projects::files::list).push(at("{**path}", || projects::files::show_file)))
        .push(at("workflow-report", || projects::documents::workflow_report))
        .push(at("stage-docs/{stage}", || projects::documents::stage_document))
}

fn workflow() -> Router {
    Router::with_path("workflow/{id}")
        .push(Router::with_path("pause").post(v2_compat::workflow::pause_of))
        .push(Router::with_path("resume").post(v2_compat::workflow::resume_of))
        .push(Router::with_path("stop").post(v2_compat::workflow::stop_of))
        .push(Router::with_path("restart").post(v2_compat::workflow::restart_of))
        .push(at("status", || v2_compat::workflow::status_of))
        .push(
            at("stages/{stage}", || v2_compat::workflow::stage_of)
                .push(at("output", || v2_compat::workflow::output_of)),
        )
        .push(at("metrics", || v2_compat::workflow::metrics_of))
        .push(at("files", || v2_compat::workflow::list_files).push(at("{**path}", || v2_compat::workflow::show_file)))
}

fn config() -> Router {
    let one = at("{file}", || admin::config::show)
        .put(admin::config::put)
        .push(Router::with_path("validate").post(admin::config::validate))
        .push(Router::with_path("restore").post(admin::config::restore));
    at("config", || admin::config::list).push(one)
}

fn auth() -> Router {
    Router::with_path("auth")
        .push(Router::with_path("login").post(v2_compat::auth::login))
        .push(Router::with_path("logout").post(v2_compat::auth::logout))
        .push(Router::with_path("code").post(v2_compat::auth::take_code))
        .push(Router::with_path("link").post(v2_compat::auth::make_link))
        .push(at("me", || v2_compat::auth::me))
        .push(at("check", || v2_compat::auth::check))
}

fn statistics() -> Router {
    Router::with_path("statistics")
        .push(at("overview", || admin::statistics::show_overview))
        .push(at("builds", || admin::statistics::builds))
        .push(at("invocations", || admin::statistics::invocations))
        .push(at("agent-categories", || admin::statistics::agent_categories))
        .push(at("top-agents", || admin::statistics::top_agents))
        .push(at("recent-activities", || admin::statistics::recent_activities))
        .push(at("system-health", || admin::statistics::system_health))
}

fn agent() -> Router {
    at("{id}", || agents::detail)
        .delete(agents::delete)
        .put(agents::edit::update)
        .push(Router::with_path("status").put(agents::edit::put_status))
        .push(at("context", || agents::edit::context))
        .push(at("runtime/health", || agents::edit::runtime_health))
        .push(agent_files())
        .push(Router::with_path("invoke").post(agents::invoke::invoke))
        .push(at("sessions", || agents::sessions::list).post(agents::sessions::create))
}

fn agent_files() -> Router {
    at("files", || agents::files::show_list)
        .push(at("code", || agents::files::show_code).put(agents::files::put_code))
        .push(at("prompt", || agents::files::show_prompt).put(agents::files::put_prompt))
        .push(at("tools", || agents::files::show_tools).push(Router::with_path("{name}").put(agents::files::put_tool)))
}

fn session() -> Router {
    let one = at("{id}", || agents::sessions::detail)
        .delete(agents::sessions::delete)
        .push(at("messages", || agents::messages::list).post(agents::messages::send))
        .push(Router::with_path("upload").post(agents::upload::upload))
        .push(
            at("stream", || agents::stream::resume_answer)
                .post(agents::stream::stream_answer)
                .delete(agents::stream::stop_answer),
        );
    Router::with_path("sessions").push(one)
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
    let tree = if serves { router() } else { apart() };
    Service::new(tree)
        .hoop(http::middleware::Edge { state, entrance, places })
        .catcher(Catcher::new(http::middleware::catcher))
}
