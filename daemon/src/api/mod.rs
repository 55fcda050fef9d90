//! The HTTP API: this file is the tree of paths, one further file per resource.
//!
//! Handlers only parse, call and map: `input` and `fields` read, `reply` and `error` write, `edge` is
//! around every request. Storage is reached through [`crate::store::Store`], the actor tree through
//! [`Conductor`], agents through [`crate::agents`].

mod agent_edit;
mod agent_files;
mod agents;
mod all_events;
mod answers;
mod attachments;
mod auth;
mod build;
mod build_graph;
mod chat;
mod config;
mod control;
mod cors;
mod deployment;
mod documents;
mod door;
mod edge;
mod elsewhere;
mod error;
mod events;
mod extract;
mod fields;
mod files;
mod headers;
mod health;
mod history;
mod host;
mod input;
mod invoke;
mod measure;
mod messages;
mod once;
mod openapi;
mod plugins;
mod projects;
mod quiet;
mod ready;
mod reply;
mod rules;
mod runtime;
mod serve;
mod service_state;
mod session_lease;
mod sessions;
mod settle;
mod shed;
mod sse;
mod state;
mod statistics;
mod stream;
mod system;
mod tasks;
mod tools;
mod upload;
mod watch;
mod workflow;
mod workflows;
mod ws;

use std::sync::Arc;

pub use answers::Chats;
pub use error::{ApiError, Resource};
pub use fields::Fault;
pub use openapi::{openapi, openapi_conflicts};
pub use salvo::server::ServerHandle;
use salvo::{Handler, Router, Service, catcher::Catcher};
pub use serve::{Bound, bind};
pub use state::{AppState, Conductor, RenderMetrics};

/// The prefixes under which the resources live; the second is the original's alias.
const PREFIXES: [&str; 2] = ["api/v2", "api/v1"];

/// All paths. Pure: needs no state to be built.
#[must_use]
pub fn router() -> Router {
    let root = Router::new()
        .push(at("", || system::root))
        .push(at("health", || health::check_all).push(at("live", || health::live)).push(at("ready", || health::ready)))
        .push(at("metrics", || health::metrics_page))
        .push(at("openapi.json", || openapi::openapi_json))
        .push(at("docs", || openapi::docs).push(at("{**file}", || openapi::docs_file)));
    let health = || at("health", || health::check_all);
    PREFIXES
        .into_iter()
        .fold(root, |root, prefix| root.push(Router::with_path(prefix).push(resources()).push(health())))
}

/// The paths of a daemon that serves no interface.
fn apart() -> Router {
    Router::new()
        .push(at("health", || health::check_all).push(at("live", || health::live)).push(at("ready", || health::ready)))
        .push(at("metrics", || health::metrics_page))
}

/// The paths that the document describes: the aliases are left out.
fn documented() -> Router {
    let health =
        at("health", || health::check_all).push(at("live", || health::live)).push(at("ready", || health::ready));
    Router::new()
        .push(at("", || system::root))
        .push(health)
        .push(at("metrics", || health::metrics_page))
        .push(at("openapi.json", || openapi::openapi_json))
        .push(Router::with_path("api/v2").push(resources()))
}

fn resources() -> Router {
    Router::new()
        .push(at("projects", || projects::list).post(projects::create).push(project()))
        .push(at("tasks", || tasks::list).push(at("{id}", || tasks::detail)))
        .push(at("agents", || agents::list).push(agent()))
        .push(session())
        .push(at("events", || all_events::stream_all))
        .push(Router::with_path("ws").get(ws::open))
        .push(tools::paths())
        .push(Router::with_path("agentcore/stream").post(runtime::ask_runtime))
        .push(workflow())
        .push(at("workflows", || workflows::list))
        .push(auth())
        .push(config())
        .push(statistics())
        .push(at("plugins", || plugins::list).push(Router::with_path("reload").post(plugins::reload)))
        .push(at("system", || system::system))
}

