//! Settings from environment variables: `NEXUSD_<SECTION>__<KEY>`, two underscores between the parts of the path.
//!
//! `NEXUSD_WORKER__BUILDS=4` is `[worker] builds = 4`; `NEXUSD_PLUGINS__AGENT_BUILD__PYTHON=x` is `[plugins.agent-build]
//! python = "x"`. Short names: `NEXUSD_CONFIG`, `NEXUSD_DATA_DIR`, `NEXUSD_LISTEN`, and `RUST_LOG` for `[log] filter`.
//! An empty variable counts as unset. A variable with the double underscore that names no key is refused; others that
//! merely begin with `NEXUSD_` are left alone, because container platforms make such names up.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::problem::{Place, Problem, closest};
use super::schema::{CONFIG, Shape};
use super::tree::{Node, Origin, Value, parse_value};

const PREFIX: &str = "NEXUSD_";

/// The environment as it was when the process started. Tests write their own.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

/// Variables with names of their own, and the keys that they stand for.
pub(super) const SHORT: [(&str, &str); 6] = [
    ("NEXUSD_DATA_DIR", "data.dir"),
    ("NEXUSD_LISTEN", "server.listen"),
    ("RUST_LOG", "log.filter"),
    // Of the original's services.
    ("AWS_REGION", "backend.region"),
    ("DYNAMODB_ENDPOINT_URL", "backend.dynamodb_endpoint_url"),
    ("SQS_ENDPOINT_URL", "backend.sqs_endpoint_url"),
];

impl Environment {
    /// Reads the variables of this process; names that are not UTF-8 cannot be ours and are left out.
    #[must_use]
    pub fn read() -> Self {
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
    }

    /// A variable that is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsString> {
        self.0.get(name).filter(|value| !value.is_empty())
    }

    /// The same as a path.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// Lays the variables over a tree.
    pub(super) fn overlay(&self, tree: &mut Node) -> Vec<Problem> {
        let mut problems = Vec::new();
        let long = self.0.keys().filter(|name| name.starts_with(PREFIX) && name.contains("__"));
        let long: Vec<&str> = long.map(String::as_str).collect();
        // One underscore in place of two is the likely slip, and would be passed over in silence.
        for known in variable_names() {
            let slip = known.replace("__", "_");
            let is_short = SHORT.iter().any(|(name, _)| *name == slip);
            if slip != known && !is_short && self.get(&slip).is_some() {
                let problem = Problem::new(Place::Variable(slip.clone()), format!("{slip} names no setting"));
                problems.push(problem.help(format!("did you mean {known}, with two underscores?")));
            }
        }
        // The short names first: who writes the long one means exactly that key.
        for (name, path) in SHORT {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            self.set(tree, name, &path, &Shape::Text(|_| Ok(())), &mut problems);
        }
        for name in long {
            match find(name, tree) {
                Ok((path, shape)) => self.set(tree, name, &path, &shape, &mut problems),
                Err(help) => {
                    let mut problem =
                        Problem::new(Place::Variable(name.to_owned()), format!("{name} names no setting"));
                    problem.help = help;
                    problems.push(problem);
                }
            }
        }
        problems
    }

    fn set(&self, tree: &mut Node, name: &str, path: &[String], shape: &Shape, problems: &mut Vec<Problem>) {
        let Some(raw) = self.get(name) else { return };
        let place = Place::Variable(name.to_owned());
        let Some(text) = raw.to_str() else {
            problems.push(Problem::new(place, format!("the value of {name} is not UTF-8")));
            return;
        };
        let origin = Origin::Variable(name.to_owned());
        let as_text = || Node { value: Value::Text(text.to_owned()), origin: origin.clone() };
        let node = match shape {
            Shape::Text(_) | Shape::Choice(_) | Shape::Path | Shape::Program => as_text(),
            // What is no TOML value stays a text, which the check then refuses with the right words.
            _ => parse_value(text, &origin).unwrap_or_else(as_text),
        };
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        if tree.put(&path, node).is_err() {
            problems.push(Problem::new(place, format!("{name} is below a value that is not a table")));
        }
    }
}

impl FromIterator<(String, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, OsString)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// The key a long name stands for and its shape, or what to say instead.
fn find(name: &str, tree: &Node) -> Result<(Vec<String>, Shape), Option<String>> {
    let parts: Vec<String> = name.trim_start_matches(PREFIX).split("__").map(str::to_ascii_lowercase).collect();
    let mut shape = CONFIG;
    let mut path: Vec<String> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let next = match shape {
            Shape::Table(fields) | Shape::Open(fields) => fields.iter().find(|field| field.key == part),
            _ => None,
        };
        shape = match (next, shape) {
            (Some(field), _) => {
                path.push(field.key.to_owned());
                field.shape
            }
            // Names of plugins, targets and models: as the file writes them, else in the manner of plugin names.
            (None, Shape::Open(_) | Shape::Map(..))
                if !part.is_empty() && (index + 1 < parts.len() || !is_open(shape)) =>
            {
                let Some(name) = written_name(tree, &path, part) else { return Err(suggestion(name)) };
                path.push(name);
                if let Shape::Map(_, inner) = shape { *inner } else { Shape::Free }
            }
            (None, Shape::Free) if !part.is_empty() => {
                path.push(part.clone());
                Shape::Free
            }
            _ => return Err(suggestion(name)),
        };
    }
    match shape {
        Shape::Table(_) | Shape::Open(_) | Shape::Map(..) => Err(suggestion(name)),
        leaf => Ok((path, leaf)),
    }
}

const fn is_open(shape: Shape) -> bool {
    matches!(shape, Shape::Open(_))
}

/// The name as the file writes it; else as plugins are named. A model's id cannot be told from a variable's name.
fn written_name(tree: &Node, path: &[String], part: &str) -> Option<String> {
    let folded = |name: &str| {
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect::<String>()
    };
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let known_only = path == ["pricing"];
    let written = match tree.at(&path).map(|node| &node.value) {
        Some(Value::Table(table)) => table.keys().find(|name| folded(name) == part),
        _ => None,
    };
    written.cloned().or_else(|| (!known_only).then(|| part.replace('_', "-")))
}

fn suggestion(name: &str) -> Option<String> {
    if name.starts_with("NEXUSD_PRICING__") {
        return Some("prices of models without a table in nexusd.toml are set there".to_owned());
    }
    let known = variable_names();
    closest(name, known.iter().map(String::as_str))
        .map(|close| format!("did you mean {close}?"))
        .or_else(|| Some("the names are NEXUSD_<SECTION>__<KEY>, and NEXUSD_PLUGINS__<PLUGIN>__<KEY>".to_owned()))
}

/// The variables for all fixed keys.
#[must_use]
pub fn variable_names() -> Vec<String> {
    fn walk(shape: &Shape, path: &str, names: &mut Vec<String>) {
        match shape {
            Shape::Table(fields) | Shape::Open(fields) => {
                for field in *fields {
                    let separator = if path == PREFIX { "" } else { "__" };
                    walk(&field.shape, &format!("{path}{separator}{}", field.key.to_ascii_uppercase()), names);
                }
            }
            Shape::Map(..) => {}
            _ => names.push(path.to_owned()),
        }
    }
    let mut names = Vec::new();
    walk(&CONFIG, PREFIX, &mut names);
    names
}
