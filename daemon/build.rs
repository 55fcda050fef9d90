//! Tells the program which commit it was built from. Only in release builds: a build of every day must not begin anew with
//! each commit.

#![allow(clippy::print_stdout)] // how cargo is told

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=NEXUSD_COMMIT");
    let said = match env::var("PROFILE").as_deref() {
        Ok("release") => format!("commit {}", commit()),
        _ => "development build".to_owned(),
    };
    println!("cargo:rustc-env=NEXUSD_BUILT_FROM={said}");
}

/// As a packager says it who builds without the repository, else as git says.
fn commit() -> String {
    if let Some(given) = env::var("NEXUSD_COMMIT").ok().filter(|given| !given.trim().is_empty()) {
        return given.trim().to_owned();
    }
    // What moves with a commit; a checkout of a branch moves the first alone.
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(file) = git(&["rev-parse", "--git-path", name]).filter(|file| Path::new(file).exists()) {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned())
}

/// What git answers in this folder; nothing without git, or outside of a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
