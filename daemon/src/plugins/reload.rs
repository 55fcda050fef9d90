//! One reload: what is new is loaded, what changed gets a new generation, what vanished is retired.
//! Runs on a thread of its own, one reload at a time.
//!
//! A reload never makes things worse: when the new file is refused, or its `configure` fails, the
//! generation before goes on and the report shows both. First everything that is new is loaded and configured; then the
//! caller sees what there would be, and when that is not enough for it, nothing is put in place and nothing retired.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

use super::{
    discover,
    generation::{Generation, Parts},
    load::{self, Opened, Step},
    options::HostOptions,
    owner,
    refusal::Refusal,
    report::PluginReport,
    slot::Slot,
    transport::library::image::Image,
};
use crate::telemetry::{names, zeros};

/// What reloads know of each other.
#[derive(Default)]
pub(super) struct Known {
    /// The copies of earlier processes are removed.
    pub(super) cleaned: bool,
    /// There was a load before. What the first one refuses is told by who starts the daemon: it may be why there is none.
    pub(super) loaded: bool,
    pub(super) slots: BTreeMap<String, Arc<Slot>>,
    /// Refused contents that need not be tried again, with the plugin's name if it came to that.
    hopeless: HashMap<String, Refusal>,
}

/// What a reload leaves for the registry.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) refused: Vec<PluginReport>,
    pub(super) retired: Vec<&'static Generation>,
}

/// A file on its way.
struct Arrival {
    file: PathBuf,
    content: String,
    shipped: bool,
    stage: Stage,
}

enum Stage {
    Refused(Refusal),
    /// Loaded already, with the same content and settings.
    Unchanged(&'static Generation),
    Opening(Step<Opened>),
}

/// A new plugin whose `configure` runs, or has run.
struct Newcomer<C> {
    file: PathBuf,
    content: String,
    settings: Value,
    opened: Opened,
    configured: C,
}

/// Whether what there would be is enough.
pub(super) type Accept = dyn Fn(&[PluginReport]) -> bool + Send;

pub(super) fn reload(known: &mut Known, options: &HostOptions, accept: &Accept) -> Option<Changes> {
    let mut changes = Changes::default();
    let mut seen = HashSet::new();
    let mut arrivals: Vec<Arrival> = Vec::new();
    for candidate in discover::scan(&options.dirs, &options.shipped_dirs) {
        let (content, stage) = match candidate
            .verdict
            .and_then(|()| owner::judge(&candidate.file))
            .and_then(|()| Image::read(&candidate.file))
        {
            Ok(image) => {
                let content = image.content.clone();
                // A link, or the second copy that cargo makes: one and the same plugin.
                if !seen.insert(content.clone()) {
                    tracing::debug!(file = %candidate.file.display(), "the same file as one before");
                    continue;
                }
                (content, arrive(known, options, &candidate.file, &image).unwrap_or_else(Stage::Refused))
            }
            Err(refusal) => (String::new(), Stage::Refused(refusal)),
        };
        arrivals.push(Arrival { file: candidate.file, content, shipped: candidate.shipped, stage });
    }

    // In order of precedence: the first file of a name wins.
    let files: Vec<PathBuf> = arrivals.iter().map(|arrival| arrival.file.clone()).collect();
    let mut winners: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut newcomers: Vec<Newcomer<Result<Step<()>, Refusal>>> = Vec::new();
    for arrival in arrivals {
        let Arrival { file, content, shipped, stage } = arrival;
        let opened = match stage {
            Stage::Refused(refusal) => Err(refusal),
            Stage::Unchanged(generation) => match first(&mut winners, generation.name(), &file) {
                Ok(()) => continue,
                Err(refusal) => Err(refusal),
            },
            Stage::Opening(step) => step.wait(),
        };
        let opened = opened.and_then(|opened| {
            first(&mut winners, &opened.description.name, &file)?;
            Ok(opened)
        });
        match opened {
            Ok(opened) => {
                let settings = options.settings_of(&opened.description.name);
                let configured = options.prepared(&opened.description).and_then(|prepared| {
                    load::configure(Arc::clone(&opened.loaded.transport), &prepared, options.configure_limit)
                });
                newcomers.push(Newcomer { file, content, settings, opened, configured });
            }
            Err(Refusal::Duplicate { name, winner }) if shipped => {
                tracing::info!(plugin = name, by = winner, "the shipped plugin is replaced");
            }
            Err(refusal) => refuse(known, &mut changes, &file, None, content, refusal),
        }
    }
    let mut ready = Vec::new();
    for newcomer in newcomers {
        let Newcomer { file, content, settings, opened, configured } = newcomer;
        match configured.and_then(Step::wait) {
            Ok(()) => ready.push(Newcomer { file, content, settings, opened, configured: () }),
            Err(refusal) => refuse(known, &mut changes, &file, Some(&opened.description.name), content, refusal),
        }
    }
    if !accept(&prospect(known, &ready, &winners, &files)) {
        return None;
    }
    for newcomer in ready {
        admit(known, options, &mut changes, newcomer);
    }
    retire_vanished(known, &mut changes, &winners, &files);
    #[allow(clippy::cast_precision_loss)] // a count of files
    metrics::gauge!(names::PLUGINS_REFUSED).set(changes.refused.len() as f64);
    for slot in known.slots.values() {
        slot.permits.resize(options.max_jobs_of(&slot.name));
        slot.answers.resize(options.max_answers.max(1));
        if let Some(generation) = slot.current() {
            generation.set_limits(options.limits());
        }
    }
    Some(changes)
}

/// What there would be.
fn prospect(
    known: &Known,
    ready: &[Newcomer<()>],
    winners: &BTreeMap<String, PathBuf>,
    files: &[PathBuf],
) -> Vec<PluginReport> {
    let stays = |generation: &&'static Generation| {
        is_present(generation, winners, files)
            && !ready.iter().any(|newcomer| newcomer.opened.description.name == generation.name())
    };
    let current = known.slots.values().filter_map(|slot| slot.current()).filter(stays).map(PluginReport::of);
    let new = |one: &Newcomer<()>| PluginReport::described(&one.file, &one.opened.description, &one.content);
    current.chain(ready.iter().map(new)).collect()
}

