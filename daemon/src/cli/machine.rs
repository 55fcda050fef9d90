//! What `check-config` looks for on this machine beside the files: Python, walls, and folders with the rights they need.

use std::path::{Path, PathBuf};

use nexus_sandbox::Walls;
use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};

use serde_json::Value;

use crate::config::{Loaded, Place, Problem, properties};
use crate::plugins::PluginReport;
use crate::tools::{pythons, walls};

/// In the description of a plugin's setting: it must be set before a deploy target can be served.
const NEEDED_BY_TARGETS: &str = "neededByTargets";

/// Everything that this machine lacks.
pub(super) fn problems(loaded: &Loaded, reports: &[PluginReport]) -> Vec<Problem> {
    let mut problems = folders(loaded);
    problems.extend(python(loaded, reports));
    problems.extend(targets(loaded, reports));
    problems.extend(sandbox(loaded));
    problems
}

fn python(loaded: &Loaded, reports: &[PluginReport]) -> Vec<Problem> {
    let mut wanted = vec![("tools.python".to_owned(), loaded.config.tools.python.clone())];
    for report in reports.iter().filter(|report| report.is_loaded()) {
        let Some(schema) = &report.settings else { continue };
        let settings = loaded.config.plugins.settings_json(&report.name);
        let settings = loaded.tables.resolve(&report.name, schema, settings);
        wanted.extend(pythons::of_plugin(&report.name, schema, &settings));
    }
    let problem = |missing: pythons::Missing| {
        let place = |key: &String| loaded.tables.place(&key.split('.').collect::<Vec<_>>());
        let place = missing.keys.iter().map(place).find(|place| *place != Place::Unset).unwrap_or(Place::Unset);
        Problem::new(place, format!("`{}`: {}", missing.keys.join("`, `"), missing.reason)).help(missing.remedy)
    };
    pythons::missing(&wanted).into_iter().map(problem).collect()
}

/// What a plugin must be told before it can serve the deploy targets that are bound to it.
fn targets(loaded: &Loaded, reports: &[PluginReport]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (target, handler) in &loaded.config.deploy.targets {
        let plugin = handler.split('/').next().unwrap_or_default();
        let Some(report) = reports.iter().find(|report| report.name == plugin && report.is_loaded()) else { continue };
        let Some(schema) = &report.settings else { continue };
        let settings = loaded.config.plugins.settings_json(plugin);
        for (key, about) in properties(schema) {
            let needed = about.get(NEEDED_BY_TARGETS).and_then(Value::as_bool).unwrap_or(false);
            let is_empty = |value: &Value| value.as_str().is_some_and(|text| text.trim().is_empty());
            if needed && settings.get(key).is_none_or(is_empty) {
                let message =
                    format!("the deploy target `{target}` cannot be served: `plugins.{plugin}.{key}` is not set");
                let place = loaded.tables.place(&["plugins", plugin, key]);
                let place =
                    if place == Place::Unset { loaded.tables.place(&["deploy", "targets", target]) } else { place };
                let help = about.get("description").and_then(Value::as_str).unwrap_or_default();
                problems.push(Problem::new(place, message).help(help));
            }
        }
    }
    problems
}

/// Walls that are missing, where that keeps code from being started.
fn sandbox(loaded: &Loaded) -> Vec<Problem> {
    let config = loaded.config.sandbox;
    let troubles = walls::troubles(config, &Walls::probe());
    let stop = troubles.into_iter().filter(|trouble| !(config.allow_weaker && trouble.contains("run without")));
    stop.map(|trouble| Problem::new(loaded.tables.place(&["sandbox", "mode"]), trouble).help(walls::REMEDY)).collect()
}

fn folders(loaded: &Loaded) -> Vec<Problem> {
    let mut problems = Vec::new();
    let data = &loaded.config.data.dir;
    let place = |path: &[&str]| loaded.tables.place(path);
    match writable(data) {
        Ok(there) => {
            if statvfs(&there).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::NOEXEC)) {
                let message = format!("the data folder {} is on a file system that is mounted noexec", data.display());
                let help = "plugins are loaded from run/ in it: mount it with exec, or choose another with [data] dir";
                problems.push(Problem::new(place(&["data", "dir"]), message).help(help));
            }
        }
        Err((what, help)) => {
            let message = format!("the data folder {} cannot be used: {what}", data.display());
            problems.push(Problem::new(place(&["data", "dir"]), message).help(help));
        }
    }
    for dir in &loaded.config.plugins.dirs {
        if !dir.is_dir() {
            let what = if dir.exists() { "is no folder" } else { "does not exist" };
            let message = format!("the plugin folder {} {what}", dir.display());
            let help = "make it, or take it out of [plugins] dirs";
            problems.push(Problem::new(place(&["plugins", "dirs"]), message).help(help));
        }
    }
    problems
}

/// The nearest folder that is there, when this user may make what lacks in it.
fn writable(dir: &Path) -> Result<PathBuf, (String, &'static str)> {
    const OTHER: &str = "choose another with [data] dir or --data-dir";
    let mut there = dir;
    while let Err(error) = std::fs::metadata(there) {
        match (error.kind(), there.parent()) {
            (std::io::ErrorKind::NotFound, Some(parent)) => there = parent,
            (std::io::ErrorKind::NotADirectory, Some(parent)) => there = parent,
            _ => return Err((format!("{}: {error}", there.display()), OTHER)),
        }
    }
    if !there.is_dir() {
        return Err((format!("{} is a file", there.display()), "choose a folder with [data] dir or --data-dir"));
    }
    if access(there, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let help = "let the user that nexusd runs as write there, or choose another with [data] dir or --data-dir";
        return Err((format!("{} is not writable for this user", there.display()), help));
    }
    Ok(there.to_owned())
}
