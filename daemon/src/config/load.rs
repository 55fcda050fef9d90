//! Settings in the order defaults → file → environment → command line.
//!
//! Called at start-up, at every reload, and by `nexusd check-config`. Nothing here changes anything on disk.

use std::io::Read;
use std::path::{Path, PathBuf};

use nexus_plugin_api::payload::HandlerKind;

use super::check::check;
use super::environment::Environment;
use super::handlers::HandlerUse;
use super::model::Config;
use super::plugins::{PluginTables, absolute, program};
use super::problem::{Place, Problem, Source};
use super::schema::{CONFIG, Shape};
use super::tree::{self, Node, Origin, Value};
use super::validate;
use super::workflow::load_workflows;
use crate::domain::workflow::Workflows;

/// Read when neither `--config` nor `NEXUSD_CONFIG` names a file, if it is there.
pub const SYSTEM_FILE: &str = "/etc/nexusd/nexusd.toml";

/// No file of settings is longer, in bytes.
const LONGEST_FILE: u64 = 1024 * 1024;

/// What settings are made from.
#[derive(Clone, Default)]
pub struct Inputs {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// The environment.
    pub environment: Environment,
}

/// Settings that hold together, and where they came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings; all paths are absolute.
    pub config: Config,
    /// The file that was read, if one was.
    pub file: Option<PathBuf>,
    /// The workflows, checked.
    pub workflows: Workflows,
    /// Handlers that workflows and deploy targets want; compare them with the loaded plugins by
    /// [`unknown_handlers`](super::unknown_handlers).
    pub handlers: Vec<HandlerUse>,
    /// The plugins' own tables with their places.
    pub tables: PluginTables,
}

/// Whether the log is to be JSON, as far as that can be told of settings that may be wrong everywhere.
#[must_use]
pub fn asks_for_json(inputs: &Inputs) -> bool {
    if let Some(format) = inputs.environment.get("NEXUSD_LOG__FORMAT") {
        return format == "json";
    }
    let text = file(inputs).and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let mut section = "";
    text.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            section = line.split(']').next().unwrap_or_default();
        }
        let (key, value) = line.split_once('=').unwrap_or_default();
        let key = key.trim();
        let named = (section.trim_start_matches('[').trim() == "log" && key == "format")
            || (section.is_empty() && key == "log.format");
        named && value.contains("json")
    })
}

/// Loads the settings, or says everything that is wrong with them.
pub fn load(inputs: &Inputs) -> Result<Loaded, Vec<Problem>> {
    let file = file(inputs);
    let (source, mut tree) = match &file {
        Some(path) => {
            let source = read(path).map_err(|problem| vec![problem])?;
            let tree = tree::parse(&source)?;
            (source, tree)
        }
        None => (Source { name: String::new(), text: String::new() }, tree::empty()),
    };
    let mut problems = inputs.environment.overlay(&mut tree);
    problems.extend(options(inputs, &mut tree));
    problems.extend(check(&tree, &CONFIG, &source));
    if !problems.is_empty() {
        return Err(sorted(problems));
    }
    let here = std::env::current_dir().map_err(|error| {
        vec![Problem::new(Place::Path(".".to_owned()), format!("the working directory cannot be read: {error}"))]
    })?;
    let base = file.as_deref().and_then(Path::parent).map_or_else(|| here.clone(), |parent| here.join(parent));
    make_absolute(&mut tree, &CONFIG, &base, &here);

    let internal = |message: String| vec![Problem::new(Place::Unset, message)];
    let mut whole = toml::Value::try_from(Config::default()).map_err(|error| internal(error.to_string()))?;
    lay_over(&mut whole, tree.value.plain());
    let mut config: Config = serde_path_to_error::deserialize(whole).map_err(|error| {
        let path: Vec<String> = error.path().iter().map(ToString::to_string).collect();
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        let place = tree.at(&keys).map_or(Place::Unset, |node| node.origin.place(&source));
        vec![Problem::new(place, format!("`{}`: {}", path.join("."), error.inner()))]
    })?;
    if config.data.dir.as_os_str().is_empty() {
        config.data.dir = default_data_dir(&inputs.environment).map_err(|problem| vec![problem])?;
    }
    let mut problems = validate::validate(&config, &tree, &source);
    let place = |path: &[&str]| tree.at(path).map_or(Place::Unset, |node| node.origin.place(&source));
    let dirs = config.workflows.dirs.iter().enumerate().map(|(index, dir)| {
        let item = match tree.at(&["workflows", "dirs"]).map(|node| &node.value) {
            Some(Value::Array(items)) => items.get(index),
            _ => None,
        };
        (dir.clone(), item.map_or(Place::Unset, |item| item.origin.place(&source)))
    });
    // What was changed through the API comes last, so it counts.
    let changed = Some(config.data.workflows()).filter(|dir| dir.is_dir()).map(|dir| (dir, Place::Unset));
    let dirs = dirs.chain(changed);
    let default = (config.workflows.default.as_str(), place(&["workflows", "default"]));
    let mut targets: Vec<HandlerUse> = Vec::new();
    for (name, handler) in &config.deploy.targets {
        targets.push(HandlerUse {
            handler: handler.clone(),
            kind: HandlerKind::Deploy,
            user: format!("deploy target `{name}`"),
            place: place(&["deploy", "targets", name]),
        });
    }
    problems = sorted(problems);
    match load_workflows(&dirs.collect::<Vec<_>>(), default) {
        Ok((workflows, mut handlers)) if problems.is_empty() => {
            handlers.extend(targets);
            let tables = PluginTables::new(tree, source, base, here);
            Ok(Loaded { config, file, workflows, handlers, tables })
        }
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            Err(problems)
        }
    }
}