fn project() -> Router {
    at("{id}", || projects::detail)
        .delete(projects::delete)
        .push(at("stages", || projects::list_stages))
        .push(at("tasks", || projects::list_tasks))
        .push(at("build", || build::dashboard))
        .push(at("events", || events::stream_events))
        .push(Router::with_path("control").post(control::control))
        .push(at("files", || files::list).push(at("{**path}", || files::show_file)))
        .push(at("workflow-report", || documents::workflow_report))
        .push(at("stage-docs/{stage}", || documents::stage_document))
}

fn workflow() -> Router {
    Router::with_path("workflow/{id}")
        .push(Router::with_path("pause").post(workflow::pause_of))
        .push(Router::with_path("resume").post(workflow::resume_of))
        .push(Router::with_path("stop").post(workflow::stop_of))
        .push(Router::with_path("restart").post(workflow::restart_of))
        .push(at("status", || workflow::status_of))
        .push(at("stages/{stage}", || workflow::stage_of).push(at("output", || workflow::output_of)))
        .push(at("metrics", || workflow::metrics_of))
        .push(at("files", || workflow::list_files).push(at("{**path}", || workflow::show_file)))
}

fn config() -> Router {
    let one = at("{file}", || config::show)
        .put(config::put)
        .push(Router::with_path("validate").post(config::validate))
        .push(Router::with_path("restore").post(config::restore));
    at("config", || config::list).push(one)
}

fn auth() -> Router {
    Router::with_path("auth")
        .push(Router::with_path("login").post(auth::login))
        .push(Router::with_path("logout").post(auth::logout))
        .push(at("me", || auth::me))
        .push(at("check", || auth::check))
}

fn statistics() -> Router {
    Router::with_path("statistics")
        .push(at("overview", || statistics::show_overview))
        .push(at("builds", || statistics::builds))
        .push(at("invocations", || statistics::invocations))
        .push(at("agent-categories", || statistics::agent_categories))
        .push(at("top-agents", || statistics::top_agents))
        .push(at("recent-activities", || statistics::recent_activities))
        .push(at("system-health", || statistics::system_health))
}

fn agent() -> Router {
    at("{id}", || agents::detail)
        .delete(agents::delete)
        .put(agent_edit::update)
        .push(Router::with_path("status").put(agent_edit::put_status))
        .push(at("context", || agent_edit::context))
        .push(at("runtime/health", || agent_edit::runtime_health))
        .push(agent_files())
        .push(Router::with_path("invoke").post(invoke::invoke))
        .push(at("sessions", || sessions::list).post(sessions::create))
}

fn agent_files() -> Router {
    at("files", || agent_files::show_list)
        .push(at("code", || agent_files::show_code).put(agent_files::put_code))
        .push(at("prompt", || agent_files::show_prompt).put(agent_files::put_prompt))
        .push(at("tools", || agent_files::show_tools).push(Router::with_path("{name}").put(agent_files::put_tool)))
}

fn session() -> Router {
    let one = at("{id}", || sessions::detail)
        .delete(sessions::delete)
        .push(at("messages", || messages::list).post(messages::send))
        .push(Router::with_path("upload").post(upload::upload))
        .push(at("stream", || stream::resume_answer).post(stream::stream_answer).delete(stream::stop_answer));
    Router::with_path("sessions").push(one)
}

/// A path that answers GET, and HEAD the same way.
fn at<H: Handler>(path: &str, handler: impl Fn() -> H) -> Router {
    let router = if path.is_empty() { Router::new() } else { Router::with_path(path) };
    router.get(handler()).head(handler())
}

/// The paths with all that is around them: request ids, errors, metrics.
#[must_use]
pub fn service(state: Arc<AppState>) -> Service {
    // A daemon that only works shows its health and figures, and serves nothing else.
    let serves = state.config.load().roles.contains(&crate::config::Role::Api);
    let tree = if serves { router() } else { apart() };
    Service::new(tree).hoop(edge::Edge { state }).catcher(Catcher::new(edge::catcher))
}
