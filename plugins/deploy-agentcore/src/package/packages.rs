//! Packages that an agent names in `requirements.txt`, as wheels for arm64: nothing is built here, so none of their code
//! runs on this machine.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nexus_plugin_api::{
    Context,
    payload::{Failure, LogLevel},
};
use tokio::{process::Command, time::timeout};

use super::io;
use crate::{Settings, names};

const FILE: &str = "requirements.txt";
const MAX_BYTES: u64 = 256 * 1024;
/// Wheels of either kind run on AgentCore.
const PLATFORMS: [&str; 2] = ["manylinux2014_aarch64", "manylinux_2_28_aarch64"];
/// What pip may know of this machine: where packages come from.
const PASSED_ON: [&str; 3] = ["PATH", "HOME", "LANG"];
/// Of pip's complaints, the end.
const MAX_TOLD: usize = 1_500;

/// The requirements of an agent's folder, if it has any.
pub(super) async fn requirements(folder: &Path) -> Result<Option<String>, Failure> {
    let path = folder.join(FILE);
    match tokio::fs::metadata(&path).await {
        Ok(about) if about.is_file() && about.len() <= MAX_BYTES => {}
        Ok(_) => return Err(Failure::permanent(format!("{FILE} of the agent is no file, or too large"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(&path, &error)),
    }
    let text = tokio::fs::read_to_string(&path).await.map_err(|error| io(&path, &error))?;
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    // An option could fetch from anywhere, read another file, or run what a package brings.
    if let Some(line) = lines.iter().find(|line| line.starts_with('-') || line.contains("://") || line.contains('@')) {
        return Err(Failure::permanent(format!(
            "{FILE} of the agent: {line:?} is not taken: name packages and versions, nothing else"
        )));
    }
    Ok((!lines.is_empty()).then(|| lines.join("\n") + "\n"))
}

/// The folder with these packages; fetched once for the same requirements and the same Python.
pub(super) async fn fetch(
    settings: &Settings,
    requirements: &str,
    workshop: &Path,
    cx: &Context,
) -> Result<PathBuf, Failure> {
    let hash = names::hash([requirements.as_bytes(), settings.python_version.as_bytes()]);
    let kept = workshop.join(format!("packages-{hash}"));
    if kept.is_dir() {
        return Ok(kept);
    }
    // Those of other requirements are not wanted any more; nor is what an interrupted deployment left.
    let _ = tokio::fs::remove_dir_all(workshop).await;
    tokio::fs::create_dir_all(workshop).await.map_err(|error| io(workshop, &error))?;
    let list = workshop.join(FILE);
    tokio::fs::write(&list, requirements).await.map_err(|error| io(&list, &error))?;
    let part = workshop.join("packages.part");
    let patience = Duration::from_secs(settings.packages_timeout_secs);
    let run = pip(settings, &list, &part).output();
    let output = timeout(patience, run).await.map_err(|_| {
        Failure::transient(format!("pip did not end within {} seconds (packages_timeout_secs)", patience.as_secs()))
    })?;
    let output = output.map_err(|error| {
        Failure::permanent(format!(
            "{:?} cannot be run ({error}): set `python` of [plugins.deploy-agentcore] to a Python with pip",
            settings.python
        ))
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let end = said.len().saturating_sub(MAX_TOLD);
        let told = said.get(said.ceil_char_boundary(end)..).unwrap_or_default().to_owned();
        let text = format!(
            "the agent's packages cannot be had as wheels for arm64 and Python {}: change its {FILE}",
            settings.python_version
        );
        cx.log(LogLevel::Error, format!("pip: {told}"));
        // Whether it is the network or the list, pip says only in prose.
        let failure = if told.contains("No module named pip") {
            Failure::permanent(format!(
                "{:?} has no pip: install it, or set `python` of [plugins.deploy-agentcore]",
                settings.python
            ))
        } else if told.contains("No matching distribution") || told.contains("Invalid requirement") {
            Failure::permanent(text)
        } else {
            Failure::transient(text)
        };
        return Err(failure.with_details(told));
    }
    tokio::fs::rename(&part, &kept).await.map_err(|error| io(&kept, &error))?;
    Ok(kept)
}

fn pip(settings: &Settings, list: &Path, into: &Path) -> Command {
    let mut command = Command::new(&settings.python);
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile"]);
    command.args(["--only-binary=:all:", "--implementation", "cp", "--python-version", &settings.python_version]);
    for platform in PLATFORMS {
        command.args(["--platform", platform]);
    }
    command.arg("--target").arg(into).arg("--requirement").arg(list);
    let known = |name: &str| {
        PASSED_ON.contains(&name) || name.starts_with("PIP_") || name.to_ascii_lowercase().ends_with("_proxy")
    };
    let environment = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(known));
    command.env_clear().envs(environment);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requirements_name_packages_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| std::fs::write(folder.path().join(FILE), text).unwrap();
        assert_eq!(requirements(folder.path()).await.unwrap(), None);
        write("# nothing\n\n");
        assert_eq!(requirements(folder.path()).await.unwrap(), None);
        write("# a model\nstrands-agents[openai]>=1.0,<2\n");
        assert_eq!(requirements(folder.path()).await.unwrap().unwrap(), "strands-agents[openai]>=1.0,<2\n");
        for odd in ["-r /etc/passwd", "--index-url http://x", "a @ file:///tmp/a.whl", "git+https://x/y", "-e ."] {
            write(odd);
            let failure = requirements(folder.path()).await.unwrap_err();
            assert!(failure.message.contains(odd), "{failure}");
        }
    }
}
