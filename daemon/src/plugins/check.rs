//! What `nexusd plugins list` and `check` say without a daemon: files are loaded into this process and
//! asked what they are. They are not configured, for that may open connections and belongs to the daemon.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nexus_plugin_api::payload::Description;
use serde_json::Value;

use super::{
    discover,
    load::{self, Step},
    owner,
    refusal::Refusal,
    report::PluginReport,
    transport::{
        Transport,
        library::image::{self, Image},
    },
};

const LIMIT: Duration = Duration::from_secs(5);
const CONFIGURE_LIMIT: Duration = Duration::from_secs(10);

/// Judges one file, as the daemon would before `configure`. Also a file whose name a folder scan
/// passes over, and one that is no plugin at all.
#[must_use]
pub fn check_file(file: &Path) -> PluginReport {
    judge(file).0
}

/// How far a trial came.
#[derive(Debug)]
pub enum Trial {
    /// It told what it is; now it is configured.
    Described(Box<Description>, String),
    /// The end.
    Over(Box<PluginReport>),
}

/// Judges one file as [`check_file`] does, and configures it with what `settings` gives for its description: for a process
/// that was made for it, because the plugin may crash it. Each step is told.
pub fn try_file(file: &Path, settings: impl FnOnce(&Description) -> Option<Value>, tell: impl Fn(Trial)) {
    let image = match Image::read(file) {
        Ok(image) => image,
        Err(refusal) => return tell(Trial::Over(Box::new(PluginReport::refused(file, None, "", &refusal)))),
    };
    let (content, path) = (image.content.clone(), file.to_owned());
    let opened = Step::begin("describe", LIMIT, move || {
        let transport: Arc<dyn Transport> = Arc::new(image::link(&path, image.entry_size)?);
        let description = transport.describe()?;
        Ok((transport, description))
    });
    let (transport, description) = match opened.and_then(Step::wait) {
        Ok(opened) => opened,
        Err(refusal) => return tell(Trial::Over(Box::new(PluginReport::refused(file, None, &content, &refusal)))),
    };
    tell(Trial::Described(Box::new(description.clone()), content.clone()));
    let report = PluginReport::described(file, &description, &content);
    let configured = match settings(&description) {
        Some(settings) => load::configure(transport, &settings, CONFIGURE_LIMIT).and_then(Step::wait),
        None => Ok(()),
    };
    tell(Trial::Over(Box::new(match configured {
        Ok(()) => report,
        Err(refusal) => report.refused_by(&refusal.to_string(), &refusal.remedy()),
    })));
}

/// Judges the plugins of the folders, in order: of two files with one plugin name the first wins. `judge` is
/// [`check_file`], or asks a process of its own.
#[must_use]
pub fn check_dirs(
    dirs: &[PathBuf],
    shipped_dirs: &[PathBuf],
    judge: impl Fn(&Path) -> PluginReport,
) -> Vec<PluginReport> {
    let mut winners: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut seen = HashSet::new();
    let judge_found = |candidate: discover::Candidate| {
        let file = candidate.file;
        if let Err(refusal) = candidate.verdict.and_then(|()| owner::judge(&file)) {
            return Some(PluginReport::refused(&file, None, "", &refusal));
        }
        let report = judge(&file);
        // As in a reload: the same content once more is no second plugin.
        if !report.content.is_empty() && !seen.insert(report.content.clone()) {
            return None;
        }
        if report.version.is_empty() {
            return Some(report);
        }
        if let Some(winner) = winners.get(&report.name) {
            if candidate.shipped {
                return None;
            }
            let winner = winner.display().to_string();
            let refusal = Refusal::Duplicate { name: report.name.clone(), winner };
            return Some(PluginReport::refused(&file, Some(&report.name), &report.content, &refusal));
        }
        winners.insert(report.name.clone(), file);
        Some(report)
    };
    discover::scan(dirs, shipped_dirs).into_iter().filter_map(judge_found).collect()
}

fn judge(file: &Path) -> (PluginReport, Option<Description>) {
    let image = match Image::read(file) {
        Ok(image) => image,
        Err(refusal) => return (PluginReport::refused(file, None, "", &refusal), None),
    };
    let content = image.content.clone();
    let path = file.to_owned();
    let described = Step::begin("describe", LIMIT, move || image::link(&path, image.entry_size)?.describe());
    match described.and_then(Step::wait) {
        Ok(description) => (PluginReport::described(file, &description, &content), Some(description)),
        Err(refusal) => (PluginReport::refused(file, None, &content, &refusal), None),
    }
}
