//! What no key can tell alone: values that must fit each other, and who may call from where.

use super::auth::AuthMode;
use super::model::Config;
use super::problem::{Place, Problem, Source, closest};
use super::tree::Node;

/// Everything that does not fit together.
pub(super) fn validate(config: &Config, tree: &Node, source: &Source) -> Vec<Problem> {
    let place = |path: &str| {
        let keys: Vec<&str> = path.split('.').collect();
        tree.at(&keys).map_or(Place::Unset, |node| node.origin.place(source))
    };
    // The first of the keys that somebody wrote: a default cannot be pointed at.
    let first_place = |paths: &[&str]| {
        paths.iter().map(|path| place(path)).find(|place| *place != Place::Unset).unwrap_or(Place::Unset)
    };
    let mut problems = Vec::new();

    let server = &config.server;
    access(config, &place, &mut problems);

    if config.roles.is_empty() {
        let message = "`roles` is empty: a daemon must do something";
        problems.push(Problem::new(place("roles"), message).help("write `roles = [\"api\", \"worker\"]`"));
    }
    let queues = &config.queues;
    let named = [
        ("queues.build.name", &queues.build.name),
        ("queues.build.dead_letters", &queues.build.dead_letters),
        ("queues.deploy.name", &queues.deploy.name),
        ("queues.deploy.dead_letters", &queues.deploy.dead_letters),
    ];
    for (at, (key, name)) in named.iter().enumerate() {
        if let Some((other, _)) = named.iter().take(at).find(|(_, known)| known == name) {
            let message = format!("`{key}` and `{other}` are both `{name}`: every queue needs a name of its own");
            problems.push(Problem::new(first_place(&[key, other]), message));
        }
    }
    let worker = &config.worker;
    for (key, limit) in [("lease_secs", worker.lease_secs), ("visibility_timeout_secs", worker.visibility_timeout_secs)]
    {
        if worker.heartbeat_secs.0 * 2 > limit.0 {
            let message = format!(
                "`worker.heartbeat_secs` ({}) must be at most half of `worker.{key}` ({}), \
                 so that one late heartbeat loses no work",
                worker.heartbeat_secs.0, limit.0
            );
            let place = first_place(&["worker.heartbeat_secs", &format!("worker.{key}")]);
            problems.push(Problem::new(place, message));
        }
    }
    let grace = config.plugins.cancel_grace_secs;
    if grace >= server.shutdown_deadline_secs {
        let message = format!(
            "`plugins.cancel_grace_secs` ({}) must be below `server.shutdown_deadline_secs` ({}), \
             or a stopping daemon never waits for its stages",
            grace.0, server.shutdown_deadline_secs.0
        );
        let place = first_place(&["plugins.cancel_grace_secs", "server.shutdown_deadline_secs"]);
        problems.push(Problem::new(place, message));
    }

    if !config.deploy.targets.contains_key(&config.deploy.default) {
        let known = config.deploy.targets.keys().map(String::as_str);
        let message = format!("`deploy.default` is `{}`, which is not in [deploy.targets]", config.deploy.default);
        let mut problem = Problem::new(place("deploy.default"), message);
        problem.help = closest(&config.deploy.default, known).map(|close| format!("did you mean `{close}`?"));
        problems.push(problem);
    }
    problems
}

/// What holds `[auth]` and the addresses together.
fn access(config: &Config, place: &dyn Fn(&str) -> Place, problems: &mut Vec<Problem>) {
    let (server, auth) = (&config.server, &config.auth);
    if auth.mode == AuthMode::None && !server.listen.ip().to_canonical().is_loopback() {
        let message = format!(
            "`server.listen` is {}, which other machines can reach, and `auth.mode = \"none\"` makes everybody an admin \
             who can run code here",
            server.listen
        );
        let help = "listen on 127.0.0.1, or take another `mode` in [auth]: without the key nexusd asks for a token";
        problems.push(Problem::new(place("server.listen"), message).help(help));
    }
    let (certificate, key) = (&server.tls_certificate, &server.tls_key);
    if certificate.as_os_str().is_empty() != key.as_os_str().is_empty() {
        let (given, lacks) =
            if key.as_os_str().is_empty() { ("tls_certificate", "tls_key") } else { ("tls_key", "tls_certificate") };
        let message = format!("`server.{given}` is set and `server.{lacks}` is not: TLS needs both files");
        problems.push(Problem::new(place(&format!("server.{given}")), message));
    }
    if auth.mode == AuthMode::Oidc {
        let oidc = &auth.oidc;
        if oidc.audience.is_empty() {
            let message =
                "`auth.mode` is `oidc`, and `auth.oidc.audience` is empty: tokens for other services would be taken";
            problems.push(
                Problem::new(place("auth.mode"), message).help("set what the tokens for this daemon name in `aud`"),
            );
        }
        if oidc.issuer.is_empty() && oidc.jwks_file.as_os_str().is_empty() {
            let message = "`auth.mode` is `oidc`, and neither `auth.oidc.issuer` nor `auth.oidc.jwks_file` is set";
            problems.push(Problem::new(place("auth.mode"), message).help("set `issuer`, `jwks_file`, or both"));
        }
    }
}
