//! What `nexusd plugins list` and `check` say without a daemon: files are loaded into this process and
//! asked what they are. They are not configured, for that may open connections and belongs to the daemon.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    time::Duration,
};

use nexus_plugin_api::payload::Description;

use super::{
    discover,
    library::{self, Image},
    load::Step,
    refusal::Refusal,
    report::PluginReport,
};

const LIMIT: Duration = Duration::from_secs(5);

/// Judges one file, as the daemon would before `configure`. Also a file whose name a folder scan
/// passes over, and one that is no plugin at all.
#[must_use]
pub fn check_file(file: &Path) -> PluginReport {
    judge(file).0
}

/// Judges the plugins of the folders, in order: of two files with one plugin name the first wins.
#[must_use]
pub fn check_dirs(dirs: &[PathBuf]) -> Vec<PluginReport> {
    let mut winners: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut seen = HashSet::new();
    let judge_found = |candidate: discover::Candidate| {
        let file = candidate.file;
        if let Err(refusal) = candidate.verdict {
            return Some(PluginReport::refused(&file, None, "", &refusal));
        }
        let (report, described) = judge(&file);
        // As in a reload: the same content once more is no second plugin.
        if !report.content.is_empty() && !seen.insert(report.content.clone()) {
            return None;
        }
        let Some(description) = described else { return Some(report) };
        if let Some(winner) = winners.get(&description.name) {
            let winner = winner.display().to_string();
            let refusal = Refusal::Duplicate { name: description.name.clone(), winner };
            return Some(PluginReport::refused(&file, Some(&description.name), &report.content, &refusal));
        }
        winners.insert(description.name, file);
        Some(report)
    };
    discover::scan(dirs).into_iter().filter_map(judge_found).collect()
}

fn judge(file: &Path) -> (PluginReport, Option<Description>) {
    let image = match Image::read(file) {
        Ok(image) => image,
        Err(refusal) => return (PluginReport::refused(file, None, "", &refusal), None),
    };
    let content = image.content.clone();
    let path = file.to_owned();
    let described = Step::begin("describe", LIMIT, move || library::link(&path, image.entry_size)?.describe());
    match described.and_then(Step::wait) {
        Ok(description) => (PluginReport::described(file, &description, &content), Some(description)),
        Err(refusal) => (PluginReport::refused(file, None, &content, &refusal), None),
    }
}
