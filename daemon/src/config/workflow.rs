//! Workflow files: reads them, hands them to the domain for checking, and points its answers at file and line.
//!
//! Called by `config::load`. The shipped `agent_build` is part of the binary; a folder's workflow of the same name
//! replaces it. Whether a stage's handler exists is known only once the plugins are loaded: see [`HandlerUse`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nexus_plugin_api::payload::HandlerKind;

use crate::domain::workflow::{StageSpec, Workflow, WorkflowError, WorkflowSpec, Workflows};

use super::check::check;
use super::handlers::HandlerUse;
use super::problem::{Place, Problem, Source, closest};
use super::schema::WORKFLOW;
use super::sections::json;
use super::tree::{self, Node, Value};

/// The shipped workflow, named as it stands in the repository.
pub(super) const SHIPPED: (&str, &str) =
    ("config/workflows/agent_build.toml (shipped)", include_str!("../../../config/workflows/agent_build.toml"));

const DEFAULT_RETRIES: u32 = 3;
const DEFAULT_RETRY_DELAY: u64 = 5;
const DEFAULT_STAGE_TIMEOUT: u64 = 3600;
const DEFAULT_TOTAL_TIMEOUT: u64 = 21_600;

/// A workflow and where it came from.
pub(super) struct WorkflowFile {
    workflow: Workflow,
    /// The folder's number in the settings, from 1; 0 is the shipped one.
    rank: usize,
    source: Source,
    uses: Vec<HandlerUse>,
}

