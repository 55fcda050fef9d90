//! The plugins' own tables, held against the JSON schemas by which plugins describe their settings.
//!
//! The host does not know a plugin's keys before the plugin told them, long after the file was read. So the tree with its
//! places is kept: a wrong key is then shown where it stands, and a path counts from the file that names it. Values are
//! never shown, because keys and tokens are among them.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::problem::{Place, Problem, Source, closest};
use super::tree::{Node, Origin, Value};

/// `[plugins.…]` as it was written.
#[derive(Clone)]
pub struct PluginTables {
    tree: Node,
    source: Source,
    /// Folder of the file.
    base: PathBuf,
    /// Working directory.
    here: PathBuf,
}

/// Secrets are in it.
impl fmt::Debug for PluginTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginTables").field("base", &self.base).finish_non_exhaustive()
    }
}

/// The key of a plugin's table that belongs to the host.
const OWN_KEY: &str = "max_jobs";

impl PluginTables {
    pub(super) fn new(tree: Node, source: Source, base: PathBuf, here: PathBuf) -> Self {
        Self { tree, source, base, here }
    }

    /// Everything in the table of `plugin` that its schema does not allow.
    #[must_use]
    pub fn problems(&self, plugin: &str, schema: &Json) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(node) = self.tree.at(&["plugins", plugin]) {
            self.visit(node, schema, &format!("plugins.{plugin}"), true, &mut problems);
        }
        problems.sort_by_key(Problem::position);
        problems
    }

    /// Tables of plugins that there are not.
    #[must_use]
    pub fn unknown<'a>(&self, known: impl IntoIterator<Item = &'a str> + Clone) -> Vec<Problem> {
        let Some(Node { value: Value::Table(table), .. }) = self.tree.at(&["plugins"]) else { return Vec::new() };
        let is_known = |name: &str| known.clone().into_iter().any(|known| known == name);
        let tables = table.iter().filter(|(_, entry)| matches!(entry.node.value, Value::Table(_)));
        let mut problems: Vec<Problem> = tables
            .filter(|(name, _)| !is_known(name))
            .map(|(name, entry)| {
                let message = format!("[plugins.{name}] sets up a plugin that is not there");
                let help = closest(name, known.clone()).map_or_else(
                    || "remove the table, or put the plugin into a folder of [plugins] dirs; `nexusd plugins list` shows what there is".to_owned(),
                    |close| format!("did you mean [plugins.{close}]?"),
                );
                Problem::new(entry.key.place(&self.source), message).help(help)
            })
            .collect();
        problems.sort_by_key(Problem::position);
        problems
    }

    /// The settings with the paths that the schema knows as such made absolute.
    #[must_use]
    pub fn resolve(&self, plugin: &str, schema: &Json, mut settings: Json) -> Json {
        let (Some(node), Some(table)) = (self.tree.at(&["plugins", plugin]), settings.as_object_mut()) else {
            return settings;
        };
        for (key, described) in properties(schema) {
            if let (Some(node), Some(value)) = (node.at(&[key]), table.get_mut(key)) {
                self.make_absolute(node, described, value);
            }
        }
        settings
    }

    fn make_absolute(&self, node: &Node, schema: &Json, value: &mut Json) {
        let from = if matches!(node.origin, Origin::Text(_)) { &self.base } else { &self.here };
        match (value, &node.value) {
            (Json::String(text), _) => match schema["format"].as_str() {
                Some("path") if !text.is_empty() => *text = absolute(from, text),
                Some("program" | "python") => *text = program(from, text),
                _ => {}
            },
            (Json::Array(items), Value::Array(nodes)) => {
                for (item, node) in items.iter_mut().zip(nodes) {
                    self.make_absolute(node, &schema["items"], item);
                }
            }
            _ => {}
        }
    }

    fn visit(&self, node: &Node, schema: &Json, path: &str, top: bool, problems: &mut Vec<Problem>) {
        let mut report = |origin: &Origin, message: String, help: Option<String>| {
            problems.push(Problem { message, place: origin.place(&self.source), help });
        };
        let wanted = types(schema);
        if !wanted.is_empty() && !wanted.iter().any(|wanted| fits(wanted, &node.value)) {
            let unit = schema["unit"].as_str().map(|unit| format!(" of {unit}")).unwrap_or_default();
            let words: Vec<String> = wanted.iter().map(|wanted| format!("{}{unit}", in_words(wanted))).collect();
            let help = remedy(&wanted, &node.value);
            report(
                &node.origin,
                format!("`{path}` must be {}, but this is {}", words.join(" or "), node.value.kind()),
                help,
            );
            return;
        }
        if let Some(message) = out_of_bounds(schema, &node.value) {
            report(&node.origin, format!("`{path}` must be {message}"), None);
        }
        match &node.value {
            Value::Table(table) => {
                let keys = properties(schema);
                for (key, entry) in table {
                    let inner = format!("{path}.{key}");
                    match (keys.get(key), &schema["additionalProperties"]) {
                        _ if top && key == OWN_KEY => {}
                        (Some(described), _) => self.visit(&entry.node, described, &inner, false, problems),
                        (None, Json::Bool(false)) => problems.push(self.unknown_key(key, entry, keys, path, top)),
                        (None, described @ Json::Object(_)) => {
                            self.visit(&entry.node, described, &inner, false, problems);
                        }
                        (None, _) => {}
                    }
                }
                for required in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
                    if !table.contains_key(required) {
                        let place = node.origin.place(&self.source);
                        problems.push(Problem::new(place, format!("[{path}] has no `{required}`")));
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.visit(item, &schema["items"], path, false, problems);
                }
            }
            _ => {}
        }
    }

    fn unknown_key(
        &self,
        key: &str,
        entry: &super::tree::Entry,
        keys: &Map<String, Json>,
        path: &str,
        top: bool,
    ) -> Problem {
        let known = keys.keys().map(String::as_str).chain(top.then_some(OWN_KEY));
        let help = closest(key, known.clone()).map_or_else(
            || format!("known here: {}", known.map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")),
            |close| format!("did you mean `{close}`?"),
        );
        let shown: String = key.chars().filter(|c| !c.is_control()).take(60).collect();
        Problem::new(entry.key.place(&self.source), format!("unknown key `{shown}` in [{path}]")).help(help)
    }

    /// Where a plugin's key was written.
    #[must_use]
    pub fn place(&self, path: &[&str]) -> Place {
        self.tree.at(path).map_or(Place::Unset, |node| node.origin.place(&self.source))
    }
}

