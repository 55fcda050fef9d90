//! `nexusd check-config` and `nexusd dump-config`.

use std::process::ExitCode;

use super::{complain_about, failed, loaded, machine, probe};
use crate::config::{Config, Inputs, Loaded, Place, Problem, describe_values};
use crate::domain::secret::shown_url;
use crate::plugins::{PluginReport, PluginState};
use crate::reload::unknown_handlers;
use crate::terminal::print;

pub(super) fn check(inputs: &Inputs, with_plugins: bool) -> ExitCode {
    let loaded = match loaded(inputs) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if with_plugins {
        let reports = probe::survey(inputs, &loaded.config.plugins);
        let mut problems = of_plugins(&loaded, &reports);
        problems.extend(machine::problems(&loaded, &reports));
        if !problems.is_empty() {
            complain_about(&problems);
            return ExitCode::FAILURE;
        }
    }
    print(&summary(&loaded));
    ExitCode::SUCCESS
}

/// What is wrong with the plugins' tables, with the plugins, and with those who want their handlers.
fn of_plugins(loaded: &Loaded, reports: &[PluginReport]) -> Vec<Problem> {
    let told = reports.iter().filter(|report| !report.version.is_empty());
    let mut problems: Vec<Problem> = told
        .filter_map(|report| Some(loaded.tables.problems(&report.name, report.settings.as_ref()?)))
        .flatten()
        .collect();
    problems.extend(loaded.tables.unknown(reports.iter().map(|report| report.name.as_str())));
    // A folder that cannot be read is told as a folder.
    let is_file = |report: &&PluginReport| !loaded.config.plugins.dirs.contains(&report.file);
    for report in reports.iter().filter(|report| report.state == PluginState::Refused).filter(is_file) {
        let reason = report.reason.as_deref().unwrap_or_default();
        let table = loaded.tables.place(&["plugins", &report.name]);
        let place = if table == Place::Unset { Place::Path(report.file.display().to_string()) } else { table };
        let problem = Problem::new(place, format!("the plugin `{}` is refused: {reason}", report.name));
        problems.push(problem.help(report.remedy.as_deref().unwrap_or_default()));
    }
    // A plugin that is refused is told already.
    let refused = |handler: &str| {
        let plugin = handler.split('/').next().unwrap_or_default();
        reports.iter().any(|report| report.name == plugin && report.state == PluginState::Refused)
    };
    let wanted: Vec<_> = loaded.handlers.iter().filter(|wish| !refused(&wish.handler)).cloned().collect();
    problems.extend(unknown_handlers(&wanted, reports));
    problems
}

fn summary(loaded: &Loaded) -> String {
    let file = loaded.file.as_ref().map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    let workflows: Vec<String> = loaded
        .workflows
        .all()
        .iter()
        .map(|workflow| format!("{} ({} stages)", workflow.name(), workflow.stages().len()))
        .collect();
    let mut text = format!("settings are good: {file}; workflows: {}", workflows.join(", "));
    for line in models(loaded) {
        text.push_str("\nmodels: ");
        text.push_str(&line);
    }
    text
}

/// Which models a daemon with these settings would ask here and now.
fn models(loaded: &Loaded) -> Vec<String> {
    let settings = loaded.config.models.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let found = runtime.block_on(crate::models::discover(&settings));
            crate::models::Routes::new(found, settings.routes).lines()
        }
        Err(error) => vec![format!("not looked for: {error}")],
    }
}

pub(super) fn dump(inputs: &Inputs) -> ExitCode {
    let mut loaded = match loaded(inputs) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let reports = probe::survey(inputs, &loaded.config.plugins);
    let given = std::mem::take(&mut loaded.config.plugins.settings);
    let mut known: Vec<String> = Vec::new();
    for report in reports.iter().filter(|report| !report.version.is_empty()) {
        known.push(report.name.clone());
        let table = given.get(&report.name).cloned().unwrap_or_default();
        let shown = describe_values(&loaded.tables, &report.name, report.settings.as_ref(), table);
        loaded.config.plugins.settings.insert(report.name.clone(), shown);
    }
    // Of a plugin that is not there nobody knows what is secret.
    for (name, table) in given.into_iter().filter(|(name, _)| !known.contains(name)) {
        loaded.config.plugins.settings.insert(name.clone(), describe_values(&loaded.tables, &name, None, table));
    }
    let Config { backend, server, auth, .. } = &mut loaded.config;
    let addresses = [
        &mut backend.endpoint_url,
        &mut backend.dynamodb_endpoint_url,
        &mut backend.sqs_endpoint_url,
        &mut server.public_url,
        &mut auth.oidc.issuer,
    ];
    addresses.into_iter().for_each(|address| *address = shown_url(address));
    match toml::to_string(&loaded.config) {
        Ok(text) => {
            print(text.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}