fn file(inputs: &Inputs) -> Option<PathBuf> {
    let named = inputs.file.clone().or_else(|| inputs.environment.path("NEXUSD_CONFIG"));
    named.or_else(|| Path::new(SYSTEM_FILE).exists().then(|| PathBuf::from(SYSTEM_FILE)))
}

/// Reads a TOML file as text.
pub(super) fn read(path: &Path) -> Result<Source, Problem> {
    let name = path.display().to_string();
    let fail = |message: String| Problem::new(Place::Path(name.clone()), message);
    if path.is_dir() {
        return Err(fail("this is a folder, but a file is wanted".to_owned()).help("name the file in it"));
    }
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path).and_then(|file| file.take(LONGEST_FILE + 1).read_to_end(&mut bytes));
    opened.map_err(|error| {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                "name a file that is there; without one all defaults hold"
            }
            _ => "let the user that nexusd runs as read it",
        };
        fail(format!("the file cannot be read: {error}")).help(help)
    })?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(fail(format!("the file is longer than {LONGEST_FILE} bytes")));
    }
    // Editors on Windows write a byte order mark; it would shift every column.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Source { name, text: text.to_owned() }),
        Err(error) => {
            let line = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
            let problem = fail(format!("line {line} is not UTF-8 text"));
            Err(problem.help("save the file in the encoding UTF-8"))
        }
    }
}

fn options(inputs: &Inputs, tree: &mut Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut set = |path: [&str; 2], option: &'static str, text: Option<&str>| {
        let value = match text {
            Some("") => Err("is empty"),
            Some(text) => Ok(Value::Text(text.to_owned())),
            None => Err("is not UTF-8"),
        };
        match value {
            // A file with a value in the way is reported by the check.
            Ok(value) => drop(tree.put(&path, Node { value, origin: Origin::Option(option) })),
            Err(what) => problems.push(Problem::new(Place::Option(option), format!("the value {what}"))),
        }
    };
    if let Some(dir) = &inputs.data_dir {
        set(["data", "dir"], "--data-dir", dir.to_str());
    }
    if let Some(listen) = &inputs.listen {
        set(["server", "listen"], "--listen", Some(listen));
    }
    problems
}

/// Paths in the file count from the file's folder, all others from the working directory.
fn make_absolute(node: &mut Node, shape: &Shape, base: &Path, here: &Path) {
    let resolve = |node: &mut Node, by: fn(&Path, &str) -> String| {
        let from = if matches!(node.origin, Origin::Text(_)) { base } else { here };
        if let Value::Text(text) = &mut node.value
            && !text.is_empty()
        {
            *text = by(from, text);
        }
    };
    match (shape, &mut node.value) {
        (Shape::Path, _) => resolve(node, absolute),
        (Shape::Program, _) => resolve(node, program),
        (Shape::Paths, Value::Array(items)) => items.iter_mut().for_each(|item| resolve(item, absolute)),
        (Shape::Table(fields) | Shape::Open(fields), Value::Table(table)) => {
            for field in *fields {
                if let Some(entry) = table.get_mut(field.key) {
                    make_absolute(&mut entry.node, &field.shape, base, here);
                }
            }
        }
        _ => {}
    }
}

/// Tables are joined key by key, so that a file with one key of a table keeps the defaults of the others.
fn lay_over(below: &mut toml::Value, above: toml::Value) {
    match (below, above) {
        (toml::Value::Table(below), toml::Value::Table(above)) => {
            for (key, value) in above {
                match below.get_mut(&key) {
                    Some(slot) => lay_over(slot, value),
                    None => drop(below.insert(key, value)),
                }
            }
        }
        (below, above) => *below = above,
    }
}

fn default_data_dir(environment: &Environment) -> Result<PathBuf, Problem> {
    // systemd joins several folders with colons; the first is the unit's own.
    let state = environment.get("STATE_DIRECTORY").and_then(|dirs| dirs.to_str()?.split(':').next().map(PathBuf::from));
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    state
        .or_else(|| environment.path("XDG_DATA_HOME").and_then(absolute).map(|data| data.join("nexusd")))
        .or_else(|| environment.path("HOME").and_then(absolute).map(|home| home.join(".local/share/nexusd")))
        .ok_or_else(|| {
            Problem::new(
                Place::Unset,
                "there is no data folder: neither STATE_DIRECTORY, XDG_DATA_HOME nor HOME is set",
            )
            .help("set [data] dir, or start with --data-dir")
        })
}

/// In the order of the file; what does not stand in a file comes last.
fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(Problem::position);
    problems
}