/// The keys that a schema describes.
#[must_use]
pub fn properties(schema: &Json) -> &Map<String, Json> {
    static NONE: std::sync::LazyLock<Map<String, Json>> = std::sync::LazyLock::new(Map::new);
    schema["properties"].as_object().unwrap_or(&NONE)
}

fn types(schema: &Json) -> Vec<&str> {
    match &schema["type"] {
        Json::String(one) => vec![one],
        Json::Array(some) => some.iter().filter_map(Json::as_str).filter(|word| *word != "null").collect(),
        _ => Vec::new(),
    }
}

/// Dates reach a plugin as their text. A type that is not known here is the plugin's to judge.
const fn fits(wanted: &str, value: &Value) -> bool {
    match wanted.as_bytes() {
        b"string" => matches!(value, Value::Text(_) | Value::Date(_)),
        b"integer" => matches!(value, Value::Integer(_)),
        b"number" => matches!(value, Value::Integer(_) | Value::Float(_)),
        b"boolean" => matches!(value, Value::Bool(_)),
        b"array" => matches!(value, Value::Array(_)),
        b"object" => matches!(value, Value::Table(_)),
        _ => true,
    }
}

fn in_words(wanted: &str) -> &str {
    match wanted {
        "string" => "a text in quotes",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list in brackets",
        "object" => "a table",
        other => other,
    }
}

fn remedy(wanted: &[&str], value: &Value) -> Option<String> {
    match (wanted, value) {
        (["integer" | "number" | "boolean"], Value::Text(_)) => Some("write it without quotes and unit".to_owned()),
        (["array"], _) => Some("put it in brackets: [\"…\"]".to_owned()),
        (["string"], _) => Some("put it in quotes".to_owned()),
        _ => None,
    }
}

/// What a value must be, when it is out of its bounds.
fn out_of_bounds(schema: &Json, value: &Value) -> Option<String> {
    if let Some(words) = schema["enum"].as_array()
        && let Value::Text(text) = value
        && !words.iter().any(|word| word.as_str() == Some(text))
    {
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_str().unwrap_or_default())).collect();
        return Some(words.join(" or "));
    }
    if let Value::Text(text) = value {
        return (schema["minLength"].as_u64().is_some_and(|least| least > 0) && text.is_empty())
            .then(|| "a text that is not empty".to_owned());
    }
    #[allow(clippy::cast_precision_loss)] // bounds are small
    let number = match value {
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        _ => return None,
    };
    let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
    if least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most) {
        return None;
    }
    let unit = schema["unit"].as_str().map(|unit| format!(" {unit}")).unwrap_or_default();
    Some(match (least, most) {
        (Some(least), Some(most)) => format!("from {least} to {most}{unit}, but this is {number}"),
        (Some(least), None) => format!("{least}{unit} or more, but this is {number}"),
        (_, most) => format!("{}{unit} or less, but this is {number}", most.unwrap_or_default()),
    })
}

pub(super) fn absolute(from: &Path, text: &str) -> String {
    from.join(text).components().collect::<PathBuf>().to_string_lossy().into_owned()
}

/// A program: a bare name is looked up in `PATH`, a path counts from the folder.
pub(super) fn program(from: &Path, text: &str) -> String {
    if text.contains('/') { absolute(from, text) } else { text.to_owned() }
}
