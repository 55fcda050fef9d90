//! Whether the Pythons that settings name are there and new enough: agents, their verification and the trial of tools
//! run in them. Looked for at the start, after a reload and by `nexusd check-config`; what is missing is told in the log
//! and by `/health`, and looked for again until it is there.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, properties};
use crate::plugins::Plugins;

/// The oldest that agents run in.
const OLDEST: (u32, u32) = (3, 9);

/// A Python tells its version within this time, or is none.
const LIMIT: Duration = Duration::from_secs(10);

/// Pause between two looks for what is missing.
const AGAIN: Duration = Duration::from_secs(30);

/// What is wrong with a Python, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Which settings name it, such as `tools.python`.
    pub keys: Vec<String>,
    /// What is wrong, with the program.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

impl Missing {
    /// In one line.
    #[must_use]
    pub fn told(&self) -> String {
        format!("{}: {}; {}", self.keys.join(", "), self.reason, self.remedy)
    }
}

/// The programs that a plugin's settings name as Pythons, by key: those that are written, else the defaults.
pub fn of_plugin(plugin: &str, schema: &Value, settings: &Value) -> Vec<(String, String)> {
    let wanted = properties(schema).iter().filter(|(_, described)| described["format"] == "python");
    wanted
        .filter_map(|(key, described)| {
            let program = settings[key].as_str().or_else(|| described["default"].as_str())?;
            Some((format!("plugins.{plugin}.{key}"), program.to_owned()))
        })
        .collect()
}

/// Tries each program once. Blocks while they run.
#[must_use]
pub fn missing(wanted: &[(String, String)]) -> Vec<Missing> {
    let mut programs: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (key, program) in wanted {
        programs.entry(program).or_default().push(key.clone());
    }
    let judged = programs.into_iter().filter_map(|(program, keys)| {
        let reason = judge(program).err()?;
        let (major, minor) = OLDEST;
        let remedy = if program.contains('/') {
            format!("correct the path, or install Python {major}.{minor} or newer there")
        } else {
            format!("install Python {major}.{minor} or newer, or set {} to its path", keys.join(" and "))
        };
        Some(Missing { keys, reason, remedy })
    });
    judged.collect()
}

fn judge(program: &str) -> Result<(), String> {
    let (major, minor) = version(program)?;
    if (major, minor) < OLDEST {
        return Err(format!("`{program}` is Python {major}.{minor}, which is too old"));
    }
    Ok(())
}

fn version(program: &str) -> Result<(u32, u32), String> {
    let mut command = Command::new(program);
    command.args(["-I", "-S", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(
        |error| match error.kind() {
            std::io::ErrorKind::NotFound if program.contains('/') => format!("there is no `{program}`"),
            std::io::ErrorKind::NotFound => format!("there is no `{program}` in PATH"),
            _ => format!("`{program}` cannot be run: {error}"),
        },
    )?;
    let begun = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(None) if begun.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                let (_, _) = (child.kill(), child.wait());
                return Err(format!("`{program}` did not tell its version within {} s", LIMIT.as_secs()));
            }
            Ok(Some(status)) => break status,
            Err(error) => return Err(format!("`{program}` cannot be waited for: {error}")),
        }
    };
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        let _ = stdout.take(64).read_to_string(&mut text);
    }
    let parsed =
        text.trim().split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parsed.filter(|_| ended.success()).ok_or_else(|| format!("`{program}` is no Python: it does not tell a version"))
}

/// Looks once; one warning for each that is missing.
pub async fn look(plugins: Plugins, of_tools: String) {
    let mut wanted: Vec<(String, String)> = vec![("tools.python".to_owned(), of_tools)];
    for (plugin, schema, settings) in plugins.settings() {
        wanted.extend(of_plugin(&plugin, &schema, &settings));
    }
    let Ok(found) = tokio::task::spawn_blocking(move || missing(&wanted)).await else { return };
    let told: Vec<String> = found.iter().map(Missing::told).collect();
    let before = plugins.lacking();
    for one in told.iter().filter(|one| !before.contains(one)) {
        tracing::warn!("Python is missing: agents can neither be built nor run: {one}");
    }
    if !before.is_empty() && told.is_empty() {
        tracing::info!("Python is there now");
    }
    plugins.set_lacking(told);
}

/// Looks at the start, and again for as long as something is missing.
pub async fn watch(plugins: Plugins, config: Arc<ArcSwap<Config>>, stop: CancellationToken) {
    loop {
        let of_tools = config.load().tools.python.clone();
        look(plugins.clone(), of_tools).await;
        loop {
            if tokio::time::timeout(AGAIN, stop.cancelled()).await.is_ok() {
                return;
            }
            if !plugins.lacking().is_empty() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> (tempfile::TempDir, String) {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("py");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = file.to_str().unwrap().to_owned();
        (dir, path)
    }

    #[test]
    fn what_is_no_python_or_too_old_is_told_once_with_its_keys() {
        let (_old, old) = script("#!/bin/sh\necho 3.8\n");
        let (_other, other) = script("#!/bin/sh\necho hello\n");
        let (_failing, failing) = script("#!/bin/sh\necho 3.12\nexit 3\n");
        let (_good, good) = script("#!/bin/sh\necho 3.12\n");
        for (program, words) in [
            (old.as_str(), "is Python 3.8, which is too old"),
            (&other, "is no Python"),
            (&failing, "is no Python"),
            ("/nowhere/python3", "there is no `/nowhere/python3`"),
            ("no-such-python", "there is no `no-such-python` in PATH"),
            ("/etc/hostname", "cannot be run"),
        ] {
            let found = missing(&[("a.python".into(), program.into()), ("b.python".into(), program.into())]);
            assert_eq!(found.len(), 1, "{program}: {found:?}");
            assert!(found[0].reason.contains(words), "{found:?}");
            assert_eq!(found[0].keys, ["a.python", "b.python"]);
        }
        assert_eq!(missing(&[("a.python".into(), good)]), []);
    }
}
