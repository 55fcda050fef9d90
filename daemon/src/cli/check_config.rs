//! `nexusd check-config` and `nexusd dump-config`.

use std::process::ExitCode;

use super::plugins::survey;
use super::{complain, complain_about, print};
use crate::config::{Inputs, Loaded, known_handlers, load, unknown_handlers};

pub(super) fn check(inputs: &Inputs, with_plugins: bool) -> ExitCode {
    let loaded = match load(inputs) {
        Ok(loaded) => loaded,
        Err(problems) => {
            complain_about(&problems);
            return ExitCode::FAILURE;
        }
    };
    if with_plugins {
        let reports = survey(&loaded.config.plugins);
        let loadable = reports.iter().filter(|report| report.is_loaded());
        let known = known_handlers(loadable.map(|report| (report.name.as_str(), report.handlers.as_slice())));
        let problems = unknown_handlers(&loaded.handlers, &known);
        if !problems.is_empty() {
            complain_about(&problems);
            return ExitCode::FAILURE;
        }
    }
    print(&summary(&loaded));
    ExitCode::SUCCESS
}

fn summary(loaded: &Loaded) -> String {
    let file = loaded.file.as_ref().map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    let workflows: Vec<String> = loaded
        .workflows
        .all()
        .iter()
        .map(|workflow| format!("{} ({} stages)", workflow.name(), workflow.stages().len()))
        .collect();
    format!("settings are good: {file}; workflows: {}", workflows.join(", "))
}

pub(super) fn dump(inputs: &Inputs) -> ExitCode {
    let mut loaded = match load(inputs) {
        Ok(loaded) => loaded,
        Err(problems) => {
            complain_about(&problems);
            return ExitCode::FAILURE;
        }
    };
    // Keys and tokens live there.
    loaded.config.plugins.settings.clear();
    match toml::to_string(&loaded.config) {
        Ok(text) => {
            print(text.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
