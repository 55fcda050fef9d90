//! Plugins tried out in processes of their own: what a plugin does to the process that loads it must not keep
//! `check-config` from its word, and must not happen in the daemon first.
//!
//! `nexusd plugin-try FILE` ([`TRY`]) is that process. It says what it finds in lines that begin with [`MARK`], because a plugin
//! may write to standard output itself.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nexus_plugin_api::payload::Description;
use serde::{Deserialize, Serialize};

use super::loaded;
use crate::config::{Inputs, PluginsConfig};
use crate::plugins::{PluginReport, TRY, Trial, check_dirs, check_file, try_file};
use crate::terminal::print;

/// Begins a line of the answer.
const MARK: &str = "nexusd-plugin-trial ";

/// The whole trial of one file: longer than its parts together.
const LIMIT: Duration = Duration::from_secs(20);

/// No answer is longer, in bytes.
const LONGEST: u64 = 4 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    /// It told what it is; now it is configured.
    Described { description: Box<Description>, content: String },
    /// It takes its settings.
    Good,
    /// It was refused.
    Refused { reason: String, remedy: String },
}

/// The process that tries one file.
pub(super) fn answer(inputs: &Inputs, file: &Path) -> ExitCode {
    let loaded = match loaded(inputs) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let settings = |description: &Description| {
        let settings = loaded.config.plugins.settings_json(&description.name);
        let Some(schema) = &description.settings else { return Some(settings) };
        // Settings that the daemon would refuse by itself do not reach the plugin.
        let good = loaded.tables.problems(&description.name, schema).is_empty();
        good.then(|| loaded.tables.resolve(&description.name, schema, settings))
    };
    try_file(file, settings, |trial| {
        let told = match trial {
            Trial::Described(description, content) => Told::Described { description, content },
            Trial::Over(report) => match (report.reason, report.remedy) {
                (Some(reason), remedy) => Told::Refused { reason, remedy: remedy.unwrap_or_default() },
                _ => Told::Good,
            },
        };
        if let Ok(json) = serde_json::to_string(&told) {
            print(&format!("{MARK}{json}"));
        }
    });
    ExitCode::SUCCESS
}

/// Every plugin that `serve` would load, tried with its settings.
pub(super) fn survey(inputs: &Inputs, plugins: &PluginsConfig) -> Vec<PluginReport> {
    let executable = std::env::current_exe().unwrap_or_default();
    let dirs = plugins.shipped_dirs(&executable);
    let mut reports = check_dirs(&plugins.dirs, &dirs, |file| attempt(inputs, &executable, file));
    // The order of the folders is that of their files' ages.
    reports.sort_by(|a, b| a.name.cmp(&b.name));
    reports
}

fn attempt(inputs: &Inputs, executable: &Path, file: &Path) -> PluginReport {
    let mut command = Command::new(executable);
    command.arg(TRY).arg(file);
    for (option, value) in [("--config", &inputs.file), ("--data-dir", &inputs.data_dir)] {
        if let Some(value) = value {
            command.arg(option).arg(value);
        }
    }
    if let Some(listen) = &inputs.listen {
        command.args(["--listen", listen]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    match command.spawn() {
        Ok(child) => follow(child, file),
        // Without a process of its own: better than no word.
        Err(_) => check_file(file),
    }
}

/// Reads what the process tells until its last word, its end or the end of the time.
fn follow(mut child: Child, file: &Path) -> PluginReport {
    let begun = Instant::now();
    let (send, lines) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(stdout.take(LONGEST)).lines().map_while(Result::ok) {
                if let Some(told) = line.strip_prefix(MARK).and_then(|json| serde_json::from_str::<Told>(json).ok())
                    && send.send(told).is_err()
                {
                    return;
                }
            }
        });
    }
    let mut report: Option<PluginReport> = None;
    let verdict = loop {
        match lines.recv_timeout(LIMIT.saturating_sub(begun.elapsed())) {
            Ok(Told::Described { description, content }) => {
                report = Some(PluginReport::described(file, &description, &content));
            }
            Ok(Told::Good) => break None,
            Ok(Told::Refused { reason, remedy }) => break Some((reason, remedy)),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let remedy = "repair the plugin: the daemon would wait for it at every start".to_owned();
                break Some((format!("`{}` did not return within {LIMIT:?}", step(report.as_ref())), remedy));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let how = child.wait().map_or_else(|error| error.to_string(), how);
                let reason = format!("it ended the process that tried it, in `{}`: {how}", step(report.as_ref()));
                break Some((reason, "repair the plugin, or take it out: it would end the daemon as well".to_owned()));
            }
        }
    };
    let (_, _) = (child.kill(), child.wait());
    match (report, verdict) {
        (Some(report), None) => report,
        (Some(report), Some((reason, remedy))) => report.refused_by(&reason, &remedy),
        (None, verdict) => {
            let (reason, remedy) = verdict.unwrap_or_default();
            PluginReport::unknown(file).refused_by(&reason, &remedy)
        }
    }
}

const fn step(report: Option<&PluginReport>) -> &'static str {
    if report.is_some() { "configure" } else { "describe" }
}

fn how(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (_, Some(code)) => format!("exit code {code}"),
        _ => status.to_string(),
    }
}