/// Whether a file stands for a generation still.
fn is_present(generation: &Generation, winners: &BTreeMap<String, PathBuf>, files: &[PathBuf]) -> bool {
    winners.contains_key(generation.name()) || files.iter().any(|file| generation.file.starts_with(file))
}

fn arrive(known: &Known, options: &HostOptions, file: &Path, image: &Image) -> Result<Stage, Refusal> {
    let current = known.slots.values().filter_map(|slot| slot.current());
    for generation in current {
        if generation.content == image.content && generation.settings == options.settings_of(generation.name()) {
            return Ok(Stage::Unchanged(generation));
        }
    }
    if let Some(refusal) = known.hopeless.get(&image.content) {
        return Err(refusal.clone());
    }
    load::open(image, file, options).map(Stage::Opening)
}

/// Claims the plugin name for the file.
fn first(winners: &mut BTreeMap<String, PathBuf>, name: &str, file: &Path) -> Result<(), Refusal> {
    if let Some(winner) = winners.get(name) {
        return Err(Refusal::Duplicate { name: name.to_owned(), winner: winner.display().to_string() });
    }
    winners.insert(name.to_owned(), file.to_owned());
    Ok(())
}

fn refuse(
    known: &mut Known,
    changes: &mut Changes,
    file: &Path,
    name: Option<&str>,
    content: String,
    refusal: Refusal,
) {
    let report = PluginReport::refused(file, name, &content, &refusal);
    if known.loaded {
        report.tell();
    }
    changes.refused.push(report);
    if refusal.lies_in_the_file() {
        known.hopeless.insert(content, refusal);
    }
}

/// Puts the new generation in place.
fn admit(known: &mut Known, options: &HostOptions, changes: &mut Changes, newcomer: Newcomer<()>) {
    let Newcomer { file, content, settings, opened, configured: () } = newcomer;
    let name = opened.description.name.clone();
    let slot = known
        .slots
        .entry(name.clone())
        .or_insert_with(|| Slot::new(&name, options.max_jobs_of(&name), options.max_answers));
    let number = slot.next_number();
    let (transport, version) = (Arc::clone(&opened.loaded.transport), opened.description.version.clone());
    opened.loaded.keep(&name, &content, number);
    let handlers = opened.description.handlers.len();
    zeros::of_plugin(&name, opened.description.handlers.iter().map(|handler| handler.name.as_str()));
    let generation = Generation::register(Parts {
        description: opened.description,
        number,
        file: file.clone(),
        content,
        settings,
        transport,
        limits: options.limits(),
    });
    changes.retired.extend(slot.replace(Some(generation)));
    #[allow(clippy::cast_precision_loss)] // nobody reloads 2^53 times
    metrics::gauge!(names::PLUGIN_GENERATION, "plugin" => name.clone()).set(number as f64);
    tracing::info!(plugin = name, version, generation = number, handlers, file = %file.display(), "plugin loaded");
}

/// Retires what no file stands for any more. A generation whose own file is still there but refused
/// now goes on, and so does one whose folder cannot be read.
fn retire_vanished(known: &Known, changes: &mut Changes, winners: &BTreeMap<String, PathBuf>, files: &[PathBuf]) {
    for (name, slot) in &known.slots {
        let Some(generation) = slot.current() else { continue };
        if !is_present(generation, winners, files) {
            tracing::info!(plugin = name, generation = generation.number, "plugin retired: its file is gone");
            metrics::gauge!(names::PLUGIN_GENERATION, "plugin" => name.clone()).set(0.0);
            changes.retired.extend(slot.replace(None));
        }
    }
}
