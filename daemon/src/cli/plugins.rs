//! `nexusd plugins list` and `nexusd plugins check FILE`: the judgement of the plugin host, without a daemon.
//!
//! Files are loaded into this short-lived process and asked what they are; they are not configured, so that looking
//! at the plugins of a running daemon disturbs nothing.

use std::path::Path;
use std::process::ExitCode;

use super::probe;
use super::{complain, failed, loaded};
use crate::config::{Inputs, PluginsConfig, describe_settings};
use crate::plugins::{PluginReport, check_dirs, check_file};
use crate::terminal::print;

/// Everything in the folders that `serve` would search.
fn survey(plugins: &PluginsConfig) -> Vec<PluginReport> {
    let executable = std::env::current_exe().unwrap_or_default();
    check_dirs(&plugins.dirs, &plugins.shipped_dirs(&executable), check_file)
}

/// Prints the tables of the plugins with each key, its default and its meaning.
pub(super) fn settings(inputs: &Inputs, plugin: Option<&str>) -> ExitCode {
    let config = match loaded(inputs) {
        Ok(loaded) => loaded.config,
        Err(code) => return code,
    };
    let reports = probe::survey(inputs, &config.plugins);
    let wanted: Vec<&PluginReport> = reports
        .iter()
        .filter(|report| !report.version.is_empty() && plugin.is_none_or(|plugin| plugin == report.name))
        .collect();
    if let (Some(plugin), []) = (plugin, wanted.as_slice()) {
        complain(&format!("error: there is no plugin `{plugin}`; `nexusd plugins list` shows what there is"));
        return ExitCode::FAILURE;
    }
    let tables = wanted.into_iter().map(|report| match &report.settings {
        Some(schema) => describe_settings(&report.name, schema),
        None => format!("# [plugins.{}]\n# The plugin does not describe its settings.\n", report.name),
    });
    print(tables.collect::<Vec<_>>().join("\n").trim_end());
    ExitCode::SUCCESS
}

pub(super) fn list(inputs: &Inputs, json: bool) -> ExitCode {
    let config = match loaded(inputs) {
        Ok(loaded) => loaded.config,
        Err(code) => return code,
    };
    let reports = survey(&config.plugins);
    if json {
        return print_json(&reports);
    }
    if reports.is_empty() {
        complain("no plugins");
    }
    for report in &reports {
        print(&describe(report));
    }
    let executable = std::env::current_exe().unwrap_or_default();
    let dirs: Vec<String> = config
        .plugins
        .dirs
        .iter()
        .chain(&config.plugins.shipped_dirs(&executable))
        .map(|dir| dir.display().to_string())
        .collect();
    complain(&format!("searched: {}", dirs.join(", ")));
    ExitCode::SUCCESS
}

pub(super) fn check(file: &Path, json: bool) -> ExitCode {
    let report = check_file(file);
    let code = if report.is_loaded() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if json {
        print_json(&report);
    } else {
        print(&describe(&report));
    }
    code
}

fn print_json(value: &impl serde::Serialize) -> ExitCode {
    match serde_json::to_string_pretty(value) {
        Ok(text) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

/// A plugin in a few lines: its handlers, or why it is refused and what to do.
fn describe(report: &PluginReport) -> String {
    let file = report.file.display();
    if let Some(reason) = &report.reason {
        let remedy = report.remedy.as_ref().map(|remedy| format!("\n    remedy: {remedy}")).unwrap_or_default();
        return format!("{} refused: {reason}{remedy}\n    file: {file}", report.name);
    }
    let handlers = report.handlers.iter().map(|one| {
        let kind = format!("{:?}", one.kind).to_lowercase();
        format!("\n    {kind:<6} {}/{}  {}", report.name, one.name, one.summary)
    });
    let handlers: String = handlers.collect();
    format!(
        "{} {} (interface {}): {}{handlers}\n    file: {file}",
        report.name, report.version, report.abi, report.summary
    )
}
