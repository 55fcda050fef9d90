//! Which right every operation needs, and of what. An operation that stands neither here nor on the list of open ones is
//! refused, and a test fails.

use std::{collections::HashMap, sync::LazyLock};

use salvo::http::Method;

use crate::domain::caller::Right::{
    self, Administer, Build, ChangeAgent, ChangeCode, Control, Converse, Read, ReadFiles, Scrape, Statistics,
};

/// What an operation is about: how the thing is found whose owner counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The daemon.
    Daemon,
    /// Everything taken together.
    Everything,
    /// The caller's own: a list that shows each his, or something new.
    Own,
    /// The project of the path's `{id}`.
    Project,
    /// The project of the task of the path's `{id}`.
    Task,
    /// The agent of the path's `{id}`.
    Agent,
    /// The session of the path's `{id}`.
    Session,
}

/// What one operation needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) right: Right,
    pub(crate) about: About,
}

/// Operations that everybody may call, reviewed one by one.
pub(crate) const OPEN: [(&str, &str, &str); 12] = [
    ("GET", "/", "Says where things are, and the version."),
    ("GET", "/health", "Supervisors and load balancers ask; it says which parts are up."),
    ("GET", "/health/live", "As above."),
    ("GET", "/health/ready", "As above."),
    ("GET", "/openapi.json", "The document of the interface, which is no secret."),
    ("GET", "/docs", "The page that shows it."),
    ("GET", "/docs/{**file}", "What that page loads, from within the program."),
    ("GET", "/api/v2/health", "As `/health`."),
    ("POST", "/api/v2/auth/login", "The way in; limited by address, and slow by itself."),
    ("POST", "/api/v2/auth/code", "The way in by a code of one use; limited by address."),
    ("POST", "/api/v2/auth/logout", "Ends the session that it shows, and nothing else."),
    ("GET", "/api/v2/auth/check", "Says whether the caller is known, and nothing of anybody else."),
];

/// All the others, below `/api/v2` unless they begin with a slash of their own.
const RULES: &[(&str, &str, Right, About)] = &[
    ("GET", "/metrics", Scrape, About::Everything),
    ("GET", "projects", Read, About::Own),
    ("POST", "projects", Build, About::Own),
    ("GET", "projects/{id}", Read, About::Project),
    ("DELETE", "projects/{id}", Control, About::Project),
    ("GET", "projects/{id}/stages", Read, About::Project),
    ("GET", "projects/{id}/tasks", Read, About::Project),
    ("GET", "projects/{id}/build", Read, About::Project),
    ("GET", "projects/{id}/events", Read, About::Project),
    ("POST", "projects/{id}/control", Control, About::Project),
    ("GET", "projects/{id}/budget", Read, About::Project),
    ("PUT", "projects/{id}/budget", Control, About::Project),
    ("GET", "projects/{id}/files", ReadFiles, About::Project),
    ("GET", "projects/{id}/files/{**path}", ReadFiles, About::Project),
    ("GET", "projects/{id}/workflow-report", ReadFiles, About::Project),
    ("GET", "projects/{id}/stage-docs/{stage}", ReadFiles, About::Project),
    ("GET", "tasks", Read, About::Everything),
    ("GET", "tasks/{id}", Read, About::Task),
    ("GET", "agents", Read, About::Own),
    ("POST", "agents", Administer, About::Daemon),
    ("GET", "agents/{id}", Read, About::Agent),
    ("PUT", "agents/{id}", ChangeAgent, About::Agent),
    ("DELETE", "agents/{id}", ChangeAgent, About::Agent),
    ("PUT", "agents/{id}/status", ChangeAgent, About::Agent),
    ("POST", "agents/{id}/deploy", ChangeAgent, About::Agent),
    ("GET", "agents/{id}/context", Read, About::Agent),
    ("GET", "agents/{id}/runtime/health", Read, About::Agent),
    ("GET", "agents/{id}/files", ReadFiles, About::Agent),
    ("GET", "agents/{id}/files/code", ReadFiles, About::Agent),
    ("PUT", "agents/{id}/files/code", ChangeCode, About::Agent),
    ("GET", "agents/{id}/files/prompt", ReadFiles, About::Agent),
    ("PUT", "agents/{id}/files/prompt", ChangeCode, About::Agent),
    ("GET", "agents/{id}/files/tools", ReadFiles, About::Agent),
    ("PUT", "agents/{id}/files/tools/{name}", ChangeCode, About::Agent),
    ("POST", "agents/{id}/invoke", Converse, About::Agent),
    ("GET", "agents/{id}/sessions", Read, About::Agent),
    ("POST", "agents/{id}/sessions", Converse, About::Agent),
    ("GET", "sessions/{id}", Read, About::Session),
    ("DELETE", "sessions/{id}", Converse, About::Session),
    ("GET", "sessions/{id}/messages", Read, About::Session),
    ("POST", "sessions/{id}/messages", Converse, About::Session),
    ("POST", "sessions/{id}/upload", Converse, About::Session),
    ("GET", "sessions/{id}/stream", Read, About::Session),
    ("POST", "sessions/{id}/stream", Converse, About::Session),
    ("DELETE", "sessions/{id}/stream", Converse, About::Session),
    ("GET", "events", Statistics, About::Everything),
    ("GET", "ws", Statistics, About::Everything),
    ("GET", "tools", Administer, About::Daemon),
    ("GET", "tools/list", Administer, About::Daemon),
    ("GET", "tools/categories", Administer, About::Daemon),
    ("GET", "tools/mcp/servers", Administer, About::Daemon),
    ("GET", "tools/mcp/servers/{name}", Administer, About::Daemon),
    ("PUT", "tools/mcp/servers/{name}", Administer, About::Daemon),
    ("GET", "tools/{name}", Administer, About::Daemon),
    ("POST", "tools/{name}/test", Administer, About::Daemon),
    ("POST", "agentcore/stream", Administer, About::Daemon),
    ("POST", "workflow/{id}/pause", Control, About::Project),
    ("POST", "workflow/{id}/resume", Control, About::Project),
    ("POST", "workflow/{id}/stop", Control, About::Project),
    ("POST", "workflow/{id}/restart", Control, About::Project),
    ("GET", "workflow/{id}/status", Read, About::Project),
    ("GET", "workflow/{id}/stages/{stage}", Read, About::Project),
    ("GET", "workflow/{id}/stages/{stage}/output", ReadFiles, About::Project),
    ("GET", "workflow/{id}/metrics", Read, About::Project),
    ("GET", "workflow/{id}/files", ReadFiles, About::Project),
    ("GET", "workflow/{id}/files/{**path}", ReadFiles, About::Project),
    ("GET", "workflows", Read, About::Own),
    ("GET", "auth/me", Read, About::Own),
    ("POST", "auth/link", Administer, About::Daemon),
    ("GET", "keys", Administer, About::Daemon),
    ("POST", "keys", Administer, About::Daemon),
    ("DELETE", "keys/{key}", Administer, About::Daemon),
    ("POST", "keys/{key}/rotate", Administer, About::Daemon),
    ("GET", "config", Administer, About::Daemon),
    ("GET", "config/{file}", Administer, About::Daemon),
    ("PUT", "config/{file}", Administer, About::Daemon),
    ("POST", "config/{file}/validate", Administer, About::Daemon),
    ("POST", "config/{file}/restore", Administer, About::Daemon),
    ("GET", "statistics/overview", Statistics, About::Everything),
    ("GET", "statistics/builds", Statistics, About::Everything),
    ("GET", "statistics/invocations", Statistics, About::Everything),
    ("GET", "statistics/agent-categories", Statistics, About::Everything),
    ("GET", "statistics/top-agents", Statistics, About::Everything),
    ("GET", "statistics/recent-activities", Statistics, About::Everything),
    ("GET", "statistics/system-health", Statistics, About::Everything),
    ("GET", "plugins", Administer, About::Daemon),
    ("POST", "plugins/reload", Administer, About::Daemon),
    ("GET", "system", Statistics, About::Everything),
];

