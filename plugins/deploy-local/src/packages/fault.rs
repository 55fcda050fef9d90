//! Why packages cannot be had, in words: what, where, and what to do.

use std::{io, path::Path};

use nexus_plugin_api::payload::Failure;

use super::maker::Work;

/// Endings of words by which installers tell that nobody answered.
const NO_NETWORK: [&str; 12] = [
    "name resolution",
    "name or service not known",
    "connection refused",
    "newconnectionerror",
    "network is unreachable",
    "no route to host",
    "dns error",
    "failed to fetch",
    "error sending request",
    "timed out",
    "connection reset",
    "max retries exceeded",
];
const NO_SPACE: [&str; 2] = ["no space left on device", "disk quota exceeded"];
const NO_VENV: [&str; 2] = ["ensurepip is not available", "no module named venv"];
const NO_VERSION: [&str; 3] = ["no matching distribution", "no solution found", "could not find a version"];
const WRONG_PYTHON: [&str; 2] = ["requires-python", "requires a different python"];

/// A file or folder of the environment.
pub(super) fn of_folder(folder: &Path, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded {
        return no_space(folder);
    }
    Failure::transient(format!("the folder {} for the agent's packages cannot be used: {error}", folder.display()))
}

/// What the installer said before it failed.
pub(super) fn of_installer(work: &Work, lines: &[String]) -> Failure {
    let said = lines.join("\n");
    let lower = said.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let wanted = work.requirements.named();
    let failure = if says(&NO_SPACE) {
        no_space(&work.folder)
    } else if says(&NO_VENV) {
        let python = work.interpreter.display();
        Failure::permanent(format!(
            "{python} cannot make virtual environments: install its venv module (Debian: python3-venv), or uv"
        ))
    } else if !work.wheels.as_os_str().is_empty() {
        let wheels = work.wheels.display();
        Failure::permanent(format!(
            "the folder {wheels} (`wheels` in [plugins.deploy-local]) lacks {wanted}, or something that they need: {}",
            last_error(lines)
        ))
    } else if says(&NO_NETWORK) {
        Failure::transient(format!(
            "{wanted} cannot be installed: the package index cannot be reached; for a machine without internet put the wheels into a \
             folder, and name it as `wheels` in [plugins.deploy-local]"
        ))
    } else if says(&WRONG_PYTHON) {
        Failure::permanent(format!(
            "{wanted} needs another version of Python than {}; set `python` in [plugins.deploy-local]",
            work.interpreter.display()
        ))
    } else if says(&NO_VERSION) {
        Failure::permanent(format!("the package index has no {wanted} for this machine: {}", last_error(lines)))
    } else {
        Failure::permanent(format!("{wanted} cannot be installed: {}", last_error(lines)))
    };
    failure.with_details(said)
}

fn no_space(folder: &Path) -> Failure {
    Failure::transient(format!(
        "no space is left for the agent's packages in {}: free some 300 MB there",
        folder.display()
    ))
}

fn last_error(lines: &[String]) -> String {
    let is_error = |line: &&String| line.to_ascii_lowercase().contains("error");
    let line = lines.iter().rev().find(is_error).or(lines.last());
    line.map_or_else(|| "the installer said nothing".to_owned(), |line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::Requirements;

    fn told(wheels: &str, line: &str) -> String {
        let requirements = Requirements::parse("x==1").unwrap();
        let work = Work {
            requirements,
            interpreter: "/usr/bin/python3".into(),
            wheels: wheels.into(),
            folder: "/cache/v".into(),
        };
        of_installer(&work, &["Collecting x".to_owned(), line.to_owned()]).message
    }

    #[test]
    fn every_common_reason_has_words_and_a_remedy() {
        for (line, word) in [
            (
                "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
                "no space is left",
            ),
            (
                "Failed to establish a new connection: [Errno -3] Temporary failure in name resolution",
                "index cannot be reached",
            ),
            ("error: Request failed after 3 retries\n  Caused by: dns error", "index cannot be reached"),
            ("The virtual environment was not created because ensurepip is not available.", "python3-venv"),
            ("ERROR: No matching distribution found for x==1", "has no x==1"),
            ("ERROR: Package 'x' requires a different Python: 3.8.1 not in '>=3.10'", "another version of Python"),
            ("ERROR: something else", "something else"),
        ] {
            assert!(told("", line).contains(word), "{}", told("", line));
        }
        let offline = told("/wheels", "ERROR: No matching distribution found for x==1");
        assert!(offline.contains("/wheels") && offline.contains("lacks x==1"), "{offline}");
    }
}
