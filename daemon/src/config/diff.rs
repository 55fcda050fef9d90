//! What changed between two loads, and what of it needs a restart. Used at SIGHUP.

use super::model::Config;

/// A key with another value than before. The values are left out: they may be secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key, as in `server.listen`.
    pub key: String,
    /// Whether the running daemon cannot apply it.
    pub needs_restart: bool,
}

/// Keys, and all below them, that a reload applies. Everything else is fixed at start-up.
const APPLIED: [&str; 12] = [
    "agents",
    "workflows",
    "deploy",
    "tools",
    "sandbox",
    "pricing",
    "log.filter",
    "plugins",
    "retention",
    "server.allowed_origins",
    "server.allowed_hosts",
    "server.public_url",
];

/// Every key whose value differs, in the order of the alphabet.
#[must_use]
pub fn diff(old: &Config, new: &Config) -> Vec<Change> {
    let mut changes = Vec::new();
    if let (Ok(old), Ok(new)) = (toml::Value::try_from(old), toml::Value::try_from(new)) {
        compare(Some(&old), Some(&new), "", &mut changes);
    }
    changes
}

/// What is in force after a reload: the new values of the keys that a reload applies, the old ones of all
/// others. Half the daemon read those at its start; the rest of it must not see other ones.
#[must_use]
pub fn applicable(old: &Config, new: Config) -> Config {
    let Config { agents, workflows, deploy, tools, sandbox, pricing, log, plugins, retention, server, .. } = new;
    let mut merged = Config { agents, workflows, deploy, tools, sandbox, pricing, plugins, retention, ..old.clone() };
    merged.log.filter = log.filter;
    merged.server.allowed_origins = server.allowed_origins;
    merged.server.allowed_hosts = server.allowed_hosts;
    merged.server.public_url = server.public_url;
    merged
}

fn compare(old: Option<&toml::Value>, new: Option<&toml::Value>, path: &str, changes: &mut Vec<Change>) {
    if old == new {
        return;
    }
    let (Some(toml::Value::Table(old)), Some(toml::Value::Table(new))) = (old, new) else {
        changes.push(Change { key: path.to_owned(), needs_restart: !is_applied(path) });
        return;
    };
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        compare(old.get(key), new.get(key), &path, changes);
    }
}

fn is_applied(path: &str) -> bool {
    let below = |known: &str| path == known || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('.'));
    APPLIED.iter().any(|known| below(known))
}