static BY_PATH: LazyLock<HashMap<(&'static str, String), Option<Rule>>> = LazyLock::new(|| {
    let whole = |path: &str| if path.starts_with('/') { path.to_owned() } else { format!("/api/v2/{path}") };
    let open = OPEN.iter().map(|(method, path, _)| ((*method, (*path).to_owned()), None));
    let ruled = RULES
        .iter()
        .map(|(method, path, right, about)| ((*method, whole(path)), Some(Rule { right: *right, about: *about })));
    open.chain(ruled).collect()
});

/// A route as the document names it: both prefixes are one.
pub(crate) fn route(matched: &str) -> String {
    matched.strip_prefix("api/v1").map_or_else(|| format!("/{matched}"), |rest| format!("/api/v2{rest}"))
}

/// What the operation needs: `Some(None)` is open to everybody, `None` is unknown here.
pub(crate) fn of(method: &Method, route: &str) -> Option<Option<Rule>> {
    let method = match *method {
        Method::GET | Method::HEAD => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => return None,
    };
    BY_PATH.get(&(method, route.to_owned())).copied()
}

/// What the document is told: the right, or that none is needed.
pub(crate) fn told(method: &str, path: &str) -> Option<Option<Right>> {
    // The document names parts that may hold slashes as all others.
    let found = BY_PATH.iter().find(|((known, route), _)| {
        known.eq_ignore_ascii_case(method) && (route == path || route.replace("{**", "{") == path)
    });
    found.map(|(_, rule)| rule.map(|rule| rule.right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_document_has_a_rule_and_every_rule_an_operation() {
        let document = crate::api::openapi();
        let mut missing = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                match told(method, path) {
                    Some(_) => drop(seen.insert(format!("{} {path}", method.to_uppercase()))),
                    None => missing.push(format!("{method} {path}")),
                }
            }
        }
        assert!(missing.is_empty(), "no rule for {missing:?}");
        // The page that shows the document, and the alias of the health, are not in it.
        let beside = ["GET /docs", "GET /docs/{file}", "GET /api/v2/health"];
        for (method, path) in BY_PATH.keys() {
            let name = format!("{method} {}", path.replace("{**", "{"));
            assert!(seen.contains(&name) || beside.contains(&name.as_str()), "{name} is no operation");
        }
        assert_eq!(BY_PATH.len(), OPEN.len() + RULES.len(), "an operation stands twice");
    }

    #[test]
    fn only_what_was_reviewed_is_open() {
        for (method, path, why) in OPEN {
            let changes = method != "GET";
            assert!(!why.is_empty() && (!changes || path.starts_with("/api/v2/auth/")), "{method} {path}");
        }
    }

    #[test]
    fn reading_rights_change_nothing() {
        for (method, path, right, _) in RULES {
            let reads = matches!(right, Read | ReadFiles | Statistics | Scrape);
            assert!(*method == "GET" || !reads, "{method} {path} changes something by the right to {right}");
        }
    }
}