/// All workflows: the shipped one, then those of `dirs`. `default` must be among them; `place` is where it was written.
pub(super) fn load_workflows(
    dirs: &[(PathBuf, Place)],
    default: (&str, Place),
) -> Result<(Workflows, Vec<HandlerUse>), Vec<Problem>> {
    let (mut found, mut problems) = (BTreeMap::new(), Vec::new());
    let shipped = Source { name: SHIPPED.0.to_owned(), text: SHIPPED.1.to_owned() };
    add(&mut found, read_workflow(shipped, 0), &mut problems);
    for (rank, (dir, place)) in dirs.iter().enumerate() {
        match files_of(dir) {
            Ok(files) => {
                for file in files {
                    // Opening a pipe would wait for a writer, and a reload with it.
                    let special = std::fs::metadata(&file).is_ok_and(|found| !found.is_file() && !found.is_dir());
                    let read = if special {
                        let place = Place::Path(file.display().to_string());
                        Err(vec![Problem::new(place, "this is no regular file")])
                    } else {
                        super::load::read(&file).map_err(|problem| vec![problem])
                    };
                    add(&mut found, read.and_then(|source| read_workflow(source, rank + 1)), &mut problems);
                }
            }
            Err(error) => {
                let message = format!("the workflow folder {} cannot be read: {error}", dir.display());
                problems.push(Problem::new(place.clone(), message).help("make it, or take it out of [workflows] dirs"));
            }
        }
    }
    if !found.contains_key(default.0) && problems.is_empty() {
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        let help = match closest(default.0, names.iter().copied()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("there are: {}", names.join(", ")),
        };
        let message = format!("`workflows.default` is `{}`, but no workflow has this name", default.0);
        problems.push(Problem::new(default.1, message).help(help));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let (mut workflows, mut uses) = (Workflows::default(), Vec::new());
    for file in found.into_values() {
        workflows.insert(file.workflow);
        uses.extend(file.uses);
    }
    Ok((workflows, uses))
}

/// The folder's `*.toml` files by name, without the hidden ones that editors leave behind.
fn files_of(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn add(
    found: &mut BTreeMap<String, WorkflowFile>,
    read: Result<WorkflowFile, Vec<Problem>>,
    problems: &mut Vec<Problem>,
) {
    match read {
        Ok(file) => {
            let name = file.workflow.name().to_owned();
            if let Some(other) = found.get(&name).filter(|other| other.rank == file.rank) {
                let message = format!("workflow `{name}` is already defined in {}", other.source.name);
                problems.push(Problem::new(Place::Path(file.source.name), message));
            } else {
                found.insert(name, file);
            }
        }
        Err(mut more) => {
            more.sort_by_key(Problem::position);
            problems.append(&mut more);
        }
    }
}

pub(super) fn read_workflow(source: Source, rank: usize) -> Result<WorkflowFile, Vec<Problem>> {
    let tree = tree::parse(&source)?;
    let problems = check(&tree, &WORKFLOW, &source);
    if !problems.is_empty() {
        return Err(problems);
    }
    let stages: &[Node] = match tree.at(&["stages"]).map(|node| &node.value) {
        Some(Value::Array(stages)) => stages,
        _ => &[],
    };
    let name = text(&tree, "name");
    let retries = integer(&tree, "max_retries").and_then(|number| u32::try_from(number).ok());
    let spec = WorkflowSpec {
        description: text(&tree, "description"),
        stages: stages.iter().map(|stage| stage_spec(stage, retries.unwrap_or(DEFAULT_RETRIES))).collect(),
        retry_base_delay: seconds(&tree, "retry_base_delay_secs", DEFAULT_RETRY_DELAY),
        total_timeout: seconds(&tree, "total_timeout_secs", DEFAULT_TOTAL_TIMEOUT),
        name: name.clone(),
    };
    let uses = stages.iter().map(|stage| HandlerUse {
        handler: text(stage, "handler"),
        kind: HandlerKind::Stage,
        user: format!("stage `{}` of workflow `{name}`", text(stage, "name")),
        place: place_of(stage, &["handler"], &source),
    });
    let uses = uses.collect();
    match Workflow::build(spec) {
        Ok(workflow) => Ok(WorkflowFile { workflow, rank, source, uses }),
        Err(errors) => Err(errors.iter().map(|error| locate(error, stages, &source)).collect()),
    }
}

fn stage_spec(stage: &Node, retries: u32) -> StageSpec {
    let name = text(stage, "name");
    let or_name = |shown: String| if shown.is_empty() { name.clone() } else { shown };
    StageSpec {
        display_name: or_name(text(stage, "display_name")),
        display_name_en: or_name(text(stage, "display_name_en")),
        handler: text(stage, "handler"),
        prerequisites: texts(stage, "prerequisites"),
        optional: matches!(stage.at(&["optional"]).map(|node| &node.value), Some(Value::Bool(true))),
        timeout: seconds(stage, "timeout_secs", DEFAULT_STAGE_TIMEOUT),
        max_retries: integer(stage, "max_retries").and_then(|own| u32::try_from(own).ok()).unwrap_or(retries),
        aliases: texts(stage, "aliases"),
        options: stage.at(&["options"]).map_or_else(|| serde_json::json!({}), |node| json(node.value.plain())),
        name,
    }
}

/// Turns a fault of the domain into a problem that points at the very word that is wrong.
fn locate(error: &WorkflowError, stages: &[Node], source: &Source) -> Problem {
    let stage = error.stage().and_then(|index| stages.get(index));
    let place = stage.map_or_else(
        || Place::Path(source.name.clone()),
        |stage| match error {
            WorkflowError::UnknownPrerequisite { prerequisite, .. } => {
                word_of(stage, &["prerequisites"], prerequisite, source)
            }
            WorkflowError::Cycle { path, .. } => {
                let next = path.get(1).map_or("", String::as_str);
                word_of(stage, &["prerequisites"], next, source)
            }
            WorkflowError::BadName { name, .. } | WorkflowError::Duplicate { name, .. } => {
                if text(stage, "name") == *name {
                    place_of(stage, &["name"], source)
                } else {
                    word_of(stage, &["aliases"], name, source)
                }
            }
            WorkflowError::Empty { .. } => stage.origin.place(source),
        },
    );
    Problem::new(place, error.to_string())
}

/// The place of `word` in the list under `path`, or that of the list.
fn word_of(node: &Node, path: &[&str], word: &str, source: &Source) -> Place {
    let item = match node.at(path).map(|list| &list.value) {
        Some(Value::Array(items)) => items.iter().find(|item| matches!(&item.value, Value::Text(text) if text == word)),
        _ => None,
    };
    item.map_or_else(|| place_of(node, path, source), |item| item.origin.place(source))
}

fn place_of(node: &Node, path: &[&str], source: &Source) -> Place {
    node.at(path).unwrap_or(node).origin.place(source)
}

fn text(node: &Node, key: &str) -> String {
    match node.at(&[key]).map(|node| &node.value) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    }
}

fn texts(node: &Node, key: &str) -> Vec<String> {
    let items = match node.at(&[key]).map(|node| &node.value) {
        Some(Value::Array(items)) => items.as_slice(),
        _ => &[],
    };
    let text = |item: &Node| if let Value::Text(text) = &item.value { Some(text.clone()) } else { None };
    items.iter().filter_map(text).collect()
}

fn integer(node: &Node, key: &str) -> Option<u64> {
    match node.at(&[key])?.value {
        Value::Integer(number) => u64::try_from(number).ok(),
        _ => None,
    }
}

fn seconds(node: &Node, key: &str, default: u64) -> Duration {
    Duration::from_secs(integer(node, key).unwrap_or(default))
}
