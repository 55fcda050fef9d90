//! The plugins' settings as people are shown them: each key with its meaning and default, and what is in force.

use std::fmt::Write;

use serde_json::Value as Json;

use super::edit::MASK;
use super::plugins::{PluginTables, properties};

/// Width of a comment.
const WIDTH: usize = 118;

/// The table of a plugin with every key it describes, commented out with its default, in the manner of `nexusd.toml`.
#[must_use]
pub fn describe_settings(plugin: &str, schema: &Json) -> String {
    let mut text = format!("# [plugins.{plugin}]\n");
    for (key, described) in properties(schema) {
        let words = described["description"].as_str().unwrap_or("Not described.");
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let unit = described["unit"].as_str().map(|unit| format!(" In {unit}.")).unwrap_or_default();
        let range = match (described["minimum"].as_f64().filter(|least| *least > 0.0), described["maximum"].as_f64()) {
            (Some(least), Some(most)) => format!(" From {least} to {most}."),
            (Some(least), None) => format!(" At least {least}."),
            (None, Some(most)) => format!(" At most {most}."),
            (None, None) => String::new(),
        };
        for line in wrap(&format!("{words}{unit}{range}")) {
            let _ = writeln!(text, "#   {line}");
        }
        let default = toml_of(&described["default"]);
        let _ = writeln!(text, "# {key} = {}", default.map_or_else(|| "…".to_owned(), |value| value.to_string()));
    }
    text
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + word.chars().count() < WIDTH - 4 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// What is in force: what is written, else the defaults. What the schema calls secret or does not know, and whatever is
/// named like a secret, is masked.
#[must_use]
pub fn describe_values(tables: &PluginTables, plugin: &str, schema: Option<&Json>, given: toml::Table) -> toml::Table {
    let mut shown = toml::Table::new();
    let schema = schema.unwrap_or(&Json::Null);
    for (key, described) in properties(schema) {
        if let Some(default) = toml_of(&described["default"]) {
            shown.insert(key.clone(), default);
        }
    }
    let resolved = tables.resolve(plugin, schema, super::sections::json(toml::Value::Table(given.clone())));
    for (key, value) in given {
        let described = properties(schema).get(&key);
        let open =
            key == "max_jobs" || described.is_some_and(|described| described["writeOnly"] != true && !is_secret(&key));
        let value = if open { resolved.get(&key).and_then(toml_of).unwrap_or(value) } else { masked(value) };
        shown.insert(key, value);
    }
    shown
}

fn is_secret(key: &str) -> bool {
    ["secret", "token", "password", "key"].iter().any(|word| key.to_ascii_lowercase().contains(word))
}

/// The names stay, so that people see what is set.
fn masked(value: toml::Value) -> toml::Value {
    match value {
        toml::Value::Table(table) => {
            toml::Value::Table(table.into_iter().map(|(key, value)| (key, masked(value))).collect())
        }
        _ => toml::Value::String(MASK.to_owned()),
    }
}

fn toml_of(value: &Json) -> Option<toml::Value> {
    toml::Value::try_from(value).ok().filter(|_| !value.is_null())
}
